"""The live stream, over a real connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocket, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hybrid_ml_scheduler.live.contract import TOPICS
from hybrid_ml_scheduler.live.feed import LiveFeed
from hybrid_ml_scheduler.service.connections import Client, ConnectionManager, parse_since
from service_fixtures import Running, listening, running, settings_in

pytestmark = pytest.mark.anyio
PATIENCE_S = 60.0


class Stream:
    """A started application and where its stream is."""

    def __init__(self, service: Running, address: str) -> None:
        self.service = service
        self.address = address.replace("http://", "ws://") + "/ws"

    def open(self, query: str = "") -> connect:
        return connect(self.address + query, open_timeout=PATIENCE_S, ping_interval=None)

    async def subscriptions(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while sum(not found.closed for found in self.service.run.feed.subscriptions) != count:
                await asyncio.sleep(0.01)


async def frame(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        found: dict[str, Any] = json.loads(await socket.recv())
        return found


async def frame_of(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while (found := await frame(socket))["type"] != kind:
        pass
    return found


async def read_all(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


async def closing_code(socket: ClientConnection) -> int:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ConnectionClosed) as closed:
            await read_all(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


@pytest.fixture
async def stream(tmp_path: Path) -> AsyncIterator[Stream]:
    settings = settings_in(tmp_path, ws_clients_max=5, ws_message_max_kb=1.0)
    async with running(settings) as service, listening(service, settings) as address:
        yield Stream(service, address)


async def test_a_snapshot_and_then_what_happens(stream: Stream) -> None:
    await stream.service.post("/api/start")
    async with stream.open() as socket:
        first = await frame(socket)
        assert first["type"] == "snapshot"
        assert first["version"] == 1
        assert first["topics"] == list(TOPICS)
        assert [message["topic"] for message in first["messages"]] == list(TOPICS)
        await stream.service.run.process(3)
        update = await frame(socket)
        assert update["type"] == "update"
        assert update["messages"] == [{"version": 1, "seq": 7, "topic": "run", "body": {"tasks_processed": 3}}]
        assert update["cursor"].endswith("-7")
    await stream.subscriptions(0)
    assert stream.service.resources.connections.counts()["clients"] == 0
    assert stream.service.resources.connections.counts()["frames_sent"] == 2


async def test_topics_by_query_and_by_message(stream: Stream) -> None:
    async with stream.open("?topics=lanes,storage") as socket:
        first = await frame(socket)
        assert first["topics"] == ["lanes", "storage"]
        stream.service.run.feed.tell("run", {"at": 1})
        stream.service.run.feed.tell("storage", {"at": 2})
        assert [message["topic"] for message in (await frame(socket))["messages"]] == ["storage"]
        await socket.send('{"type": "subscribe", "topics": ["run"]}')
        again = await frame(socket)
        assert (again["type"], again["topics"]) == ("snapshot", ["run"])
        assert again["messages"][0]["body"] == {"at": 1}
        await stream.subscriptions(1)
        stream.service.run.feed.tell("storage", {"at": 3})
        stream.service.run.feed.tell("run", {"at": 4})
        assert (await frame(socket))["messages"][0]["body"] == {"at": 4}


async def test_coming_back_brings_only_what_is_new(stream: Stream) -> None:
    async with stream.open() as socket:
        cursor = (await frame(socket))["cursor"]
    stream.service.run.feed.tell("lanes", {"at": 5})
    async with stream.open(f"?since={cursor}") as socket:
        first = await frame(socket)
        assert [message["topic"] for message in first["messages"]] == ["lanes"]
    async with stream.open("?since=6") as socket:
        assert len((await frame(socket))["messages"]) == 1
    for other in ("0123abcd-6", "1000000"):
        async with stream.open(f"?since={other}") as socket:
            assert len((await frame(socket))["messages"]) == len(TOPICS)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("garbage", 1007),
        ("", 1007),
        ("[" * 900, 1007),
        (b"\x00\x01", 1003),
        ("[]", 1008),
        ("null", 1008),
        ("3", 1008),
        ('{"type": "subscribe"}', 1008),
        ('{"type": "subscribe", "topics": "run"}', 1008),
        ('{"type": "subscribe", "topics": ["bogus"]}', 1008),
        ('{"type": "subscribe", "topics": [1]}', 1008),
        ('{"type": "subscribe", "topics": ["run"], "more": 1}', 1008),
        ('{"type": "stop"}', 1008),
        ('{"type": ["ping"]}', 1008),
        ("x" * 2_000, 1009),
        (b"x" * 2_000, 1009),
    ],
)
async def test_what_is_not_understood_closes_with_a_code(stream: Stream, sent: str | bytes, code: int) -> None:
    await stream.service.post("/api/start")
    async with stream.open() as socket:
        await frame(socket)
        await socket.send(sent)
        assert await closing_code(socket) == code
    await stream.subscriptions(0)
    assert (await stream.service.get("/api/status"))["state"] == "running"


@pytest.mark.parametrize("query", ["?topics=bogus", "?topics=run,bogus", "?since=x", "?since=-1", "?since=" + "9" * 30])
async def test_a_query_that_makes_no_sense_closes_with_a_code(stream: Stream, query: str) -> None:
    async with stream.open(query) as socket:
        assert await closing_code(socket) == 1008


async def test_too_many_messages_close(stream: Stream) -> None:
    async with stream.open() as socket:
        for _ in range(200):
            try:
                await socket.send('{"type": "ping"}')
            except ConnectionClosed:
                break
        assert await closing_code(socket) == 1008


async def test_too_many_clients_are_told_to_come_later(stream: Stream) -> None:
    sockets = [await stream.open() for _ in range(5)]
    try:
        for socket in sockets:
            await frame(socket)
        async with stream.open() as sixth:
            assert await closing_code(sixth) == 1013
        assert stream.service.resources.connections.counts()["refused"] == 1
        await sockets.pop().close()
        await stream.subscriptions(4)
        async with stream.open() as again:
            assert (await frame(again))["type"] == "snapshot"
    finally:
        for socket in sockets:
            await socket.close()


async def test_ping_and_heartbeat(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, ws_heartbeat_s=0.05)
    async with running(settings) as service, listening(service, settings) as address, Stream(service, address).open() as socket:
        await frame(socket)
        assert (await frame_of(socket, "heartbeat"))["cursor"].endswith("-6")
        await socket.send('{"type": "ping"}')
        await frame_of(socket, "pong")


async def test_a_client_that_takes_nothing_holds_nobody_up(stream: Stream) -> None:
    text = "x" * 200_000
    async with stream.open("?topics=lanes") as slow, stream.open("?topics=lanes") as quick:
        await frame(quick)
        for number in range(100):
            stream.service.run.feed.tell("lanes", {"number": number, "text": text})
            while (await frame(quick))["messages"][-1]["body"]["number"] != number:
                pass
        # The slow one gets what fitted into its buffers, then the latest: not everything.
        count = 0
        while True:
            found = await frame(slow)
            count += 1
            if found["messages"][-1]["body"].get("number") == 99:
                break
        assert count < 100


async def test_the_end_of_the_service_closes_the_stream(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with running(settings) as service:
        async with listening(service, settings) as address:
            socket = await Stream(service, address).open()
            await frame(socket)
        assert await closing_code(socket) in {1001, 1012}


def test_cursors_of_other_processes_mean_nothing() -> None:
    assert parse_since("abcd-12", "abcd") == 12
    assert parse_since("abcd-12", "beef") == -1
    assert parse_since("12", "beef") == 12
    assert parse_since(None, "beef") == -1


async def test_a_client_that_leaves_while_two_frames_wait_for_it_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first of them fails because it has left, and the second because the first did."""
    beating = asyncio.Event()
    beat = Client.send_plain

    async def send_plain(client: Client, kind: str) -> None:
        beating.set()
        await beat(client, kind)

    async def receive() -> dict[str, str]:
        if socket.client_state is WebSocketState.CONNECTING:
            return {"type": "websocket.connect"}
        return await asyncio.Future()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await beating.wait()
            raise BrokenPipeError

    monkeypatch.setattr(Client, "send_plain", send_plain)
    manager = ConnectionManager(settings_in(tmp_path, ws_heartbeat_s=0.1), "1f")
    socket = WebSocket({"type": "websocket", "query_string": b"", "headers": []}, receive, send)
    async with asyncio.timeout(PATIENCE_S):
        await manager.serve(socket, LiveFeed())
    assert beating.is_set()
    assert set(manager.dropped.values()) == {0}
    assert [record.getMessage() for record in caplog.records] == []
