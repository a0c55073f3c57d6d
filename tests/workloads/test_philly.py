from __future__ import annotations

import datetime as dt

import pytest

from hybrid_ml_scheduler.core.errors import DataFileError
from hybrid_ml_scheduler.core.workload import Workload, check_workload
from hybrid_ml_scheduler.workloads.philly import read_philly
from hybrid_ml_scheduler.workloads.source import Source, read_source
from reader_cases import PHILLY
from shared_data import shared

HEADER = PHILLY.split(b"\n", 1)[0] + b"\n"


def read(data: bytes, *, lenient: bool = False) -> Workload:
    return check_workload(read_philly(Source("philly.csv", data, "00"), lenient=lenient))


def test_what_becomes_of_each_column() -> None:
    workload = read(PHILLY)
    tasks = workload.tasks
    stamps = [(2017, 9, 29, 7, 58, 32), (2017, 10, 9, 6, 13, 3), (2017, 10, 9, 7, 1, 55)]
    assert tasks.arrival_s.tolist() == [dt.datetime(*stamp, tzinfo=dt.UTC).timestamp() for stamp in stamps]
    assert tasks.task_id.tolist() == [2, 1, 0]
    assert workload.truth.work_s.tolist() == tasks.requested_time_s.tolist() == [0.5, 2951, 66]
    assert tasks.cores_milli.tolist() == [8000, 16000, 1000]
    assert not tasks.gpus.any()
    assert tasks.user is not None
    assert tasks.user.tolist() == [-1, 1, 0]
    assert tasks.user_names == ("11cb48", "6214e9")
    assert workload.report.sorted_by_us
    assert workload.report.estimates == "exact"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2017-10-09,1,1,1,a", "not a timestamp"),
        ("2017-13-09 07:01:55,1,1,1,a", "not a timestamp"),
        ("now,1,1,1,a", "not a timestamp"),
        ("NaT,1,1,1,a", "not a timestamp"),
        ("2017-10-09 07:01:55,1,0,1,a", "num_gpus out of range"),
        ("2017-10-09 07:01:55,1,-1,1,a", "negative"),
        ("2017-10-09 07:01:55,-1,1,1,a", "negative"),
        ("2017-10-09 07:01:55,,1,1,a", "duration is empty"),
        ("2017-10-09 07:01:55,1,99999999999999999,1,a", "num_gpus out of range"),
    ],
)
def test_bad_rows_name_their_line_or_are_counted(row: str, reason: str) -> None:
    data = HEADER + f"2017-10-09 07:01:55,1,1,1,a\n{row}\n".encode()
    with pytest.raises(DataFileError) as caught:
        read(data)
    assert caught.value.line == 3
    assert dict(read(data, lenient=True).report.dropped) == {reason: 1}


def test_virtual_clusters_may_be_left_out() -> None:
    assert read(b"timestamp,duration,num_gpus\n2017-10-09T07:01:55,1,1\n").tasks.user is None


def test_the_trace() -> None:
    workload = check_workload(read_philly(read_source(shared("data/philly/philly.csv.gz"))))
    assert len(workload) == 82_247
    assert len(workload.tasks.user_names) == 15
    assert int(workload.tasks.cores_milli.max()) == 128_000
