"""The live stream of a run inside this process: the latest state of every topic, and who follows it."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Self

from hybrid_ml_scheduler.core.errors import RunRequestError
from hybrid_ml_scheduler.live.contract import MESSAGE_VERSION, TOPICS, Message

MOST_TASKS = 50
"""Finished tasks in one message; the totals beside them are the true ones."""
NEWEST_TASKS = 200
"""Finished tasks in a snapshot."""
LEAST_RATE_HZ, MOST_RATE_HZ = 0.01, 100.0


class LiveFeed:
    """Keeps the latest message of every topic, and gives it to those who follow. Publishing never waits for anybody.

    Attributes
    ----------
    merged : int
        Messages that were replaced by newer ones, or joined to them, before a follower had taken them.
    """

    def __init__(self) -> None:
        self.merged = 0
        self._seq = itertools.count(1)
        self._latest: dict[str, Message] = {}
        self._published = dict.fromkeys(TOPICS, 0)
        self._tasks: deque[tuple[int, dict[str, Any]]] = deque(maxlen=NEWEST_TASKS)
        self._results = 0
        self._joined: dict[tuple[int, int], Message] = {}
        self._followers: set[LiveSubscription] = set()

    @property
    def followers(self) -> int:
        """How many follow it."""
        return len(self._followers)

    @property
    def results(self) -> int:
        """How many results of the present run have been published."""
        return self._results

    def publish(self, topic: str, body: dict[str, Any]) -> None:
        """Replace the state of a topic."""
        self._latest[topic] = Message(MESSAGE_VERSION, next(self._seq), topic, body)
        self._published[topic] += 1
        for follower in self._followers:
            follower.wake(topic)

    def publish_tasks(self, rows: list[dict[str, Any]], total: int, time_s: float, of_run: int | None = None) -> None:
        """Say that tasks have finished.

        Parameters
        ----------
        rows : list of dict
            Some of them.
        total : int
            How many results there were in truth.
        time_s : float
            Simulated time.
        of_run : int, optional
            How many results the run has by now; by default those that were published.
        """
        self._results = self._results + total if of_run is None else of_run
        self._tasks.extend((self._results, row) for row in rows)
        self._joined.clear()
        newest = [row for _, row in self._tasks]
        self.publish("tasks", {"finished": newest, "results": self._results, "total": self._results, "time_s": time_s})

    def forget(self) -> None:
        """Begin anew, with a new run; followers get nothing of the one before any more."""
        self._latest.clear()
        self._tasks.clear()
        self.count_from(0)

    def count_from(self, results: int) -> None:
        """Say how many results the run has that were not published here."""
        self._joined.clear()
        self._results = results
        for follower in self._followers:
            follower.count_from(results)

    def snapshot(self, topics: Iterable[str]) -> list[Message]:
        """Return the present state of some topics.

        Raises
        ------
        RunRequestError
            If there is no such topic.
        """
        return [self._latest[topic] for topic in _checked(topics) if topic in self._latest]

    def since(self, topics: Mapping[str, int], results: int) -> tuple[list[Message], dict[str, int]]:
        """Return what has been published of some topics, in the order of the numbers.

        Who has seen the same gets the same messages, however many ask.

        Parameters
        ----------
        topics : mapping of str to int
            Topics, and how many messages of each had been published before.
        results : int
            Results that had been published before.

        Returns
        -------
        messages : list of Message
            At most one per topic.
        published : dict of str to int
            The new numbers of messages.
        """
        found = []
        for topic, seen in topics.items():
            message = self._latest.get(topic)
            if message is None or self._published[topic] == seen:
                continue
            self.merged += self._published[topic] - seen - 1
            found.append(self._tasks_since(message, results) if topic == "tasks" else message)
        return sorted(found, key=lambda message: message.seq), {topic: self._published[topic] for topic in topics}

    def _tasks_since(self, latest: Message, results: int) -> Message:
        joined = self._joined.get((latest.seq, results))
        if joined is None:
            rows = [row for at, row in self._tasks if at > results][-MOST_TASKS:]
            body = {**latest.body, "finished": rows, "results": self._results - results}
            joined = self._joined[latest.seq, results] = Message(MESSAGE_VERSION, latest.seq, "tasks", body)
        return joined

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
        wanted = _checked(topics)
        follower = LiveSubscription(self, {topic: self._published[topic] for topic in wanted}, 1.0 / rate_hz)
        self._followers.add(follower)
        return follower

    def leave(self, follower: LiveSubscription) -> None:
        """Stop following."""
        self._followers.discard(follower)


class LiveSubscription:
    """What one follower has seen. It is told of at most one message per topic, however slow it is."""

    def __init__(self, feed: LiveFeed, seen: dict[str, int], pause_s: float) -> None:
        self._feed = feed
        self._seen = seen
        self._results = feed.results
        self._pause_s = pause_s
        self._news = asyncio.Event()
        self._next_s = 0.0
        self._closed = False

    def wake(self, topic: str) -> None:
        """Say that something has been published."""
        if topic in self._seen:
            self._news.set()

    def count_from(self, results: int) -> None:
        """Take so many results for seen."""
        self._results = results

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> list[Message]:
        """Return what is new, not more often than was asked for."""
        loop = asyncio.get_running_loop()
        messages: list[Message] = []
        while not messages:
            await self._news.wait()
            if self._closed:
                raise StopAsyncIteration
            if (pause_s := self._next_s - loop.time()) > 0:
                await asyncio.sleep(pause_s)
                continue
            self._news.clear()
            messages, self._seen = self._feed.since(self._seen, self._results)
        self._results = self._feed.results
        # All that follow at one rate are told at the same moments, and so the same: it has to be put together only once.
        self._next_s = (math.floor(loop.time() / self._pause_s + 0.5) + 1) * self._pause_s
        return messages

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
