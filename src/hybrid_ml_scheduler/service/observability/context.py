"""The request that is being served: known to everything that happens for it, threads that `asyncio.to_thread` starts included."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

_WELL_FORMED = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RequestContext:
    """One request.

    Parameters
    ----------
    request_id : str
        Printable, at most 64 characters.
    if_none_match : str or None
        The header of this name.

    Attributes
    ----------
    trace_id : str or None
        32 hexadecimal digits, if it is traced.
    sql_s : float
        Seconds spent on statements to the database so far.
    statements : int
    cache : str or None
        ``hit`` or ``miss``, if the cache of answers was asked.
    """

    __slots__ = ("cache", "if_none_match", "request_id", "sql_s", "statements", "trace_id")

    def __init__(self, request_id: str, if_none_match: str | None = None) -> None:
        self.request_id = request_id
        self.if_none_match = if_none_match
        self.trace_id: str | None = None
        self.sql_s = 0.0
        self.statements = 0
        self.cache: str | None = None


REQUEST: ContextVar[RequestContext | None] = ContextVar("request", default=None)
"""The request that is being served; None outside of one."""


def request_id_of(header: bytes | None) -> str:
    """Return the identifier that a client gave its request if it is well-formed, else a new one.

    Letters, digits, dots, dashes and underscores, at most 64: nothing that could break a line of the log or a header.
    """
    if header is not None and _WELL_FORMED.fullmatch(header):
        return header.decode("ascii")
    return secrets.token_hex(8)
