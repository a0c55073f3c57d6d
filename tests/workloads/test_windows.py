from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import DataFileError, InputError
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload, edge_columns
from hybrid_ml_scheduler.workloads.windows import first_n, parse_windows, scale_load, windows


def make(ids: list[int], arrivals: list[float], runs: list[float], edges: tuple[tuple[int, int], ...] = ()) -> Workload:
    n = len(ids)
    columns = edge_columns(n, [a for a, _ in edges], [b for _, b in edges], [0.0] * len(edges), [1.0] * len(edges))
    tasks = Tasks(
        task_id=np.array(ids, dtype=np.int64),
        arrival_s=np.array(arrivals, dtype=np.float64),
        cores_milli=np.full(n, 1000, dtype=np.int64),
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=np.ones(n),
        deadline_s=np.array(arrivals) + 3.0,
        parent_ptr=columns["parent_ptr"],
        parent_idx=columns["parent_idx"],
        edge_s=columns["edge_s"],
        edge_mb=columns["edge_mb"],
    )
    truth = Truth(work_s=np.array(runs, dtype=np.float64), regime_start_s=np.array([-np.inf, 20.0]))
    return check_workload(Workload("w", WorkloadKind.RIGID, tasks, truth, ReadReport("made", n)))


EXAMPLE = make(ids=[5, 1, 4, 2, 3, 9], arrivals=[0, 10, 10, 10, 30, 40], runs=[1, 2, 0, 4, 5, 6], edges=((0, 1), (3, 4)))


def test_windows_count_jobs_of_positive_run_time_in_id_order() -> None:
    first, second = windows(EXAMPLE, [(0, 3), (2, 3)])
    assert first.tasks.task_id.tolist() == [1, 2, 3]
    assert second.tasks.task_id.tolist() == [5, 3, 9]
    assert first.tasks.arrival_s.tolist() == [10, 10, 30]
    assert first.report.dropped == {"run time 0": 1}
    assert first.name == "w[0:3]"


def test_windows_say_how_many_were_dropped_also_if_none_was() -> None:
    (part,) = windows(first_n(EXAMPLE, 1), [(0, 1)])
    assert part.report.dropped["run time 0"] == 0


def test_edges_into_a_window_are_taken_as_fulfilled_and_said_so() -> None:
    first, second = windows(EXAMPLE, [(0, 3), (3, 2)])
    assert first.tasks.parent_idx.tolist() == [1]
    assert first.tasks.parent_ptr.tolist() == [0, 0, 0, 1]
    assert first.report.notes == ("1 edges to parents outside the window were taken as fulfilled",)
    assert not second.report.notes


@pytest.mark.parametrize("span", [(0, 6), (5, 1), (10**18, 1)])
def test_a_window_beyond_the_end_is_named(span: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"window {span[0]}:{span[1]} ends beyond 'w', which has 5 jobs after dropping 1 of run time 0"):
        windows(EXAMPLE, [(0, 1), span])


@pytest.mark.parametrize("spans", [[], [(-1, 2)], [(0, 0)]])
def test_windows_that_are_none(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(InputError, match="expected"):
        windows(EXAMPLE, spans)


@given(st.data())
def test_windows_side_by_side_hold_every_job_once(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    ids = data.draw(st.permutations(range(n)))
    arrivals = sorted(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)))
    runs = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    workload = make(ids, arrivals, runs)
    jobs = sorted(job for job, run in zip(ids, runs, strict=True) if run)
    cuts = data.draw(st.lists(st.integers(0, len(jobs)), max_size=3).map(lambda cuts: sorted({0, len(jobs), *cuts})))
    spans = [(a, b - a) for a, b in pairwise(cuts)]
    if not spans:
        return
    parts = windows(workload, spans)
    assert [sorted(part.tasks.task_id.tolist()) for part in parts] == [jobs[a : a + length] for a, length in spans]
    for part in parts:
        check_workload(part)
        keys = list(zip(part.tasks.arrival_s.tolist(), part.tasks.task_id.tolist(), strict=True))
        assert keys == sorted(keys)


def test_first_n() -> None:
    assert first_n(EXAMPLE, 6) is EXAMPLE
    assert first_n(EXAMPLE, 99) is EXAMPLE
    part = first_n(EXAMPLE, 2)
    assert part.tasks.task_id.tolist() == [5, 1]
    assert part.report.dropped == {"after the first 2": 4}
    assert part.tasks.has_edges
    with pytest.raises(InputError, match="at least 1"):
        first_n(EXAMPLE, 0)


def test_scaling_divides_the_time_between_arrivals() -> None:
    scaled = scale_load(EXAMPLE, 2.0)
    assert scaled.tasks.arrival_s.tolist() == [0, 5, 5, 5, 15, 20]
    assert scaled.tasks.deadline_s is not None
    assert scaled.tasks.deadline_s.tolist() == [3, 8, 8, 8, 18, 23]
    assert scaled.truth.regime_start_s.tolist() == [-math.inf, 10]
    assert scaled.truth.work_s.tolist() == EXAMPLE.truth.work_s.tolist()


def test_scaling_leaves_the_first_arrival_where_it_is() -> None:
    late = make([1, 2], [100, 104], [1, 1])
    assert scale_load(late, 0.5).tasks.arrival_s.tolist() == [100, 108]


@pytest.mark.parametrize("x", [0.0, -1.0, math.inf, math.nan, 1e-320])
def test_scaling_by_nonsense(x: float) -> None:
    with pytest.raises(InputError, match="was to be scaled"):
        scale_load(EXAMPLE, x)


def test_windows_from_text_and_file(tmp_path: Path) -> None:
    assert parse_windows("1981:1024,2756:1024") == [(1981, 1024), (2756, 1024)]
    path = tmp_path / "windows.json"
    path.write_text("[[1981, 1024], [0, 5]]")
    assert parse_windows(str(path)) == [(1981, 1024), (0, 5)]


@pytest.mark.parametrize("text", ["5", "1:2:3", "1:2,", "-1:2", "1:-2", "1.5:2", "", " ", "all"])
def test_text_that_is_no_windows(text: str) -> None:
    with pytest.raises(InputError, match="START:LEN"):
        parse_windows(text)


@pytest.mark.parametrize("content", ["[]", "{}", "[[1]]", "[[1, 2.5]]", "[[1, true]]", "[[-1, 2]]", "[5]", "[[1, 2]"])
def test_files_that_hold_no_windows(tmp_path: Path, content: str) -> None:
    path = tmp_path / "windows.json"
    path.write_text(content)
    with pytest.raises(DataFileError):
        parse_windows(str(path))
