"""Signing in, and keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.service.answers import BeforeQuery, json_response, strict_query
from hybrid_ml_scheduler.service.problems import (
    INVALID_REQUEST,
    NOT_FOUND,
    REQUEST_TOO_LARGE,
    STORAGE_AWAY,
    STORAGE_BUSY,
    TOO_MANY,
    UNAUTHENTICATED,
    UNREADABLE_REQUEST,
    UNUSABLE_INPUT,
    NotFoundError,
    TooManyError,
    responses,
)
from hybrid_ml_scheduler.service.schemas import (
    ApiKeyAnswer,
    ApiKeyList,
    AuditPage,
    KeyRequest,
    LoginRequest,
    NewApiKey,
    SessionAnswer,
    SignedOut,
    SignIn,
)
from hybrid_ml_scheduler.service.security.audit import NOTE_KEY
from hybrid_ml_scheduler.service.security.install import Security, security_of
from hybrid_ml_scheduler.service.security.principal import NOBODY, STATE_KEY, principal_of
from hybrid_ml_scheduler.service.security.scopes import SCOPES, RateClass
from hybrid_ml_scheduler.service.security.tokens import SignedIn
from hybrid_ml_scheduler.storage.access import AccessRepository, AuditRepository
from hybrid_ml_scheduler.storage.schema import ApiKeyRow

router = APIRouter(prefix="/api/v1", tags=["access"], dependencies=[Depends(strict_query)])
COOKIE = "hms_session"
AuditLimitQuery = Annotated[int, Query(ge=1, le=1_000, description="Most entries in the answer.")]
_STORAGE = (STORAGE_BUSY, STORAGE_AWAY)
_BODY = (UNREADABLE_REQUEST, REQUEST_TOO_LARGE, INVALID_REQUEST, UNUSABLE_INPUT)


def _cookie_path(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/api/v1/session"


def _answer(request: Request, signed_in: SignedIn) -> Response:
    scopes = [scope.value for scope in SCOPES if scope in signed_in.principal.scopes]
    response = json_response(
        {
            "token": signed_in.token,
            "token_type": "Bearer",
            "expires_in_s": signed_in.ttl_s,
            "subject": signed_in.principal.subject,
            "name": signed_in.principal.name,
            "scopes": scopes,
        }
    )
    if signed_in.cookie is not None:
        response.set_cookie(
            COOKIE,
            signed_in.cookie,
            max_age=int(signed_in.cookie_s),
            path=_cookie_path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    response.headers["Cache-Control"] = "no-store"
    return response


@router.get("/session", summary="Who am I?", response_model=SessionAnswer)
async def who(request: Request) -> Response:
    """Whether one has to sign in here, and as whom the credentials of this request are known. Needs none."""
    security, principal = security_of(request), principal_of(request)
    ends = principal.expires_s
    return json_response(
        {
            "auth": security.access.mode,
            "signed_in": principal is not NOBODY,
            "subject": principal.subject,
            "name": principal.name,
            "scopes": [scope.value for scope in SCOPES if scope in principal.scopes],
            "expires_at": None if ends is None else datetime.fromtimestamp(ends, UTC).isoformat(),
        }
    )


@router.post("/session", summary="Sign in", response_model=SignIn, responses=responses(UNAUTHENTICATED, TOO_MANY, *_BODY, *_STORAGE))
async def sign_in(request: Request, body: LoginRequest) -> Response:
    """With a key, or with name and password. The answer holds a token for `Authorization: Bearer`, and a cookie that only renewing uses."""
    security = security_of(request)
    if body.key is not None and body.name is None and body.password is None:
        principal = security.access.key(body.key)
    elif body.key is None and body.name is not None and body.password is not None:
        # Guesses at one password may come from many addresses.
        verdict = await security.limiter.hit(RateClass.LOGIN, f"user:{body.name}")
        if not verdict.allowed:
            raise TooManyError(verdict.headers())
        request.scope[NOTE_KEY] = f"name {body.name}"
        principal = await security.sessions.with_password(body.name, body.password)
    else:
        raise InputError("this does not say who signs in; expected either key, or name and password")
    request.scope[STATE_KEY] = principal
    return _answer(request, await security.sessions.begin(principal))


@router.post("/session/refresh", summary="Renew a sign-in", response_model=SignIn, responses=responses(UNAUTHENTICATED, *_STORAGE))
async def refresh(request: Request) -> Response:
    """Takes the cookie, gives a new token and a new cookie. A cookie that is used again later ends the sign-in: somebody has copied it."""
    signed_in = await security_of(request).sessions.renew(request.cookies.get(COOKIE, ""))
    request.scope[STATE_KEY] = signed_in.principal
    return _answer(request, signed_in)


@router.delete("/session", summary="Sign out", response_model=SignedOut, responses=responses(*_STORAGE))
async def sign_out(request: Request) -> Response:
    """Ends the sign-in of the cookie, with all its tokens, in every process; without one nothing happens."""
    ended = await security_of(request).sessions.end(request.cookies.get(COOKIE, ""))
    response = json_response({"ended": ended})
    response.delete_cookie(COOKIE, path=_cookie_path(request), secure=request.url.scheme == "https", httponly=True, samesite="strict")
    return response


def _entry(row: ApiKeyRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes,
        "created_at": row.created_at.isoformat(),
        "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
        "revoked_at": None if row.revoked_at is None else row.revoked_at.isoformat(),
    }


async def _keys(security: Security) -> tuple[ApiKeyRow, ...]:
    database = security.access.database
    async with database.read() as session:
        return await AccessRepository(session, database.dialect).keys()


@router.get("/keys", summary="API keys", response_model=ApiKeyList, responses=responses(*_STORAGE))
async def keys(request: Request) -> Response:
    """All that there are and were, oldest first; never the keys themselves."""
    return json_response({"keys": [_entry(row) for row in await _keys(security_of(request))]})


@router.post("/keys", summary="Make an API key", response_model=NewApiKey, responses=responses(*_BODY, *_STORAGE))
async def create_key(request: Request, body: KeyRequest) -> Response:
    """The answer holds the key: it is shown this once. With the first key the service stops being open."""
    key, row = await security_of(request).access.create_key(body.name, body.scopes, body.days)
    request.scope[NOTE_KEY] = f"key {row.id} ({row.name}): {', '.join(row.scopes)}"
    response = json_response({**_entry(row), "key": key})
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete("/keys/{key_id}", summary="Revoke an API key", response_model=ApiKeyAnswer, responses=responses(NOT_FOUND, INVALID_REQUEST, *_STORAGE))
async def revoke_key(
    request: Request, key_id: Annotated[str, Path(pattern="^[0-9a-f]{12}$", description="Of the key: what stands behind hms_.")]
) -> Response:
    """It is refused within a second in every process, together with sign-ins that were made with it. Cannot be undone."""
    security = security_of(request)
    if not await security.access.revoke_key(key_id):
        raise NotFoundError(f"there is no key {key_id} that could be revoked; expected one that the list of keys shows")
    return json_response(next(_entry(row) for row in await _keys(security) if row.id == key_id))


@router.get("/audit", summary="Who changed what", response_model=AuditPage, responses=responses(INVALID_REQUEST, *_STORAGE))
async def audit(request: Request, before: BeforeQuery = None, limit: AuditLimitQuery = 100) -> Response:
    """Every call that changed something or tried to, newest first; written to the database within moments, and never changed there."""
    database = security_of(request).access.database
    async with database.read() as session:
        found = await AuditRepository(session, database.dialect).newest(limit, before)
    entries = [
        {
            "id": row.id,
            "at": row.at.isoformat(),
            "who": row.who,
            "address": row.address,
            "method": row.method,
            "path": row.path,
            "query": row.query,
            "status": row.status,
            "note": row.note,
        }
        for row in found
    ]
    return json_response({"entries": entries, "next": found[-1].id if len(found) == limit else None})
