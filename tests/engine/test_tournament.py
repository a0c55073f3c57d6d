"""Orders that change with the time: the tournament gives what sorting again at every event gives, and the tree what a scan gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_cases import pool, rigid, run
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine.tree import NOBODY, FitTree, build_tree, tree_first, tree_next, tree_set
from reference_simulator import Job, pool_starts

PROCESSORS = 16


def busy(seed: int) -> Workload:
    """Some 60 to 200 jobs that arrive faster than they can run, on grids of times (odd seeds) or at any time."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 201))
    run_s = rng.lognormal(3.0, 1.5, n)
    gap_s = rng.exponential(6.0, n)
    if seed % 2:
        run_s, gap_s = np.round(run_s), np.round(gap_s / 8.0) * 8.0
    requested_s = np.where(rng.random(n) < 0.2, run_s, np.ceil(run_s * rng.choice([0.0, 0.5, 1.0, 3.0, 10.0], n)))
    cores = np.minimum(2 ** rng.integers(0, 6, n), PROCESSORS + 1)
    return rigid(np.cumsum(gap_s).tolist(), run_s, cores=cores, requested_s=requested_s)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("backfill", ["none", "easy", "conservative"])
@pytest.mark.parametrize("order", ["wfp3", "unicep", "lexp"])
def test_the_tournament_equals_sorting_at_every_event(order: str, backfill: str, seed: int) -> None:
    workload = busy(seed)
    tasks = workload.tasks
    columns = (tasks.arrival_s, workload.truth.work_s, tasks.requested_time_s, tasks.cores_milli / 1000)
    jobs = [Job(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    schedule = run(order if backfill == "none" else f"{order}+{backfill}", workload, pool(PROCESSORS))
    expected = pool_starts(jobs, PROCESSORS, order, backfill)
    assert [None if np.isnan(start) else start for start in schedule.start_s.tolist()] == expected
    # There were queues, and the order of a queue changed while it waited: nobody came first for good.
    waited = schedule.start_s > tasks.arrival_s
    assert waited.sum() > 20
    assert (np.diff(schedule.start_s[waited]) < 0).any()


LEAVES = st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 6), st.sampled_from((0.0, 1.0, 2.0, 5.0)))), min_size=1, max_size=20)


def tree_of(leaves: list[tuple[int, float] | None]) -> FitTree:
    tree = build_tree(len(leaves))
    for rank, leaf in enumerate(leaves):
        tree_set(tree, rank, 9, 9.0)
        tree_set(tree, rank, *((NOBODY, np.inf) if leaf is None else leaf))
    return tree


@given(leaves=LEAVES, free=st.integers(0, 6), slack_s=st.sampled_from((-1.0, 0.0, 1.5, 2.0, np.inf)), extra=st.integers(-1, 4))
@settings(max_examples=300)
def test_the_next_rank_in_the_tree_is_the_one_that_a_scan_finds(
    leaves: list[tuple[int, float] | None], free: int, slack_s: float, extra: int
) -> None:
    tree = tree_of(leaves)
    may_start = [rank for rank, leaf in enumerate(leaves) if leaf is not None and leaf[0] <= free and (leaf[1] <= slack_s or leaf[0] <= extra)]
    for after in range(len(leaves) + 1):
        assert tree_next(tree, after, free, slack_s, extra) == next((rank for rank in may_start if rank >= after), -1)
    assert tree_first(tree) == next((rank for rank, leaf in enumerate(leaves) if leaf is not None), -1)


@given(leaves=LEAVES)
def test_the_root_knows_the_fewest_processors_and_the_shortest_estimate(leaves: list[tuple[int, float] | None]) -> None:
    tree = tree_of(leaves)
    assert tree.fewest[1] == min((leaf[0] for leaf in leaves if leaf is not None), default=NOBODY)
    assert tree.shortest[1] == min((leaf[1] for leaf in leaves if leaf is not None), default=np.inf)
