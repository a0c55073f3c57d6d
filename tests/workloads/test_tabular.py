from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import DataFileError, InputError
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload, edge_columns
from hybrid_ml_scheduler.workloads import parquet
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.philly import read_philly
from hybrid_ml_scheduler.workloads.source import Source
from hybrid_ml_scheduler.workloads.synthetic import generate
from hybrid_ml_scheduler.workloads.tabular import COLUMNS, read_tabular
from reader_cases import DIVISIBLE, SAMPLES, TABULAR


def read(data: str | bytes, *, lenient: bool = False) -> Workload:
    raw = data if isinstance(data, bytes) else data.encode()
    return check_workload(read_tabular(Source("t.csv", raw, "00"), lenient=lenient))


def test_what_becomes_of_each_column() -> None:
    workload = read(TABULAR)
    tasks = workload.tasks
    assert workload.kind is WorkloadKind.RIGID
    assert tasks.task_id.tolist() == [7, 5, 3]
    assert tasks.arrival_s.tolist() == [0, 1, 1.5]
    assert workload.truth.work_s.tolist() == [10, 30, 0]
    assert tasks.cores_milli.tolist() == [1500, 1000, 2000]
    assert tasks.gpus.tolist() == [1, 2, 0]
    assert tasks.gpu_share_milli.tolist() == [300, 1000, 0]
    assert tasks.memory_mb.tolist() == [1000, 1, 0]
    assert tasks.requested_time_s.tolist() == [20, 30, 0]
    assert tasks.user is not None
    assert [tasks.user_names[code] for code in tasks.user] == ["ann", "ann", "bob"]
    assert tasks.kind is not None
    assert [tasks.kind_names[code] if code >= 0 else "" for code in tasks.kind] == ["train", "a, b", ""]
    assert tasks.priority is not None
    assert np.array_equal(tasks.priority, [np.nan, np.nan, 1.5], equal_nan=True)
    assert tasks.deadline_s is not None
    assert np.array_equal(tasks.deadline_s, [100, np.nan, np.nan], equal_nan=True)
    assert tasks.parent_ptr.tolist() == [0, 0, 2, 3]
    assert tasks.parent_idx.tolist() == [0, 2, 0]
    assert tasks.edge_s.tolist() == [0, 1, 0.5]
    assert tasks.edge_mb.tolist() == [2, 3.5, 0]
    assert workload.report.sorted_by_us
    assert workload.report.estimates == "exact"
    assert dict(workload.report.substitutions) == {"no requested time: the run time became it": 1}


def test_two_columns_are_enough() -> None:
    workload = read("run_time_s,arrival_s\n5,1\n6,2\n")
    assert workload.tasks.task_id.tolist() == [0, 1]
    assert workload.tasks.cores_milli.tolist() == [1000, 1000]
    assert workload.tasks.requested_time_s.tolist() == [5, 6]
    assert workload.report.estimates == "exact"
    assert not workload.report.substitutions


def test_divisible_tasks_and_what_belongs_to_the_whole_workload() -> None:
    workload = read(DIVISIBLE)
    assert workload.kind is WorkloadKind.DIVISIBLE
    assert workload.law == "sum"
    assert workload.warmup == 0.1
    assert workload.tasks.requested_time_s.tolist() == [1.5, 2.5]
    assert workload.report.estimates == "nominal"
    assert workload.tasks.kind_names == ("x", "y")
    assert workload.truth.slowdown is not None
    assert workload.truth.slowdown.tolist() == [[[1, 0.5], [2, 1]]]
    assert workload.truth.gpu_noise is not None
    assert workload.truth.gpu_noise.tolist() == [1, 0.9]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,-1,,,,", "negative"),
        ("1,,,,,", "run_time_s is empty"),
        ("1,1,1.0005,,,", "cores finer than 0.001"),
        ("1,1,1e17,,,", "cores out of range"),
        ("1,1,1,63,1,", "gpus out of range"),
        ("1,1,1,1,0,", "gpu_share_milli out of range"),
        ("1,1,1,2,500,", "gpu_share_milli out of range"),
        ("1,1,1,0,500,", "gpu_share_milli out of range"),
        ("1,1,1,0,0,99", "parent missing"),
        ("1,1,1,0,0,0;0", "parent twice"),
        ("1,1,1,0,0,0;x", "not a number"),
        ("1,1,1,0,0,0.5", "not a whole number"),
        ("1,1,1,0,0,0;", "not a number"),
        ("1,1,1,0,0,0,0", "wrong number of columns"),
    ],
)
def test_bad_rows_name_their_line_or_are_counted(row: str, reason: str) -> None:
    cells = [cell or fill for cell, fill in zip(row.split(","), ["1", "", "1", "0", "0", "", ""], strict=False)]
    data = "arrival_s,run_time_s,cores,gpus,gpu_share_milli,parents\n0,1,1,0,0,\n" + ",".join(cells) + "\n9,1,1,0,0,0\n"
    with pytest.raises(DataFileError) as caught:
        read(data)
    assert caught.value.line == 3
    workload = read(data, lenient=True)
    assert workload.tasks.arrival_s.tolist() == [0, 9]
    assert dict(workload.report.dropped) == {reason: 1}


def test_lenient_drops_the_children_of_dropped_tasks_too() -> None:
    data = "task_id,arrival_s,run_time_s,parents\n1,0,x,\n2,0,1,1\n3,0,1,2\n4,0,1,\n4,0,1,\n5,0,1,4\n"
    workload = read(data, lenient=True)
    assert workload.tasks.task_id.tolist() == [4, 5]
    assert workload.tasks.parent_idx.tolist() == [0]
    assert dict(workload.report.dropped) == {"not a number": 1, "parent missing": 2, "task_id appears twice": 1}
    with pytest.raises(DataFileError, match="there is no usable row"):
        read("task_id,arrival_s,run_time_s,parents\n1,0,1,9\n", lenient=True)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("arrival_s,run_time_s,colour\n1,1,red\n", "unknown columns 'colour'; expected some of task_id, arrival_s"),
        ("arrival_s\n1\n", "the columns run_time_s are missing"),
        ("arrival_s,run_time_s,run_time_s\n", "stands twice"),
        ("arrival_s,run_time_s,cores,cores_milli\n1,1,1,1000\n", "both columns cores and cores_milli"),
        ("arrival_s,run_time_s,compute_intensity\n1,1,0.5\n", "without size"),
        ("arrival_s,run_time_s,size\n1,1,5\n", "without compute_intensity"),
        ("arrival_s,run_time_s,edge_mb\n1,1,\n", "edge_mb without parents"),
        ("arrival_s,run_time_s,size,compute_intensity\n1,1,0,0.5\n", "line 2: size is 0"),
        ("arrival_s,run_time_s,size,compute_intensity\n1,1,1,1.5\n", "line 2: compute_intensity is '1.5'"),
        ("arrival_s,run_time_s,size,compute_intensity,gpus\n1,1,1,1,1\n", "line 2: a divisible task asks for GPUs"),
        ("arrival_s,run_time_s,parents,edge_s\n0,1,,\n1,1,0,-1\n", "line 3: edge_s is '-1'"),
        ("arrival_s,run_time_s,parents,edge_s\n0,1,,\n1,1,0,1;2\n", "line 3: edge_s has 2 values for 1 parents"),
        ("arrival_s,run_time_s,parents\n0,1,1\n1,1,0\n", "cycle"),
        ("arrival_s,run_time_s\n", "there is no data row"),
        ('# hybrid-ml-scheduler {"colour": 1}\narrival_s,run_time_s\n1,1\n', "'colour'"),
        ("# hybrid-ml-scheduler [\narrival_s,run_time_s\n1,1\n", "not JSON"),
        ('# hybrid-ml-scheduler {"law": "none"}\narrival_s,run_time_s\n1,1\n', "law is 'none'"),
        ('# hybrid-ml-scheduler {"warmup": 1}\narrival_s,run_time_s\n1,1\n', "warmup is 1"),
        ('# hybrid-ml-scheduler {"processors": 0}\narrival_s,run_time_s\n1,1\n', "processors is 0"),
        ('# hybrid-ml-scheduler {"kind_names": "a"}\narrival_s,run_time_s\n1,1\n', "kind_names is 'a'"),
        ('# hybrid-ml-scheduler {"kind_names": ["a"]}\narrival_s,run_time_s,kind\n1,1,1\n', "no number into kind_names"),
        ('# hybrid-ml-scheduler {"kind_names": ["a"]}\narrival_s,run_time_s,kind\n1,1,a\n', "no number into kind_names"),
        ('# hybrid-ml-scheduler {"slowdown": [[[1]]]}\narrival_s,run_time_s\n1,1\n', "slowdown has the wrong shape"),
        ('# hybrid-ml-scheduler {"slowdown": [[[1]]], "gpu_models": ["A"]}\narrival_s,run_time_s\n1,1\n', "does not cover the kinds"),
        ('# hybrid-ml-scheduler {"regime_start_s": [null, 5, 4]}\narrival_s,run_time_s\n1,1\n', "not ascending"),
    ],
)
def test_what_is_no_table_of_ours(data: str, problem: str) -> None:
    with pytest.raises(DataFileError, match=problem):
        read(data)


def test_parquet_with_lists_nulls_and_nan() -> None:
    workload = read(SAMPLES["parquet"])
    assert workload.tasks.task_id.tolist() == [3, 2, 1]
    assert workload.tasks.parent_idx.tolist() == [0, 2, 0]
    assert workload.tasks.user is not None
    assert workload.tasks.user.tolist() == [0, 1, -1]
    assert workload.tasks.deadline_s is not None
    assert np.array_equal(workload.tasks.deadline_s, [np.nan, np.nan, 9], equal_nan=True)


def parquet_bytes(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_parquet_that_claims_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "VALUE_LIMIT", 3)
    with pytest.raises(DataFileError, match="claims 4 values per column"):
        read(parquet_bytes({"arrival_s": [0, 1], "run_time_s": [1, 1], "parents": [[1, 2], [1, 2]]}))


def test_parquet_with_a_long_text_in_every_row() -> None:
    with pytest.raises(DataFileError, match="a text has 100,000 characters"):
        read(parquet_bytes({"arrival_s": [0] * 9, "run_time_s": [1] * 9, "user": ["x" * 100_000] * 9}))


def test_a_header_of_many_columns_does_not_multiply_with_its_rows() -> None:
    data = b"arrival_s,run_time_s" + b"," * 200_000 + b"\n"
    tracemalloc.start()
    with pytest.raises(DataFileError):
        read_philly(Source("t.csv", data.replace(b"arrival_s,run_time_s", b"timestamp,duration,num_gpus") + (b"," * 200_002 + b"\n") * 200, ""))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6


def test_parquet_says_which_row_is_bad() -> None:
    with pytest.raises(DataFileError, match="line 3: arrival_s is empty"):
        read(parquet_bytes({"arrival_s": [0.0, float("nan")], "run_time_s": [1, 1]}))


def test_the_documentation_names_every_column() -> None:
    text = read_tabular.__globals__["__doc__"]
    assert [column.name for column in COLUMNS if column.name not in text] == []


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """Any rigid or divisible workload that the vocabulary allows, odd values included."""
    n = draw(st.integers(1, 6))
    divisible = draw(st.booleans())

    def column(values: st.SearchStrategy[Any], dtype: type = np.float64) -> Any:
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype)

    def maybe(values: st.SearchStrategy[Any]) -> Any:
        return column(values) if draw(st.booleans()) else None

    seconds = st.floats(0, 1e15) | st.sampled_from([0.0, 0.1, 1e-300])
    positive = st.floats(1e-9, 1e9)
    pairs = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] < pair[1]), max_size=5))
    edges = sorted(pairs)
    shuffled = draw(st.permutations(range(n)))
    amounts = st.lists(seconds, min_size=len(edges), max_size=len(edges))
    columns = edge_columns(n, [shuffled[a] for a, _ in edges], [shuffled[b] for _, b in edges], draw(amounts), draw(amounts))
    gpus = np.zeros(n, dtype=np.int64) if divisible else column(st.sampled_from([0, 1, 2, 62]), np.int64)
    share = np.where(gpus == 1, column(st.integers(1, 1000), np.int64), np.where(gpus > 1, 1000, 0))
    names = {
        name: tuple(draw(st.lists(NAMES | st.sampled_from(["7", "10", "user2", "user10"]), max_size=3, unique=draw(st.booleans()))))
        for name in ("kind", "user")
    }
    codes = {name: (column(st.integers(-1, len(names[name]) - 1 if names[name] else 5), np.int64) if draw(st.booleans()) else None) for name in names}
    work_s = column(seconds)
    size = column(positive)
    stand_in = size if divisible else work_s
    estimates = draw(st.sampled_from(["user", "exact", "nominal", "none"]))
    tasks = Tasks(
        task_id=np.array(draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=n, max_size=n, unique=True)), dtype=np.int64),
        arrival_s=np.sort(column(st.floats(-1e9, 1e15))),
        cores_milli=column(st.integers(0, 10**12), np.int64),
        gpus=gpus,
        gpu_share_milli=share,
        memory_mb=column(st.floats(0, 1e11)),
        requested_time_s=np.where(column(st.booleans(), np.bool_), stand_in, column(seconds)),
        size=size if divisible else None,
        compute_intensity=column(st.floats(0, 1)) if divisible else None,
        kind=codes["kind"],
        kind_names=names["kind"],
        user=codes["user"],
        user_names=names["user"],
        priority=maybe(st.floats(-1e9, 1e9) | st.just(float("nan"))),
        deadline_s=maybe(st.floats(-1e9, 1e15) | st.just(float("nan"))),
        parent_ptr=columns["parent_ptr"],
        parent_idx=columns["parent_idx"],
        edge_s=columns["edge_s"],
        edge_mb=columns["edge_mb"],
    )
    slowdown = None
    regimes = draw(st.integers(1, 2))
    models = tuple(f"gpu {index}" for index in range(draw(st.integers(1, 2))))
    if divisible and codes["kind"] is not None and codes["kind"].min() >= 0:
        slowdown = np.array(draw(st.lists(positive, min_size=regimes * 6 * len(models), max_size=regimes * 6 * len(models)))).reshape(regimes, 6, -1)
    truth = Truth(
        work_s=work_s,
        slowdown=slowdown,
        regime_start_s=np.array([-np.inf, 3.5][:regimes]),
        gpu_models=models,
        gpu_noise=column(positive) if divisible and draw(st.booleans()) else None,
    )
    report = ReadReport("made", n, estimates=estimates, processors=draw(st.none() | st.integers(1, 10**6)))
    kind = WorkloadKind.DIVISIBLE if divisible else WorkloadKind.RIGID
    law = draw(st.sampled_from(["overlap", "sum", "serial"]))
    return check_workload(Workload("made", kind, tasks, truth, report, law=law, warmup=draw(st.sampled_from([0.0, 0.1])), meta={"a": [1, None]}))


def assert_same(one: Workload, other: Workload) -> None:
    for part in ("tasks", "truth"):
        mine, theirs = getattr(one, part), getattr(other, part)
        for name in mine.__dataclass_fields__:
            a, b = getattr(mine, name), getattr(theirs, name)
            if isinstance(a, np.ndarray):
                assert a.dtype == b.dtype, name
                assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name
            else:
                assert a == b, name
    for name in ("kind", "law", "warmup", "meta"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.report.estimates == other.report.estimates
    assert one.report.processors == other.report.processors


@pytest.mark.parametrize("name", ["w.csv", "w.csv.gz", "w.parquet"])
def test_writing_and_reading_gives_the_same_workload_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    @given(workloads())
    def check(workload: Workload) -> None:
        assert write_workload(workload, path) == ()
        assert_same(workload, open_workload(str(path)))

    check()


@pytest.mark.parametrize("preset", ["steady", "drift", "graphs", "serial"])
@pytest.mark.parametrize("name", ["w.csv.gz", "w.parquet"])
def test_generated_workloads_survive_a_round_trip(tmp_path: Path, preset: str, name: str) -> None:
    workload = generate(preset, seed=3, n_tasks=300)
    write_workload(workload, tmp_path / name)
    assert_same(workload, open_workload(str(tmp_path / name)))


def test_metadata_is_one_line_of_json_and_absent_where_there_is_nothing_to_say(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    write_workload(read("arrival_s,run_time_s\n1,2\n"), path)
    assert path.read_text().startswith("task_id,arrival_s,run_time_s,")
    write_workload(generate("steady", seed=0, n_tasks=50), path)
    first = path.read_text().splitlines()[0]
    assert json.loads(first.removeprefix("# hybrid-ml-scheduler "))["gpu_models"] == ["A10", "P4"]


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    workload = read("arrival_s,run_time_s\n1,2\n")
    for name in ("w", "w.txt", "w.parquet.gz"):
        with pytest.raises(InputError, match="does not say which format"):
            write_workload(workload, tmp_path / name)
    for name in ("w.csv", "w.parquet", "w.swf"):
        with pytest.raises(InputError, match="cannot write"):
            write_workload(workload, tmp_path / "no such folder" / name)
