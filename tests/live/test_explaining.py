"""What a result says is what an explanation of it, recomputed from seed and changes, says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import UnknownNameError, UnknownRunError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.live import explaining
from hybrid_ml_scheduler.live.contract import RunRequest
from live_cases import ended, journal_rows, open_controller, until

pytestmark = pytest.mark.anyio
POLICIES = ("greedy", "priced", "oracle", "hybrid_ml")


async def test_explanations_are_recomputed_and_equal_what_was_stored(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_controller(data_folder, training_rows=200) as controller:
        request = RunRequest(policies=POLICIES, seed=20_300, load=0.6, max_tasks=900, retrain_every=150)
        await controller.start(request)
        await until(controller, lambda status: status.tasks_processed > 100)
        await controller.add_policy("mct")
        status = await until(controller, ended)
        assert status.message is None
        assert status.run_id is not None
        results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
        rng = np.random.default_rng(1)
        models = set()
        kept = controller._service.journals.kept_heads(status.run_id)
        assert 4 <= len(kept) <= 24
        # From here on nothing may begin at the beginning, but for tasks that came before the first kept state.
        begun: list[float] = []
        explained = explaining.explain_result
        monkeypatch.setattr(explaining, "explain_result", lambda group, *more: (begun.append(group.time_s), explained(group, *more))[1])
        for policy in (*POLICIES, "mct"):
            mine = results.filter(results["scheduler"] == policy)
            for place in rng.choice(mine.height, 6, replace=False):
                row = mine.row(int(place), named=True)
                found = await controller.explain(status.run_id, int(row["task_id"]), policy)
                assert found.time_s == float(row["start_s"])
                assert found.chosen.score == float(row["score"])
                assert found.chosen.fraction == float(row["fraction"])
                assert " ".join(map(str, found.chosen.gpus)) == (row["gpus"] or "")
                assert found.decided_by.name.lower() == row["decided_by"]
                assert found.candidates
                assert found.candidates[0].score == found.chosen.score
                models.add(row["model"])
        assert None in models
        assert np.median(begun) > 0.2 * float(results["start_s"].cast(float).max() or 0.0)  # type: ignore[arg-type]
        with pytest.raises(UnknownNameError):
            await controller.explain(status.run_id, 10**9, "greedy")
        with pytest.raises(UnknownNameError):
            await controller.explain(status.run_id, 1, "met")
        with pytest.raises(UnknownRunError):
            await controller.explain(12, 1, "greedy")
