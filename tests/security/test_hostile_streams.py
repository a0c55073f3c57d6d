"""A hostile client of the live stream, and one that takes nothing: what they cost stays small, and what they send fills no log."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import socket
from pathlib import Path

import pytest
import websockets
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.frames import Frame, Opcode

from hybrid_ml_scheduler.service.security.protocol import GuardedProtocol
from security_fixtures import bearer, connected, refused, served, status_of, talk, undisturbed

pytestmark = pytest.mark.anyio
MOST_TAKEN_BYTES = 40_000_000


def handshake(key: str | None, *more: str, method: str = "GET", path: str = "/ws") -> bytes:
    """Return the head of a handshake."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", *more]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join([*lines, "", ""]).encode()


async def opened(port: int, key: str, unread: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream by hand; return it after the handshake."""
    raw = socket.socket()
    if unread:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1)
    writer.write(handshake(key))
    async with asyncio.timeout(60):
        assert status_of(await reader.read(12)) == 101
    return reader, writer


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def until_let_go(port: int) -> None:
    async with asyncio.timeout(60):
        while connected(port):
            await asyncio.sleep(0.05)


NO_HANDSHAKES = {
    "very many headers": lambda key: handshake(key, *(f"X-{index}: y" for index in range(200))),
    "a long header": lambda key: handshake(key, "X-A: " + "b" * 10_000),
    "a body": lambda key: handshake(key, "Content-Length: 5") + b"hello",
    "another method": lambda key: handshake(key, method="POST"),
    "no version": lambda key: handshake(key).replace(b"Sec-WebSocket-Version: 13\r\n", b""),
    "no key": lambda key: handshake(key).replace(b"Sec-WebSocket-Key", b"X-Key"),
    "a key that is none": lambda key: handshake(key).replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: !"),
    "two keys": lambda key: handshake(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    "an odd protocol": lambda key: handshake(key, "Sec-WebSocket-Protocol: \x7f,,;"),
    "no place": lambda key: handshake(key, path="/api/status"),
    "no credentials": lambda _: handshake(None),
}


async def test_what_is_no_handshake_is_answered_and_fills_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(tmp_path, ws_per_client_max=1) as (guarded, address, port):
        key = guarded.keys["read"]
        caplog.set_level(logging.INFO)
        caplog.clear()
        answers = {name: status_of(await talk(port, made(key))) for name, made in NO_HANDSHAKES.items()}
        print(answers)
        assert all(400 <= status < 500 for status in answers.values())
        await refused(address, 401)
        await refused(address, 403, additional_headers=bearer(key), origin="http://evil.example")
        async with websockets.connect(f"{address.replace('http', 'ws')}/ws", additional_headers=bearer(key)):
            await refused(address, 429, additional_headers=bearer(key))
        await undisturbed(guarded)
        assert [record.getMessage() for record in caplog.records if record.name.startswith(("uvicorn", "websockets", "hybrid_ml_scheduler"))] == []
        assert not connected(port)


FRAMES = {
    "no UTF-8": (masked(Opcode.TEXT, b"\xff\xfe"), 1007),
    "no UTF-8 in pieces": (masked(Opcode.TEXT, b"\xc3", fin=False) + masked(Opcode.CONT, b"("), 1007),
    "empty pieces": (masked(Opcode.TEXT, b"{", fin=False) + masked(Opcode.CONT, b"", fin=False) * 10_000, 1008),
    "a piece of nothing": (masked(Opcode.CONT, b"a"), 1002),
    "compressed": (bytes([0xC1]) + masked(Opcode.TEXT, b"a" * 10)[1:], 1002),
    "not masked": (Frame(Opcode.TEXT, b"{}").serialize(mask=False), 1002),
    "a long ping": (bytes([0x89, 0xFE, 0x01, 0x00]) + b"\0" * 260, 1002),
    "2 to the power of 63": (bytes([0x81, 0xFF, 0x7F]) + b"\xff" * 7 + b"\0" * 4, 1009),
    "a bad close code": (masked(Opcode.CLOSE, b"\x00\x01"), 1002),
}


@pytest.mark.parametrize("kind", FRAMES)
async def test_frames_that_are_none_end_their_stream(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sent, code = FRAMES[kind]
    async with served(tmp_path) as (guarded, _, port):
        caplog.set_level(logging.INFO)
        caplog.clear()
        reader, writer = await opened(port, guarded.keys["read"])
        writer.write(sent)
        async with asyncio.timeout(60):
            said = await reader.read()
        writer.close()
        assert bytes([0x88]) in said
        assert code.to_bytes(2) in said
        await until_let_go(port)
        await undisturbed(guarded)
        assert [record.getMessage() for record in caplog.records if record.name.startswith(("uvicorn", "websockets", "hybrid_ml_scheduler"))] == []


async def test_pings_of_a_client_that_takes_no_answer_are_not_kept(tmp_path: Path) -> None:
    async with served(tmp_path, ws_send_timeout_s=2.0) as (guarded, _, port):
        _, writer = await opened(port, guarded.keys["read"], unread=True)
        pings, sent = masked(Opcode.PING, b"x" * 125) * 500, 0
        # The system keeps some megabytes of them and of their answers; the server must stop taking more, and then let go.
        with contextlib.suppress(ConnectionError):
            while connected(port) and sent < MOST_TAKEN_BYTES:
                writer.write(pings)
                sent += len(pings)
                await writer.drain()
        print(f"{sent / 1e6:.1f} MB of pings were taken")
        assert sent < MOST_TAKEN_BYTES
        await until_let_go(port)
        writer.transport.abort()
        await undisturbed(guarded)


async def test_the_system_ends_a_connection_that_takes_nothing_whatever_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of an answer may be too little for the service to notice that nobody takes it."""
    monkeypatch.setattr(GuardedProtocol, "pause_writing", HttpToolsProtocol.pause_writing)
    async with served(tmp_path, send_timeout_s=1.0) as (guarded, _, port):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 60)
            await until_let_go(port)
        await undisturbed(guarded)
