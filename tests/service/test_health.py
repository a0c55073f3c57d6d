"""Health: what is really asked, and what is said while something is away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.service import schemas
from hybrid_ml_scheduler.storage.cache import SharingState
from service_fixtures import Killable, Running, running, settings_in
from storage_servers import ValkeyServer

pytestmark = pytest.mark.anyio


async def test_all_is_well(service: Running) -> None:
    for path in ("/health", "/health/ready"):
        found = await service.get(path)
        schemas.Health.model_validate(found)
        assert found["status"] == "ok"
        assert found["checks"]["redis"] == {"state": "alone"}
        assert found["checks"]["database"] == {"state": "ok", "away_s": None}
    assert await service.get("/health/live") == {"status": "ok"}


async def test_facts_and_no_secrets(tmp_path: Path) -> None:
    address = "redis://user:secret@127.0.0.1:1/0"
    async with running(settings_in(tmp_path, redis_url=address)) as service:
        found = await service.get("/health/info")
        schemas.Info.model_validate(found)
        assert found["version"] == __version__
        assert found["database"]["dialect"] == "sqlite"
        assert found["uptime_s"] > 0
        assert not {"secret", "127.0.0.1", str(tmp_path)} & set(str(found).split("'"))
        assert "secret" not in str(found)
        ready = await service.get("/health/ready")
        assert (ready["status"], ready["checks"]["redis"]["state"]) == ("degraded", "lost")
        assert "secret" not in str(ready)


async def test_a_database_that_is_away_for_too_long(tmp_path: Path, killable: Killable) -> None:
    settings = settings_in(tmp_path, database_url=killable.url, database_away_max_s=0.0, connect_timeout_s=2.0)
    async with running(settings) as service:
        run_id = await service.tasks(5)
        assert (await service.get("/health/ready"))["status"] == "ok"
        killable.server.kill()
        found = await service.get("/health/ready", status=503)
        assert found["status"] == "unavailable"
        assert found["checks"]["database"]["state"] == "away"
        # The run goes on, and the process is alive.
        await service.run.process(5)
        assert (await service.get("/health/live"))["status"] == "ok"
        assert (await service.get("/api/status"))["storage"]["lag_rows"] == 40
        killable.server.start()
        await service.resources.storage.database.wait_until_reachable(60)
        assert (await service.get("/health/ready"))["status"] == "ok"
        await service.tasks(1)
        found = await service.get("/api/full_history", run_id=run_id)
        assert [row["seq"] for row in found["rows"]] == list(range(65, -1, -1))


async def test_a_database_that_is_away_for_a_moment(tmp_path: Path, killable: Killable) -> None:
    settings = settings_in(tmp_path, database_url=killable.url, database_away_max_s=3_600.0, connect_timeout_s=2.0)
    async with running(settings) as service:
        killable.server.kill()
        assert (await service.get("/health/ready"))["status"] == "degraded"


async def test_a_service_starts_without_its_database(tmp_path: Path, killable: Killable) -> None:
    killable.server.kill()
    async with running(settings_in(tmp_path, database_url=killable.url, connect_timeout_s=1.0), start=True) as service:
        await service.run.process(5)
        found = await service.get("/api/status")
        assert (found["tasks_processed"], found["storage"]["lag_rows"]) == (5, 40)
        assert found["storage"]["state"] == "away"
        assert "127.0.0.1" not in str([found, await service.get("/health/info"), await service.get("/api/full_history", status=503)])


async def test_redis_comes_and_goes(tmp_path: Path, valkey: ValkeyServer) -> None:
    async with running(settings_in(tmp_path, redis_url=valkey.url)) as service:
        assert (await service.get("/health/ready"))["checks"]["redis"]["state"] == "connected"
        await service.tasks(5)
        assert len((await service.get("/api/full_history"))["rows"]) == 30
        assert len((await service.get("/api/full_history"))["rows"]) == 30
        valkey.kill()
        assert await service.resources.sharing.wait_for(SharingState.LOST, 60)
        assert (await service.get("/health/ready"))["status"] == "degraded"
        assert len((await service.get("/api/full_history"))["rows"]) == 30
        valkey.start()
        assert await service.resources.sharing.wait_for(SharingState.CONNECTED, 60)
        assert (await service.get("/health/ready"))["status"] == "ok"


async def test_health_answers_while_the_clock_stands_still(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s - 3_600)
    assert (await service.get("/health"))["status"] == "ok"
