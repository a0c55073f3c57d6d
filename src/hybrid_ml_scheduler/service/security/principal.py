"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from hybrid_ml_scheduler.service.security.scopes import SCOPES, Scope

STATE_KEY = "hms.principal"
"""Where a request carries its `Principal` (in the ASGI scope)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    Attributes
    ----------
    subject : str
        ``key:ID``, ``user:NAME``, ``anyone`` (the service is open) or ``nobody`` (no credentials).
    name : str
        For people.
    scopes : frozenset of Scope
        What it may do, with what comes with that.
    session : str or None
        Of a sign-in.
    expires_s : float or None
        Unix time at which its credentials end.
    """

    subject: str
    name: str
    scopes: frozenset[Scope]
    session: str | None = None
    expires_s: float | None = None


ANYONE = Principal("anyone", "anyone", frozenset(SCOPES))
"""Every caller of a service without keys."""
NOBODY = Principal("nobody", "nobody", frozenset())
"""A caller without credentials."""


def principal_of(connection: HTTPConnection) -> Principal:
    """Return who makes a request."""
    found = connection.scope.get(STATE_KEY, NOBODY)
    return found if isinstance(found, Principal) else NOBODY
