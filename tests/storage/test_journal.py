"""The journal: whole batches or nothing, repaired after a crash, cut into files, and never two writers."""

from __future__ import annotations

import csv
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.errors import InputError, JournalError, JournalFullError, UnknownRunError
from hybrid_ml_scheduler.core.streams import STREAM_COLUMNS, RunBatch, Stream
from hybrid_ml_scheduler.storage import journal as journal_module
from hybrid_ml_scheduler.storage.chunk import header_line
from hybrid_ml_scheduler.storage.journal import JournalStore
from hybrid_ml_scheduler.storage.segments import segments
from hybrid_ml_scheduler.storage.settings import Fsync, StorageSettings
from storage_cases import SCHEDULERS, make_batch

ABOUT = {"id": 5, "workload": "steady"}
Open = Callable[..., JournalStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Open]:
    stores = []

    def make(**given: object) -> JournalStore:
        for store in stores:
            store.close()
        store = JournalStore(StorageSettings.load(data_dir=tmp_path, **given))
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


def all_tasks(store: JournalStore, stream: Stream = Stream.RESULTS, rows_at_once: int = 7) -> list[int]:
    found = store.read(5, stream, store.begin(5, stream), store.positions(5)[stream], rows_at_once)
    return [task for chunk, _ in found for task in chunk.frame["task_id"].to_list()]


def test_a_spreadsheet_can_read_it(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT).append(make_batch(0, 3))
    path = segments(store.run_folder(5), Stream.TASKS)[0].path
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert path.name == "tasks-000000000000000.csv"
    assert list(rows[0]) == [column.name for column in STREAM_COLUMNS[Stream.TASKS]]
    assert [row["task_id"] for row in rows] == ["0", "1", "2"]
    assert rows[0]["owner"] == 'anna, of "the" lab'


def test_rows_are_numbered_on_across_batches_files_and_restarts(open_store: Open) -> None:
    store = open_store(journal_segment_mb=0.002)
    journal = store.create(5, ABOUT)
    for first in range(0, 40, 4):
        journal.append(make_batch(first, 4))
    store = open_store(journal_segment_mb=0.002)
    journal = store.open(5)
    assert journal.positions() == {Stream.TASKS: 40, Stream.RESULTS: 240, Stream.TRAINING: 40}
    journal.append(make_batch(40, 4))
    files = segments(store.run_folder(5), Stream.RESULTS)
    assert len(files) > 5
    assert all(file.path.read_bytes().startswith(header_line(Stream.RESULTS)) for file in files)
    assert sorted(all_tasks(store)) == sorted(list(range(44)) * len(SCHEDULERS))
    assert all_tasks(store, Stream.TASKS) == list(range(44))


@pytest.mark.parametrize("cut", [1, 3, 40, 100])
def test_a_line_that_was_cut_off_is_repaired_when_opened(open_store: Open, cut: int) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)
    journal.append(make_batch(0, 5))
    whole = journal.positions()[Stream.RESULTS]
    journal.append(make_batch(5, 1))
    store.close()
    path = segments(store.run_folder(5), Stream.RESULTS)[0].path
    content = path.read_bytes()
    end = len(b"".join(content.splitlines(keepends=True)[: 1 + whole]))
    path.write_bytes(content[: end + cut])
    reader = open_store()
    assert reader.positions(5)[Stream.RESULTS] == whole
    assert path.stat().st_size == end + cut, "reading repairs nothing"
    again = open_store().open(5)
    assert path.stat().st_size == end
    assert again.positions()[Stream.RESULTS] == whole
    again.append(RunBatch(results=make_batch(5, 1).results))
    assert path.read_bytes().count(b"\n") == 1 + whole + len(SCHEDULERS)


def test_zeros_that_a_power_cut_left_are_cut_away(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT).append(make_batch(0, 5))
    store.close()
    path = segments(store.run_folder(5), Stream.RESULTS)[0].path
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\0" * 200_000 + b"\n" + b"\0" * 10)
    assert open_store().open(5).positions()[Stream.RESULTS] == 30
    assert path.stat().st_size == size


@pytest.mark.parametrize("left", [0, 4])
def test_a_header_that_was_cut_off_is_written_again(open_store: Open, left: int) -> None:
    store = open_store()
    store.create(5, ABOUT)
    store.close()
    path = segments(store.run_folder(5), Stream.TASKS)[0].path
    path.write_bytes(path.read_bytes()[:left])
    store = open_store()
    store.open(5).append(make_batch(0, 2))
    assert path.read_bytes().startswith(header_line(Stream.TASKS))
    assert all_tasks(store, Stream.TASKS) == [0, 1]


def test_another_header_is_refused(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT)
    store.close()
    path = segments(store.run_folder(5), Stream.TASKS)[0].path
    path.write_bytes(b"colour" + path.read_bytes())
    with pytest.raises(JournalError, match="expected the header of this version's tasks"):
        open_store().open(5)


def test_a_missing_file_is_noticed(open_store: Open) -> None:
    store = open_store(journal_segment_mb=0.001)
    journal = store.create(5, ABOUT)
    for first in range(0, 40, 4):
        journal.append(make_batch(first, 4))
    files = segments(store.run_folder(5), Stream.RESULTS)
    files[2].path.unlink()
    with pytest.raises(JournalError, match="is a file missing before it"):
        all_tasks(store)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond this size, as a full disk or a quota would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_takes_a_batch_whole_or_not_at_all_and_loses_nothing(open_store: Open) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)
    journal.append(make_batch(0, 20))
    before = {stream: segments(store.run_folder(5), stream)[0].path.read_bytes() for stream in Stream}
    # Room for the tasks of the next batch, and for a part of its results.
    with largest_file(len(before[Stream.RESULTS]) + 500):
        for _ in range(2):
            with pytest.raises(JournalFullError, match="no room for more rows"):
                journal.append(make_batch(20, 20))
        assert {stream: segments(store.run_folder(5), stream)[0].path.read_bytes() for stream in Stream} == before
        assert journal.positions() == {Stream.TASKS: 20, Stream.RESULTS: 120, Stream.TRAINING: 20}
    journal.append(make_batch(20, 20))
    assert sorted(all_tasks(store)) == sorted(list(range(40)) * len(SCHEDULERS))


def test_a_full_disk_while_a_new_file_is_begun(open_store: Open) -> None:
    store = open_store(journal_segment_mb=0.001)
    journal = store.create(5, ABOUT)
    journal.append(make_batch(0, 20))
    with largest_file(10), pytest.raises(JournalFullError):
        journal.append(make_batch(20, 1))
    assert len(segments(store.run_folder(5), Stream.RESULTS)) == 1
    journal.append(make_batch(20, 1))
    assert len(segments(store.run_folder(5), Stream.RESULTS)) == 2
    assert sorted(all_tasks(store)) == sorted(list(range(21)) * len(SCHEDULERS))


def test_a_disk_that_fails_is_another_error(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(JournalError, match="Input/output error") as caught:
        journal.append(make_batch(0, 1))
    assert not isinstance(caught.value, JournalFullError)


@pytest.mark.parametrize(("policy", "each", "at_close"), [(Fsync.ALWAYS, 6, 6), (Fsync.INTERVAL, 0, 3), (Fsync.NEVER, 0, 3)])
def test_when_the_disk_is_waited_for(open_store: Open, monkeypatch: pytest.MonkeyPatch, policy: Fsync, each: int, at_close: int) -> None:
    store = open_store(journal_fsync=policy, journal_fsync_interval_s=3600)
    journal = store.create(5, ABOUT)
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    journal.append(make_batch(0, 1))
    journal.append(make_batch(1, 1))
    assert len(calls) == each
    journal.close()
    assert len(calls) == at_close


def test_the_interval_is_counted_from_the_last_time(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(journal_module.time, "monotonic", lambda: now_s)
    journal = open_store(journal_fsync="interval", journal_fsync_interval_s=10).create(5, ABOUT)
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    counts = []
    for now_s in (1001.0, 1009.0, 1010.0, 1011.0, 1020.0):
        journal.append(make_batch(int(now_s), 1))
        counts.append(len(calls))
    assert counts == [0, 0, 3, 3, 6]


def test_a_clock_that_is_set_back_changes_nothing(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)
    journal.append(make_batch(0, 3))
    monkeypatch.setattr(journal_module.time, "time", lambda: 0.0, raising=False)
    monkeypatch.setattr(journal_module.time, "time_ns", lambda: 0)
    journal.append(make_batch(3, 3))
    assert all_tasks(store, Stream.TASKS) == list(range(6))


def test_reading_from_any_position(open_store: Open) -> None:
    store = open_store(journal_segment_mb=0.002)
    journal = store.create(5, ABOUT)
    for first in range(0, 30, 3):
        journal.append(make_batch(first, 3))
    for seq in (0, 1, 17, 29, 30):
        position = store.locate(5, Stream.TASKS, seq)
        rows = [task for chunk, _ in store.read(5, Stream.TASKS, position, 30, 4) for task in chunk.frame["task_id"].to_list()]
        assert rows == list(range(seq, 30))
    assert [chunk.frame["task_id"].to_list() for chunk in store.newest(5, Stream.TASKS, 2)] == [[28, 29]]
    assert store.newest(5, Stream.TASKS, 0) == []


def test_only_one_process_writes(open_store: Open, tmp_path: Path) -> None:
    open_store().lock()
    code = (
        "import sys; from hybrid_ml_scheduler.storage.journal import JournalStore; from hybrid_ml_scheduler.storage.settings import StorageSettings\n"
        "JournalStore(StorageSettings.load(data_dir=sys.argv[1])).lock()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "InputError" in done.stderr
    assert "another process writes into this data folder" in done.stderr
    with pytest.raises(InputError):
        JournalStore(StorageSettings.load(data_dir=tmp_path)).lock()


def test_runs_are_found_described_and_deleted(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT).append(make_batch(0, 1))
    store.create(7, {"id": 7})
    assert store.runs() == [5, 7]
    assert store.description(5) == ABOUT
    assert store.bytes_of(5) > store.bytes_of(7) > 0
    with pytest.raises(JournalError, match="there is a run of this number already"):
        store.create(7, {"id": 7})
    store.delete(5)
    assert store.runs() == [7]
    assert list(store.folder.glob(".deleted*")) == []
    with pytest.raises(UnknownRunError):
        store.open(5)


def test_what_a_crash_left_of_a_deleted_run_goes(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT)
    store.close()
    store.run_folder(5).rename(store.folder / ".deleted-5-abc")
    again = open_store()
    again.lock()
    assert again.runs() == []
    assert list(again.folder.glob(".deleted*")) == []


def test_what_a_process_left_that_was_killed_while_it_saved_goes(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT).save_state({"time_s": 1.5}, b"first")
    store.add_file(5, "models/mine.json", b"whole")
    store.close()
    code = (
        "import os, signal, sys; from pathlib import Path; from hybrid_ml_scheduler.storage import journal; "
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL); journal._replace(Path(sys.argv[1]), b'half', durable=True)"
    )
    folder = store.run_folder(5)
    for path in (folder / journal_module.STATE_FILES[0], folder / "files" / "models" / "mine.json", store.folder / journal_module.JOURNAL_FILE):
        assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -signal.SIGKILL
    assert len(list(store.folder.rglob(".*"))) == 3
    again = open_store()
    again.lock()
    assert list(again.folder.rglob(".*")) == []
    saved = again.saved_state(5)
    assert saved is not None
    assert saved.checkpoint == b"first"
    assert again.files(5) == ["models/mine.json"]


def test_files_of_a_run_are_listed_while_others_come_and_go(open_store: Open) -> None:
    store = open_store()
    store.create(5, ABOUT)
    store.add_file(5, "models/mine/1/card.json", b"whole")
    models = store.files_folder(5) / "models" / "mine"

    def come_and_go() -> None:
        for _ in range(300):
            new = Path(tempfile.mkdtemp(prefix=".new-", dir=models))
            (new / "card.json").write_bytes(b"two")
            new.rename(models / "2")
            shutil.rmtree(models / "2")

    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(come_and_go)
        while not others.done():
            names = set(store.files(5))
            assert {"models/mine/1/card.json"} <= names <= {"models/mine/1/card.json", "models/mine/2/card.json"}
            assert store.file_content(5, "models/mine/2/card.json") in {None, b"two"}
        others.result()


def test_a_state_is_kept_whole_with_the_one_before_it(open_store: Open) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)
    assert store.saved_state(5) is None
    journal.append(make_batch(0, 2))
    journal.save_state({"time_s": 1.5}, b"first\n\0")
    journal.append(make_batch(2, 2))
    saved = journal.save_state({"time_s": 2.5}, b"second")
    assert store.saved_state(5) == saved
    assert (saved.revision, saved.checkpoint, saved.positions[Stream.TASKS]) == (2, b"second", 4)
    path = store.run_folder(5) / journal_module.STATE_FILES[0]
    path.write_bytes(path.read_bytes()[:-1])
    before = store.saved_state(5)
    assert before is not None
    assert (before.revision, before.checkpoint, before.positions[Stream.TASKS]) == (1, b"first\n\0", 2)
    assert [chunk.frame["task_id"].to_list() for chunk in journal.rows_since(before.positions) if chunk.stream is Stream.TASKS] == [[2, 3]]


def test_a_state_that_does_not_fit_leaves_the_one_before_it(open_store: Open) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)
    journal.save_state({}, b"first")
    with largest_file(1000), pytest.raises(JournalFullError):
        journal.save_state({}, b"x" * 5000)
    found = store.saved_state(5)
    assert found is not None
    assert found.checkpoint == b"first"
    assert journal.save_state({}, b"y" * 5000).revision == 2


def test_a_closed_journal_takes_nothing(open_store: Open) -> None:
    store = open_store()
    journal = store.create(5, ABOUT)
    store.close_run(5)
    with pytest.raises(JournalError, match="has been closed"):
        journal.append(make_batch(0, 1))


def test_a_run_that_another_machine_began_goes_on_with_its_numbers(open_store: Open) -> None:
    store = open_store()
    journal = store.create(5, {**ABOUT, "first_seq": {"tasks": 10, "results": 60, "training": 10}})
    journal.append(make_batch(10, 2))
    assert journal.positions() == {Stream.TASKS: 12, Stream.RESULTS: 72, Stream.TRAINING: 12}
    assert all_tasks(store, Stream.TASKS) == [10, 11]
    with pytest.raises(JournalError, match="begins with row 10; expected row 3"):
        store.locate(5, Stream.TASKS, 3)


def test_a_state_can_be_read_while_another_is_saved(tmp_path: Path) -> None:
    """As the way into the database does it, in a thread of its own."""
    states, over = 2_000, threading.Event()

    def save() -> None:
        for revision in range(1, states + 1):
            saved = journal_module.SavedState(1, revision, {"at": revision}, dict.fromkeys(Stream, revision), b"%d" % revision)
            journal_module.write_state(tmp_path, saved, durable=False)
        over.set()

    with ThreadPoolExecutor(1) as executor:
        saving = executor.submit(save)
        newest = 0
        while not over.is_set() and not saving.done():
            found = journal_module.read_state(tmp_path, 1)
            if found is None:
                assert newest == 0
                continue
            # Everything is of one state, and none comes back.
            assert (found.state, found.checkpoint) == ({"at": found.revision}, b"%d" % found.revision)
            assert found.revision >= newest
            newest = found.revision
        saving.result()
    found = journal_module.read_state(tmp_path, 1)
    assert found is not None
    assert found.revision == states


def test_kept_states_are_spread_evenly_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    for revision in range(1, 201):
        saved = journal_module.SavedState(1, revision, {"revision": revision}, {}, bytes(1_000))
        journal_module.write_state(folder, saved, durable=False)
        journal_module.keep_state(folder, revision)
        assert len(journal_module.kept_heads(folder)) <= journal_module.MOST_KEPT
    kept = journal_module.kept_heads(folder)
    assert list(kept) == list(range(16, 201, 16))
    assert kept[32] == {"revision": 32}
    found = journal_module.read_kept(folder, 1, 32)
    assert found is not None
    assert (found.state, found.checkpoint) == ({"revision": 32}, bytes(1_000))
    assert journal_module.read_kept(folder, 1, 33) is None
    monkeypatch.setattr(journal_module, "MOST_KEPT_BYTES", 6_000)
    journal_module.write_state(folder, journal_module.SavedState(1, 208, {}, {}, bytes(1_000)), durable=False)
    journal_module.keep_state(folder, 208)
    assert list(journal_module.kept_heads(folder)) == [64, 128, 192]
