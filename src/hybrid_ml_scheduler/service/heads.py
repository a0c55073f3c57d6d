"""HEAD is answered as GET is, without the body (RFC 9110, 9.3.2): routes know GET only."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _EnoughError(Exception):
    """Everything that a client asked for has been sent."""


class HeadRequests:
    """The innermost middleware: what stands around it sees the method that was asked for, the routes see GET.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        scope["method"] = "GET"

        async def answer(message: Message) -> None:
            # The server leaves the body out; its length, and whether it is compressed, are told as for GET.
            scope["method"] = "HEAD"
            await send(message)
            if message.get("more_body", False):
                # Of an export nobody will see the rest.
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise _EnoughError

        try:
            await self.app(scope, receive, answer)
        except _EnoughError:
            return
        finally:
            scope["method"] = "HEAD"
