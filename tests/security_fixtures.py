"""Fixtures of tests of what guards the service: an application with keys of every scope."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import websockets
from fastapi import FastAPI

from hybrid_ml_scheduler.service.security.access import Access
from hybrid_ml_scheduler.service.security.install import Security
from hybrid_ml_scheduler.service.security.scopes import SOCKET, Need, Scope, need_of, routes_of
from hybrid_ml_scheduler.service.settings import ServiceSettings
from service_fixtures import Running, listening, running, settings_in

# Tests ask as fast as they can; what limits do has tests of its own.
PATIENT = {"rate_read": "100000/second", "rate_control": "100000/second", "rate_heavy": "100000/second", "rate_anonymous": "100000/second"}
EXAMPLES = {
    "run_id": "5",
    "task_id": "7",
    "policy": "sjf",
    "name": "defect",
    "key_id": "0123456789ab",
    "version": "1",
    "sha256": "0" * 64,
}


@dataclass
class Guarded:
    """A started application with keys."""

    running: Running
    settings: ServiceSettings
    keys: dict[str, str]

    @property
    def app(self) -> FastAPI:
        return self.running.app

    @property
    def client(self) -> httpx.AsyncClient:
        return self.running.client

    @property
    def security(self) -> Security:
        found: Security = self.app.state.security
        return found

    @property
    def access(self) -> Access:
        return self.security.access

    async def ask(self, method: str, path: str, credential: str | None = None, **more: Any) -> httpx.Response:
        headers = {**({} if credential is None else {"authorization": f"Bearer {credential}"}), **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


@contextlib.asynccontextmanager
async def with_keys(folder: Path, **given: object) -> AsyncIterator[Guarded]:
    """Serve with one key of each scope."""
    settings = settings_in(folder, **{**PATIENT, **given})
    async with running(settings) as found:
        access: Access = found.app.state.security.access
        keys = {scope.value: (await access.create_key(scope.value, [scope.value]))[0] for scope in Scope}
        yield Guarded(found, settings, keys)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with with_keys(tmp_path) as found:
        yield found


def routes(app: FastAPI, *, sockets: bool = False) -> Iterator[tuple[str, str, Need]]:
    """Every route as method, path with examples in it, and what it needs."""
    for method, path, _ in routes_of(app.routes):
        if method == "HEAD" or (method == SOCKET) != sockets:
            continue
        yield method, re.sub(r"\{(\w+)(:\w+)?\}", lambda found: EXAMPLES.get(found[1], "5"), path), need_of(method, path)


@contextlib.asynccontextmanager
async def served(folder: Path, **given: object) -> AsyncIterator[tuple[Guarded, str, int]]:
    """Serve on a real port, with a run going on."""
    async with with_keys(folder, **given) as guarded, listening(guarded.running, guarded.settings) as address:
        await guarded.ask("POST", "/api/start", guarded.keys["control"])
        yield guarded, address, int(address.rpartition(":")[2])


async def undisturbed(guarded: Guarded) -> None:
    """The run goes on: tasks go through it and reach the database."""
    before = guarded.running.run.now.tasks_processed
    await guarded.running.tasks(20)
    found = (await guarded.ask("GET", "/api/status", guarded.keys["read"])).json()
    assert found["state"] == "running"
    assert found["tasks_processed"] == before + 20


async def talk(port: int, data: bytes, wait_s: float = 120.0) -> bytes:
    """Send bytes, and return everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(wait_s):
            return await reader.read()
    except ConnectionError:
        return b"(reset)"
    finally:
        writer.close()


def connected(port: int) -> int:
    """Return how many clients the server on a port holds on to."""
    found = psutil.Process().net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and bool(each.laddr) and each.laddr.port == port for each in found)


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else 0


async def refused(address: str, code: int, **more: object) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with websockets.connect(f"{address.replace('http', 'ws')}/ws", **more):  # type: ignore[arg-type]
            pass
    assert caught.value.response.status_code == code


@contextlib.contextmanager
def served_in_a_thread(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve with keys in a thread, so that a library which waits can ask; yields the address and the keys."""
    ready, done = threading.Event(), threading.Event()
    found: list[tuple[str, dict[str, str]]] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        async with with_keys(folder, rate_login="100000/second") as guarded, listening(guarded.running, guarded.settings) as address:
            await guarded.ask("POST", "/api/start", guarded.keys["control"])
            await guarded.running.tasks(50)
            found.append((address, guarded.keys))
            ready.set()
            await asyncio.to_thread(done.wait)

    def work() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        if failed:
            raise failed[0]
        yield found[0]
    finally:
        done.set()
        thread.join()
