"""Bounded reading of workload files: plain or gzip, hashed, never more than a fixed amount of memory."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hybrid_ml_scheduler.core.errors import DataFileError

LIMIT_BYTES = 2 * 1024**3
"""Most bytes that a file may hold after decompression: 2 GiB, a hundred times the HPC2N trace of 202,871 jobs."""

DOCUMENT_LIMIT_BYTES = 64 * 1024**2
"""Most bytes of a document that is read as a whole (JSON, DOT; 64 MiB): its objects may take twenty times that in memory."""

RATIO_LIMIT = 500
"""Largest expansion of a gzip file beyond `RATIO_FREE_BYTES`: text of traces reaches 5 to 50, deflate cannot exceed 1032."""

RATIO_FREE_BYTES = 64 * 1024**2
"""Decompressed bytes (64 MiB) up to which the expansion does not matter."""

MEMBER_LIMIT = 100_000
"""Most members of a gzip file: a block-compressed file of 2 GiB has 33,000 of them, and empty ones would only cost time."""

_READ_BYTES = 64 * 1024
_EXPAND_BYTES = 1024**2
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's code for "32 KiB window, gzip header and CRC"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read.

    Attributes
    ----------
    path : str
        As the user gave it.
    data : bytes
        The content, decompressed.
    sha256 : str
        Of the bytes as stored (compressed where they are).
    """

    path: str
    data: bytes
    sha256: str

    @property
    def name(self) -> str:
        """File name without folders."""
        return Path(self.path).name

    def line_at(self, offset: int) -> int:
        """Return the one-based line of a byte offset."""
        return self.data.count(b"\n", 0, offset) + 1

    def fail(self, problem: str, expected: str, line: int | None = None) -> NoReturn:
        """Raise the error that says what is wrong with this file."""
        raise DataFileError(self.path, problem, expected, line)

    def text(self) -> str:
        """Return the whole content as text.

        Raises
        ------
        DataFileError
            If it is not UTF-8 (with the line), or larger than `DOCUMENT_LIMIT_BYTES`.
        """
        if len(self.data) > DOCUMENT_LIMIT_BYTES:
            self.fail(f"the document has {len(self.data):,} bytes", f"at most {DOCUMENT_LIMIT_BYTES:,}")
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.fail(f"byte 0x{self.data[error.start]:02x} is not UTF-8", "UTF-8 text", self.line_at(error.start))

    def json(self) -> Any:
        """Return the whole content as a JSON value.

        Raises
        ------
        DataFileError
            If it is not JSON (with the line); NaN, Infinity, a key that stands twice in one object and nesting beyond the interpreter's depth
            are not JSON.
        """
        text = self.text()
        try:
            value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique_keys)
            if _SURROGATE.search(text):
                json.dumps(value, ensure_ascii=False).encode()  # half of a pair is no character: nothing could print or write it
        except json.JSONDecodeError as error:
            self.fail(f"not JSON: {error.msg}", "a JSON document", error.lineno)
        except RecursionError:
            self.fail("the JSON is nested too deeply", "a document of this format, which needs fewer than ten levels")
        except ValueError as error:  # numbers of thousands of digits, and our own hooks
            self.fail(f"not JSON: {error}", "a JSON document")
        return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"the constant {text}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:40]!r} stands twice in one object")
        result[key] = value
    return result


def read_source(path: str | Path, *, limit_bytes: int = LIMIT_BYTES) -> Source:
    """Read a file, decompressing gzip (one member or several, recognised by its first two bytes, not by its name).

    Parameters
    ----------
    path : str or Path
        A regular file or a pipe.
    limit_bytes : int
        Most bytes accepted after decompression.

    Returns
    -------
    Source

    Raises
    ------
    DataFileError
        If the file is missing, empty, unreadable, a folder or a device, truncated or damaged gzip, gzip that expands beyond `limit_bytes` or
        more than `RATIO_LIMIT`-fold, or larger than `limit_bytes`.
    """
    name = str(path)
    try:
        mode = Path(name).stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise DataFileError(name, "not a regular file", "a file or a pipe")
        with Path(name).open("rb") as file:
            digest = hashlib.sha256()
            chunks = _chunks(name, file.read, digest.update, limit_bytes)
            first = next(chunks, b"")
            pieces = _expanded(name, first, chunks, limit_bytes) if first.startswith(_GZIP_MAGIC) else _plain(first, chunks)
            data = b"".join(pieces)
    except FileNotFoundError:
        raise DataFileError(name, "there is no such file", "the path of a file") from None
    except OSError as error:
        raise DataFileError(name, f"cannot be read: {error.strerror or error}", "a readable file") from None
    except ValueError as error:  # a NUL byte in the path
        raise DataFileError(name, f"cannot be opened: {error}", "the path of a file") from None
    if not data:
        raise DataFileError(name, "the file is empty", "a file with content")
    return Source(name, data, digest.hexdigest())


def _chunks(name: str, read: Callable[[int], bytes], note: Callable[[bytes], None], limit_bytes: int) -> Iterator[bytes]:
    total = 0
    while chunk := read(_READ_BYTES):
        total += len(chunk)
        if total > limit_bytes:
            raise DataFileError(name, f"the file is larger than {limit_bytes:,} bytes", f"at most {limit_bytes:,} bytes")
        note(chunk)
        yield chunk


def _plain(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _expanded(name: str, first: bytes, chunks: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    """Decompress member after member; at most one chunk beyond what is allowed is ever expanded."""
    stored = total = 0
    members = 1
    member: Any = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in _plain(first, chunks):
        stored += len(chunk)
        rest = chunk
        while rest:
            if member.eof:
                if rest[0] == 0 and not rest.strip(b"\0"):  # tapes and some tools pad with zeros, as gzip(1) accepts
                    break
                members += 1
                if members > MEMBER_LIMIT:
                    raise DataFileError(name, f"the gzip file has more than {MEMBER_LIMIT:,} members", f"at most {MEMBER_LIMIT:,}")
                member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                piece = member.decompress(rest, _EXPAND_BYTES)
            except zlib.error as error:
                raise DataFileError(name, f"damaged gzip after {total:,} decompressed bytes ({error})", "an intact gzip file") from None
            rest = member.unused_data if member.eof else member.unconsumed_tail
            total += len(piece)
            if total > limit_bytes:
                raise DataFileError(name, f"the gzip file expands to more than {limit_bytes:,} bytes", f"at most {limit_bytes:,} bytes")
            if total > RATIO_FREE_BYTES and total > RATIO_LIMIT * stored:
                raise DataFileError(name, f"the gzip file expands more than {RATIO_LIMIT}-fold", "a compressed text, which expands less")
            yield piece
    if not member.eof:
        raise DataFileError(name, f"the gzip file is truncated after {total:,} decompressed bytes", "an intact gzip file")
