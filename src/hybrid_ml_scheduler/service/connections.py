"""Clients of the live stream: what each has asked for, and how it is told."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import orjson
from fastapi import WebSocket, WebSocketDisconnect

from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.live.contract import MESSAGE_VERSION, TOPICS, Feed, Message
from hybrid_ml_scheduler.service.settings import ServiceSettings

_LOG = logging.getLogger(__name__)

CLOSE_GOING = 1001
"""The stream has ended with the service."""
CLOSE_UNSUPPORTED = 1003
"""A binary frame."""
CLOSE_UNREADABLE = 1007
"""No JSON."""
CLOSE_REFUSED = 1008
"""JSON, but nothing that this stream understands; or too much of it."""
CLOSE_DEFECT = 1011
"""A defect of the program; the log of the service holds the details."""
CLOSE_LATER = 1013
"""Too many clients; try again later."""

_MOST_MESSAGES_PER_S = 20
_LONGEST_REASON_BYTES = 120
_FRAMES_KEPT = 16
_CURSOR = re.compile(r"(?:([0-9a-f]{1,32})-)?([0-9]{1,18})")
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class ClientError(Exception):
    """A client asked for something that this stream does not know.

    Parameters
    ----------
    code : int
        Close code.
    reason : str
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


def parse_topics(names: Iterable[str]) -> tuple[str, ...]:
    """Return topics in their order, each once; all of them for none.

    Raises
    ------
    ClientError
    """
    wanted = {name for name in names if name}
    if not wanted <= set(TOPICS):
        raise ClientError(CLOSE_REFUSED, f"unknown topic; expected some of {', '.join(TOPICS)}")
    return tuple(topic for topic in TOPICS if topic in wanted) or TOPICS


def parse_since(text: str | None, process_id: str) -> int:
    """Return the number of the last message that a client has; -1 if that says nothing here.

    Parameters
    ----------
    text : str or None
        A ``cursor`` of this stream, or the number in it alone.
    process_id : str
        Numbers of other processes mean nothing here.

    Raises
    ------
    ClientError
    """
    if text is None or text == "":
        return -1
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ClientError(CLOSE_REFUSED, "since is no cursor; expected one that this stream has sent")
    return int(found.group(2)) if found.group(1) in (None, process_id) else -1


def parse_message(text: str) -> tuple[str, tuple[str, ...]]:
    """Return what a client says: ``("ping", ())`` or ``("subscribe", topics)``.

    Raises
    ------
    ClientError
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ClientError(CLOSE_UNREADABLE, "no JSON") from None
    if isinstance(found, dict):
        kind, topics = found.get("type"), found.get("topics")
        if kind == "ping" and set(found) == {"type"}:
            return "ping", ()
        if kind == "subscribe" and set(found) == {"type", "topics"} and isinstance(topics, list) and all(isinstance(name, str) for name in topics):
            return "subscribe", parse_topics(topics)
    raise ClientError(CLOSE_REFUSED, 'expected {"type": "subscribe", "topics": [...]} or {"type": "ping"}')


class Frames:
    """Writes frames. Clients that are told the same share one text: with many clients most of the work is there.

    Parameters
    ----------
    process_id : str
    """

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id
        # With the messages themselves, so that no other message can take the place in memory by which one is known here.
        self._kept: dict[tuple[object, ...], tuple[Sequence[Message], str]] = {}

    def plain(self, kind: str, cursor: int, **more: Any) -> str:
        """Return a frame; ``cursor`` is the number of the last message that its reader has then."""
        frame = {"type": kind, "version": MESSAGE_VERSION, "cursor": f"{self.process_id}-{max(cursor, 0)}", **more}
        return orjson.dumps(frame, option=_OPTIONS).decode()

    def of_messages(self, kind: str, cursor: int, messages: Sequence[Message], topics: tuple[str, ...] | None) -> str:
        """Return a frame with messages, and with the topics that were asked for if they are given."""
        key = (kind, cursor, topics, *map(id, messages))
        found = self._kept.get(key)
        if found is None:
            more = {} if topics is None else {"topics": topics}
            found = (messages, self.plain(kind, cursor, **more, messages=messages))
            if len(self._kept) >= _FRAMES_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
        return found[1]


class Client:
    """One client.

    Parameters
    ----------
    socket : WebSocket
        Accepted already.
    settings : ServiceSettings
    frames : Frames
    topics : tuple of str
    since : int
        Number of the last message that it has; -1 for none.
    """

    def __init__(self, socket: WebSocket, settings: ServiceSettings, frames: Frames, topics: tuple[str, ...], since: int) -> None:
        self.socket = socket
        self.settings = settings
        self.topics = topics
        self.last_seq = since
        self.frames = 0
        self._frames = frames
        self._resubscribe = asyncio.Event()
        self._sending = asyncio.Lock()
        self._sent_s = time.monotonic()

    async def send(self, text: str) -> None:
        """Send one frame, waiting for as long as the client may take.

        Raises
        ------
        TimeoutError
            If it takes nothing.
        """
        async with self._sending, asyncio.timeout(self.settings.ws_send_timeout_s):
            await self.socket.send_text(text)
            self.frames += 1
            self._sent_s = time.monotonic()

    async def send_plain(self, kind: str) -> None:
        """Send a frame without messages."""
        await self.send(self._frames.plain(kind, self.last_seq))

    async def send_messages(self, kind: str, messages: Sequence[Message], topics: tuple[str, ...] | None = None) -> None:
        """Send messages in one frame."""
        self.last_seq = max((self.last_seq, *(message.seq for message in messages)))
        await self.send(self._frames.of_messages(kind, self.last_seq, messages, topics))

    async def listen(self) -> None:
        """Take what the client says, until it leaves.

        Raises
        ------
        ClientError
        """
        window_s, count = 0.0, 0
        while True:
            event = await self.socket.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text")
            if text is None:
                raise ClientError(CLOSE_UNSUPPORTED, "binary frames are not understood; expected JSON text")
            now_s = time.monotonic()
            if now_s - window_s >= 1:
                window_s, count = now_s, 0
            count += 1
            if count > _MOST_MESSAGES_PER_S:
                raise ClientError(CLOSE_REFUSED, f"more than {_MOST_MESSAGES_PER_S} messages in a second")
            kind, topics = parse_message(text)
            if kind == "ping":
                await self.send_plain("pong")
            else:
                self.topics = topics
                self._resubscribe.set()

    async def tell(self, feed: Feed) -> None:
        """Send a snapshot and what follows, again for every new choice of topics."""
        since = self.last_seq
        while True:
            self._resubscribe.clear()
            topics = self.topics
            # Followed before it is looked at: nothing can happen in between.
            subscription = feed.subscribe(topics, self.settings.ws_rate_hz)
            changed = asyncio.ensure_future(self._resubscribe.wait())
            upcoming: asyncio.Future[list[Message]] | None = None
            try:
                snapshot = feed.snapshot(topics)
                if since > max((message.seq for message in snapshot), default=-1):
                    # It cannot have seen what has not been: that number is from somewhere else.
                    since = -1
                await self.send_messages("snapshot", [message for message in snapshot if message.seq > since], topics=topics)
                since = -1
                upcoming = asyncio.ensure_future(anext(subscription))
                while not changed.done():
                    await asyncio.wait({upcoming, changed}, return_when=asyncio.FIRST_COMPLETED)
                    if upcoming.done():
                        await self.send_messages("update", upcoming.result())
                        upcoming = asyncio.ensure_future(anext(subscription))
            except StopAsyncIteration:
                return
            finally:
                for waiting in (changed, upcoming):
                    if waiting is not None:
                        waiting.cancel()
                        with suppress(asyncio.CancelledError, StopAsyncIteration):
                            await waiting
                await subscription.close()

    async def beat(self) -> None:
        """Send a heartbeat whenever nothing else was sent for a while."""
        while True:
            due_s = self._sent_s + self.settings.ws_heartbeat_s - time.monotonic()
            if due_s <= 0:
                await self.send_plain("heartbeat")
            else:
                await asyncio.sleep(due_s)


class ConnectionManager:
    """All clients of this process.

    Parameters
    ----------
    settings : ServiceSettings
    process_id : str
        Part of the cursors: numbers of messages mean nothing in another process.
    """

    def __init__(self, settings: ServiceSettings, process_id: str) -> None:
        self.settings = settings
        self.clients: set[Client] = set()
        self.refused = 0
        """Clients that were turned away because there were too many."""
        self.frames = 0
        """Frames sent to clients that have left."""
        self._frames = Frames(process_id)
        self.dropped = dict.fromkeys(("full", "refused", "slow", "defect"), 0)
        """Clients that were turned away or let go, by why: too many, what they said, they took nothing, a defect of ours."""

    def counts(self) -> dict[str, int]:
        """Return how many clients there are, were turned away, and how many frames were sent."""
        return {
            "clients": len(self.clients),
            "clients_max": self.settings.ws_clients_max,
            "refused": self.refused,
            "frames_sent": self.frames + sum(client.frames for client in self.clients),
        }

    async def serve(self, socket: WebSocket, feed: Feed) -> None:
        """Serve one client until it leaves or must be let go."""
        # A refusal before this would be a plain 403, and browsers tell their page nothing about that.
        await socket.accept()
        if len(self.clients) >= self.settings.ws_clients_max:
            self.refused += 1
            self.dropped["full"] += 1
            await _close(socket, CLOSE_LATER, "too many clients")
            return
        try:
            topics = parse_topics(socket.query_params.get("topics", "").split(","))
            since = parse_since(socket.query_params.get("since"), self._frames.process_id)
        except ClientError as error:
            self.dropped["refused"] += 1
            await _close(socket, error.code, str(error))
            return
        client = Client(socket, self.settings, self._frames, topics, since)
        self.clients.add(client)
        try:
            await self._run(client, feed)
        finally:
            self.clients.discard(client)
            self.frames += client.frames

    async def _run(self, client: Client, feed: Feed) -> None:
        tasks = [asyncio.create_task(work) for work in (client.listen(), client.tell(feed), client.beat())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.gather(*map(end_task, tasks), return_exceptions=True)
        errors = [found for task in done if (found := task.exception()) is not None]
        if any(isinstance(found, WebSocketDisconnect) for found in errors):
            # What else was on its way to the client fails after that, in other words.
            return
        error = next(iter(errors), None)
        if isinstance(error, ClientError):
            self.dropped["refused"] += 1
            await _close(client.socket, error.code, str(error))
        elif error is None and tasks[0] not in done:
            await _close(client.socket, CLOSE_GOING, "the stream has ended")
        elif isinstance(error, TimeoutError):
            self.dropped["slow"] += 1
        elif error is not None:
            self.dropped["defect"] += 1
            _LOG.error("a client of the live stream was let go", exc_info=error)
            await _close(client.socket, CLOSE_DEFECT, "a defect of the program")


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code, reason.encode()[:_LONGEST_REASON_BYTES].decode(errors="ignore"))
