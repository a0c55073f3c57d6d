"""The audit log: complete, append-only, and not lost with the database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.service.security import audit
from hybrid_ml_scheduler.service.security.audit import FILE, AuditLog
from hybrid_ml_scheduler.storage.access import AuditRepository
from hybrid_ml_scheduler.storage.database import Database
from security_fixtures import PATIENT, Guarded, bearer, routes
from service_fixtures import Killable, problem, running, settings_in

pytestmark = pytest.mark.anyio


async def entries(guarded: Guarded, count: int = 0) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while True:
            found: list[dict[str, Any]] = (await guarded.ask("GET", "/api/v1/audit", guarded.keys["admin"], params={"limit": 1000})).json()["entries"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_every_call_that_changes_something_is_recorded(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_REFUSED_PER_S", 10_000)
    changing = [(method, path) for method, path, _ in routes(guarded.app) if method != "GET"]
    for method, path in changing:
        await guarded.ask(method, path, guarded.keys["read"])
        await guarded.ask(method, path)
    await guarded.ask("POST", "/api/start", guarded.keys["control"], json={"seed": 3})
    for _, path, _ in list(routes(guarded.app))[:10]:
        await guarded.ask("GET", path, guarded.keys["admin"])
    found = await entries(guarded, 2 * len(changing) + 1)
    assert len(found) == 2 * len(changing) + 1
    newest = found[0]
    assert (newest["method"], newest["path"], newest["status"], newest["address"]) == ("POST", "/api/start", 200, "127.0.0.1")
    assert newest["who"].startswith("key:")
    assert {(entry["method"], entry["path"]) for entry in found} == {*changing, ("POST", "/api/start")}
    assert "nobody" in {entry["who"] for entry in found}
    assert (guarded.settings.folder / FILE).stat().st_mode & 0o077 == 0


async def test_a_call_that_ends_with_a_defect_is_recorded_too(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(guarded.running.run, "stop", broken)
    problem(await guarded.ask("POST", "/api/stop", guarded.keys["control"]), 500, "defect")
    assert [(entry["path"], entry["status"]) for entry in await entries(guarded, 1)] == [("/api/stop", 500)]


async def test_entries_hold_no_secrets_and_no_lines_of_others(guarded: Guarded) -> None:
    await guarded.client.post("/api/v1/session", json={"name": "eve\r\n2026 admin did it", "password": "planted secret value"})
    await guarded.client.post("/api/v1/session", json={"name": "eve", "password": "planted secret value"})
    await guarded.ask("DELETE", "/api/v1/run/policies/a%0d%0aforged%20line", guarded.keys["control"])
    made = (await guarded.ask("POST", "/api/v1/keys", guarded.keys["admin"], json={"name": "n", "scopes": ["read"]})).json()
    # Credentials where they do not belong.
    await guarded.client.post(f"/api/stop?key={made['key']}&token=planted-in-query")
    await guarded.client.delete(f"/api/v1/keys/{made['key']}")
    found = await entries(guarded, 6)
    said = str(found)
    assert "planted secret" not in said
    assert "planted-in-query" not in said
    assert made["key"] not in said
    assert made["id"] in said
    assert "name eve" in said
    assert all(str(value).isprintable() for entry in found for value in entry.values())


async def test_rows_cannot_be_changed_or_deleted(killable: Killable, tmp_path: Path) -> None:
    for url in (killable.url, f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}"):
        settings = settings_in(tmp_path, database_url=url)
        async with Database(settings) as database:
            await database.upgrade()
            await audit.record_command(database, "hms keys create", "note")
            for statement in ("UPDATE audit_log SET who = 'somebody else'", "DELETE FROM audit_log"):
                with pytest.raises(Exception, match="can be added only"):
                    async with database.write() as session:
                        await session.execute(text(statement))
            async with database.read() as session:
                assert await AuditRepository(session, database.dialect).count() == 1


async def test_nothing_is_lost_while_the_database_is_away_and_with_a_crash(killable: Killable, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database_url=killable.url, **PATIENT)
    async with running(settings) as found:
        key, _ = await found.app.state.security.access.create_key("k", ["admin"])
        await asyncio.to_thread(killable.server.kill)
        answers = [(await found.client.post("/api/stop", headers=bearer(key))).status_code for _ in range(5)]
        assert answers == [200] * 5
        assert len((tmp_path / FILE).read_bytes().splitlines()) == 5
    # The process has gone, and left its file, the last line cut off.
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"id": 1, "proc')
    killable.server.start()
    async with running(settings) as found:
        async with asyncio.timeout(30):
            while len((await found.client.get("/api/v1/audit", headers=bearer(key))).json()["entries"]) < 5:
                await asyncio.sleep(0.02)
            while (tmp_path / FILE).read_bytes():
                await asyncio.sleep(0.02)


async def test_a_flood_of_refusals_is_counted_not_written(guarded: Guarded) -> None:
    for _ in range(200):
        await guarded.client.post("/api/stop")
    await asyncio.sleep(0)
    log = guarded.security.audit
    async with asyncio.timeout(30):
        while log._refused > audit._REFUSED_PER_S and log._left_out == 0:
            await guarded.client.post("/api/stop")
    await guarded.ask("POST", "/api/stop", guarded.keys["control"])
    found = await entries(guarded, 21)
    assert len(found) < 200
    assert any("only counted" in (entry["note"] or "") for entry in found)


async def test_what_the_disk_does_not_take_goes_to_the_database_and_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Database(settings_in(tmp_path)) as database:
        await database.upgrade()
        log = AuditLog(tmp_path)
        async with log.running(database):
            assert log._descriptor is not None
            with Path("/dev/full").open("wb") as full:
                kept, log._descriptor = log._descriptor, full.fileno()
                log.record(who="key:a", method="POST", path="/api/stop", status=200)
                log._descriptor = kept
            await log.drain(database)
        assert log.lost == 1
        assert "could not be written to the disk" in caplog.text
        async with database.read() as session:
            assert await AuditRepository(session, database.dialect).count() == 1


async def test_pages_of_the_log(guarded: Guarded) -> None:
    for _ in range(5):
        await guarded.ask("POST", "/api/stop", guarded.keys["control"])
    await entries(guarded, 5)
    page = (await guarded.ask("GET", "/api/v1/audit", guarded.keys["admin"], params={"limit": 3})).json()
    rest = (await guarded.ask("GET", "/api/v1/audit", guarded.keys["admin"], params={"limit": 3, "before": page["next"]})).json()
    assert [len(page["entries"]), len(rest["entries"]), rest["next"]] == [3, 2, None]
    problem(await guarded.ask("GET", "/api/v1/audit", guarded.keys["control"]), 403, "forbidden")


def test_commands_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    assert run(["keys", "create", "--scope", "read"]) == 0

    async def read() -> list[Any]:
        async with Database(settings_in(tmp_path)) as database, database.read() as session:
            return await AuditRepository(session, database.dialect).newest(10)

    found = asyncio.run(read())
    assert [(entry.who, entry.path) for entry in found] == [("shell", "hms keys create")]
