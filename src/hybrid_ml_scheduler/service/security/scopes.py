"""What each route needs: one table, complete by test. A route that stands in no line of it needs `Scope.ADMIN`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SOCKET = "WEBSOCKET"
"""Stands for a method where a route is a WebSocket."""


class Scope(StrEnum):
    """What a caller may do."""

    READ = "read"
    """Look at the run, its history, models and policies."""
    CONTROL = "control"
    """Start, stop and change the run, delete history, upload workloads."""
    DECIDE = "decide"
    """Ask for decisions and explanations: work that a caller makes the service do for it."""
    ADMIN = "admin"
    """Make and revoke keys, read the audit log."""


SCOPES = tuple(Scope)
IMPLIED: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.CONTROL: frozenset({Scope.CONTROL, Scope.READ}),
    Scope.DECIDE: frozenset({Scope.DECIDE, Scope.READ}),
    Scope.ADMIN: frozenset(SCOPES),
}
"""What comes with each scope."""

PUBLIC: None = None
"""Needs no credentials: holds nothing that is not on the public page of the project, or is how one signs in."""


class RateClass(StrEnum):
    """Requests that are counted together; each has a setting ``HMS_RATE_...``."""

    READ = "read"
    CONTROL = "control"
    HEAVY = "heavy"
    LOGIN = "login"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs.

    Attributes
    ----------
    scope : Scope or None
        None: no credentials.
    rate : RateClass
        What it is counted as.
    upload : bool
        Whether its body may be as large as ``HMS_UPLOAD_MAX_MB``; the route reads it piece by piece.
    """

    scope: Scope | None
    rate: RateClass
    upload: bool = False


READ = Need(Scope.READ, RateClass.READ)
HEAVY = Need(Scope.READ, RateClass.HEAVY)
CONTROL = Need(Scope.CONTROL, RateClass.CONTROL)
DECIDE = Need(Scope.DECIDE, RateClass.HEAVY)
UPLOAD = Need(Scope.CONTROL, RateClass.HEAVY, upload=True)
ADMIN = Need(Scope.ADMIN, RateClass.CONTROL)
OPEN = Need(PUBLIC, RateClass.READ)
LOGIN = Need(PUBLIC, RateClass.LOGIN)
SESSION = Need(PUBLIC, RateClass.CONTROL)
NOTHING = Need(PUBLIC, RateClass.ANONYMOUS)
"""What nothing answers."""

ROUTES: dict[str, Need] = {
    "GET /": OPEN,
    "GET /status": OPEN,
    "GET /icon.svg": OPEN,
    "GET /assets/{name}": OPEN,
    "GET /docs": OPEN,
    "GET /static/{name}": OPEN,
    "GET /openapi.json": OPEN,
    "GET /problems/{name}": OPEN,
    "GET /health": OPEN,
    "GET /health/live": OPEN,
    "GET /health/ready": OPEN,
    "GET /health/info": READ,
    "GET /api/status": READ,
    "POST /api/start": CONTROL,
    "POST /api/stop": CONTROL,
    "POST /api/pause": CONTROL,
    "POST /api/resume": CONTROL,
    "POST /api/speed": CONTROL,
    "POST /api/v1/run/policies": CONTROL,
    "DELETE /api/v1/run/policies/{policy:path}": CONTROL,
    "GET /api/full_history": READ,
    "GET /api/history/comparative": READ,
    "DELETE /api/history": CONTROL,
    "GET /api/v1/runs": READ,
    "GET /api/v1/runs/{run_id}": READ,
    "GET /api/v1/runs/{run_id}/tasks": READ,
    "GET /api/v1/runs/{run_id}/results": READ,
    "GET /api/v1/runs/{run_id}/training": READ,
    "GET /api/v1/runs/{run_id}/tasks/{task_id}": READ,
    "GET /api/v1/runs/{run_id}/tasks/{task_id}/explanation": DECIDE,
    "GET /api/v1/runs/{run_id}/statistics": READ,
    "GET /api/v1/runs/{run_id}/windows": READ,
    "GET /api/v1/compare": READ,
    "GET /api/v1/compare/paired": READ,
    "GET /api/v1/runs/{run_id}/differences": READ,
    "GET /api/v1/runs/{run_id}/distribution": READ,
    "GET /api/v1/runs/{run_id}/schedule": READ,
    "GET /api/v1/runs/{run_id}/divergence": HEAVY,
    "GET /api/v1/run/timeline": READ,
    "GET /api/v1/run/trail": READ,
    "GET /api/v1/workloads": READ,
    "GET /api/v1/runs/{run_id}/report": HEAVY,
    "GET /api/v1/policies": READ,
    "GET /api/v1/models": READ,
    "GET /api/v1/models/store": READ,
    "GET /api/v1/models/store/{name}/{version}/features": READ,
    "POST /api/v1/models/store/{name}/promote": CONTROL,
    "POST /api/v1/models/store/{name}/rollback": CONTROL,
    "GET /metrics": READ,
    "GET /metrics/prometheus": READ,
    "GET /api/v1/operations": READ,
    "GET /api/v1/session": OPEN,
    "POST /api/v1/session": LOGIN,
    "POST /api/v1/session/refresh": SESSION,
    "DELETE /api/v1/session": SESSION,
    "GET /api/v1/workloads/uploads": READ,
    "POST /api/v1/workloads": UPLOAD,
    "DELETE /api/v1/workloads/{sha256}": CONTROL,
    "GET /api/v1/audit": ADMIN,
    "GET /api/v1/keys": ADMIN,
    "POST /api/v1/keys": ADMIN,
    "DELETE /api/v1/keys/{key_id}": ADMIN,
    f"{SOCKET} /ws": READ,
}
"""Needs by method and path."""


def expand(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return scopes with what comes with them; names that are none of ours mean nothing."""
    return frozenset().union(*(IMPLIED[Scope(name)] for name in scopes if name in SCOPES))


def routes_of(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    """Return method, path and pattern of everything that an application can be asked for, in the order in which it looks."""
    for context in iter_route_contexts(routes):
        route = context.original_route
        path = context.path or getattr(route, "path", None) or ""
        pattern = getattr(context, "path_regex", None) or getattr(route, "path_regex", None)
        if isinstance(route, Mount) or pattern is None:
            prefix = re.escape(path.rstrip("/"))
            yield from ((method, path, re.compile(f"^{prefix}(/|$)")) for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", SOCKET))
            continue
        methods = getattr(context, "methods", None) or getattr(route, "methods", None)
        yield from ((method, path, pattern) for method in sorted(methods or {SOCKET}))


class Needs:
    """Finds what a request needs.

    Parameters
    ----------
    routes : sequence of BaseRoute
        Of the application.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._exact: dict[tuple[str, str], tuple[str, Need]] = {}
        self._patterns: dict[str, list[tuple[re.Pattern[str], tuple[str, Need]]]] = {}
        for method, path, pattern in routes_of(routes):
            found = path, need_of(method, path)
            if "{" not in path and not pattern.pattern.endswith("(/|$)"):
                self._exact.setdefault((method, path), found)
            self._patterns.setdefault(method, []).append((pattern, found))

    def of(self, method: str, path: str) -> tuple[str, Need] | None:
        """Return the route that answers a request, and what it needs; None if nothing answers it: whoever asks gets 404 or 405."""
        method = "GET" if method == "HEAD" else method
        found = self._exact.get((method, path))
        if found is not None:
            return found
        return next((found for pattern, found in self._patterns.get(method, ()) if pattern.match(path)), None)


def need_of(method: str, path: str) -> Need:
    """Return what a route needs."""
    return ROUTES.get(f"{'GET' if method == 'HEAD' else method} {path}", ADMIN)
