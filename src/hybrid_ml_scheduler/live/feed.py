"""The live stream of a run inside this process: the latest state of every topic, and who follows it."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable
from typing import Any, Self

from hybrid_ml_scheduler.core.errors import RunRequestError
from hybrid_ml_scheduler.live.contract import MESSAGE_VERSION, TOPICS, Message

MOST_TASKS = 50
"""Finished tasks in one message; the totals beside them are the true ones."""
NEWEST_TASKS = 200
"""Finished tasks in a snapshot."""
LEAST_RATE_HZ, MOST_RATE_HZ = 0.01, 100.0


class LiveFeed:
    """Keeps the latest message of every topic, and gives it to those who follow. Publishing never waits for anybody."""

    def __init__(self) -> None:
        self._seq = itertools.count(1)
        self._latest: dict[str, Message] = {}
        self._tasks: deque[dict[str, Any]] = deque(maxlen=NEWEST_TASKS)
        self._results = 0
        self._followers: set[LiveSubscription] = set()

    @property
    def followers(self) -> int:
        """How many follow it."""
        return len(self._followers)

    def publish(self, topic: str, body: dict[str, Any]) -> None:
        """Replace the state of a topic."""
        message = Message(MESSAGE_VERSION, next(self._seq), topic, body)
        self._latest[topic] = message
        for follower in self._followers:
            follower.offer(message)

    def publish_tasks(self, rows: list[dict[str, Any]], total: int, time_s: float) -> None:
        """Say that tasks have finished.

        Parameters
        ----------
        rows : list of dict
            Some of them.
        total : int
            How many results there were in truth.
        time_s : float
            Simulated time.
        """
        self._tasks.extend(rows)
        self._results += total
        for follower in self._followers:
            follower.offer_tasks(rows, total, self._results, time_s, next(self._seq))
        body = {"finished": list(self._tasks), "results": self._results, "total": self._results, "time_s": time_s}
        self._latest["tasks"] = Message(MESSAGE_VERSION, next(self._seq), "tasks", body)

    def forget(self) -> None:
        """Begin anew, with a new run; followers get nothing of the one before any more."""
        self._latest.clear()
        self._tasks.clear()
        self._results = 0
        for follower in self._followers:
            follower.forget()

    def snapshot(self, topics: Iterable[str]) -> list[Message]:
        """Return the present state of some topics.

        Raises
        ------
        RunRequestError
            If there is no such topic.
        """
        return [self._latest[topic] for topic in _checked(topics) if topic in self._latest]

    def subscribe(self, topics: Iterable[str], rate_hz: float) -> LiveSubscription:
        """Follow some topics.

        Parameters
        ----------
        topics : iterable of str
        rate_hz : float
            Most lists of messages a second; 0.01 to 100.

        Raises
        ------
        RunRequestError
            If there is no such topic, or the rate makes no sense.
        """
        if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
            raise RunRequestError(f"a rate of {rate_hz}; expected {LEAST_RATE_HZ:g} to {MOST_RATE_HZ:g} a second")
        follower = LiveSubscription(self, _checked(topics), 1.0 / rate_hz)
        self._followers.add(follower)
        return follower

    def leave(self, follower: LiveSubscription) -> None:
        """Stop following."""
        self._followers.discard(follower)


class LiveSubscription:
    """What one follower has not seen yet: at most one message per topic, however slow it is."""

    def __init__(self, feed: LiveFeed, topics: list[str], pause_s: float) -> None:
        self._feed = feed
        self._topics = set(topics)
        self._pause_s = pause_s
        self._waiting: dict[str, Message] = {}
        self._news = asyncio.Event()
        self._next_s = 0.0
        self._closed = False

    def offer(self, message: Message) -> None:
        """Take a message; it replaces an older one of its topic."""
        if message.topic in self._topics:
            self._waiting[message.topic] = message
            self._news.set()

    def offer_tasks(self, rows: list[dict[str, Any]], count: int, total: int, time_s: float, seq: int) -> None:
        """Take finished tasks; they are added to those that wait, of which the newest are kept and all are counted."""
        if "tasks" not in self._topics:
            return
        before = self._waiting.get("tasks")
        kept = [*(before.body["finished"] if before else ()), *rows][-MOST_TASKS:]
        results = count + (int(before.body["results"]) if before else 0)
        self._waiting["tasks"] = Message(MESSAGE_VERSION, seq, "tasks", {"finished": kept, "results": results, "total": total, "time_s": time_s})
        self._news.set()

    def forget(self) -> None:
        """Leave out what waits: what it is about is over."""
        self._waiting.clear()
        self._news.clear()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> list[Message]:
        """Return what is new, not more often than was asked for."""
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            if self._closed:
                raise StopAsyncIteration
            if (pause_s := self._next_s - loop.time()) > 0:
                await asyncio.sleep(pause_s)
                continue
            break
        self._next_s = loop.time() + self._pause_s
        self._news.clear()
        messages, self._waiting = self._waiting, {}
        return sorted(messages.values(), key=lambda message: message.seq)

    async def close(self) -> None:
        """End it."""
        self._closed = True
        self._feed.leave(self)
        self._news.set()


def _checked(topics: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(topics))
    for topic in wanted:
        if topic not in TOPICS:
            raise RunRequestError(f"topic {topic!r} is unknown; expected some of {', '.join(TOPICS)}")
    return wanted
