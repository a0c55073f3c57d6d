from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.learning.objective import METRICS, parse_objective

WEIGHTS = st.dictionaries(st.sampled_from(sorted(METRICS)), st.sampled_from([0.02, 1.0, 3.0, 1e-6, 250.0]), min_size=1)


@given(WEIGHTS)
def test_the_canonical_text_means_the_same(weights: dict[str, float]) -> None:
    objective = parse_objective(",".join(f" {name.upper()} = {weight}" for name, weight in weights.items()))
    assert dict(objective.weights) == weights
    assert parse_objective(objective.text) == objective


@given(WEIGHTS)
def test_the_value_is_the_weighted_sum_in_the_metrics_own_units(weights: dict[str, float]) -> None:
    metrics = {metric: 2.0 + row for row, (metric, _) in enumerate(METRICS.values())}
    expected = sum(weight * metrics[METRICS[name][0]] for name, weight in weights.items())
    assert parse_objective(",".join(f"{name}={weight}" for name, weight in weights.items())).value(metrics) == pytest.approx(expected)


def test_a_metric_that_the_run_does_not_have_is_named() -> None:
    with pytest.raises(InputError, match=r"'energy': the run has no energy_per_task_j; expected a cluster with the watts"):
        parse_objective("energy").value({"mean_response_s": 1.0})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no metric"),
        ("response", "'response' is no metric to train for; expected mean_response"),
        ("energy=1,energy=2", "stands twice"),
        ("energy,cost=1", "'energy' has no weight"),
        ("energy=0", "expected a number above 0"),
        ("energy=-1", "expected a number above 0"),
        ("energy=nan", "expected a number above 0"),
        ("energy=inf", "expected a number above 0"),
        ("energy=1e999", "expected a number above 0"),
        ("energy=", "expected a number above 0"),
    ],
)
def test_wrong_objectives(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_objective(text)
