from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import DataFileError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads import swf
from hybrid_ml_scheduler.workloads.rows import RowLog
from hybrid_ml_scheduler.workloads.source import Source, read_source
from hybrid_ml_scheduler.workloads.swf import COLUMNS, MB_PER_KB, read_swf
from reader_cases import SWF
from shared_data import shared

GOOD = dict.fromkeys(COLUMNS, "-1") | {"job number": "1", "submit time": "5", "run time": "7", "allocated processors": "2"}


def row(**changes: object) -> bytes:
    values = GOOD | {name.replace("_", " "): str(value) for name, value in changes.items()}
    return " ".join(values.values()).encode() + b"\n"


def read(data: bytes, *, lenient: bool = False) -> Workload:
    return check_workload(read_swf(Source("t.swf", data, "00"), lenient=lenient))


def test_what_becomes_of_each_column() -> None:
    workload = read(SWF)
    tasks, truth, report = workload.tasks, workload.truth, workload.report
    assert workload.kind is WorkloadKind.RIGID
    assert tasks.task_id.tolist() == [1, 2, 4, 9]
    assert tasks.arrival_s.tolist() == [0, 10, 10, 30]
    assert tasks.cores_milli.tolist() == [4000, 8000, 2000, 1000]
    assert truth.work_s.tolist() == [100, 60.5, 10, 0]
    assert tasks.requested_time_s.tolist() == [200, 60.5, 300, 30]
    assert tasks.memory_mb.tolist() == pytest.approx([4 * 1024 * MB_PER_KB, 0, 0, 2048 * MB_PER_KB])
    assert tasks.user is not None
    assert [tasks.user_names[code] if code >= 0 else None for code in tasks.user.tolist()] == ["7", "8", "7", None]
    assert tasks.kind is not None
    assert [tasks.kind_names[code] if code >= 0 else None for code in tasks.kind.tolist()] == ["3", None, "3", None]
    assert report.processors == 338
    assert report.estimates == "exact"
    assert dict(report.substitutions) == {"run time < 0 became 10 s": 1, "requested time <= 0 became the run time": 1}
    assert report.rows == 4
    assert not report.sorted_by_us


def test_a_trace_whose_users_all_said_how_long_has_their_estimates() -> None:
    assert read(row(requested_time=50)).report.estimates == "user"


def test_a_negative_run_time_is_also_the_stand_in_for_the_request() -> None:
    workload = read(row(run_time=-7, requested_time=0))
    assert workload.truth.work_s[0] == workload.tasks.requested_time_s[0] == 10


def test_unknown_users_and_executables_make_no_columns() -> None:
    workload = read(row())
    assert workload.tasks.user is None
    assert workload.tasks.kind is None


@pytest.mark.parametrize(
    ("header", "processors"),
    [
        (b"; MaxProcs: 240\n", 240),
        (b"; MaxNodes: 7\n", 7),
        (b"; MaxNodes: 7\n; MaxProcs: 9\n", 9),
        (b"; MaxProcs: 338 (batch partition; 512 total)\n", 338),
        (b";MaxProcs:12\n", 12),
        (b"; MaxProcs: -1\n; MaxNodes: 3\n", 3),
        (b"; MaxProcs: 0\n; MaxNodes: 3\n", 3),
        (b"; MaxProcs: unknown\n", None),
        (b"; Note: MaxProcs: 5\n", None),
        (b"", None),
    ],
)
def test_processors_of_the_header(header: bytes, processors: int | None) -> None:
    assert read(header + row()).report.processors == processors


def test_a_header_beyond_all_numbers_names_its_line() -> None:
    with pytest.raises(DataFileError, match=r"line 2.*MaxProcs has 30 digits"):
        read(b"; Version: 2\n; MaxProcs: " + b"9" * 30 + b"\n" + row())


def test_only_data_rows_must_be_utf8() -> None:
    assert len(read(b"; Installation: Universit\xe4t\n" + row() + b"; another \xff remark\n\n" + row(job_number=2))) == 2
    with pytest.raises(DataFileError, match=r"line 3: byte 0xe4 is not UTF-8"):
        read(b"; \xe4\n" + row() + b"2 \xe4\n")


def test_line_ends_byte_order_mark_and_a_missing_last_line_end() -> None:
    data = b"\xef\xbb\xbf" + (b"; MaxProcs: 4\n" + row() + row(job_number=2)).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    workload = read(data)
    assert workload.tasks.task_id.tolist() == [1, 2]
    assert workload.report.processors == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wait_time": -2}, "negative"),
        ({"think_time": -0.5}, "negative"),
        ({"requested_processors": -2}, "negative"),
        ({"user": "nan"}, "NaN or infinite"),
        ({"average_CPU_time": "inf"}, "NaN or infinite"),
        ({"status": "9223372036854775808"}, "beyond int64"),
        ({"run_time": "1e19"}, "beyond int64"),
        ({"run_time": "-1e400"}, "beyond int64"),
        ({"used_memory": "12x"}, "not a number"),
        ({"used_memory": "1_000"}, "not a number"),
        ({"used_memory": "--1"}, "not a number"),
        ({"used_memory": "-"}, "not a number"),
        ({"group": "1\x000"}, "not a number"),
        ({"group": "\u0663"}, "not a number"),
        ({"job_number": "1.5"}, "not a whole number"),
        ({"allocated_processors": "1.5"}, "not a whole number"),
        ({"job_number": -1}, "job number unknown"),
        ({"submit_time": -1}, "submit time unknown"),
        ({"allocated_processors": -1}, "processors unknown"),
        ({"allocated_processors": 0}, "processors unknown"),
        ({"allocated_processors": 10**18}, "too many processors"),
        ({"requested_memory": 10**18}, "too much memory"),
        ({"think_time": "-1 -1"}, "not 18 columns"),
        ({"think_time": ""}, "not 18 columns"),
        ({"think_time": "1" * 70_000}, "line too long"),
        ({"job_number": 7}, "job number appears twice"),
    ],
)
def test_bad_rows_name_their_line_or_are_counted(changes: dict[str, object], reason: str) -> None:
    data = b"; header\n" + row(job_number=7) + b"\n" + row(**changes) + row(job_number=8)
    with pytest.raises(DataFileError) as caught:
        read(data)
    assert caught.value.line == 4
    workload = read(data, lenient=True)
    assert workload.tasks.task_id.tolist() == [7, 8]
    assert dict(workload.report.dropped) == {reason: 1}
    assert workload.report.rows == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"run_time": 0},
        {"run_time": -5},
        {"requested_time": -99},
        {"run_time": "552.21"},
        {"submit_time": "1e3"},
        {"submit_time": "+5"},
        {"job_number": 2**63 - 1},
        {"job_number": "4.0"},
        {"average_CPU_time": "9223372036854775000"},
        {"wait_time": "000000000000000000000000000000001"},
    ],
)
def test_odd_rows_that_are_fine(changes: dict[str, object]) -> None:
    workload = read(row(**changes))
    assert workload.tasks.task_id[0] == int(float(changes.get("job_number", 1))) or workload.tasks.task_id[0] == changes["job_number"]


def test_job_numbers_are_exact_up_to_int64() -> None:
    assert read(row(job_number=2**63 - 1) + row(job_number=2**63 - 2)).tasks.task_id.tolist() == [2**63 - 1, 2**63 - 2]


def test_unsorted_submits_are_sorted_and_equal_ones_keep_their_order() -> None:
    rows = [{"job_number": 3, "submit_time": 9, "run_time": 30}, {"job_number": 2, "submit_time": 4, "user": 5}, {"job_number": 1, "submit_time": 4}]
    workload = read(b"".join(row(**changes) for changes in rows))
    assert workload.tasks.task_id.tolist() == [2, 1, 3]
    assert workload.truth.work_s.tolist() == workload.tasks.requested_time_s.tolist() == [7, 7, 30]
    assert workload.tasks.user is not None
    assert workload.tasks.user.tolist() == [0, -1, -1]
    assert workload.report.sorted_by_us


@pytest.mark.parametrize("data", [b"; only a header\n", b"\n \n", b"\xef\xbb\xbf"])
def test_a_file_without_jobs(data: bytes) -> None:
    with pytest.raises(DataFileError, match="there is no job"):
        read(data)


def test_rows_of_many_blocks_and_the_line_of_an_offence_far_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swf, "_BLOCK_BYTES", 100)
    data = b"; MaxProcs: 8\n" + b"".join(row(job_number=job, submit_time=job) for job in range(200))
    assert read(data).tasks.task_id.tolist() == list(range(200))
    with pytest.raises(DataFileError) as caught:
        read(data + row(job_number=500, run_time="x") + row(job_number=501))
    assert caught.value.line == 202


TOKEN = st.one_of(
    st.integers(-1, 10**6).map(str),
    st.integers(-1, 10**6).map(str),
    st.decimals(0, 1000, places=2).map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.sampled_from(["nan", "-", "+5", "1-2", "1.", ".5", "1e3", "4.0", "x;", "-1.0", "007", "-2"]),
)


@given(st.lists(st.tuples(st.lists(TOKEN, min_size=17, max_size=19), st.integers(0, 17)), max_size=6), st.sampled_from([" ", "\t ", "  "]))
def test_whole_blocks_are_read_like_single_lines(rows: list[tuple[list[str], int]], separator: str) -> None:
    """The fast path either declines or finds exactly what the line-by-line authority finds, without an offence."""
    lines = [separator.join([*tokens[:spoil], "5", *tokens[spoil:]])[:400] for tokens, spoil in rows]
    mixed = [line if index % 2 else row(job_number=index + 1).decode().strip() for index, line in enumerate(lines)]
    for block in ("\n".join(lines).encode(), "\n".join(mixed).encode(), b"".join(row(job_number=tokens[0]) for tokens, _ in rows)):
        log = RowLog(Source("t.swf", block, ""), lenient=True)
        slow = swf._parse_lines(block, 1, log)
        fast = swf._parse_block(block)
        assert (fast is None) == bool(log.dropped)
        if fast is not None:
            assert np.array_equal(fast.whole, slow.whole)
            assert np.array_equal(fast.times, slow.times)
            assert np.array_equal(fast.line, slow.line)


def test_hpc2n() -> None:
    workload = read_swf(read_source(shared("data/hpc2n/HPC2N-2002-2.2-cln.swf.gz")))
    assert len(workload) == 202_871
    assert workload.report.processors == 240
    assert workload.report.estimates == "user"
    assert not workload.report.substitutions
    assert int(workload.tasks.cores_milli.max()) == 200_000
    assert workload.tasks.task_id[[0, -1]].tolist() == [11, 527371]


def test_lublin_has_exact_estimates() -> None:
    workload = read_swf(read_source(shared("data/lublin/lublin_256.swf.gz")))
    assert workload.report.processors == 256
    assert workload.report.estimates == "exact"
    assert dict(workload.report.substitutions) == {"requested time <= 0 became the run time": 10_000}
