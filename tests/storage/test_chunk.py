"""Rows as text: whatever goes in comes out again, to the last bit; what cannot is refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import JournalError, StorageError
from hybrid_ml_scheduler.core.streams import STREAM_COLUMNS, ResultStatus, RunBatch, Stream, features_text, gpus_text
from hybrid_ml_scheduler.storage.chunk import Chunk, encode, features_array, header_line
from hybrid_ml_scheduler.storage.schema import STREAM_TABLES
from storage_cases import make_batch

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=20)
FLOAT = st.floats(allow_infinity=False) | st.none()
INT = st.integers(-(2**63), 2**63 - 1)


def chunk_of(stream: Stream, columns: dict[str, object], first_seq: int = 7) -> Chunk:
    data = encode(stream, 3, first_seq, columns)
    return Chunk(stream, tuple(header_line(stream).decode().strip().split(",")), data, first_seq, data.count(b"\n"))


@given(st.lists(st.tuples(INT, TEXT, FLOAT, st.none() | INT, st.none() | TEXT), min_size=1, max_size=8))
def test_values_come_back_to_the_last_bit(rows: list[tuple[int, str, float | None, int | None, str | None]]) -> None:
    task, scheduler, score, node, reason = zip(*rows, strict=True)
    count = len(rows)
    chunk = chunk_of(
        Stream.RESULTS,
        {
            "task_id": list(task),
            "scheduler": list(scheduler),
            "status": ["finished"] * count,
            "lanes": [1] * count,
            "arrival_s": np.zeros(count),
            "score": list(score),
            "node": list(node),
            "reason": list(reason),
        },
    )
    back = chunk.frame
    assert back["seq"].to_list() == list(range(7, 7 + count))
    assert back["task_id"].to_list() == list(task)
    assert back["scheduler"].to_list() == list(scheduler)
    assert back["node"].to_list() == list(node)
    assert back["reason"].to_list() == list(reason)
    expected = [None if value is None or math.isnan(value) else np.float64(value).tobytes() for value in score]
    assert [None if value is None else np.float64(value).tobytes() for value in back["score"].to_list()] == expected


def test_the_header_is_the_columns_and_the_columns_are_the_tables() -> None:
    for stream, columns in STREAM_COLUMNS.items():
        assert header_line(stream).decode() == ",".join(column.name for column in columns) + "\n"
        table = STREAM_TABLES[stream]
        assert {column.name for column in columns} == set(table.columns.keys())
        assert {column.name for column in columns if column.required} == {column.name for column in table.columns if not column.nullable}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"reason": ["a\nb"]}, "line break"),
        ({"reason": ["a\0b"]}, "line break or NUL"),
        ({"score": [math.inf]}, "infinite"),
        ({"score": ["high"]}, "'score' cannot be kept"),
        ({"task_id": [None]}, "no value in 1 of 1 rows"),
        ({"task_id": [1.5]}, "'task_id' cannot be kept"),
        ({"status": [1]}, "'status' cannot be kept"),
        ({"colour": ["red"]}, "no column is called 'colour'"),
        ({"seq": [1]}, "no column is called 'seq'"),
        ({"score": [1.0, 2.0]}, "columns of 1 to 2 rows"),
    ],
)
def test_what_cannot_be_kept_is_refused(changes: dict[str, object], part: str) -> None:
    row = {"task_id": [1], "scheduler": ["greedy"], "status": ["finished"], "lanes": [1], "arrival_s": [0.0]}
    with pytest.raises(StorageError, match=part):
        chunk_of(Stream.RESULTS, row | changes)


def test_no_rows_are_no_lines() -> None:
    assert encode(Stream.TASKS, 1, 0, {}) == b""
    assert encode(Stream.TASKS, 1, 0, {"task_id": [], "arrival_s": [], "lanes": []}) == b""


@pytest.mark.parametrize("damage", [b"x,y\n", b"1,2,3\n", b""])
def test_damaged_lines_are_named(damage: bytes) -> None:
    chunk = chunk_of(Stream.RESULTS, dict(make_batch(0, 1).results))
    lines = chunk.data.splitlines(keepends=True)
    lines[2] = damage
    spoiled = Chunk(chunk.stream, chunk.names, b"".join(lines), chunk.first_seq, chunk.count)
    with pytest.raises(JournalError, match="rows 7 to 12 of the journal's results are damaged"):
        _ = spoiled.frame


def test_features_are_exact_and_even() -> None:
    values = np.array([[0.1, np.nan, -1e-300], [1 / 3, 2.0, np.inf]])
    assert np.array_equal(features_array(pl.Series(features_text(values))), values, equal_nan=True)
    assert features_array(pl.Series([], dtype=pl.String)).shape == (0, 0)
    with pytest.raises(ValueError, match="rows of 1 to 2 features"):
        features_array(pl.Series(["1.0", "1.0 2.0"]))
    with pytest.raises(ValueError, match="features that are no numbers"):
        features_array(pl.Series(["1.0 one"]))


def test_gpus_are_spelled() -> None:
    assert gpus_text(np.array([0, 1, 6, 1 << 62])) == [None, "0", "1 2", "62"]


def test_every_status_is_counted_somewhere() -> None:
    from hybrid_ml_scheduler.storage.aggregates import Totals

    for status in ResultStatus:
        assert hasattr(Totals(), status.value)


def test_a_batch_gives_its_streams() -> None:
    batch = RunBatch(tasks={"task_id": [1]}, results={"task_id": [2]}, training={"task_id": [3]})
    assert [list(batch.columns(stream)["task_id"]) for stream in Stream] == [[1], [2], [3]]
