"""Fixtures of tests of the service: the application over real storage, with a run that the test controls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hybrid_ml_scheduler.service.app import create_app
from hybrid_ml_scheduler.service.resources import Resources
from hybrid_ml_scheduler.service.server import address_of, bind, http_server
from hybrid_ml_scheduler.service.settings import ServiceSettings
from service_stand_in import StandInController
from storage_fixtures import QUICK
from storage_servers import PostgresServer

BASE = "http://localhost"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(f"HMS_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@dataclass
class Running:
    """A started application."""

    app: FastAPI
    client: httpx.AsyncClient
    run: StandInController

    @property
    def resources(self) -> Resources:
        found: Resources = self.app.state.resources
        return found

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        answer = await self.client.post(path, json=body) if body is not None else await self.client.post(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def tasks(self, count: int) -> int:
        """Let tasks go through the run and into the database; return the run's number."""
        if self.run.now.run_id is None:
            await self.post("/api/start")
        await self.run.process(count)
        async with asyncio.timeout(60):
            while self.resources.storage.drainer.lag_rows:
                await asyncio.sleep(0.01)
        assert self.run.now.run_id is not None
        return self.run.now.run_id


def settings_in(folder: Path, **given: object) -> ServiceSettings:
    return ServiceSettings.load(**{"data_dir": folder, "port": 0, **QUICK, **given})


@contextlib.asynccontextmanager
async def running(settings: ServiceSettings, *, start: bool = False) -> AsyncIterator[Running]:
    made: list[StandInController] = []

    def make(storage: Any, settings: ServiceSettings) -> Any:
        made.append(StandInController(storage, settings))
        return made[0], made[0].feed

    app = create_app(settings, start=start, make_engine=make)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield Running(app, client, made[0])


@contextlib.asynccontextmanager
async def listening(service: Running, settings: ServiceSettings) -> AsyncIterator[str]:
    """Serve a started application on a free port; its address."""
    with contextlib.closing(bind(settings)) as listener:
        address = address_of(listener)
        server = http_server(service.app, settings)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(60):
                while not server.started:
                    await asyncio.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(settings_in(tmp_path)) as found:
        yield found


@dataclass(frozen=True)
class Killable:
    """A PostgreSQL server that a test may kill, and a database with tables in it."""

    server: PostgresServer
    url: str


@pytest.fixture
def killable(postgres: PostgresServer, migrated: str) -> Iterator[Killable]:
    yield Killable(postgres, postgres.url(postgres.new_database(migrated)))
    if postgres.process is None:
        postgres.start()


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"/problems/{name}"
    assert found["status"] == status
    assert found["title"]
    return found
