"""uvicorn's WebSocket protocol with bounds of its own: for clients that ask for what no handshake is, answer nothing, or send what nobody reads."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from hybrid_ml_scheduler.service.security.protocol import ERRORS, bound_unread, plain_answer
from hybrid_ml_scheduler.service.settings import ServiceSettings

_MOST_PIECES = 64
"""A message may come in so many frames: empty ones add nothing to its size, but each takes memory until the last."""


def socket_protocol_of(settings: ServiceSettings) -> type[GuardedSocketProtocol]:
    """Return the protocol with these settings."""
    return type("ConfiguredSocketProtocol", (GuardedSocketProtocol,), {"send_timeout_s": settings.ws_send_timeout_s})


class GuardedSocketProtocol(WebSocketsSansIOProtocol):
    """One connection, from its handshake on."""

    send_timeout_s: ClassVar[float]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Whoever opens and closes streams, or is refused, could fill the log with what uvicorn and websockets note about each.
        self.logger = self.conn.logger = ERRORS
        self._send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take over a connection."""
        super().connection_made(transport)
        bound_unread(transport, self.send_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._cancel_send_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrives; the head of the handshake comes first, and as a whole."""
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            # No handshake at all, such as one with a body or with very many headers: nothing else would ever answer or end it.
            self.close_sent = True
            answer = b"".join(self.conn.data_to_send())
            self.transport.write(answer or plain_answer(b"400 Bad Request", "This is no handshake of a WebSocket."))
            self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        """Take a further piece of a message."""
        if len(self.frames) >= _MOST_PIECES:
            self._let_go(CloseCode.POLICY_VIOLATION, f"more than {_MOST_PIECES} frames for one message")
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a message on, if it is text where it says so."""
        if self.curr_msg_data_type == "text":
            whole = b"".join(self.frames)
            try:
                whole.decode()
            except UnicodeDecodeError:
                self._let_go(CloseCode.INVALID_DATA, "no UTF-8")
                return
            self.frames = [whole]
        super().send_receive_event_to_app()

    def _let_go(self, code: CloseCode, reason: str) -> None:
        self.frames = []
        if self.close_sent or self.conn.state is not State.OPEN:
            return
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send what the application says."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            # A refusal is a whole answer; uvicorn takes it for a handshake that was forgotten, and says so as an error.
            self.handshake_complete = True

    # A client that takes nothing: what it asks with pings would otherwise wait for it in memory.

    def pause_writing(self) -> None:
        """Note that the client takes nothing for now, and take nothing from it."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()
        if self._send_timer is None:
            self._send_timer = self.loop.call_later(self.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that it does again."""
        self._cancel_send_timer()
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
