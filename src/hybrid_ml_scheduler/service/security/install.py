"""Puts the guard in front of an application, and keeps what it needs up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from hybrid_ml_scheduler.service import problems
from hybrid_ml_scheduler.service.guarding_settings import parts
from hybrid_ml_scheduler.service.security.access import Access
from hybrid_ml_scheduler.service.security.audit import AuditLog
from hybrid_ml_scheduler.service.security.guard import Guard
from hybrid_ml_scheduler.service.security.headers import secure
from hybrid_ml_scheduler.service.security.limits import Limiter
from hybrid_ml_scheduler.service.security.tokens import Sessions
from hybrid_ml_scheduler.service.security.uploads import Uploads
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage.database import Database


@dataclass(frozen=True, slots=True)
class Security:
    """What guards one application.

    Attributes
    ----------
    access : Access
    sessions : Sessions
    limiter : Limiter
    audit : AuditLog
    uploads : Uploads
    """

    access: Access
    sessions: Sessions
    limiter: Limiter
    audit: AuditLog
    uploads: Uploads

    def facts(self) -> dict[str, object]:
        """Return what `/health/info` says."""
        limits = self.limiter
        where = "off" if not self.access.limited else "shared" if limits.shared else "in this process"
        return {
            "auth": self.access.mode,
            "limits": where,
            "rejected": {str(rate): count for rate, count in limits.rejected.items()},
            "audit_lost": self.audit.lost,
        }

    @asynccontextmanager
    async def running(self, database: Database, tell_rejected: Callable[[str], None]) -> AsyncIterator[None]:
        """Keep up with the database until the block ends.

        Parameters
        ----------
        database : Database
        tell_rejected : callable
            Called with the class of each request that limits refuse.
        """
        self.limiter.tell = tell_rejected
        try:
            async with self.audit.running(database), self.access.following(database):
                yield
        finally:
            await self.limiter.close()


def guard(app: FastAPI, settings: ServiceSettings, *, insecure: bool = False) -> Security:
    """Put the guard in front of an application.

    Parameters
    ----------
    app : FastAPI
    settings : ServiceSettings
    insecure : bool
        Whether it may be open to others than this machine.
    """
    access = Access(settings, settings.host, settings.folder, insecure=insecure)
    found = Security(access, Sessions(access), Limiter(settings), AuditLog(settings.folder), Uploads(settings.folder, settings))
    app.state.security = found
    app.add_exception_handler(Exception, _defect)
    app.add_middleware(Guard, settings=settings, access=access, sessions=found.sessions, limiter=found.limiter, audit=found.audit)
    origins = parts(settings.cors_origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type", "x-api-key"],
            expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After"],
        )
    return found


def _defect(request: Request, error: Exception) -> Response:
    # Sent from outside of all middleware, the guard included, which tells browsers what answers may not be used for.
    response = problems.defect(request, error)
    response.raw_headers = secure(response.raw_headers, https=request.url.scheme == "https", private=True)
    return response


def security_of(connection: HTTPConnection) -> Security:
    """Return what guards the application that serves a request."""
    found: Any = connection.app.state.security
    if not isinstance(found, Security):  # pragma: no cover - create_app sets it
        raise TypeError("the application is not guarded: it was not made by create_app")
    return found


async def refuse_if_open_to_others(settings: ServiceSettings, *, insecure: bool) -> None:
    """Find out before anything is started whether everybody who reaches this address could do everything.

    Raises
    ------
    SettingsError
        If so.
    """
    access = Access(settings, settings.host, settings.folder, insecure=insecure)
    if not access.exposed or insecure:
        return
    async with Database(settings) as database, access.following(database):
        access.refuse_if_open_to_others()
