"""Keys: what gets in, what does not, and when that changes."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.service.security.access import COPY, Access
from hybrid_ml_scheduler.service.security.install import refuse_if_open_to_others
from hybrid_ml_scheduler.service.security.keys import digest, id_of, new_key
from hybrid_ml_scheduler.storage.access import AccessRepository, AccessTables
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.schema import ApiKeyRow
from hybrid_ml_scheduler.storage.settings import StorageSettings
from security_fixtures import PATIENT, Guarded, bearer, routes
from service_fixtures import Killable, Running, problem, running, settings_in

pytestmark = pytest.mark.anyio


def wrong_keys(good: str) -> dict[str, str]:
    other, _ = new_key("other", ["admin"])
    return {
        "unknown": other,
        "another secret": good[:17] + other[17:],
        "one character": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "cut": good[:-1],
        "longer": good + "A",
        "no key": "hms_",
        "empty": "",
        "nonsense": "' OR 1=1 --",
        "not ascii": "hms_äöü",
        "long": "hms_" + "a" * 5_000,
    }


async def test_without_a_good_key_every_route_that_needs_one_is_closed(guarded: Guarded) -> None:
    revoked, row = await guarded.access.create_key("revoked", ["admin"])
    await guarded.access.revoke_key(row.id)
    expired = await expired_key(guarded)
    credentials: dict[str, str | None] = {"missing": None, "revoked": revoked, "expired": expired, **wrong_keys(guarded.keys["admin"])}
    count = 0
    for method, path, need in routes(guarded.app):
        if need.scope is None:
            continue
        for kind, credential in credentials.items():
            headers = {} if credential is None else {"authorization": f"Bearer {credential}".encode()}
            answer = await guarded.client.request(method, path, headers=headers)  # type: ignore[arg-type]
            found = problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer"), kind
            assert credential is None or len(credential) < 9 or credential not in str(found), "an answer repeats a secret"
            count += 1
    print(f"{count} requests refused")
    assert count > 200
    assert guarded.running.run.now.run_id is None


async def expired_key(guarded: Guarded) -> str:
    key, row = new_key("expired", ["admin"], days=1e-9)
    async with guarded.access.database.write() as session:
        await AccessRepository(session, guarded.access.database.dialect).add_key(row)
    await guarded.access.refresh(force=True)
    return key


async def test_other_ways_to_say_who_one_is(guarded: Guarded) -> None:
    key = guarded.keys["read"]
    assert (await guarded.client.get("/api/status", headers={"x-api-key": key})).status_code == 200
    assert (await guarded.client.get("/api/status", headers={"authorization": f"bearer  {key}"})).status_code == 200
    for headers in ({"authorization": key}, {"authorization": f"Basic {key}"}, {"authorization": "Bearer"}, {"cookie": f"hms_session={key}"}):
        problem(await guarded.client.get("/api/status", headers=headers), 401, "unauthenticated")
    problem(await guarded.client.get(f"/api/status?key={key}&access_token={key}"), 401, "unauthenticated")
    twice = [("authorization", f"Bearer {key}"), ("authorization", "Bearer x")]
    problem(await guarded.client.get("/api/status", headers=twice), 400, "unreadable-request")


async def test_only_a_hash_of_a_key_is_stored(guarded: Guarded) -> None:
    key = guarded.keys["admin"]
    async with guarded.access.database.read() as session:
        rows = await AccessRepository(session, guarded.access.database.dialect).keys()
    assert digest(key) in {row.sha256 for row in rows}
    secret = key.rpartition("_")[2]
    kept = [path for path in guarded.settings.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert kept == []
    copy = guarded.settings.folder / COPY
    assert copy.stat().st_mode & 0o077 == 0


async def test_keys_are_made_listed_and_revoked_over_the_api(guarded: Guarded) -> None:
    admin = guarded.keys["admin"]
    made = (await guarded.ask("POST", "/api/v1/keys", admin, json={"name": "ci", "scopes": ["read"], "days": 1})).json()
    assert (await guarded.ask("GET", "/api/status", made["key"])).status_code == 200
    listed = (await guarded.ask("GET", "/api/v1/keys", admin)).json()["keys"]
    assert [entry["name"] for entry in listed] == ["read", "control", "decide", "admin", "ci"]
    assert "key" not in listed[-1]
    assert listed[-1]["expires_at"] is not None
    gone = (await guarded.ask("DELETE", f"/api/v1/keys/{made['id']}", admin)).json()
    assert gone["revoked_at"] is not None
    problem(await guarded.ask("GET", "/api/status", made["key"]), 401, "unauthenticated")
    problem(await guarded.ask("DELETE", f"/api/v1/keys/{made['id']}", admin), 404, "not-found")
    for body in (
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "", "scopes": ["read"]},
        {"scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "days": 0},
    ):
        problem(await guarded.ask("POST", "/api/v1/keys", admin, json=body), 422, "invalid-request")


async def test_the_first_key_closes_an_open_service_and_revoking_the_last_does_not_open_it(service: Running) -> None:
    assert (await service.get("/health/info"))["security"]["auth"] == "open"
    assert (await service.get("/api/v1/session"))["signed_in"] is True
    made = await service.post("/api/v1/keys", {"name": "first", "scopes": ["admin"]})
    problem(await service.client.get("/api/status"), 401, "unauthenticated")
    assert (await service.get("/api/v1/session"))["auth"] == "keys"
    answer = await service.client.delete(f"/api/v1/keys/{made['id']}", headers=bearer(made["key"]))
    assert answer.status_code == 200
    problem(await service.client.get("/api/status"), 401, "unauthenticated")


async def test_a_key_that_another_process_makes_or_revokes_counts_here_within_moments(guarded: Guarded) -> None:
    key, row = new_key("elsewhere", ["read"])
    async with Database(guarded.settings) as database:
        async with database.write() as session:
            await AccessRepository(session, database.dialect).add_key(row)
        await until(guarded, key, 200)
        async with database.write() as session:
            assert await AccessRepository(session, database.dialect).revoke_key(row.id)
        await until(guarded, key, 401)


async def until(guarded: Guarded, key: str, status: int) -> float:
    began_s = time.monotonic()
    async with asyncio.timeout(30):
        while (await guarded.ask("GET", "/api/status", key)).status_code != status:
            await asyncio.sleep(0.02)
    return time.monotonic() - began_s


async def test_what_was_read_before_the_first_key_does_not_open_the_service_again(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    access = service.app.state.security.access
    read, released, reading = AccessRepository.all, asyncio.Event(), asyncio.Event()

    async def late(self: AccessRepository, ended_since: datetime) -> AccessTables:
        found = await read(self, ended_since)
        if not reading.is_set():
            reading.set()
            await released.wait()
        return found

    monkeypatch.setattr(AccessRepository, "all", late)
    early = asyncio.create_task(access.refresh(force=True))
    await reading.wait()
    making = asyncio.create_task(access.create_key("first", ["admin"]))
    # Either it waits for the one before, or it comes first, and must still be what counts.
    await asyncio.wait({making}, timeout=0.5)
    released.set()
    await asyncio.gather(early, making)
    assert not access.open
    problem(await service.client.get("/api/status"), 401, "unauthenticated")


async def test_keys_work_while_the_database_is_away_and_after_a_restart_without_it(killable: Killable, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database_url=killable.url, **PATIENT)
    async with running(settings) as found:
        key, _ = await found.app.state.security.access.create_key("k", ["read"])
        await asyncio.to_thread(killable.server.kill)
        assert (await found.client.get("/api/status", headers=bearer(key))).status_code == 200
        problem(await found.client.get("/api/status"), 401, "unauthenticated")
    async with running(settings) as found:
        assert (await found.client.get("/api/status", headers=bearer(key))).status_code == 200
        problem(await found.client.get("/api/status"), 401, "unauthenticated")
        problem(await found.client.get("/api/status", headers=bearer(new_key("x", ["read"])[0])), 401, "unauthenticated")


@pytest.mark.parametrize(
    "given",
    [{"host": "0.0.0.0"}, {"host": "::"}, {"allowed_hosts": "scheduler.example.org"}, {"trusted_proxies": "10.0.0.1"}, {"root_path": "/scheduler"}],
)
async def test_where_others_can_reach_it_the_service_does_not_start_without_keys(
    given: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    settings = settings_in(tmp_path, **given)
    with pytest.raises(SettingsError, match=r"expected a key first \(hms keys create --scope admin\), or --insecure"):
        await refuse_if_open_to_others(settings, insecure=False)
    assert not caplog.records, "that the database is new is no trouble"
    await refuse_if_open_to_others(settings, insecure=True)
    assert await asyncio.to_thread(run, ["keys", "create", "--scope", "admin"]) == 0
    await refuse_if_open_to_others(settings, insecure=False)


async def test_with_a_key_it_starts_anywhere_and_with_revoked_ones_it_does_not(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, host="0.0.0.0")
    key, row = new_key("k", ["admin"])
    async with Database(settings) as database:
        await database.upgrade()
        async with database.write() as session:
            await AccessRepository(session, database.dialect).add_key(row)
        await refuse_if_open_to_others(settings, insecure=False)
        async with database.write() as session:
            await AccessRepository(session, database.dialect).revoke_key(str(id_of(key)))
    with pytest.raises(SettingsError):
        await refuse_if_open_to_others(settings, insecure=False)


async def test_what_is_said_about_being_open(tmp_path: Path) -> None:
    def mode(**given: object) -> str:
        settings = settings_in(tmp_path, **{name: value for name, value in given.items() if name != "insecure"})
        return Access(settings, settings.host, tmp_path, insecure=bool(given.get("insecure"))).mode

    assert mode() == "open"
    assert mode(host="::1") == "open"
    assert mode(auth="keys") == "keys"
    assert mode(host="0.0.0.0") == "keys"
    assert mode(host="0.0.0.0", insecure=True) == "insecure"
    assert mode(insecure=True) == "open"


def test_the_command_makes_lists_and_revokes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    assert run(["keys", "create", "--scope", "read", "--scope", "control", "--name", "ci", "--days", "3"]) == 0
    shown = capsys.readouterr()
    key = shown.out.strip()
    assert id_of(key) is not None
    assert key not in shown.err
    assert run(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert "read, control" in listed
    assert "good until" in listed
    assert key not in listed
    assert run(["keys", "revoke", key]) == 0
    assert run(["keys", "revoke", str(id_of(key))]) == 2
    assert "expected one that hms keys list shows" in capsys.readouterr().err
    assert run(["keys", "list", "--json"]) == 0
    assert '"revoked_at": "2' in capsys.readouterr().out
    assert run(["keys", "create", "--scope", "root"]) == 2
    assert "expected some of read, control, decide, admin" in capsys.readouterr().err
    assert run(["keys", "create", "--scope", "read", "--name", "a\nb"]) == 2


async def test_the_tables_are_the_same_on_both_databases(killable: Killable, tmp_path: Path) -> None:
    async with Database(StorageSettings.load(database_url=killable.url)) as database:
        for name in ("a", "b"):
            key, row = new_key(name, ["read"])
            async with database.write() as session:
                await AccessRepository(session, database.dialect).add_key(row)
            assert id_of(key) == row.id
        async with database.read() as session:
            rows = await AccessRepository(session, database.dialect).keys()
            assert [row.name for row in rows] == ["a", "b"]
            assert await AccessRepository(session, database.dialect).revision() == 2
            assert isinstance(rows[0], ApiKeyRow)
