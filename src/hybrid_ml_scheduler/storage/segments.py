"""Reading the journal's files: which there are, where a row stands, what follows it. Nothing here changes a file.

A file is called ``STREAM-FIRST.csv``, where FIRST is the number of its first row, so the files say by themselves in which order they belong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hybrid_ml_scheduler.core.errors import JournalError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.chunk import Chunk, header_line

READ_BYTES = 1 << 20
_LINE_BREAK = 10
_NAME = re.compile(r"(?P<stream>[a-z]+)-(?P<first>[0-9]{15})\.csv")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a stream.

    Attributes
    ----------
    first_seq : int
        Number of its first row.
    path : Path
    """

    first_seq: int
    path: Path


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row begins.

    Attributes
    ----------
    seq : int
        Number of the row.
    segment : int
        ``first_seq`` of its file.
    offset : int
        Bytes before it in that file.
    """

    seq: int
    segment: int
    offset: int


def segment_path(folder: Path, stream: Stream, first_seq: int) -> Path:
    """Return the name of the file that begins with a row."""
    return folder / f"{stream}-{first_seq:015d}.csv"


def segments(folder: Path, stream: Stream) -> list[Segment]:
    """Return the files of a stream, oldest first."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []
    found = [(match, folder / name) for name in names if (match := _NAME.fullmatch(name)) and match["stream"] == stream.value]
    return sorted(Segment(int(match["first"]), path) for match, path in found)


def start_of(stream: Stream, segment: Segment) -> Position:
    """Return where the first row of a file begins."""
    return Position(segment.first_seq, segment.first_seq, len(header_line(stream)))


def check_header(stream: Stream, segment: Segment) -> bool:
    """Whether the file has its first line; False if it was cut off before the end of that.

    Raises
    ------
    JournalError
        If the file begins with something else.
    """
    expected = header_line(stream)
    with segment.path.open("rb") as file:
        found = file.read(len(expected))
    if found == expected:
        return True
    if expected.startswith(found):
        return False
    raise JournalError(f"{segment.path}: begins with {found[:60]!r}; expected the header of this version's {stream}")


def end_of(stream: Stream, segment: Segment) -> Position:
    """Return where the next row of a file would begin: behind its last complete line.

    A line that was cut off is none, and neither are the zeros that a power cut can leave behind.
    """
    header = len(header_line(stream))
    size = segment.path.stat().st_size
    if size < header or not check_header(stream, segment):
        return Position(segment.first_seq, segment.first_seq, header)
    span = READ_BYTES // 16
    with segment.path.open("rb") as file:
        while True:
            start = max(header, size - span)
            file.seek(start)
            found = _last_row(file.read(size - start), whole=start == header)
            if found is not None:
                return Position(found[0] + 1, segment.first_seq, start + found[1])
            if start == header:
                return Position(segment.first_seq, segment.first_seq, header)
            span *= 8


def _last_row(block: bytes, *, whole: bool) -> tuple[int, int] | None:
    """Return the number of the last row in the end of a file, and where it ends; ``whole``: the block begins where a line does."""
    last = block.rfind(b"\n")
    while last >= 0:
        before = block.rfind(b"\n", 0, last)
        if before < 0 and not whole:
            return None
        seq = _seq_of(block[before + 1 : last])
        if seq is not None:
            return seq, last + 1
        last = before
    return None


def _seq_of(line: bytes) -> int | None:
    fields = line.split(b",", 2)
    if len(fields) < 3 or b"\0" in line or not (fields[0].isdigit() and fields[1].isdigit()):
        return None
    return int(fields[1])


def locate(folder: Path, stream: Stream, seq: int) -> Position:
    """Return where a row begins; a row that is not there yet begins where the stream ends.

    Raises
    ------
    JournalError
        If the journal begins later.
    """
    found = segments(folder, stream)
    before = [segment for segment in found if segment.first_seq <= seq]
    if not before:
        begins = f"begins with row {found[0].first_seq}" if found else "is empty"
        raise JournalError(f"{folder}: the journal's {stream} {begins}; expected row {seq}")
    position = start_of(stream, before[-1])
    for chunk, behind in read(folder, stream, position, seq):
        if chunk.first_seq + chunk.count >= seq:
            return behind
        position = behind
    return position


def read(
    folder: Path, stream: Stream, position: Position, until_seq: int | None = None, rows_at_once: int = 20_000
) -> Generator[tuple[Chunk, Position], None, None]:
    """Read rows in order, in constant memory.

    Parameters
    ----------
    folder : Path
        Of the run.
    stream : Stream
    position : Position
        Where the first row begins.
    until_seq : int, optional
        Stop before this row; by default after the last complete line. What stands behind it may be being written right now.
    rows_at_once : int
        Most rows in a chunk.

    Yields
    ------
    tuple of (Chunk, Position)
        The next rows of one file, and where the row after them begins.

    Raises
    ------
    JournalError
        If a file is missing in between, or is damaged.
    """
    files = [segment for segment in segments(folder, stream) if segment.first_seq >= position.segment]
    if not files or files[0].first_seq != position.segment:
        raise JournalError(f"{folder}: the file of the journal's {stream} that begins with row {position.segment} is missing; expected it")
    for number, segment in enumerate(files):
        if until_seq is not None and position.seq >= until_seq:
            return
        if number:
            if segment.first_seq != position.seq:
                raise JournalError(f"{segment.path}: begins with row {segment.first_seq}; expected row {position.seq} (is a file missing before it?)")
            position = start_of(stream, segment)
        if not check_header(stream, segment):
            return
        names = tuple(column.decode() for column in header_line(stream).rstrip().split(b","))
        with segment.path.open("rb") as file:
            while until_seq is None or position.seq < until_seq:
                wanted = rows_at_once if until_seq is None else min(rows_at_once, until_seq - position.seq)
                file.seek(position.offset)
                data, count = _lines(file, wanted)
                if not count:
                    break
                chunk = Chunk(stream, names, data, position.seq, count)
                position = Position(position.seq + count, segment.first_seq, position.offset + len(data))
                yield chunk, position


def _lines(file: BinaryIO, wanted: int) -> tuple[bytes, int]:
    """Read at most so many complete lines; a line of zeros (see `end_of`) ends the file."""
    parts: list[bytes] = []
    missing = wanted
    while missing > 0:
        block = file.read(READ_BYTES)
        zero = block.find(b"\0")
        ended = zero >= 0 or len(block) < READ_BYTES
        block = block if zero < 0 else block[:zero]
        breaks = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == _LINE_BREAK)
        if len(breaks) >= missing:
            parts.append(block[: int(breaks[missing - 1]) + 1])
            missing = 0
        elif ended:
            parts.append(block[: int(breaks[-1]) + 1] if len(breaks) else b"")
            if not len(breaks) and parts[:-1]:
                # The file ends in the middle of a line that began in an earlier block.
                whole = b"".join(parts)
                parts = [whole[: whole.rfind(b"\n") + 1]]
            missing -= len(breaks)
            break
        else:
            parts.append(block)
            missing -= len(breaks)
    return b"".join(parts), wanted - missing
