from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.openb import read_openb
from hybrid_ml_scheduler.workloads.source import Source
from hybrid_ml_scheduler.workloads.swf import read_swf
from hybrid_ml_scheduler.workloads.taskgraph import read_taskgraph
from hybrid_ml_scheduler.workloads.wfformat import read_wfformat
from reader_cases import OPENB, SWF, TASKGRAPH, WFFORMAT


def swf(data: bytes) -> Workload:
    return read_swf(Source("t.swf", data, "00"))


@pytest.mark.parametrize("name", ["w.swf", "w.swf.gz"])
def test_swf_round_trip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2**60) | st.just(7.25),
                st.integers(-2, 10**9) | st.just(0.1),
                st.integers(1, 10**6),
                st.integers(-1, 10**6) | st.just(3.5),
                st.integers(-1, 30),
                st.integers(-1, 5),
            ),
            min_size=1,
            max_size=5,
        )
    )
    def check(rows: list[tuple[float, float, int, float, int, int]]) -> None:
        lines = [
            f"{job} {submit} -1 {run} {procs} -1 -1 -1 {request} -1 -1 {user} -1 {exe} -1 -1 -1 -1"
            for job, (submit, run, procs, request, user, exe) in enumerate(rows)
        ]
        workload = swf(("; MaxProcs: 64\n" + "\n".join(lines)).encode())
        if np.any((workload.tasks.requested_time_s == 0) & (workload.truth.work_s != 0)):
            return
        assert write_workload(workload, path) == ()
        again = open_workload(str(path))
        for column in ("task_id", "arrival_s", "cores_milli", "requested_time_s", "user", "kind"):
            a, b = getattr(workload.tasks, column), getattr(again.tasks, column)
            assert (a is None and b is None) or np.array_equal(a, b), column
        assert np.array_equal(workload.truth.work_s, again.truth.work_s)
        assert workload.tasks.user_names == again.tasks.user_names
        assert again.report.processors == 64
        assert again.report.estimates == workload.report.estimates

    check()


def test_swf_keeps_memory(tmp_path: Path) -> None:
    workload = swf(SWF)
    write_workload(workload, tmp_path / "w.swf")
    assert open_workload(str(tmp_path / "w.swf")).tasks.memory_mb == pytest.approx(workload.tasks.memory_mb)


def test_what_swf_cannot_say_is_named(tmp_path: Path) -> None:
    workload = read_wfformat(Source("w.json", WFFORMAT, "00"))
    assert write_workload(workload, tmp_path / "w.swf") == ("parents", "names of kinds")


def changed(**columns: Any) -> Workload:
    workload = swf(SWF)
    return replace(workload, tasks=replace(workload.tasks, **columns))


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        (read_openb(Source("p.csv", OPENB, "00")), r"\(task 0\); expected tasks without GPUs"),
        (changed(cores_milli=np.array([1000, 1500, 1000, 1000])), r"\(task 2\); expected whole processors"),
        (changed(arrival_s=np.array([-1.0, 0, 0, 0])), "arrivals of at least 0"),
        (changed(task_id=np.array([3, 2, 1, -1])), "task ids of at least 0"),
        (changed(requested_time_s=np.array([1.0, 0, 1, 1])), "requested times above 0"),
    ],
)
def test_what_swf_cannot_hold_at_all(tmp_path: Path, workload: Workload, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        write_workload(workload, tmp_path / "w.swf")
    assert not list(tmp_path.iterdir())


def test_task_graphs_stay_in_their_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="task graph"):
        write_workload(read_taskgraph(Source("g", TASKGRAPH, "00")), tmp_path / "w.csv")
