"""What every request meets before a route: for whom it was meant, who makes it, whether they may, how often, and how large it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_ml_scheduler.core.errors import CredentialError
from hybrid_ml_scheduler.service import problems
from hybrid_ml_scheduler.service.observability.timing import ROUTE_KEY
from hybrid_ml_scheduler.service.security import bodies, headers
from hybrid_ml_scheduler.service.security.access import Access
from hybrid_ml_scheduler.service.security.audit import NOTE_KEY, AuditLog
from hybrid_ml_scheduler.service.security.hosts import Hosts, network_of, plain_address
from hybrid_ml_scheduler.service.security.keys import PREFIX as KEY_PREFIX
from hybrid_ml_scheduler.service.security.limits import Limiter
from hybrid_ml_scheduler.service.security.principal import ANYONE, NOBODY, STATE_KEY, Principal
from hybrid_ml_scheduler.service.security.scopes import NOTHING, READ_METHODS, SOCKET, Need, Needs, RateClass
from hybrid_ml_scheduler.service.security.tokens import Sessions
from hybrid_ml_scheduler.service.settings import ServiceSettings

SUBPROTOCOL = "hms"
"""What a browser's WebSocket names first ..."""
BEARER_PROTOCOL = "bearer."
"""... and what its credentials stand behind, because it cannot send headers."""
CLOSE_SIGN_IN = 4401
"""Close code of a live stream whose credentials have ended: sign in or renew, and come back."""

_NO_ANSWER = 500
_ONCE = frozenset({b"host", b"origin", b"authorization", b"x-api-key", b"content-length", b"content-type", b"content-encoding", b"cookie"})
_LOOKED_AT = _ONCE | {b"transfer-encoding", b"x-forwarded-for", b"x-forwarded-proto"}


class RefusalError(Exception):
    """A request that goes no further.

    Parameters
    ----------
    kind : Kind
    detail : str
    headers : mapping of str to str, optional
    """

    def __init__(self, kind: problems.Kind, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.headers = headers
        super().__init__(detail)


class Guard:
    """The middleware.

    Parameters
    ----------
    app : ASGIApp
    settings : ServiceSettings
    access : Access
    sessions : Sessions
    limiter : Limiter
    audit : AuditLog
    """

    def __init__(self, app: ASGIApp, *, settings: ServiceSettings, access: Access, sessions: Sessions, limiter: Limiter, audit: AuditLog) -> None:
        self.app = app
        self.settings = settings
        self.access = access
        self.sessions = sessions
        self.limiter = limiter
        self.audit = audit
        self.hosts = Hosts(settings, settings.host)
        self._needs: Needs | None = None
        self._streams: Counter[str] = Counter()
        self._body_max = int(settings.body_max_kb * 1e3)
        self._upload_max = int(settings.upload_max_mb * 1e6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    # HTTP.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        told: list[tuple[bytes, bytes]] = []
        private = False
        unrecorded = scope["method"] not in READ_METHODS

        async def guarded(message: Message) -> None:
            nonlocal unrecorded
            if message["type"] == "http.response.start":
                if unrecorded:
                    unrecorded = False
                    self._record(scope, message["status"])
                message["headers"] = headers.secure([*message.get("headers", ()), *told], https=scope["scheme"] == "https", private=private)
            await send(message)

        try:
            found = self._place(scope)
            method = scope["method"]
            need = self._need(method, self._path(scope), scope)
            if method not in READ_METHODS:
                self._check_origin(scope, found)
            private = need is not None and need.scope is not None
            principal = await self._admit(scope, need, found)
            scope[STATE_KEY] = principal
            told.extend(await self._limit(NOTHING if need is None else need, principal, scope))
            receive = await self._body(receive, found, need)
        except RefusalError as refusal:
            response = problems.problem_response(refusal.kind, detail=str(refusal), instance=scope["path"], headers=refusal.headers)
            await response(scope, receive, guarded)
            return
        except bodies.BodyError as error:
            # What is left of the body is not read any more.
            response = problems.problem_response(error.kind, detail=str(error), instance=scope["path"], headers={"Connection": "close"})
            await response(scope, receive, guarded)
            return
        except bodies.ClientGoneError:
            return
        try:
            await self.app(scope, receive, guarded)
        finally:
            if unrecorded:
                # A defect, or the end of the service in the middle of it: whatever was done, somebody has asked for it.
                self._record(scope, _NO_ANSWER)

    def _record(self, scope: Scope, status: int) -> None:
        """Enter a call that changed something, or tried to, into the audit log, before its caller hears about it."""
        principal = scope.get(STATE_KEY, NOBODY)
        client = scope.get("client")
        self.audit.record(
            who=principal.subject,
            method=scope["method"],
            path=scope["path"],
            status=status,
            address=client[0] if client else None,
            query=scope.get("query_string", b"").decode("latin-1"),
            note=scope.get(NOTE_KEY),
        )

    def _place(self, scope: Scope) -> dict[bytes, bytes]:
        """Settle where a request comes from and for whom it was meant; return the headers that matter here."""
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _LOOKED_AT:
                if name in found:
                    if name in _ONCE:
                        raise RefusalError(problems.UNREADABLE_REQUEST, f"the header {name.decode()} stands more than once; expected it once")
                    value = found[name] + b"," + value  # noqa: PLW2901 - as HTTP says about lists
                found[name] = value
        peer = "unknown"
        if scope.get("client"):
            peer = plain_address(scope["client"][0])
            scope["client"] = (peer, scope["client"][1])
        if self.settings.trusted_proxies:
            forwarded_for, proto = found.get(b"x-forwarded-for"), found.get(b"x-forwarded-proto")
            scope["scheme"] = self.hosts.scheme(scope["scheme"], peer, None if proto is None else proto.decode("latin-1"))
            scope["client"] = (self.hosts.client(peer, None if forwarded_for is None else forwarded_for.decode("latin-1")), 0)
        host = found.get(b"host")
        if host is None or not self.hosts.allows_host(host.decode("latin-1")):
            raise RefusalError(problems.WRONG_HOST, problems.WRONG_HOST.meaning)
        root = self.settings.root_path
        if root:
            # Proxies may hand on the whole path, or what comes behind theirs.
            scope["root_path"] = root
            if not (scope["path"] == root or scope["path"].startswith(f"{root}/")):
                scope["path"] = root + scope["path"]
        return found

    def _path(self, scope: Scope) -> str:
        path: str = scope["path"]
        return path[len(self.settings.root_path) :] if self.settings.root_path else path

    def _check_origin(self, scope: Scope, found: dict[bytes, bytes]) -> None:
        origin = found.get(b"origin")
        if origin is not None and not self.hosts.allows_origin(origin.decode("latin-1"), found[b"host"].decode("latin-1"), scope["scheme"]):
            raise RefusalError(problems.FOREIGN_ORIGIN, problems.FOREIGN_ORIGIN.meaning)

    def _need(self, method: str, path: str, scope: Scope) -> Need | None:
        if self._needs is None:
            self._needs = Needs(scope["app"].routes)
        found = self._needs.of(method, path)
        if found is None:
            return None
        # Who is refused here never gets to the route, and is counted for it all the same.
        scope[ROUTE_KEY], need = found
        return need

    async def _admit(self, scope: Scope, need: Need | None, found: dict[bytes, bytes]) -> Principal:
        """Return who makes a request, if they may."""
        if self.access.open:
            return ANYONE
        if need is None:
            return NOBODY
        try:
            principal = await self._principal(found, scope)
        except CredentialError as error:
            if need.scope is None:
                return NOBODY
            verdict = await self.limiter.hit(RateClass.ANONYMOUS, _address(scope)) if self.access.limited else None
            if verdict is not None and not verdict.allowed:
                raise RefusalError(problems.TOO_MANY, problems.TOO_MANY.meaning, verdict.headers()) from None
            raise RefusalError(problems.UNAUTHENTICATED, str(error)) from None
        scope[STATE_KEY] = principal
        if need.scope is not None and need.scope not in principal.scopes:
            raise RefusalError(problems.FORBIDDEN, f"this needs the scope {need.scope}; expected credentials that have it")
        return principal

    async def _principal(self, found: dict[bytes, bytes], scope: Scope) -> Principal:
        credential = self._credential(found, scope)
        try:
            return self._known(credential)
        except CredentialError:
            # Another process may have made it just now.
            with suppress(Exception):
                await self.access.refresh_if_stale()
            return self._known(credential)

    def _known(self, credential: str) -> Principal:
        return self.access.key(credential) if credential.startswith(KEY_PREFIX) else self.sessions.principal(credential)

    @staticmethod
    def _credential(found: dict[bytes, bytes], scope: Scope) -> str:
        authorization, key = found.get(b"authorization"), found.get(b"x-api-key")
        if key is not None and authorization is None:
            return key.decode("latin-1")
        if authorization is not None:
            kind, _, credential = authorization.decode("latin-1").partition(" ")
            if kind.lower() != "bearer" or not credential.strip():
                raise CredentialError("the header Authorization is none of ours; expected Bearer with a key or a token")
            return credential.strip()
        offered = next((name for name in scope.get("subprotocols", ()) if name.startswith(BEARER_PROTOCOL)), None)
        if offered is not None:
            return str(offered[len(BEARER_PROTOCOL) :])
        raise CredentialError("there are no credentials; expected the header Authorization with Bearer and a key or a token")

    async def _limit(self, need: Need, principal: Principal, scope: Scope) -> list[tuple[bytes, bytes]]:
        if not self.access.limited and need.rate is not RateClass.LOGIN:
            return []
        verdict = await self.limiter.hit(need.rate, _caller(principal, scope))
        if not verdict.allowed:
            raise RefusalError(problems.TOO_MANY, problems.TOO_MANY.meaning, verdict.headers())
        return [(name.lower().encode(), value.encode()) for name, value in verdict.headers().items()]

    async def _body(self, receive: Receive, found: dict[bytes, bytes], need: Need | None) -> Receive:
        length = found.get(b"content-length")
        if (length is None or length == b"0") and b"transfer-encoding" not in found:
            return receive
        if found.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise bodies.BodyError(problems.UNSUPPORTED_MEDIA, "the body is compressed; expected it as it is")
        upload = need is not None and need.upload
        limit = self._upload_max if upload else self._body_max
        if length is not None and (not length.isdigit() or int(length) > limit):
            raise bodies.BodyError(problems.REQUEST_TOO_LARGE, problems.REQUEST_TOO_LARGE.meaning)
        if upload:
            return bodies.limited(receive, limit, self.settings.upload_timeout_s)
        body = await bodies.read_body(receive, limit, self.settings.body_timeout_s)
        bodies.check_depth(body, self.settings.json_depth_max)
        bodies.check_names(body)
        return bodies.replay(body, receive)

    # WebSocket.

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = self._place(scope)
            self._check_origin(scope, found)
            need = self._need(SOCKET, self._path(scope), scope)
            principal = await self._admit(scope, need, found)
            scope[STATE_KEY] = principal
            await self._limit(NOTHING if need is None else need, principal, scope)
            caller = self._stream_of(principal, scope)
        except RefusalError as refusal:
            await _deny(scope, receive, send, refusal)
            return
        self._streams[caller] += 1
        try:
            await self._while_good(principal, scope, receive, send)
        finally:
            self._streams[caller] -= 1
            if not self._streams[caller]:
                del self._streams[caller]

    def _stream_of(self, principal: Principal, scope: Scope) -> str:
        """Return who opens a live stream, if they may have another one."""
        caller = _caller(principal, scope)
        if self.access.limited and self._streams[caller] >= self.settings.ws_per_client_max:
            raise RefusalError(problems.TOO_MANY, "this caller has too many live streams; expected one to be closed first (HMS_WS_PER_CLIENT_MAX)")
        return caller

    async def _while_good(self, principal: Principal, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = closed = False

        async def guarded(message: Message) -> None:
            nonlocal accepted, closed
            if message["type"] == "websocket.accept":
                accepted = True
                if message.get("subprotocol") is None and SUBPROTOCOL in scope.get("subprotocols", ()):
                    message["subprotocol"] = SUBPROTOCOL
            closed = closed or message["type"] == "websocket.close"
            await send(message)

        serving = asyncio.ensure_future(self._serve(scope, receive, guarded))
        ending = asyncio.ensure_future(self._until_bad(principal))
        try:
            await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            if not serving.done():
                serving.cancel()
            results = await asyncio.gather(serving, ending, return_exceptions=True)
        if isinstance(results[0], asyncio.CancelledError) and accepted and not closed:
            with suppress(Exception):  # the client may have left at this very moment
                await send({"type": "websocket.close", "code": CLOSE_SIGN_IN, "reason": "the credentials have ended"})
        elif isinstance(results[0], Exception):
            raise results[0]

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    async def _until_bad(self, principal: Principal) -> None:
        """Return once somebody who was let in may not stay."""
        loop = asyncio.get_running_loop()
        while True:
            changed = self.access.changed
            if not self.access.still_good(principal):
                return
            left_s = self.access.left_s(principal)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(None if left_s is None else loop.time() + left_s + 0.01):
                    await changed.wait()


def _address(scope: Scope) -> str:
    return network_of(scope["client"][0]) if scope.get("client") else "unknown"


def _caller(principal: Principal, scope: Scope) -> str:
    """Return who is counted: a key or sign-in wherever it comes from, else an address."""
    return principal.subject if principal is not ANYONE and principal is not NOBODY else _address(scope)


async def _deny(scope: Scope, receive: Receive, send: Send, refusal: RefusalError) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.kind.title})
        return
    response = problems.problem_response(refusal.kind, detail=str(refusal), instance=scope["path"], headers=refusal.headers)

    async def denied(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = headers.secure(list(message["headers"]), https=scope["scheme"] == "wss", private=True)
        await send({**message, "type": f"websocket.{message['type']}"})

    await _plain(response, scope, receive, denied)


async def _plain(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    plain: dict[str, Any] = {**scope, "type": "http", "method": "GET"}
    await response(plain, receive, send)
