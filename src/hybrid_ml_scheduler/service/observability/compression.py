"""Compression of large answers, streams included, in constant memory and without holding the event loop up."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEVEL = 4  # near the sizes of level 6, in half of the time
_GZIP = 16 + zlib.MAX_WBITS
_AT_ONCE_BYTES = 32_768
"""Up to here compressing takes less than handing it to a thread, about a millisecond."""
_KEPT_BYTES = 8_000_000
"""Compressed answers that are kept for others who ask for the same."""
_TYPES = re.compile(r"(text/(?!event-stream)[\w.+-]+|application/([\w.+-]+\+)?(json|xml)|application/(x-ndjson|javascript)|image/svg\+xml)(;.*)?")


@lru_cache(maxsize=256)
def takes_gzip(header: bytes) -> bool:
    """Whether a header ``Accept-Encoding`` allows gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        key, _, value = parameters.replace(" ", "").partition("=")
        try:
            weights[name.strip()] = float(value) if key == "q" else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    return max(weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))), 0.0) > 0.0


class Compression:
    """Compresses what is large for clients that take gzip; says in ``Vary`` that there are two forms.

    Answers that set cookies or must not be stored are left alone: they may hold a secret beside words of the client's, and how well the two compress
    together would tell something about it.

    Parameters
    ----------
    app : ASGIApp
    least_bytes : int
        Smaller answers are sent as they are.
    """

    def __init__(self, app: ASGIApp, least_bytes: int) -> None:
        self.app = app
        self._least_bytes = least_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        await self.app(scope, receive, _Sender(self, send, wanted=takes_gzip(accepted)))

    def suits(self, status: int, headers: MutableHeaders) -> bool:
        """Whether an answer may be compressed."""
        length = headers.get("content-length")
        return (
            status == 200
            and (length is None or int(length) >= self._least_bytes)
            and "content-encoding" not in headers
            and "set-cookie" not in headers
            and "no-store" not in headers.get("cache-control", "")
            and _TYPES.fullmatch(headers.get("content-type", "")) is not None
        )

    async def whole(self, body: bytes, tag: str | None) -> bytes:
        """Return a whole answer compressed; those with a tag, which is made from their content, are kept."""
        if tag is not None and (kept := self._kept.get(tag)) is not None:
            self._kept.move_to_end(tag)
            return kept
        found = await _away(_compressed, body)
        if tag is not None and tag not in self._kept and len(found) < _KEPT_BYTES:
            self._kept[tag] = found
            self._kept_bytes += len(found)
            while self._kept_bytes > _KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return found


class _Sender:
    """Sends one answer."""

    def __init__(self, compression: Compression, send: Send, *, wanted: bool) -> None:
        self._compression = compression
        self._send = send
        self._wanted = wanted
        self._start: Message | None = None
        self._stream: Any = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            if self._compression.suits(message["status"], headers):
                if "accept-encoding" not in headers.get("vary", "").lower():
                    headers.add_vary_header("Accept-Encoding")
                message = {**message, "headers": headers.raw}
                if self._wanted:
                    self._start = message
                    return
            await self._send(message)
        elif self._start is not None:
            await self._first(self._start, message)
        elif self._stream is not None:
            await self._more(self._stream, message)
        else:
            await self._send(message)

    async def _first(self, start: Message, message: Message) -> None:
        self._start = None
        headers = MutableHeaders(raw=start["headers"])
        headers["Content-Encoding"] = "gzip"
        tag = headers.get("etag")
        if tag is not None and not tag.startswith("W/"):
            # A strong one stands for the very bytes.
            headers["ETag"] = f"W/{tag}"
        if message.get("more_body", False):
            self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
            del headers["Content-Length"]
            await self._send(start)
            await self._more(self._stream, message)
            return
        body = await self._compression.whole(message.get("body", b""), tag)
        headers["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    async def _more(self, stream: Any, message: Message) -> None:
        more = message.get("more_body", False)
        found = await _away(stream.compress, message.get("body", b""))
        if not more:
            found += stream.flush()
        if found or not more:
            await self._send({"type": "http.response.body", "body": found, "more_body": more})


def _compressed(body: bytes) -> bytes:
    return zlib.compress(body, _LEVEL, _GZIP)


async def _away(compress: Callable[[bytes], bytes], body: bytes) -> bytes:
    return compress(body) if len(body) <= _AT_ONCE_BYTES else await asyncio.to_thread(compress, body)
