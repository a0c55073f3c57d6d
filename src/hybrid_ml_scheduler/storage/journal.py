"""The journal: every result on the local disk, as CSV files that people can open, before anything else happens to it.

A run is a folder. Its streams are cut into files ("segments") of limited size, each with one header line. Rows are only ever added at the end, and an
addition is there whole or not at all. Reading is in `segments`; the way into the database in `drain`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from hybrid_ml_scheduler.core.errors import InputError, JournalError, JournalFullError, UnknownRunError
from hybrid_ml_scheduler.core.folders import make_private_folder
from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.storage.chunk import Chunk, count_rows, encode, header_line
from hybrid_ml_scheduler.storage.segments import Position, end_of, locate, read, segment_path, segments, start_of
from hybrid_ml_scheduler.storage.settings import Fsync, StorageSettings

RUN_FILE = "run.json"
STATE_FILES = ("state.hms", "state.old.hms")
FILES_FOLDER = "files"
JOURNAL_FILE = "journal.json"
DRAINED_FILE = "drained.json"
KEPT_FILE = "kept-{:09d}.hms"
MOST_KEPT, MOST_KEPT_BYTES = 24, 64_000_000
"""Earlier states of a run that are kept, from which its decisions are explained."""
LOCK_FILE = "lock"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LARGEST_STATE = 1 << 30
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
"""Names that `_replace` gives to files until they are whole."""
_FILE_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True, slots=True)
class SavedState:
    """Where a run stood.

    Attributes
    ----------
    run_id : int
    revision : int
        Counts up with every state that is saved.
    state : mapping
        JSON-able.
    positions : mapping of Stream to int
        Rows of each stream that were kept when it was taken.
    checkpoint : bytes
        The engine's.
    """

    run_id: int
    revision: int
    state: Mapping[str, Any]
    positions: Mapping[Stream, int]
    checkpoint: bytes


class _Tail:
    """The end of one stream: the file that grows."""

    def __init__(self, folder: Path, stream: Stream, first_seq: int) -> None:
        self.folder = folder
        self.stream = stream
        files = segments(folder, stream)
        if not files:
            self._create(first_seq)
            return
        end = end_of(stream, files[-1])
        self.segment, self.next_seq, self.size = end.segment, end.seq, end.offset
        self.path = files[-1].path
        self.descriptor = os.open(self.path, os.O_RDWR)
        header = header_line(stream)
        if os.pread(self.descriptor, len(header), 0) != header:
            self._write_at(header, 0)
        # What a crash left of a line is cut away; its rows were never acknowledged.
        os.ftruncate(self.descriptor, self.size)

    def _create(self, first_seq: int) -> None:
        self.path = segment_path(self.folder, self.stream, first_seq)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self.segment = self.next_seq = first_seq
        self.size = 0
        header = header_line(self.stream)
        try:
            self._write_at(header, 0)
        except OSError:
            os.close(self.descriptor)
            self.path.unlink(missing_ok=True)
            raise
        self.size = len(header)

    def _write_at(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, offset)
            view, offset = view[written:], offset + written

    def next_segment(self) -> None:
        """Begin another file."""
        old = (self.descriptor, self.path, self.segment, self.size)
        try:
            self._create(self.next_seq)
        except OSError:
            self.descriptor, self.path, self.segment, self.size = old
            raise
        os.fsync(old[0])
        os.close(old[0])

    def add(self, data: bytes, rows: int) -> None:
        """Write lines at the end."""
        self._write_at(data, self.size)
        self.size += len(data)
        self.next_seq += rows

    def back_to(self, seq: int, size: int) -> None:
        """Undo what was added to this file since then."""
        os.ftruncate(self.descriptor, size)
        self.next_seq, self.size = seq, size


class Journal:
    """The journal of one run, open for writing; at most one at a time per run.

    Parameters
    ----------
    folder : Path
        Of the run; must exist.
    run_id : int
    settings : StorageSettings
    """

    def __init__(self, folder: Path, run_id: int, settings: StorageSettings) -> None:
        self.folder = folder
        self.run_id = run_id
        self.settings = settings
        first = read_json(folder / RUN_FILE).get("first_seq", {})
        self._lock = threading.RLock()
        self._tails = {stream: _Tail(folder, stream, int(first.get(stream.value, 0))) for stream in Stream}
        self._positions = {stream: tail.next_seq for stream, tail in self._tails.items()}
        self._unsynced: set[Stream] = set()
        self._synced_s = time.monotonic()
        self._closed = False

    def positions(self) -> dict[Stream, int]:
        """Return how many rows of each stream are there (the number of the next one).

        Waits for nobody: rows that are being added are not there yet.
        """
        return dict(self._positions)

    def append(self, batch: RunBatch) -> dict[Stream, int]:
        """Add rows, all of them or none.

        Parameters
        ----------
        batch : RunBatch

        Returns
        -------
        dict of Stream to int
            `positions` afterwards.

        Raises
        ------
        JournalFullError
            If the disk takes no more. Nothing was added: keep the batch and try again.
        JournalError
            If the disk fails otherwise. Nothing was added.
        StorageError
            If the batch makes no sense; see `chunk.encode`. Nothing was added.
        """
        with self._lock:
            if self._closed:
                raise JournalError(f"{self.folder}: the journal has been closed; expected an open one")
            lines = {}
            for stream, tail in self._tails.items():
                columns = batch.columns(stream)
                rows = count_rows(stream, columns)
                if rows:
                    lines[stream] = (encode(stream, self.run_id, tail.next_seq, columns), rows)
            self._add(lines)
            self._positions = {stream: tail.next_seq for stream, tail in self._tails.items()}
            return self.positions()

    def _add(self, lines: Mapping[Stream, tuple[bytes, int]]) -> None:
        largest = self.settings.journal_segment_mb * 1e6
        before: dict[Stream, tuple[int, int]] = {}
        try:
            for stream, (data, rows) in lines.items():
                tail = self._tails[stream]
                if tail.size >= largest:
                    tail.next_segment()
                before[stream] = (tail.next_seq, tail.size)
                tail.add(data, rows)
            self._unsynced |= set(lines)
            if self.settings.journal_fsync is Fsync.ALWAYS:
                self.sync()
            elif self.settings.journal_fsync is Fsync.INTERVAL:
                self.sync_if_due()
        except OSError as error:
            for stream, (seq, size) in before.items():
                self._tails[stream].back_to(seq, size)
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> JournalError:
        if error.errno in _FULL:
            return JournalFullError(
                f"{self.folder}: no room for more rows ({error.strerror}); expected free disk space (nothing is lost, writing goes on then)"
            )
        return JournalError(f"{self.folder}: cannot be written ({error.strerror or error}); expected a disk that works")

    def sync(self) -> None:
        """Force everything that was added to the disk."""
        with self._lock:
            for stream in sorted(self._unsynced):
                os.fsync(self._tails[stream].descriptor)
            self._unsynced.clear()
            self._synced_s = time.monotonic()

    def make_durable(self) -> None:
        """Force everything that was added to the disk, unless the settings say never.

        Before rows go into the database: what the database has must not be lost here with the power, or numbers would be given twice.
        """
        if self.settings.journal_fsync is not Fsync.NEVER and self._unsynced:
            try:
                self.sync()
            except OSError as error:
                raise self._failed(error) from error

    def sync_if_due(self) -> None:
        """Do so if the settings want it by now."""
        with self._lock:
            due = time.monotonic() - self._synced_s >= self.settings.journal_fsync_interval_s
            if self._unsynced and due and self.settings.journal_fsync is not Fsync.NEVER:
                self.sync()

    def save_state(self, state: Mapping[str, Any], checkpoint: bytes) -> SavedState:
        """Keep where the run stands, together with how far the journal is. The state before it is kept as well.

        Raises
        ------
        JournalFullError, JournalError
            If it cannot be written; the former state is still there.
        """
        with self._lock:
            saved = SavedState(self.run_id, next_revision(self.folder), dict(state), self.positions(), checkpoint)
            try:
                if self.settings.journal_fsync is not Fsync.NEVER:
                    self.sync()
                write_state(self.folder, saved, durable=self.settings.journal_fsync is not Fsync.NEVER)
                keep_state(self.folder, saved.revision)
            except OSError as error:
                raise self._failed(error) from error
            return saved

    def rows_since(self, positions: Mapping[Stream, int]) -> Iterator[Chunk]:
        """Read the rows that were added after a state was saved, as far as they are in this journal: another may have the first of them."""
        until = self.positions()
        for stream in Stream:
            files = segments(self.folder, stream)
            start = max(positions.get(stream, 0), files[0].first_seq if files else 0)
            if start < until[stream]:
                for chunk, _ in read(self.folder, stream, locate(self.folder, stream, start), until[stream]):
                    yield chunk

    def close(self) -> None:
        """Force everything to the disk and close the files."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self.sync()
            finally:
                for tail in self._tails.values():
                    os.close(tail.descriptor)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


class JournalStore:
    """The journals of all runs: the folder ``journal`` of the data folder.

    Parameters
    ----------
    settings : StorageSettings
    """

    def __init__(self, settings: StorageSettings) -> None:
        self.settings = settings
        self.folder = settings.journal_folder
        self._open: dict[int, Journal] = {}
        self._runs: list[int] | None = None
        self._ends: dict[int, dict[Stream, int]] = {}
        self._begins: dict[int, dict[Stream, int]] = {}
        self._lock_file: TextIO | None = None

    def lock(self) -> None:
        """Take this data folder for this process, until `close` or its end.

        Raises
        ------
        InputError
            If another process has it.
        """
        if self._lock_file is not None:
            return
        try:
            make_private_folder(self.folder)
            file = (self.folder / LOCK_FILE).open("a+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be written ({error.strerror}); expected a folder of ours (HMS_DATA_DIR)") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise InputError(
                f"{self.folder.parent}: another process writes into this data folder; expected one at a time (stop it, or set HMS_DATA_DIR)"
            ) from None
        self._lock_file = file
        if not (self.folder / JOURNAL_FILE).exists():
            write_json(self.folder / JOURNAL_FILE, {"id": secrets.token_hex(8)})
        for left in self.folder.glob(".deleted-*"):
            shutil.rmtree(left)
        # Begun by a process that was killed before they were whole.
        for left in self.folder.rglob(".*"):
            if _TEMPORARY.fullmatch(left.name):
                left.unlink()

    @property
    def journal_id(self) -> str:
        """A name of this folder's own, empty before the first `lock`: positions in its files mean nothing in another."""
        path = self.folder / JOURNAL_FILE
        return str(read_json(path)["id"]) if path.exists() else ""

    def runs(self) -> list[int]:
        """Return the numbers of all runs that have a journal, oldest first."""
        if self._runs is not None:
            return self._runs
        try:
            found = sorted(
                int(entry.name) for entry in os.scandir(self.folder) if entry.name.isdigit() and (self.folder / entry.name / RUN_FILE).exists()
            )
        except FileNotFoundError:
            return []
        if self._lock_file is not None:
            # Nobody else changes what is there.
            self._runs = found
        return found

    def run_folder(self, run_id: int) -> Path:
        """Return the folder of a run."""
        return self.folder / str(run_id)

    def description(self, run_id: int) -> dict[str, Any]:
        """Return what is known about a run."""
        if run_id not in self.runs():
            raise UnknownRunError(f"there is no run {run_id}; expected one that hms db check lists")
        return read_json(self.run_folder(run_id) / RUN_FILE)

    def describe(self, run_id: int, description: Mapping[str, Any]) -> None:
        """Replace what is known about a run."""
        write_json(self.run_folder(run_id) / RUN_FILE, description)

    def create(self, run_id: int, description: Mapping[str, Any]) -> Journal:
        """Begin the journal of a run.

        Parameters
        ----------
        run_id : int
        description : mapping
            JSON-able. An entry ``first_seq`` (stream to number) says with which rows it begins, if not with 0: a run that another machine began.
        """
        self.lock()
        folder = self.run_folder(run_id)
        try:
            folder.mkdir(parents=True)
            self.describe(run_id, description)
        except FileExistsError:
            raise JournalError(f"{folder}: there is a run of this number already; expected a new one") from None
        except OSError as error:
            raise JournalError(f"{folder}: cannot be written ({error.strerror}); expected a disk that works and has room") from error
        self._forget(run_id)
        return self.open(run_id)

    def _forget(self, run_id: int) -> None:
        self._runs = None
        self._ends.pop(run_id, None)
        self._begins.pop(run_id, None)

    def open(self, run_id: int) -> Journal:
        """Open the journal of a run for writing, and cut away what a crash left of its last lines."""
        self.lock()
        journal = self._open.get(run_id)
        if journal is None:
            self.description(run_id)
            try:
                journal = self._open[run_id] = Journal(self.run_folder(run_id), run_id, self.settings)
            except OSError as error:
                kind = JournalFullError if error.errno in _FULL else JournalError
                raise kind(
                    f"{self.run_folder(run_id)}: cannot be opened ({error.strerror or error}); expected a disk that works and has room"
                ) from error
        return journal

    def opened(self, run_id: int) -> Journal | None:
        """Return the journal if it is open for writing here."""
        return self._open.get(run_id)

    def positions(self, run_id: int) -> dict[Stream, int]:
        """Return how many rows of each stream are there."""
        journal = self._open.get(run_id)
        if journal is not None:
            return journal.positions()
        found = self._ends.get(run_id)
        if found is None:
            found = {stream: self.end(run_id, stream).seq for stream in Stream}
            if self._lock_file is not None:
                self._ends[run_id] = found
        return dict(found)

    def first_seqs(self, run_id: int) -> dict[Stream, int]:
        """Return the number of the oldest row of each stream that is still there."""
        found = self._begins.get(run_id)
        if found is None:
            found = {stream: self.begin(run_id, stream).seq for stream in Stream}
            if self._lock_file is not None:
                self._begins[run_id] = found
        return dict(found)

    def begin(self, run_id: int, stream: Stream) -> Position:
        """Return where the oldest row that is still there begins."""
        files = segments(self.run_folder(run_id), stream)
        return start_of(stream, files[0]) if files else Position(0, 0, len(header_line(stream)))

    def end(self, run_id: int, stream: Stream) -> Position:
        """Return where the next row would begin, as the files stand."""
        files = segments(self.run_folder(run_id), stream)
        return end_of(stream, files[-1]) if files else Position(0, 0, len(header_line(stream)))

    def read(
        self, run_id: int, stream: Stream, position: Position, until_seq: int, rows_at_once: int = 20_000
    ) -> Generator[tuple[Chunk, Position], None, None]:
        """Read rows; see `segments.read`."""
        return read(self.run_folder(run_id), stream, position, until_seq, rows_at_once)

    def locate(self, run_id: int, stream: Stream, seq: int) -> Position:
        """Return where a row begins; see `segments.locate`."""
        return locate(self.run_folder(run_id), stream, seq)

    def newest(self, run_id: int, stream: Stream, rows: int) -> list[Chunk]:
        """Return the newest rows, at most so many, oldest first."""
        end = self.positions(run_id)[stream]
        begin = max(self.begin(run_id, stream).seq, end - rows)
        if begin >= end:
            return []
        return [chunk for chunk, _ in self.read(run_id, stream, self.locate(run_id, stream, begin), end, rows)]

    def bytes_of(self, run_id: int) -> int:
        """Return the size of all files of a run."""
        return sum(segment.path.stat().st_size for stream in Stream for segment in segments(self.run_folder(run_id), stream))

    def saved_state(self, run_id: int) -> SavedState | None:
        """Return the newest state that was saved whole, or None."""
        return read_state(self.run_folder(run_id), run_id)

    def kept_heads(self, run_id: int) -> dict[int, dict[str, Any]]:
        """Return the values of the earlier states that are kept, by revision, oldest first."""
        return kept_heads(self.run_folder(run_id))

    def kept_state(self, run_id: int, revision: int) -> SavedState | None:
        """Return an earlier state that is kept; None if it is gone."""
        return read_kept(self.run_folder(run_id), run_id, revision)

    def adopt_state(self, saved: SavedState) -> None:
        """Keep a state that was saved elsewhere, unless there is a newer one here: its numbers count on from there."""
        if saved.revision > self.state_revision(saved.run_id):
            write_state(self.run_folder(saved.run_id), saved, durable=True)

    def files_folder(self, run_id: int) -> Path:
        """Return the folder of the files that a run needs besides its rows and states. What begins with a dot in it is not whole yet."""
        return self.run_folder(run_id) / FILES_FOLDER

    def files(self, run_id: int) -> list[str]:
        """Return the names of these files, sorted. They may come and go meanwhile."""
        folder = self.files_folder(run_id)
        names: list[str] = []
        for place, folders, files in os.walk(folder, onerror=_unless_gone):
            folders[:] = [name for name in folders if not name.startswith(".")]
            names += [Path(place, name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
        return sorted(names)

    def file_content(self, run_id: int, name: str) -> bytes | None:
        """Return what one of these files holds; None if it is gone."""
        try:
            return (self.files_folder(run_id) / name).read_bytes()
        except FileNotFoundError:
            return None

    def add_file(self, run_id: int, name: str, content: bytes) -> None:
        """Write one of these files, whole or not at all.

        Raises
        ------
        JournalError
            If the name leads anywhere else, or the disk fails.
        """
        parts = name.split("/")
        if not all(_FILE_PART.fullmatch(part) for part in parts):
            raise JournalError(f"run {run_id} has a file called {name!r}; expected names of letters, digits, '_', '-' and '.'")
        path = self.files_folder(run_id).joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content, durable=True)
        except OSError as error:
            raise JournalError(f"{path}: cannot be written ({error.strerror or error}); expected a disk that works and has room") from error

    def state_revision(self, run_id: int) -> int:
        """Return the number of the newest state, 0 if none was saved."""
        return next_revision(self.run_folder(run_id)) - 1

    def note_drained(self, run_id: int, database: str, reached: Mapping[Stream, int]) -> None:
        """Write down how many rows of each stream a database is known to have.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        folder = self.run_folder(run_id)
        if folder.exists():
            content = {"database": database, "reached": {stream.value: seq for stream, seq in reached.items()}}
            _replace(folder / DRAINED_FILE, json.dumps(content).encode(), durable=False)

    def drained(self, run_id: int, database: str) -> dict[Stream, int]:
        """Return what `note_drained` wrote down of this database; empty if there is nothing, or nothing that can be read."""
        try:
            found = read_json(self.run_folder(run_id) / DRAINED_FILE)
            return {Stream(stream): int(seq) for stream, seq in found["reached"].items()} if found["database"] == database else {}
        except (JournalError, KeyError, ValueError, TypeError, AttributeError):
            return {}

    def delete(self, run_id: int) -> None:
        """Delete the journal of a run."""
        self.lock()
        self.close_run(run_id)
        folder = self.run_folder(run_id)
        if folder.exists():
            # A name of its own first: should we die half-way, what is left is no run any more, and goes at the next start.
            gone = self.folder / f".deleted-{run_id}-{secrets.token_hex(4)}"
            folder.rename(gone)
            self._forget(run_id)
            shutil.rmtree(gone)

    def drop_before(self, run_id: int, stream: Stream, seq: int) -> None:
        """Delete the files that hold nothing but rows before this one."""
        pairs = list(pairwise(segments(self.run_folder(run_id), stream)))
        first = max((following.first_seq for _, following in pairs if following.first_seq <= seq), default=None)
        if first is None:
            return
        description = read_json(self.run_folder(run_id) / RUN_FILE)
        # Said first: should we die in between, a file that is still there is known to be left over.
        self.describe(run_id, {**description, "first_seq": {**description.get("first_seq", {}), stream.value: first}})
        for segment, following in pairs:
            if following.first_seq <= first:
                segment.path.unlink()
        self._begins.pop(run_id, None)

    def close_run(self, run_id: int) -> None:
        """Close the journal of a run that has ended."""
        self._ends.pop(run_id, None)
        journal = self._open.pop(run_id, None)
        if journal is not None:
            journal.close()

    def close(self) -> None:
        """Close all journals and let go of the folder."""
        for run_id in list(self._open):
            self.close_run(run_id)
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None
            self._runs = None
            self._ends.clear()
            self._begins.clear()


def read_json(path: Path) -> dict[str, Any]:
    """Read one of the journal's small files.

    Raises
    ------
    JournalError
        If it is missing or damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise JournalError(f"{path}: cannot be read ({str(error)[:120]}); expected JSON that hms wrote") from error
    if not isinstance(found, dict):
        raise JournalError(f"{path}: holds no JSON object; expected one that hms wrote")
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one of the journal's small files, whole or not at all."""
    _replace(path, (json.dumps(content, indent=2) + "\n").encode(), durable=True)


def next_revision(folder: Path) -> int:
    """Return the number of the next state."""
    return 1 + max((int(head["revision"]) for name in STATE_FILES if (head := _state_head(folder / name))), default=0)


def write_state(folder: Path, saved: SavedState, *, durable: bool) -> None:
    """Write a state; the one before it stays as the second file."""
    head = {
        "revision": saved.revision,
        "positions": {stream.value: seq for stream, seq in saved.positions.items()},
        "state": dict(saved.state),
        "bytes": len(saved.checkpoint),
        "sha256": hashlib.sha256(saved.checkpoint).hexdigest(),
    }
    newest, old = (folder / name for name in STATE_FILES)
    if newest.exists():
        os.replace(newest, old)  # noqa: PTH105 - said as what it is
    _replace(newest, json.dumps(head).encode() + b"\n" + saved.checkpoint, durable=durable)


def keep_state(folder: Path, revision: int) -> None:
    """Keep the newest state beside those before it, thinned out evenly: at most `MOST_KEPT`, in at most `MOST_KEPT_BYTES`."""
    kept = _kept_states(folder)
    stride = 1
    while revision // stride > MOST_KEPT:
        stride *= 2
    if revision % stride == 0:
        path = folder / KEPT_FILE.format(revision)
        path.unlink(missing_ok=True)
        try:
            # The file itself under a second name: a new state never overwrites the old file.
            os.link(folder / STATE_FILES[0], path)
        except OSError:
            # A file system without second names.
            shutil.copyfile(folder / STATE_FILES[0], path)
        kept[revision] = path
    while True:
        for number in [number for number in kept if number % stride]:
            kept.pop(number).unlink()
        if len(kept) < 2 or sum(path.stat().st_size for path in kept.values()) <= MOST_KEPT_BYTES:
            return
        stride *= 2


def _kept_states(folder: Path) -> dict[int, Path]:
    return {int(path.stem.removeprefix("kept-")): path for path in sorted(folder.glob("kept-*.hms"))}


def kept_heads(folder: Path) -> dict[int, dict[str, Any]]:
    """Return what the kept states say, without their checkpoints, oldest first: by revision, the values that were saved."""
    heads = {revision: _state_head(path) for revision, path in _kept_states(folder).items()}
    return {revision: head["state"] for revision, head in heads.items() if head is not None}


def read_kept(folder: Path, run_id: int, revision: int) -> SavedState | None:
    """Read a kept state; None if it is gone or not whole."""
    return _read_whole(folder / KEPT_FILE.format(revision), run_id)


def read_state(folder: Path, run_id: int) -> SavedState | None:
    """Read the newest state that is whole."""
    found = [saved for name in STATE_FILES if (saved := _read_whole(folder / name, run_id)) is not None]
    return max(found, key=lambda saved: saved.revision, default=None)


def _read_whole(path: Path, run_id: int) -> SavedState | None:
    try:
        # Opened once: whoever saves another state meanwhile gives the files other names, and what is open stays what it is.
        with path.open("rb") as file:
            head = _head_of(file)
            checkpoint = file.read(_LARGEST_STATE)
    except OSError:
        return None
    if head is None or len(checkpoint) != head["bytes"] or hashlib.sha256(checkpoint).hexdigest() != head["sha256"]:
        return None
    positions = {Stream(stream): int(seq) for stream, seq in head["positions"].items()}
    return SavedState(run_id, int(head["revision"]), head["state"], positions, checkpoint)


def _state_head(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            return _head_of(file)
    except OSError:
        return None


def _head_of(file: BinaryIO) -> dict[str, Any] | None:
    try:
        head = json.loads(file.readline(1 << 24))
    except ValueError:
        return None
    return head if isinstance(head, dict) and {"revision", "positions", "state", "bytes", "sha256"} <= set(head) else None


def _replace(path: Path, content: bytes, *, durable: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
