"""uvicorn's HTTP protocol with time-outs and bounds of its own: for clients that send their request forever, or take nothing of the answer."""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import socket
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybrid_ml_scheduler.service.settings import ServiceSettings

_LOG = logging.getLogger(__name__)
_TELL_EVERY_S = 60.0
# uvicorn warns of each request that is none: whoever sends such could fill the log. What it calls an error is one of ours.
ERRORS = logging.getLogger(f"{__name__}.errors")
"""For what uvicorn says about a connection."""
ERRORS.setLevel(logging.ERROR)


def connections_max(settings: ServiceSettings) -> int:
    """Return how many connections are taken at a time: database, Redis and journal need open files too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return settings.connections_max if soft == resource.RLIM_INFINITY else min(settings.connections_max, max(1, soft // 2))


def protocol_of(settings: ServiceSettings) -> type[GuardedProtocol]:
    """Return the protocol with these settings."""
    return type(
        "ConfiguredProtocol",
        (GuardedProtocol,),
        {
            "head_max_bytes": int(settings.header_max_kb * 1e3),
            "head_timeout_s": settings.header_timeout_s,
            "send_timeout_s": settings.send_timeout_s,
            "connections_max": connections_max(settings),
        },
    )


def bound_unread(transport: asyncio.BaseTransport, most_s: float) -> None:
    """Let the system end a connection whose client takes nothing for so long: once it is being closed, or little is left, nobody else would."""
    found = transport.get_extra_info("socket")
    if found is not None and found.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(most_s * 1e3)))


def plain_answer(status: bytes, text: str, headers: bytes = b"") -> bytes:
    """Return a whole answer to what never becomes a request."""
    body = text.encode() + b"\n"
    return (
        b"HTTP/1.1 " + status + b"\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: " + str(len(body)).encode() + b"\r\n" + headers
        + b"connection: close\r\n\r\n" + body
    )  # fmt: skip


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    head_max_bytes: ClassVar[int]
    head_timeout_s: ClassVar[float]
    send_timeout_s: ClassVar[float]
    connections_max: ClassVar[int]
    told_s: ClassVar[float] = float("-inf")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = ERRORS
        self._head_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_complete = False
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there is room."""
        super().connection_made(transport)
        bound_unread(transport, self.send_timeout_s)
        if len(self.connections) > self.connections_max:
            now_s = self.loop.time()
            if now_s - GuardedProtocol.told_s > _TELL_EVERY_S:
                GuardedProtocol.told_s = now_s
                _LOG.warning("there are %d connections; further ones are refused (HMS_CONNECTIONS_MAX)", self.connections_max)
            self._refuse(b"503 Service Unavailable", "There are too many connections.", b"retry-after: 2\r\n")
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_arrived()
        self._cancel_send_timer()
        super().connection_lost(exc)

    # The head of a request.

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._too_slow)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        self._refuse(b"408 Request Timeout", "The head of the request did not arrive in time.")

    def _refuse(self, status: bytes, text: str, headers: bytes = b"") -> None:
        self._refused = True
        self._head_arrived()
        if self.transport.is_closing():
            return
        self.transport.write(plain_answer(status, text, headers))
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what arrives, unless this connection is over."""
        if not self._refused and not self.transport.is_closing():
            super().data_received(data)

    def _count(self, data: bytes) -> bool:
        self._head_bytes += len(data)
        if self._head_bytes > self.head_max_bytes and not self._refused:
            self._refuse(b"431 Request Header Fields Too Large", "The head of the request is too large.")
        return not self._refused

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._head_bytes = 0
        self._head_complete = False
        self._wait_for_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of its first line."""
        if self._count(url):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one of its headers. What stands behind a body in chunks is none: proxies have not looked at it, and it may come after the answer."""
        if self._count(name + value) and not self._head_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that its head has arrived."""
        self._head_arrived()
        self._head_complete = True
        if not self._refused and not self._goes_elsewhere():
            super().on_headers_complete()
        elif not self._refused:
            self._refuse(b"400 Bad Request", "The address of the request and its header Host differ.")

    def _goes_elsewhere(self) -> bool:
        """Whether the first line names another server than the header ``Host`` which is looked at."""
        _, separator, rest = self.url.partition(b"://")
        if self.url.startswith(b"/") or not separator:
            return False
        authority = re.split(rb"[/?#]", rest, maxsplit=1)[0].lower()
        return any(name == b"host" and value.lower() != authority for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Take a piece of its body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that all of it has arrived."""
        if not self._refused:
            super().on_message_complete()

    # The answer.

    def on_response_complete(self) -> None:
        """Go on with the next request, unless the client still sends a body that nobody wants: it might never end."""
        if not self.pipeline and self.cycle.response_complete and self.cycle.more_body:
            self.transport.close()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Note that the client takes nothing for now."""
        super().pause_writing()
        if self._send_timer is None:
            self._send_timer = self.loop.call_later(self.send_timeout_s, self._cut_off)

    def resume_writing(self) -> None:
        """Note that it does again."""
        self._cancel_send_timer()
        super().resume_writing()

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _cut_off(self) -> None:
        self._send_timer = None
        self.transport.abort()
