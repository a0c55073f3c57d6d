from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import DataFileError
from hybrid_ml_scheduler.workloads import source as source_module
from hybrid_ml_scheduler.workloads.source import MEMBER_LIMIT, Source, read_source


def stored(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "some.file"
    path.write_bytes(data)
    return path


def test_plain_and_gzip_give_the_same_content_and_the_hash_of_what_is_stored(tmp_path: Path) -> None:
    content = b"1 2 3\n" * 50_000
    packed = gzip.compress(content)
    assert read_source(stored(tmp_path, content)) == Source(str(tmp_path / "some.file"), content, hashlib.sha256(content).hexdigest())
    assert read_source(stored(tmp_path, packed)) == Source(str(tmp_path / "some.file"), content, hashlib.sha256(packed).hexdigest())


def test_gzip_members_follow_each_other_and_zeros_may_pad_the_end(tmp_path: Path) -> None:
    members = gzip.compress(b"a" * 2_000_000) + gzip.compress(b"") + gzip.compress(b"b") + b"\0" * 70_000
    assert read_source(stored(tmp_path, members)).data == b"a" * 2_000_000 + b"b"


@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_content_of_whole_pieces_is_not_taken_for_truncated(tmp_path: Path, size: int) -> None:
    assert len(read_source(stored(tmp_path, gzip.compress(b"\n" * size))).data) == size


@given(st.binary(max_size=200), st.integers(1, 3))
def test_gzip_round_trip(tmp_path_factory: pytest.TempPathFactory, content: bytes, parts: int) -> None:
    path = stored(tmp_path_factory.mktemp("gz"), gzip.compress(b"x" + content) * parts)
    assert read_source(path).data == (b"x" + content) * parts


def test_rubbish_behind_a_member_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="damaged gzip"):
        read_source(stored(tmp_path, gzip.compress(b"a") + b"rubbish"))


def test_too_many_members(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="members"):
        read_source(stored(tmp_path, gzip.compress(b"") * (MEMBER_LIMIT + 1)))


def test_limit_holds_for_plain_and_gzip_to_the_byte(tmp_path: Path) -> None:
    for data in (b"a" * 1000, gzip.compress(b"a" * 1000)):
        path = stored(tmp_path, data)
        assert len(read_source(path, limit_bytes=1000).data) == 1000
        with pytest.raises(DataFileError, match="999 bytes"):
            read_source(path, limit_bytes=999)


def test_a_gzip_bomb_ends_early_and_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(b"\0" * 2**20)
    tracemalloc.start()
    with pytest.raises(DataFileError, match="expands more than 500-fold"):
        read_source(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * source_module.RATIO_FREE_BYTES


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda path: None, "no such file"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.write_bytes(gzip.compress(b"")), "empty"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], object], problem: str) -> None:
    path = tmp_path / "some.file"
    make(path)
    with pytest.raises(DataFileError, match=problem):
        read_source(path)


def test_odd_names() -> None:
    with pytest.raises(DataFileError, match="cannot be opened"):
        read_source("a\0b")
    with pytest.raises(DataFileError, match="cannot be read"):
        read_source("a" * 5000)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"1 2 3\n")
    os.close(write_end)
    assert read_source(f"/dev/fd/{read_end}").data == b"1 2 3\n"
    os.close(read_end)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        (b'{"a": 1,\n"b": }', "Expecting value", 2),
        (b'{"a": NaN}', "constant NaN", None),
        (b'{"a": 1, "a": 2}', "'a' stands twice", None),
        (b"[" * 100_000, "nested too deeply", None),
        (b"[" + b"9" * 5000 + b"]", "not JSON", None),
        (b'["a\n\xff"]', "byte 0xff is not UTF-8", 2),
        (b'["\\ud800"]', "surrogates", None),
    ],
)
def test_json_that_is_none(text: bytes, problem: str, line: int | None) -> None:
    with pytest.raises(DataFileError, match=problem) as caught:
        Source("x.json", text, "").json()
    assert caught.value.line == line


def test_json_with_pairs_and_a_byte_order_mark() -> None:
    assert Source("x.json", b'\xef\xbb\xbf["\\ud83d\\ude00"]', "").json() == ["\N{GRINNING FACE}"]


def test_documents_have_a_limit_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "DOCUMENT_LIMIT_BYTES", 10)
    with pytest.raises(DataFileError, match="11 bytes"):
        Source("x.json", b"[1, 2, 3, 4"[:11], "").json()
