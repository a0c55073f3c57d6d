from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import DataFileError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads.openb import read_openb
from hybrid_ml_scheduler.workloads.source import Source, read_source
from reader_cases import OPENB
from shared_data import shared

HEADER = OPENB.split(b"\n", 1)[0] + b"\n"
GOOD = "p,1000,1024,1,500,,LS,Running,10,40,20\n"


def read(data: bytes, *, lenient: bool = False) -> Workload:
    return check_workload(read_openb(Source("pods.csv", data, "00"), lenient=lenient))


def test_what_becomes_of_each_column() -> None:
    workload = read(OPENB)
    tasks = workload.tasks
    assert workload.kind is WorkloadKind.RIGID
    assert tasks.arrival_s.tolist() == [0, 427061, 427061, 500000]
    assert workload.truth.work_s.tolist() == [12537496, 12902960 - 427070, 39, 1]
    assert tasks.requested_time_s.tolist() == workload.truth.work_s.tolist()
    assert tasks.cores_milli.tolist() == [12000, 6000, 8000, 8000]
    assert tasks.gpus.tolist() == [1, 1, 0, 8]
    assert tasks.gpu_share_milli.tolist() == [1000, 460, 0, 1000]
    assert tasks.memory_mb.tolist() == pytest.approx([16384 * 1.048576, 12288 * 1.048576, 0, 30517.5 * 1.048576])
    assert tasks.kind is not None
    assert [tasks.kind_names[code] for code in tasks.kind] == ["LS", "BE", "LS", "Burstable"]
    assert workload.meta["gpu_spec"] == {"1": "V100M16|V100M32"}
    assert workload.report.estimates == "exact"
    assert dict(workload.report.substitutions) == {"never scheduled: time from creation to deletion became the run time": 1}
    assert any("Failed 1, Pending 1, Running 2" in note for note in workload.report.notes)


def test_models_stay_with_their_pods_when_rows_are_sorted() -> None:
    rows = OPENB.decode().splitlines()
    workload = read("\n".join([rows[0], rows[4], rows[2], rows[1]]).encode())
    assert workload.report.sorted_by_us
    assert workload.tasks.task_id.tolist() == [2, 1, 0]
    assert workload.meta["gpu_spec"] == {"1": "V100M16|V100M32"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("p,1000,1024,9,500,,LS,Running,10,40,20", "num_gpu out of range"),
        ("p,1000,1024,-1,500,,LS,Running,10,40,20", "negative"),
        ("p,1000,1024,1.5,500,,LS,Running,10,40,20", "not a whole number"),
        ("p,1000,1024,1,0,,LS,Running,10,40,20", "gpu_milli out of range"),
        ("p,1000,1024,1,1001,,LS,Running,10,40,20", "gpu_milli out of range"),
        ("p,1000,nan,1,500,,LS,Running,10,40,20", "NaN or infinite"),
        ("p,1000,1e30,1,500,,LS,Running,10,40,20", "beyond int64"),
        ("p,1000,1e18,1,500,,LS,Running,10,40,20", "memory_mib out of range"),
        ("p,,1024,1,500,,LS,Running,10,40,20", "cpu_milli is empty"),
        ("p,1000,1024,1,500,,LS,Running,10,15,20", "times out of order"),
        ("p,1000,1024,1,500,,LS,Running,30,40,20", "times out of order"),
        ("p,1000,1024,1,500,,LS,Pending,30,20,", "times out of order"),
        ("p,1000,1024,1,500,,LS,Running,10,40", "wrong number of columns"),
        ('p,1000,1024,1,500,"LS,Running,10,40,20', "quotes"),
        ("p,1000,1024,1,500,,LS,\udcff,10,40,20", "not UTF-8"),
        ("first,1000,1024,1,500,,LS,Running,10,40,20", "name appears twice"),
    ],
)
def test_bad_rows_name_their_line_or_are_counted(row: str, reason: str) -> None:
    data = HEADER + ("first" + GOOD[1:] + "\n" + row + "\n" + "last" + GOOD[1:]).encode("utf-8", "surrogateescape")
    with pytest.raises(DataFileError) as caught:
        read(data)
    assert caught.value.line == 4
    workload = read(data, lenient=True)
    assert len(workload) == 2
    assert dict(workload.report.dropped) == {reason: 1}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"name,cpu_milli\n", "line 1: the columns memory_mib, num_gpu, gpu_milli, creation_time, deletion_time, scheduled_time are missing"),
        (HEADER.replace(b"qos", b"name"), "the column name stands twice"),
        (HEADER, "there is no data row"),
        (b'"name\n', "quotes do not match"),
        (b"\n" * 5 + b"\xff\n", "line 6: byte 0xff"),
        (HEADER + b"x" * 2**21, "line 2: the line has 2,097,152 bytes"),
    ],
)
def test_what_is_no_pod_list(data: bytes, problem: str) -> None:
    with pytest.raises(DataFileError, match=problem):
        read(data)


def test_the_default_list() -> None:
    workload = check_workload(read_openb(read_source(shared("data/alibaba-openb/openb_pod_list_default.csv"))))
    assert len(workload) == 8152
    assert int(np.count_nonzero(workload.tasks.gpus == 0)) == 1088
    assert int(np.count_nonzero((workload.tasks.gpus == 1) & (workload.tasks.gpu_share_milli < 1000))) == 3078
    assert set(workload.meta) == {"path"}
    assert sum(workload.report.substitutions.values()) == 897
