"""schemathesis over the whole description: no 5xx, no status or body that is not described, with credentials and without."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks

from security_fixtures import served_in_a_thread

load_all_checks()
EXAMPLES_EACH = {None: 1, "admin": 3}
"""Few without credentials, where every answer is the same refusal."""
EXAMPLES_EACH_LONG = 60
# What needs several requests that build on each other is not looked at here; everything that one request can show is.
_ALONE = ("use_after_free", "ensure_resource_availability", "object_level_authorization")
CHECKED = [check for name in CHECKS.get_all_names() if name not in _ALONE for check in CHECKS.get_by_names([name])]


def ask_all(address: str, headers: dict[str, str], examples: int) -> tuple[Counter[int], list[str]]:
    """Ask every operation of the description with generated values, right and wrong; return statuses, and what was wrong with answers."""
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    # A name of a policy or a workload may have the right form, and still be none.
    accepted = schema.config.checks.positive_data_acceptance
    accepted.expected_statuses = [*accepted.expected_statuses, "404", "409", "422"]
    statuses, wrong = Counter[int](), []
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in schemathesis.GenerationMode:

            @settings(
                max_examples=examples,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                # Everything in an address is text: lists and objects stand there as other texts, or not at all.
                assume(all(isinstance(value, str) for value in (case.query or {}).values()))
                response = case.call(headers=headers)
                statuses[response.status_code] += 1
                case.validate_response(response, checks=CHECKED, headers=headers)

            try:
                ask()
            except Unsatisfiable:
                continue  # nothing about this operation can be asked wrongly
            except (BaseExceptionGroup, Exception) as error:  # noqa: BLE001 - all of them are shown together
                parts = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
                wrong.extend(f"{operation.label} ({mode.value}): {type(part).__name__} {part}" for part in parts)
    return statuses, wrong


def look(scope: str | None, folder: Path, examples: int) -> None:
    with served_in_a_thread(folder) as (address, keys):
        headers: dict[str, Any] = {} if scope is None else {"Authorization": f"Bearer {keys[scope]}"}
        statuses, wrong = ask_all(address, headers, examples)
        print(f"{scope or 'no credentials'}: {sum(statuses.values())} requests, by status: {dict(sorted(statuses.items()))}")
        assert not wrong, f"{len(wrong)} operations answer otherwise than described:\n" + "\n\n".join(wrong)
        assert max(statuses) < 500
        assert statuses[200] > 0
        assert statuses[{None: 401, "read": 403, "admin": 422}[scope]] > 0
        assert httpx.get(f"{address}/health/live").status_code == 200


@pytest.mark.parametrize("scope", EXAMPLES_EACH)
def test_every_answer_is_as_described(scope: str | None, tmp_path: Path) -> None:
    look(scope, tmp_path, EXAMPLES_EACH[scope])


@pytest.mark.long
@pytest.mark.parametrize("scope", [None, "read", "admin"])
def test_every_answer_is_as_described_to_many_requests(scope: str | None, tmp_path: Path) -> None:
    look(scope, tmp_path, EXAMPLES_EACH_LONG)
