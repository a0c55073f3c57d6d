"""What processes share besides the database: a cache, messages, and who leads.

Through Redis where ``HMS_REDIS_URL`` names a server that answers, in this process otherwise. A server that is lost is asked again every
``HMS_REDIS_RETRY_S``; until it is back everything goes on in this process, and nobody above needs to know.

Nothing here is the only copy of anything. A cached answer may be missing at any time and is never older than its time to live; messages may be lost
while the server is; a leader is only ever believed by the database (`hybrid_ml_scheduler.storage.repositories.RunRepository.claim`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hybrid_ml_scheduler.core.observing import NOBODY, Observer
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.storage.settings import StorageSettings

_LOG = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

LOCAL_ENTRIES = 1_000
"""Most answers that are cached in this process."""
LOCAL_BYTES = 32_000_000
"""How much they may take together."""
WAITING_MESSAGES = 1_000
"""Most messages that wait for a slow subscriber; older ones are dropped."""

_PREFIX = "hms:"
_KEPT_MESSAGE_S = 3_600
"""How long the latest message of a topic is kept for those who come later."""
_ORIGIN_BYTES = 16

_ACQUIRE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local token = redis.call('INCR', KEYS[2])
  local floor = tonumber(ARGV[3])
  if token <= floor then
    token = floor + 1
    redis.call('SET', KEYS[2], token)
  end
  return token
end
return 0
"""
# A server that was killed has forgotten who leads: whoever asks first, the leader included, takes the place.
_RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder == false or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


class SharingState(StrEnum):
    """How this process shares with others."""

    ALONE = "alone"
    """No Redis server is configured."""
    CONNECTED = "connected"
    LOST = "lost"
    """The configured server does not answer; everything goes on in this process."""


class LocalCache:
    """Answers cached in this process: bounded, the longest unused goes first. What is too old goes with the next answer that comes.

    Parameters
    ----------
    entries : int
        How many at most.
    most_bytes : int
        How much all of them may take together.
    """

    def __init__(self, entries: int = LOCAL_ENTRIES, most_bytes: int = LOCAL_BYTES) -> None:
        self.entries = entries
        self.most_bytes = most_bytes
        self.bytes = 0
        self._found: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, group: str, key: str) -> bytes | None:
        """Return an answer that is not too old, or None."""
        found = self._found.get((group, key))
        if found is None:
            return None
        if found[0] <= time.monotonic():
            self._forget((group, key))
            return None
        self._found.move_to_end((group, key))
        return found[1]

    def set(self, group: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep an answer."""
        self._forget((group, key))
        now_s = time.monotonic()
        self._found[group, key] = (now_s + ttl_s, value)
        self.bytes += len(value)
        # Keys change with every batch, so most answers are never asked for again: they must not stay until there are too many.
        while self._found:
            oldest = next(iter(self._found))
            if self._found[oldest][0] > now_s and len(self._found) <= self.entries and self.bytes <= self.most_bytes:
                break
            self._forget(oldest)

    def _forget(self, name: tuple[str, str]) -> None:
        found = self._found.pop(name, None)
        if found is not None:
            self.bytes -= len(found[1])

    def invalidate(self, group: str) -> None:
        """Forget all answers of a group."""
        for name in [name for name in self._found if name[0] == group]:
            self._forget(name)


class Subscription:
    """Messages as they arrive: ``async for topic, message in subscription``.

    Attributes
    ----------
    dropped : int
        Messages that were dropped because this subscriber was too slow.
    """

    def __init__(self, topics: frozenset[str], close: Callable[[Subscription], None]) -> None:
        self.topics = topics
        self.dropped = 0
        self._close = close
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, topic: str, message: bytes) -> None:
        """Hand over a message, if it is of one of the topics."""
        if topic not in self.topics:
            return
        if len(self._waiting) >= WAITING_MESSAGES:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append((topic, message))
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[tuple[str, bytes]]:
        while not self._closed:
            while self._waiting:
                yield self._waiting.popleft()
            self._news.clear()
            if not self._closed:
                await self._news.wait()

    async def next(self, timeout_s: float) -> tuple[str, bytes] | None:
        """Return the next message, or None if there is none in time."""
        end_s = time.monotonic() + timeout_s
        while not self._waiting:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), max(0.0, end_s - time.monotonic()))
            except TimeoutError:
                return None
            if self._closed:
                return None
        return self._waiting.popleft()

    def close(self) -> None:
        """Take no more messages."""
        if self._closed:
            return
        self._closed = True
        self._news.set()
        self._close(self)


@dataclass(slots=True)
class Lease:
    """The place of the leader, as long as it is renewed in time (``HMS_LEADER_LEASE_S``).

    Attributes
    ----------
    name : str
    holder : str
        Who holds it.
    token : int
        Larger than that of any leader before: hand it to `Drainer.lead`, and the database refuses the rows of older ones.
    """

    name: str
    holder: str
    token: int


class Sharing:
    """Cache, messages and leadership.

    Parameters
    ----------
    settings : StorageSettings
    observer : Observer, optional
        Watches the connection.
    """

    def __init__(self, settings: StorageSettings, observer: Observer = NOBODY) -> None:
        self.settings = settings
        self._observer = observer
        self.state = SharingState.ALONE if settings.redis_url is None else SharingState.LOST
        self.cache = LocalCache()
        self.times_lost = 0
        self._origin = secrets.token_hex(_ORIGIN_BYTES // 2)
        self._client: Redis | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._subscriptions: list[Subscription] = []
        self._stale: set[str] = set()
        self._held: dict[str, str] = {}
        self._token = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, if a server is configured and answers; go on without it if not."""
        if self.settings.redis_url is None or self._task is not None:
            return
        self._client = Redis.from_url(
            self.settings.redis_url.get_secret_value(),
            socket_timeout=self.settings.redis_timeout_s,
            socket_connect_timeout=self.settings.redis_timeout_s,
            # Whoever asks gets an answer in time; trying again is done in one place, below.
            retry=Retry(NoBackoff(), 0),
        )
        self._observer.opened_redis(self._client)
        first_try = asyncio.Event()
        self._task = asyncio.create_task(self._stay_connected(self._client, first_try), name="redis")
        await first_try.wait()

    async def close(self) -> None:
        """Disconnect, and end all subscriptions."""
        for subscription in list(self._subscriptions):
            subscription.close()
        task, self._task = self._task, None
        if task is not None:
            await end_task(task)
        if self._client is not None:
            with suppress(RedisError, OSError):
                await self._client.aclose()
            self._client = None

    @property
    def connections(self) -> int:
        """Open connections to the server."""
        if self._client is None:
            return 0
        return sum(int(count) for count, _ in self._client.connection_pool.get_connection_count())

    async def wait_for(self, state: SharingState, timeout_s: float) -> bool:
        """Wait until the state is this one; return whether it came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.state is not state:
                    self._changed.clear()
                    await self._changed.wait()
        return self.state is state

    async def ping(self) -> bool:
        """Ask the server for an answer; return whether there was one in time."""
        return bool(await self._ask(lambda client: client.ping(), default=False))

    # Cache.

    async def get(self, group: str, key: str) -> bytes | None:
        """Return a cached answer, or None."""
        if self.state is not SharingState.CONNECTED:
            return self.cache.get(group, key)
        found = await self._ask(lambda client: client.hget(f"{_PREFIX}cache:{group}", key), default=None)
        return found if isinstance(found, bytes) else None

    async def set(self, group: str, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Cache an answer for at most ``ttl_s`` seconds, by default ``HMS_CACHE_TTL_S``."""
        ttl_s = self.settings.cache_ttl_s if ttl_s is None else ttl_s
        if self.state is not SharingState.CONNECTED:
            self.cache.set(group, key, value, ttl_s)
            return

        async def store(client: Redis) -> bool:
            name = f"{_PREFIX}cache:{group}"
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.hset(name, key, value)
                # The group goes as a whole: an answer may live shorter than it might, never longer.
                pipeline.pexpire(name, max(1, int(ttl_s * 1000)), nx=True)
                await pipeline.execute()
            return True

        await self._ask(store, default=False)

    async def remember(self, group: str, key: str, answer: Callable[[], Awaitable[bytes]], ttl_s: float | None = None) -> bytes:
        """Return a cached answer, or ask for it and cache it."""
        found = await self.get(group, key)
        if found is None:
            found = await answer()
            await self.set(group, key, found, ttl_s)
        return found

    async def invalidate(self, group: str) -> None:
        """Forget all answers of a group, everywhere."""
        self.cache.invalidate(group)
        if self.state is SharingState.ALONE:
            return
        if await self._ask(lambda client: client.delete(f"{_PREFIX}cache:{group}"), default=None) is None:
            # The server would answer with it when it is back.
            self._stale.add(group)

    # Messages.

    async def publish(self, topic: str, message: bytes) -> None:
        """Send a message to all subscribers, here and (if Redis is there) in other processes."""
        self._deliver(topic, message)
        if self.state is SharingState.CONNECTED:
            await self._ask(lambda client: client.publish(self._channel, self._packed(topic, message)), default=None)

    async def publish_latest(self, topic: str, message: bytes) -> None:
        """Send a message to other processes, and keep it for those who come later; see `latest`."""

        async def send(client: Redis) -> bool:
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.set(f"{_PREFIX}latest:{topic}", message, ex=_KEPT_MESSAGE_S)
                pipeline.publish(self._channel, self._packed(topic, message))
                await pipeline.execute()
            return True

        await self._ask(send, default=False)

    async def latest(self, topic: str) -> bytes | None:
        """Return what was sent last by `publish_latest`, from whichever process; None if there is nothing or Redis does not answer."""
        found = await self._ask(lambda client: client.get(f"{_PREFIX}latest:{topic}"), default=None)
        return found if isinstance(found, bytes) else None

    def _packed(self, topic: str, message: bytes) -> bytes:
        return self._origin.encode() + topic.encode() + b"\0" + message

    @property
    def _channel(self) -> str:
        # The databases of one server share its channels, and nothing else.
        number = 0 if self._client is None else self._client.connection_pool.connection_kwargs.get("db", 0)
        return f"{_PREFIX}{number}:messages"

    def subscribe(self, *topics: str) -> Subscription:
        """Take part in the messages of some topics from now on; `Subscription.close` ends it."""
        subscription = Subscription(frozenset(topics), self._subscriptions.remove)
        self._subscriptions.append(subscription)
        return subscription

    def _deliver(self, topic: str, message: bytes) -> None:
        for subscription in self._subscriptions:
            subscription.put(topic, message)

    # Leadership.

    async def acquire(self, name: str, floor: int = 0) -> Lease | None:
        """Try to become the leader. While the configured server is lost nobody can.

        Parameters
        ----------
        name : str
            Of what.
        floor : int
            The token will be larger: the largest that the database has seen (`SimulationDataService.highest_fence`).

        Returns
        -------
        Lease or None
            None if somebody else leads, or the server does not answer. Where no server is configured the process is alone, and gets it.
        """
        if name in self._held:
            return None
        holder = secrets.token_hex(8)
        if self.state is SharingState.ALONE:
            token = max(self._token, floor) + 1
        else:
            keys = (f"{_PREFIX}leader:{name}", f"{_PREFIX}token:{name}")
            token = int(await self._ask(lambda client: _script(client, _ACQUIRE, keys, (holder, self._lease_ms, floor)), default=0) or 0)
        if token == 0:
            return None
        self._token = max(self._token, token)
        self._held[name] = holder
        return Lease(name, holder, token)

    async def renew(self, lease: Lease) -> bool:
        """Keep the place; return False if somebody else has taken it. While the server is lost nobody can, so it is kept."""
        if self._held.get(lease.name) != lease.holder:
            return False
        keys = (f"{_PREFIX}leader:{lease.name}",)
        answer = await self._ask(lambda client: _script(client, _RENEW, keys, (lease.holder, self._lease_ms)), default=1)
        if int(answer or 0) == 1:
            return True
        self._held.pop(lease.name, None)
        return False

    async def release(self, lease: Lease) -> None:
        """Give the place to the next who asks."""
        if self._held.get(lease.name) == lease.holder:
            del self._held[lease.name]
            await self._ask(lambda client: _script(client, _RELEASE, (f"{_PREFIX}leader:{lease.name}",), (lease.holder,)), default=None)

    @property
    def _lease_ms(self) -> int:
        return int(self.settings.leader_lease_s * 1000)

    # The connection.

    async def _ask(self, question: Callable[[Redis], Awaitable[_Answer]], default: _Answer) -> _Answer:
        client = self._client
        if client is None or self.state is not SharingState.CONNECTED:
            return default
        try:
            async with asyncio.timeout(self.settings.redis_timeout_s):
                return await question(client)
        except (RedisError, OSError, TimeoutError) as error:
            self._set(SharingState.LOST, error)
            return default

    def _set(self, state: SharingState, error: BaseException | None = None) -> None:
        if state is self.state:
            return
        if state is SharingState.LOST:
            self.times_lost += 1
            _LOG.warning("Redis is lost, going on in this process: %s", type(error).__name__)
        self.state = state
        self._changed.set()

    async def _stay_connected(self, client: Redis, first_try: asyncio.Event) -> None:
        while True:
            try:
                async with asyncio.timeout(self.settings.redis_timeout_s * 2):
                    await client.ping()
                    messages = client.pubsub(ignore_subscribe_messages=True)
                    await messages.subscribe(self._channel)
                    for group in list(self._stale):
                        await client.delete(f"{_PREFIX}cache:{group}")
                        self._stale.discard(group)
                self._set(SharingState.CONNECTED)
                first_try.set()
                try:
                    await self._listen(messages)
                finally:
                    with suppress(RedisError, OSError):
                        await messages.aclose()  # type: ignore[no-untyped-call]
            except (RedisError, OSError, TimeoutError) as error:
                self._set(SharingState.LOST, error)
                with suppress(RedisError, OSError):
                    await client.connection_pool.disconnect()
            first_try.set()
            await asyncio.sleep(self.settings.redis_retry_s)

    async def _listen(self, messages: Any) -> None:
        """Hand on what other processes send, until the connection breaks or somebody else has found that it has."""
        while self.state is SharingState.CONNECTED:
            # In between, see whether an answer failed to come elsewhere.
            found = await messages.get_message(timeout=min(0.5, self.settings.redis_retry_s))
            if found is None or found.get("type") != "message":
                continue
            data: bytes = found["data"]
            origin, rest = data[:_ORIGIN_BYTES], data[_ORIGIN_BYTES:]
            topic, separator, message = rest.partition(b"\0")
            if separator and origin != self._origin.encode():
                self._deliver(topic.decode(errors="replace"), message)


async def _script(client: Redis, script: str, keys: tuple[str, ...], arguments: tuple[str | int, ...]) -> Any:
    return await client.eval(script, len(keys), *keys, *arguments)
