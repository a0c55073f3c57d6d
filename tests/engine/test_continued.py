"""A run over tasks that come in pieces does, bit for bit, what a run over all of them at once does."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.decision import CompiledPolicy, TaskStatus
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.continued import ContinuedRun
from hybrid_ml_scheduler.engine.rebase import joined
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import learned

CLUSTER = workstation()
POLICIES = ("round_robin", "random", "greedy", "oracle", "priced", "sjf+mct", "learned", "learned guarded")
COLUMNS = ("ready", "start", "finish", "cpu_end", "gpu_end", "node", "gpu_mask", "fraction", "decided_by", "status")


def stream(preset: str, n_pieces: int, n_tasks: int, load: float) -> list[Workload]:
    """Pieces of a stream whose times follow each other."""
    pieces: list[Workload] = []
    for number in range(n_pieces):
        piece = generate(preset, seed=20_000 + number, n_tasks=n_tasks, load=load)
        offset = pieces[-1].tasks.arrival_s[-1] if pieces else 0.0
        tasks = replace(piece.tasks, arrival_s=piece.tasks.arrival_s + offset, task_id=piece.tasks.task_id + number * n_tasks)
        pieces.append(replace(piece, tasks=tasks))
    return pieces


def compiled(name: str) -> CompiledPolicy:
    if name.startswith("learned"):
        return learned(guarded="guarded" in name, exploration=0.1, records=True, seed=5)
    policy = compile_policy(name, generate("steady", seed=20_000, n_tasks=50), CLUSTER, seed=5)
    assert isinstance(policy, CompiledPolicy)
    return policy


def at_once(policy: CompiledPolicy, pieces: list[Workload]) -> dict[str, np.ndarray]:
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = joined(whole, piece)
    schedule = simulate(whole, CLUSTER, policy)
    names = {"ready": "ready_s", "start": "start_s", "finish": "finish_s", "cpu_end": "cpu_end_s", "gpu_end": "gpu_end_s"}
    return {name: getattr(schedule, names.get(name, name)) for name in COLUMNS}


class Collector:
    """Takes what has finished out of a run before its rows go."""

    def __init__(self, n_tasks: int) -> None:
        self.columns: dict[str, np.ndarray] = {}
        self.n_tasks = n_tasks
        self.seen = 0

    def take(self, run: ContinuedRun) -> None:
        over = np.concatenate([run.finished, np.flatnonzero(run.state.status >= TaskStatus.REJECTED)]).astype(np.int64)
        ids = run.workload.tasks.task_id[over]
        for name in COLUMNS:
            column = getattr(run.state, name)
            kept = self.columns.setdefault(name, np.full(self.n_tasks, -7, dtype=column.dtype))
            kept[ids] = column[over]


def in_pieces(policy: CompiledPolicy, pieces: list[Workload], stops: list[float], *, saves: bool = False) -> dict[str, np.ndarray]:
    total = sum(map(len, pieces))
    found = Collector(total)
    run = ContinuedRun(policy, CLUSTER, pieces[0], 0)
    number = 0
    for index, piece in enumerate(pieces):
        number += len(piece)
        begin, end = piece.tasks.arrival_s[0], piece.tasks.arrival_s[-1]
        for stop in sorted(stops):
            run.advance(begin + stop * (end - begin))
            found.take(run)
            run.compact()
            if saves:
                run = saved_and_restored(run)
        if index + 1 < len(pieces):
            run.advance(pieces[index + 1].tasks.arrival_s[0])
            found.take(run)
            run.append(pieces[index + 1], number)
    run.advance(np.inf)
    found.take(run)
    return found.columns


def saved_and_restored(run: ContinuedRun) -> ContinuedRun:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **run.arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        return ContinuedRun.restored(run.policy, run.cluster, generate("steady", seed=20_000, n_tasks=3), dict(saved))


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("name", POLICIES)
def test_pieces_are_the_whole_bit_for_bit(name: str) -> None:
    # Above what the naive rules can bear, so that queues reach over several pieces.
    pieces = stream("bursty", 4, 300, 1.1)
    policy = compiled(name)
    same(at_once(policy, pieces), in_pieces(policy, pieces, [0.3, 0.3000001, 0.9]))


@pytest.mark.parametrize("name", ["random", "oracle", "learned guarded"])
@settings(max_examples=8)
@given(stops=st.lists(st.floats(0.0, 1.0), max_size=3), tasks=st.integers(5, 120), preset=st.sampled_from(["steady", "heavy", "graphs"]))
def test_it_does_not_matter_where_a_run_is_stopped_and_saved(name: str, stops: list[float], tasks: int, preset: str) -> None:
    pieces = stream(preset, 3, tasks, 1.0)
    policy = compiled(name)
    same(at_once(policy, pieces), in_pieces(policy, pieces, stops, saves=True))


def test_rows_are_forgotten() -> None:
    pieces = stream("steady", 12, 200, 0.5)
    run = ContinuedRun(compiled("oracle"), CLUSTER, pieces[0], 0)
    most = 0
    for number, piece in enumerate(pieces[1:], start=1):
        run.advance(piece.tasks.arrival_s[0])
        run.append(piece, 200 * number)
        most = max(most, len(run.workload))
    assert most < 300


@pytest.mark.parametrize("name", ["greedy", "oracle", "learned"])
def test_a_run_without_tasks_at_hand_takes_further_ones(name: str) -> None:
    pieces = stream("steady", 2, 30, 0.1)
    run = ContinuedRun(compiled(name), CLUSTER, pieces[0], 0)
    # Far behind the end of the first piece, nothing is left.
    run.advance(1e6)
    run.tail = 0
    run.compact()
    assert len(run.workload) == 0
    assert len(saved_and_restored(run).workload) == 0
    run.append(replace(pieces[1], tasks=replace(pieces[1].tasks, arrival_s=pieces[1].tasks.arrival_s + 1e6)), 30)
    run.advance(np.inf)
    assert len(run.finished) == 30


def test_another_version_of_a_model_decides_from_a_time_on() -> None:
    pieces = stream("steady", 2, 200, 0.6)
    first, second = learned(seed=5), learned(seed=5, exploration=1.0)
    swapped, plain = (ContinuedRun(first, CLUSTER, pieces[0], 0) for _ in range(2))
    time_s = float(pieces[0].tasks.arrival_s[100])
    for run in (swapped, plain):
        run.advance(time_s)
    swapped.swap(second)
    ids = {}
    for label, run in (("swapped", swapped), ("plain", plain)):
        run.advance(np.inf)
        started = run.state.start >= time_s
        ids[label] = dict(zip(run.workload.tasks.task_id[started].tolist(), run.state.decided_by[started].tolist(), strict=True))
    assert set(ids["swapped"].values()) == {2}
    assert set(ids["plain"].values()) == {1}


def test_what_needs_all_tasks_is_refused() -> None:
    piece = generate("steady", seed=20_000, n_tasks=20)
    with pytest.raises(IncompatiblePolicyError, match="no end"):
        ContinuedRun(compiled("mct+split_qilin"), CLUSTER, piece, 0)
