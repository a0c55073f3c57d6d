from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.workload import IntArray
from hybrid_ml_scheduler.engine.decision_point import one_task
from hybrid_ml_scheduler.engine.shadow import (
    FIRST_BLOCK,
    LARGEST_BLOCK,
    LONGEST_PAUSE,
    OBJECTIVE_METRICS,
    ShadowRecord,
    run_in_shadow,
    weighted_objective,
)
from hybrid_ml_scheduler.engine.state import N_FINISHED, State, build_problem, build_state


class Run:
    """A run of ``n`` tasks in which task ``i`` is the ``i``-th to finish; ``ratio(first row)`` is learned over rule on a block."""

    def __init__(self, n: int, ratio: float | dict[range, float]) -> None:
        self.n = n
        self.ratio = {range(n): ratio} if isinstance(ratio, float) else ratio
        problem = build_problem(*one_task())
        self.state: State = build_state(problem)._replace(finish_log=np.arange(n)[::-1].copy())
        self.by_rule: list[tuple[int, int, bool]] = []
        self.blocks: list[tuple[int, int]] = []

    def step(self, until: int, rule: bool) -> None:
        before = int(self.state.counters[N_FINISHED])
        after = min(until + 1, self.n)  # several tasks may end at once
        self.state.counters[N_FINISHED] = after
        self.by_rule.append((before, after, rule))

    def replay(self, rows: IntArray) -> tuple[float, float]:
        assert np.all(np.diff(rows) > 0)
        last = self.n - 1 - rows[0]
        self.blocks.append((len(rows), int(last)))
        return next(ratio for span, ratio in self.ratio.items() if last in span) * 3.0, 3.0

    def share_by_rule(self) -> float:
        return sum(after - before for before, after, rule in self.by_rule if rule) / self.n


def test_a_policy_that_wins_decides_throughout() -> None:
    run = Run(5000, 0.9)
    record = run_in_shadow(run.state, run.step, run.replay)
    assert run.share_by_rule() == 0.0
    assert run.state.counters[N_FINISHED] == 5000
    assert max(size for size, _ in run.blocks) == LARGEST_BLOCK
    assert run.blocks[0] == (FIRST_BLOCK + 1, FIRST_BLOCK)
    assert max(np.diff(record.finished)) <= LONGEST_PAUSE + 1


def test_a_policy_that_loses_badly_is_stopped_after_the_first_block() -> None:
    run = Run(5000, 2.0)
    run_in_shadow(run.state, run.step, run.replay)
    assert run.share_by_rule() == pytest.approx(1.0 - (FIRST_BLOCK + 1) / 5000)


def test_a_policy_that_loses_by_more_than_the_limit_is_stopped_once_blocks_are_large() -> None:
    run = Run(20_000, 1.08)
    record = run_in_shadow(run.state, run.step, run.replay)
    assert record.losing
    assert run.share_by_rule() > 0.9
    run = Run(20_000, 1.03)
    run_in_shadow(run.state, run.step, run.replay)
    assert run.share_by_rule() == 0.0


def test_the_policy_comes_back_when_it_wins_again() -> None:
    run = Run(20_000, {range(3000): 1.5, range(3000, 20_000): 0.8})
    record = run_in_shadow(run.state, run.step, run.replay)
    assert True in record.rule_decides
    assert not record.losing


def test_a_record_goes_on_where_it_was() -> None:
    whole = Run(5000, 1.2)
    expected = run_in_shadow(whole.state, whole.step, whole.replay)
    first = Run(900, 1.2)
    record = run_in_shadow(first.state, first.step, first.replay)
    # The first run ended with tasks after its last comparison; the second begins there.
    second = Run(5000, 1.2)
    second.state.counters[N_FINISHED] = record.finished[-1]
    assert run_in_shadow(second.state, second.step, second.replay, record) == expected


def test_ratios_of_nothing_do_not_fail() -> None:
    record = ShadowRecord()
    record.add(40, 40, 0.0, 0.0)
    assert record.log_ratio == [0.0]
    assert not record.losing


def test_the_objective_needs_only_metrics_that_count() -> None:
    weights = np.zeros(len(OBJECTIVE_METRICS))
    weights[1], weights[3] = 2.0, 0.5
    assert weighted_objective({"mean_response_s": 3.0, "makespan_s": 8.0}, weights) == 10.0
