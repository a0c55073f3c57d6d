"""Lower bounds of every run of a comparison, and the gaps to them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from hybrid_ml_scheduler.engine.bounds import lower_bounds
from hybrid_ml_scheduler.engine.metrics import regret
from hybrid_ml_scheduler.experiments.runs import Stage
from hybrid_ml_scheduler.experiments.summary import OutcomesByPolicy, means

CP_SAT_TOTAL_S = 30.0
"""Time limit of CP-SAT over all runs together, where OR-tools is installed and instances are small enough for it."""

GAPS = {"gap_to_bound": ("makespan_s", "best_s"), "response_gap_to_bound": ("mean_response_s", "mean_response_s")}
"""Metric of the gap: the metric and the bound that it relates."""


def bound_runs(stage: Stage, by_policy: OutcomesByPolicy, begin: Callable[[int], None]) -> dict[str, Any]:
    """Bound every run from below, and give every outcome its gaps (metric over bound, minus 1).

    Parameters
    ----------
    stage : Stage
    by_policy : mapping of str to sequence of Outcome
        Their metrics get ``gap_to_bound`` (makespan) and ``response_gap_to_bound`` (mean response), where the bound is above 0.
    begin : callable
        Is told the number of each run before it is bounded.

    Returns
    -------
    dict
        The bounds of `lower_bounds`, means over the runs that have them, and with several runs ``runs``, the bounds of each.
    """
    bounds = []
    for run in range(len(stage.runs)):
        begin(run)
        of_run = lower_bounds(
            stage.workload(run), stage.cluster, cp_sat=find_spec("ortools") is not None, time_limit_s=CP_SAT_TOTAL_S / len(stage.runs)
        )
        bounds.append(of_run)
        for outcomes in by_policy.values():
            for gap, (metric, bound) in GAPS.items():
                value = regret(outcomes[run].metrics[metric], of_run[bound]) if bound in of_run else None
                if value is not None:
                    outcomes[run].metrics[gap] = value
    if len(bounds) == 1:
        return dict(bounds[0])
    return {**means([{name: value for name, value in of_run.items() if not isinstance(value, bool)} for of_run in bounds]), "runs": bounds}
