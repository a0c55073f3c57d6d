"""``hms db``, as it is called."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.storage.database import newest_revision
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_cases import make_batch, new_run


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in StorageSettings.model_fields:
        monkeypatch.delenv(f"HMS_{name.upper()}", raising=False)
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def fill(*, drain: bool) -> None:
    async def work() -> None:
        service = SimulationDataService(StorageSettings.load())
        await service.database.upgrade()
        await service.open(drain=drain)
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 10))
        await service.close()

    asyncio.run(work())


def test_check_without_tables_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "check"]) == 2
    assert capsys.readouterr().err == f"hms: the database is empty; expected version {newest_revision()} (run: hms db upgrade)\n"


def test_upgrade_makes_the_tables_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "upgrade"]) == 0
    assert run(["db", "upgrade"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"tables upgraded from version none to {newest_revision()}",
        f"tables are of version {newest_revision()} already",
    ]
    assert run(["db", "check"]) == 0


def test_lag_is_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    fill(drain=False)
    assert run(["db", "check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"tables", "journal", "differences", "duplicates"}
    assert found["tables"]["scheduler_results"] == 0
    assert found["journal"] == {"rows": 80, "lag_rows": 80}
    assert (found["differences"], found["duplicates"]) == (0, 0)


def test_a_changed_value_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fill(drain=True)
    path = next(tmp_path.glob("journal/*/results-*.csv"))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[5] = lines[5].replace("finished", "rejected").replace("refused", "rejected")
    path.write_text("".join(lines), encoding="utf-8")
    assert run(["db", "check"]) == 1
    out = capsys.readouterr().out
    assert "1 rows have other values in the database, the first is row 4" in out
    assert out.endswith("1 differences, 0 duplicates\n")


def test_restore_fills_a_new_database(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fill(drain=True)
    assert run(["db", "restore"]) == 2
    assert "the database holds 1 run(s) already" in capsys.readouterr().err
    for file in tmp_path.glob("hms.sqlite3*"):
        file.unlink()
    assert run(["db", "restore"]) == 0
    assert capsys.readouterr().out == "80 rows restored\n"
    assert run(["db", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"]["scheduler_results"] == 60


def test_restore_without_a_journal_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "restore"]) == 2
    assert "holds no journal of any run" in capsys.readouterr().err


def test_a_setting_that_makes_no_sense_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_POOL_SIZE", "none")
    assert run(["db", "check"]) == 2
    assert capsys.readouterr().err.startswith("hms: HMS_POOL_SIZE: has no usable value; expected a valid integer")


def test_an_unreachable_database_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_DATABASE_URL", "postgresql://anna:hunter2@127.0.0.1:1/none")
    assert run(["db", "check"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("hms: the postgresql database cannot be reached")
    assert "hunter2" not in err


def test_check_db_data_calls_the_launcher_beside_it(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "check_db_data.py").write_bytes((root / "check_db_data.py").read_bytes())
    launcher = tmp_path / "hms"
    launcher.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    done = subprocess.run([sys.executable, str(tmp_path / "check_db_data.py")], capture_output=True, text=True, check=True)
    assert done.stdout == "db check\n"


def test_check_works_while_another_process_writes(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        async with SimulationDataService(StorageSettings.load()) as service:
            sink = service.begin_run(new_run(service))
            await sink.write(make_batch(0, 10))
            assert await asyncio.to_thread(run, ["db", "check", "--json"]) == 0

    fill(drain=True)
    asyncio.run(work())
    found = json.loads(capsys.readouterr().out)
    assert found["journal"]["rows"] == 160
    assert (found["differences"], found["duplicates"]) == (0, 0)
