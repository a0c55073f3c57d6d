"""Bodies of requests: bounded in size, time and depth before any of it is looked at."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from hybrid_ml_scheduler.service import problems

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SHOWN = 80
_BRACKETS = re.compile(rb"[\[\]{}]")


class BodyError(Exception):
    """A body that is not taken.

    Parameters
    ----------
    kind : Kind
    detail : str
    """

    def __init__(self, kind: problems.Kind, detail: str) -> None:
        self.kind = kind
        super().__init__(detail)


class ClientGoneError(Exception):
    """The client has left before its request was complete."""


async def read_body(receive: Receive, limit_bytes: int, timeout_s: float) -> bytes:
    """Return a whole body.

    Raises
    ------
    BodyError
        If it is too large or too slow.
    ClientGoneError
    """
    pieces: list[bytes] = []
    taken = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece = message.get("body", b"")
                taken += len(piece)
                if taken > limit_bytes:
                    raise BodyError(problems.REQUEST_TOO_LARGE, problems.REQUEST_TOO_LARGE.meaning)
                pieces.append(piece)
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        raise BodyError(problems.TOO_SLOW, f"the body had not arrived after {timeout_s:g} s; expected all of it (HMS_BODY_TIMEOUT_S)") from None


def limited(receive: Receive, limit_bytes: int, timeout_s: float) -> Receive:
    """Return a source of a body that a route reads piece by piece, with the same bounds."""
    taken = 0
    end_s = asyncio.get_running_loop().time() + timeout_s

    async def take() -> Message:
        nonlocal taken
        try:
            async with asyncio.timeout_at(end_s):
                message = await receive()
        except TimeoutError:
            raise HTTPException(problems.TOO_SLOW.status) from None
        taken += len(message.get("body", b""))
        if taken > limit_bytes:
            raise HTTPException(problems.REQUEST_TOO_LARGE.status)
        return message

    return take


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a source that gives a body that was read already, and then what comes after it."""
    given = False

    async def take() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return take


def check_depth(body: bytes, depth_max: int) -> None:
    """Refuse JSON that is nested too deeply; whether it is JSON at all is seen later.

    Raises
    ------
    BodyError
    """
    if body.count(b"[") + body.count(b"{") <= depth_max:
        return
    depth = 0
    for found in _BRACKETS.finditer(_STRINGS.sub(b"", body)):
        depth += 1 if found[0] in b"[{" else -1
        if depth > depth_max:
            raise BodyError(problems.UNREADABLE_REQUEST, f"the body is nested more than {depth_max} levels deep; expected less (HMS_JSON_DEPTH_MAX)")


def check_names(body: bytes) -> None:
    """Refuse JSON in which an object has the same name twice: readers differ in which one they take, and only one can be meant.

    Raises
    ------
    BodyError
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BodyError(problems.UNREADABLE_REQUEST, f"the name {twice[:_SHOWN]!a} stands twice in one object; expected it once")
        return found

    try:
        json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return  # no JSON: whoever expects some says so
