"""Around every request: its identifier, its time, its place in a trace, its line in the log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_ml_scheduler.service.observability.context import REQUEST, RequestContext, request_id_of
from hybrid_ml_scheduler.service.observability.failures import RecentFailures
from hybrid_ml_scheduler.service.observability.metrics import OTHER, Metrics
from hybrid_ml_scheduler.service.observing_settings import ObservabilitySettings

if TYPE_CHECKING:
    from hybrid_ml_scheduler.service.observability.tracing import Tracing

_ACCESS = logging.getLogger("hybrid_ml_scheduler.access")
_SLOW = logging.getLogger("hybrid_ml_scheduler.slow")
SCOPE_KEY = "hms.request"
"""Where the request's context stands in the scope, for those outside of this middleware."""


ROUTE_KEY = "hms.route"
"""Where whoever refuses a request says for which route it was."""


def route_of(scope: Scope) -> str:
    """Return the template of the route that a request was for; one word for all paths that are none."""
    route = scope.get("route")
    if route is not None:
        return str(route.path)
    if "endpoint" not in scope:
        return str(scope.get(ROUTE_KEY, OTHER))
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    if mounted:
        return f"{mounted}/*"
    return OTHER if scope.get("path_params") else str(scope["path"])


class Timing:
    """Watches every request; the outermost middleware, so that refusals by others are counted too.

    Parameters
    ----------
    app : ASGIApp
    settings : ObservabilitySettings
    metrics : Metrics
    failures : RecentFailures
    tracing : Tracing or None
        None if traces are off.
    """

    def __init__(self, app: ASGIApp, *, settings: ObservabilitySettings, metrics: Metrics, failures: RecentFailures, tracing: Tracing | None) -> None:
        self.app = app
        self._settings = settings
        self._metrics = metrics
        self._failures = failures
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        given = condition = None
        for name, value in scope["headers"]:
            if name == b"x-correlation-id":
                given = value
            elif name == b"if-none-match":
                # Several such headers are one list.
                condition = value.decode("latin-1") if condition is None else f"{condition},{value.decode('latin-1')}"
        request = RequestContext(request_id_of(given), condition)
        scope[SCOPE_KEY] = request
        token = REQUEST.set(request)
        try:
            if scope["type"] == "websocket":
                await self.app(scope, receive, send)
            else:
                await self._serve(scope, receive, send, request)
        finally:
            REQUEST.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request: RequestContext) -> None:
        began_s = time.perf_counter()
        status, time_s = 0, 0.0
        trace_header: bytes | None = None

        async def timed(message: Message) -> None:
            nonlocal status, time_s
            if message["type"] == "http.response.start":
                status = message["status"]
                time_s = time.perf_counter() - began_s
                headers: list[tuple[bytes, bytes]] = [
                    *message.get("headers", ()),
                    (b"x-correlation-id", request.request_id.encode()),
                    (b"server-timing", server_timing(time_s, request)),
                ]
                if trace_header is not None:
                    headers.append((b"traceresponse", trace_header))
                message = {**message, "headers": headers}
            await send(message)

        self._metrics.in_progress.inc()
        try:
            if self._tracing is None:
                await self.app(scope, receive, timed)
            else:
                with self._tracing.request(scope, request) as span:
                    trace_header = self._tracing.header(span)
                    try:
                        await self.app(scope, receive, timed)
                    except Exception:
                        self._tracing.answered(span, route_of(scope), status or 500, request)
                        raise
                    self._tracing.answered(span, route_of(scope), status, request)
        except Exception:
            if not status:
                status, time_s = 500, time.perf_counter() - began_s
            raise
        finally:
            self._metrics.in_progress.dec()
            if status:
                self._count(scope, status, time_s)

    def _count(self, scope: Scope, status: int, time_s: float) -> None:
        route, method = route_of(scope), scope["method"]
        self._metrics.request(method, route, status, time_s)
        if status >= 500:
            self._failures.answered(status, method, route)
        slow = time_s >= self._settings.slow_request_s
        if slow:
            self._metrics.slow_requests.inc()
        if not (slow or self._settings.access_log):
            return
        # The query is left out: it may hold what is nobody's business.
        client = scope.get("client")
        facts: dict[str, Any] = {
            "method": method,
            "route": route,
            "path": scope["path"],
            "status": status,
            "time_s": round(time_s, 6),
            "client": client[0] if client else None,
        }
        if slow:
            _SLOW.warning("a request took %.3f s: %s %s", time_s, method, route, extra=facts)
        if self._settings.access_log:
            _ACCESS.info("%s %s %d", method, scope["path"], status, extra=facts)


def server_timing(time_s: float, request: RequestContext) -> bytes:
    """Return the header ``Server-Timing`` (times in milliseconds, as it wants them)."""
    text = f"total;dur={time_s * 1e3:.2f}"
    if request.statements:
        text += f', db;dur={request.sql_s * 1e3:.2f};desc="{request.statements} statements"'
    if request.cache is not None:
        text += f', cache;desc="{request.cache}"'
    return text.encode()
