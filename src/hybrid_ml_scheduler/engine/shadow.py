"""The running shadow comparison behind a learned policy: tasks that have finished are replayed under the policy and under its rule.

After every block of finished tasks the last of them are run again, from an empty cluster, with the run times that were observed: once as the learned
policy would decide and once as the rule would, through this same engine. While the record speaks for the rule, the rule decides; the comparison goes
on, so that the policy can come back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.state import N_FINISHED, State

OBJECTIVE_METRICS = ("mean_bounded_slowdown", "mean_response_s", "p99_wait_s", "makespan_s", "energy_per_task_j", "cost_usd")
"""Metrics that a policy can be trained for, in the order of ``CompiledPolicy.arrays["objective"]``, their weights."""

FIRST_BLOCK = 40
"""Finished tasks before the first comparison: a policy that is badly wrong must not decide for long."""
LARGEST_BLOCK = 250
"""Tasks that are replayed at most."""
LONGEST_PAUSE = 2_000
"""Finished tasks between two comparisons at most; the pause doubles up to here, so that long runs are not slowed down by replays."""

LOSING = 0.05
"""The rule takes over when the record (mean logarithm of learned over rule) is above this on full blocks, and above more on shorter ones, whose
scores vary more; it hands back when the record is below 0."""
REMEMBERED = 32
"""Comparisons that a run without end keeps; the pause between two does not depend on how many there were beyond 16."""
MEMORY = 0.5
"""Weight of the record so far when a block is added."""

Step = Callable[[int, bool], None]
"""Runs the policy until at least so many tasks have finished or nothing is left to happen; True: the rule decides."""
Replay = Callable[[IntArray], tuple[float, float]]
"""Replays rows (ascending) and returns the objective of the learned policy and of the rule; smaller is better."""


@dataclass(slots=True)
class ShadowRecord:
    """Every comparison of a run.

    Attributes
    ----------
    finished : list of int
        Finished tasks at each comparison.
    log_ratio : list of float
        Logarithm of the learned policy's objective over the rule's; above 0 the policy loses.
    rule_decides : list of bool
        Who decides after it.
    record : float
        Running mean of the logarithms; NaN before the first comparison.
    """

    finished: list[int] = field(default_factory=list)
    log_ratio: list[float] = field(default_factory=list)
    rule_decides: list[bool] = field(default_factory=list)
    record: float = math.nan

    @property
    def losing(self) -> bool:
        """Whether the rule decides now."""
        return bool(self.rule_decides) and self.rule_decides[-1]

    def shift(self, dropped: int) -> None:
        """Count finished tasks from another one on; comparisons that no longer matter are forgotten."""
        for values in (self.finished, self.log_ratio, self.rule_decides):
            del values[:-REMEMBERED]
        self.finished[:] = [count - dropped for count in self.finished]

    def add(self, finished: int, block: int, learned: float, rule: float) -> None:
        """Add a comparison over ``block`` tasks; see `LOSING`."""
        ratio = math.log(max(learned, 1e-12) / max(rule, 1e-12))
        self.record = ratio if math.isnan(self.record) else MEMORY * self.record + (1.0 - MEMORY) * ratio
        limit = LOSING * LARGEST_BLOCK / block
        self.finished.append(finished)
        self.log_ratio.append(ratio)
        self.rule_decides.append(self.record > 0.0 if self.losing else self.record > limit)


def run_in_shadow(state: State, step: Step, replay: Replay, record: ShadowRecord | None = None) -> ShadowRecord:
    """Run a learned policy to the end of its workload, and compare it with its rule on the way.

    Parameters
    ----------
    state : State
        Of the run; fresh, or that of a run to be continued, together with its record.
    step, replay : callable
        Run the policy, and compare it with the rule.
    record : ShadowRecord, optional
        Of the run so far.

    Returns
    -------
    ShadowRecord
    """
    record = ShadowRecord() if record is None else record
    while True:
        seen = record.finished[-1] if record.finished else 0
        wanted = seen + min(FIRST_BLOCK << min(len(record.finished), 16), LONGEST_PAUSE)
        step(wanted, record.losing)
        finished = int(state.counters[N_FINISHED])
        if finished < wanted:
            return record
        block = min(finished - seen, LARGEST_BLOCK)
        rows = np.sort(state.finish_log[finished - block : finished])
        record.add(finished, block, *replay(rows))


def weighted_objective(metrics: Mapping[str, float], weights: FloatArray) -> float:
    """Return the weighted sum of `OBJECTIVE_METRICS`; metrics of weight 0 may be absent.

    Parameters
    ----------
    metrics : mapping of str to float
        As `engine.metrics.measure` returns them.
    weights : ndarray of float64, shape (6,)
        >= 0, per unit of each metric.
    """
    return float(sum(weight * metrics[name] for name, weight in zip(OBJECTIVE_METRICS, weights, strict=True) if weight > 0.0))
