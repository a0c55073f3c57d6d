"""Errors as problem details (RFC 9457): one shape for whatever goes wrong, and never a word about the inside of the program."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hybrid_ml_scheduler.core.errors import (
    AlreadyRunningError,
    CredentialError,
    HmsError,
    InputError,
    JournalFullError,
    NoLeaderError,
    NotRunningError,
    SchemaError,
    StorageBusyError,
    StorageFencedError,
    StorageUnavailableError,
    UnknownRunError,
)
from hybrid_ml_scheduler.service.observability.timing import SCOPE_KEY

_LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
"""After so many seconds trying again may help where something was away or busy."""
_MOST_ERRORS = 20
_LONGEST_TEXT = 2_000


class FieldProblem(BaseModel):
    """What is wrong with one value of a request."""

    where: str = Field(description="Part of the request and name of the value.", examples=["body.load"])
    problem: str = Field(description="What was expected.", examples=["Input should be greater than 0"])


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"description": "Problem details as of RFC 9457; sent as application/problem+json."})

    type: str = Field(description="What kind of problem it is: an address at which it is explained.", examples=["/problems/already-running"])
    title: str = Field(description="The kind in words.", examples=["A run is going on already"])
    status: int = Field(description="Status code of HTTP.", examples=[409])
    detail: str | None = Field(None, description="What was wrong, where, and what was expected.")
    instance: str | None = Field(None, description="Path of the request.", examples=["/api/start"])
    errors: list[FieldProblem] | None = Field(None, description="What is wrong with single values.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem.

    Attributes
    ----------
    name : str
        Last part of its address.
    status : int
    title : str
    meaning : str
        What to do about it.
    """

    name: str
    status: int
    title: str
    meaning: str


INVALID_REQUEST = Kind("invalid-request", 422, "The request makes no sense", "A value has the wrong type or range, or its name is not known.")
UNREADABLE_REQUEST = Kind("unreadable-request", 400, "The request cannot be read", "The body is no JSON, or the request no HTTP.")
REQUEST_TOO_LARGE = Kind(
    "request-too-large", 413, "The body is too large", "Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads."
)
UNUSABLE_INPUT = Kind("unusable-input", 422, "This input cannot be used", "A name, a file or a number is not one that the program can work with.")
TOO_SLOW = Kind(
    "too-slow",
    408,
    "The request took too long to arrive",
    "Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads.",
)
UNSUPPORTED_MEDIA = Kind("unsupported-media", 415, "The body has a form that is not taken", "Send it as it is, not compressed.")
UNAUTHENTICATED = Kind(
    "unauthenticated", 401, "Who is asking?", "Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session)."
)
FORBIDDEN = Kind("forbidden", 403, "These credentials may not do this", "Use a key that has the scope; the table in docs/api.md says which.")
FOREIGN_ORIGIN = Kind("foreign-origin", 403, "Pages of other origins may not do this", "Only our own pages may, and those of HMS_CORS_ORIGINS.")
WRONG_HOST = Kind("wrong-host", 421, "This service does not go by that name", "Use its address, or add the name to HMS_ALLOWED_HOSTS.")
TOO_MANY = Kind(
    "too-many-requests",
    429,
    "That is too much at a time",
    "Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX.",
)
NOT_FOUND = Kind("not-found", 404, "There is no such thing here", "The path is wrong, or what it names has been deleted.")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This method does not go here", "The header Allow says which ones do.")
UNKNOWN_RUN = Kind("unknown-run", 404, "There is no such run", "The list of runs (/api/v1/runs) shows those that there are.")
ALREADY_RUNNING = Kind("already-running", 409, "A run is going on already", "Stop it first (POST /api/stop); it was not touched.")
NOT_RUNNING = Kind("not-running", 409, "No run is going on", "Start one first (POST /api/start).")
STORAGE_CONFLICT = Kind("storage-conflict", 409, "What is stored is in use", "A run that is being written cannot be deleted: stop it first.")
STORAGE_BUSY = Kind("storage-busy", 503, "The database is busy", "All its connections are in use; try again after Retry-After seconds.")
STORAGE_AWAY = Kind("storage-away", 503, "The database is away", "The run goes on and nothing is lost; try again after Retry-After seconds.")
DISK_FULL = Kind("disk-full", 503, "The disk is full", "The run waits, and goes on by itself when there is room.")
NOT_LEADING = Kind("not-leading", 503, "No process leads", "The process that led the run was lost, and another one takes over; try again soon.")
DEFECT = Kind("defect", 500, "A defect of the program", "The log of the service holds the details.")
OTHER = Kind("other", 400, "The request was refused", "The status code says why.")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        INVALID_REQUEST,
        UNREADABLE_REQUEST,
        REQUEST_TOO_LARGE,
        UNUSABLE_INPUT,
        TOO_SLOW,
        UNSUPPORTED_MEDIA,
        UNAUTHENTICATED,
        FORBIDDEN,
        FOREIGN_ORIGIN,
        WRONG_HOST,
        TOO_MANY,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        UNKNOWN_RUN,
        ALREADY_RUNNING,
        NOT_RUNNING,
        STORAGE_CONFLICT,
        STORAGE_BUSY,
        STORAGE_AWAY,
        DISK_FULL,
        NOT_LEADING,
        DEFECT,
        OTHER,
    )
}
"""All kinds, by name."""

_OF_STATUS = {
    kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, UNREADABLE_REQUEST, REQUEST_TOO_LARGE, INVALID_REQUEST, TOO_SLOW, UNSUPPORTED_MEDIA)
}


class NotFoundError(InputError):
    """What a path names is not there."""


class TooManyError(HmsError):
    """A caller does something too often.

    Parameters
    ----------
    headers : mapping of str to str
        What they are told about it.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        super().__init__(TOO_MANY.meaning)


class InUseError(HmsError):
    """What shall be deleted is being written."""


# The first that fits counts, so special ones stand before general ones.
_OF_ERROR: tuple[tuple[type[HmsError], Kind], ...] = (
    (NotFoundError, NOT_FOUND),
    (InUseError, STORAGE_CONFLICT),
    (TooManyError, TOO_MANY),
    (CredentialError, UNAUTHENTICATED),
    (UnknownRunError, UNKNOWN_RUN),
    (AlreadyRunningError, ALREADY_RUNNING),
    (NotRunningError, NOT_RUNNING),
    (StorageBusyError, STORAGE_BUSY),
    (StorageUnavailableError, STORAGE_AWAY),
    (SchemaError, STORAGE_AWAY),
    (StorageFencedError, NOT_LEADING),
    (NoLeaderError, NOT_LEADING),
    (JournalFullError, DISK_FULL),
    (InputError, UNUSABLE_INPUT),
)


def kind_of(error: HmsError) -> Kind:
    """Return what kind of problem an error is."""
    return next((kind for type_, kind in _OF_ERROR if isinstance(error, type_)), DEFECT)


def printable(text: str) -> str:
    """Return text that can be sent and shown, whatever stands in it: names may carry control characters and halves of characters."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:_LONGEST_TEXT])


def problem_response(
    kind: Kind,
    *,
    status: int | None = None,
    detail: str | None = None,
    instance: str | None = None,
    errors: Sequence[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as what is sent."""
    status = kind.status if status is None else status
    title = kind.title if kind is not OTHER else http.HTTPStatus(status).phrase
    body: dict[str, Any] = {"type": f"/problems/{kind.name}", "title": title, "status": status}
    if detail is not None:
        body["detail"] = printable(detail)
    if instance is not None:
        body["instance"] = printable(instance)
    if errors is not None:
        body["errors"] = [{"where": printable(each.where), "problem": printable(each.problem)} for each in errors]
    always: dict[str, str] = {}
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        always["Retry-After"] = str(RETRY_AFTER_S)
    elif status == http.HTTPStatus.UNAUTHORIZED:
        always["WWW-Authenticate"] = 'Bearer realm="hybrid-ml-scheduler"'
    return Response(orjson.dumps(body), status, {**always, **(headers or {})}, MEDIA_TYPE)


def _expected(request: Request, error: Exception) -> Response:
    if not isinstance(error, HmsError):  # pragma: no cover - registered for HmsError only
        raise error
    kind = kind_of(error)
    if kind is DEFECT:
        _LOG.error("%s %s failed", request.method, printable(request.url.path), exc_info=error)
        return problem_response(kind, instance=request.url.path)
    # What a driver says about a lost connection names the server.
    detail = kind.meaning if kind in {STORAGE_AWAY, STORAGE_BUSY} else str(error)
    headers = error.headers if isinstance(error, TooManyError) else None
    return problem_response(kind, detail=detail, instance=request.url.path, headers=headers)


def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):  # pragma: no cover - registered for RequestValidationError only
        raise error
    found = error.errors()
    if any(each.get("type") == "json_invalid" for each in found):
        return problem_response(UNREADABLE_REQUEST, detail="the body is no JSON; expected a JSON object", instance=request.url.path)
    errors = [FieldProblem(where=".".join(map(str, each["loc"])), problem=str(each["msg"])) for each in found[:_MOST_ERRORS]]
    detail = "; ".join(f"{each.where}: {each.problem}" for each in errors[:3])
    return problem_response(INVALID_REQUEST, detail=detail, instance=request.url.path, errors=errors)


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover - registered for HTTPException only
        raise error
    kind = _OF_STATUS.get(error.status_code, OTHER)
    return problem_response(kind, status=error.status_code, detail=kind.meaning, instance=request.url.path, headers=error.headers)


def defect(request: Request, error: Exception) -> Response:
    """Return the answer where the program is wrong."""
    # Starlette raises it again once this has been sent, so the server's log has the traceback.
    # It is sent from outside of all middleware, which would have added the identifier.
    context = request.scope.get(SCOPE_KEY)
    headers = {} if context is None else {"X-Correlation-ID": context.request_id}
    return problem_response(DEFECT, detail=DEFECT.meaning, instance=request.url.path, headers=headers)


def install(app: FastAPI) -> None:
    """Let an application answer with problem details."""
    app.add_exception_handler(HmsError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, defect)


def responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return what a route says in OpenAPI about its errors."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        text = f"{kind.title}. {kind.meaning}"
        entry = found.setdefault(kind.status, {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}})
        if text not in entry["description"]:
            entry["description"] += f" Or: {text}"
    return found
