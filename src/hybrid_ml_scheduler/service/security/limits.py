"""Limits on the rate of requests: sliding windows, in Redis where there is one, so that all processes count together, else in this process."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hybrid_ml_scheduler.service.security.scopes import RateClass
from hybrid_ml_scheduler.service.settings import ServiceSettings

_LOG = logging.getLogger(__name__)
_CONNECTIONS = 64
_SWEEP_EVERY_S = 1.0
_MOST_COUNTERS = 50_000
"""Callers that are counted in this process at a time; beyond that the oldest counters are forgotten."""


class _Counters(MemoryStorage):
    """The library's counters, which are tidied up once a second instead of with every request: with many callers that is most of the work."""

    def __init__(self) -> None:
        super().__init__()
        self._swept_s = time.monotonic()

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count up. Nothing is awaited in between, so no lock is needed."""
        now_s = time.time()
        self._sweep(now_s)
        if self.expirations.get(key, 0.0) <= now_s:
            self.storage[key] = 0
            self.expirations[key] = now_s + expiry
        self.storage[key] += amount
        return self.storage[key]

    async def decr(self, key: str, amount: int = 1) -> int:
        """Count down."""
        self.storage[key] = max(self.storage.get(key, 0) - amount, 0)
        return self.storage[key]

    async def get(self, key: str) -> int:
        """Return a count."""
        return self.storage.get(key, 0) if self.expirations.get(key, 0.0) > time.time() else 0

    def _sweep(self, now_s: float) -> None:
        if time.monotonic() - self._swept_s < _SWEEP_EVERY_S and len(self.expirations) < _MOST_COUNTERS:
            return
        self._swept_s = time.monotonic()
        over = [key for key, end_s in self.expirations.items() if end_s <= now_s]
        left = len(self.expirations) - len(over)
        if left >= _MOST_COUNTERS:
            over.extend(sorted(self.expirations, key=self.expirations.__getitem__)[: len(over) + left - _MOST_COUNTERS // 2])
        for key in over:
            self.expirations.pop(key, None)
            self.storage.pop(key, None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limit says about one request.

    Attributes
    ----------
    allowed : bool
    policy, state : str
        The headers ``RateLimit-Policy`` and ``RateLimit`` (IETF draft).
    retry_after_s : int
        When to try again.
    """

    allowed: bool
    policy: str
    state: str
    retry_after_s: int

    def headers(self) -> dict[str, str]:
        """Return what the client is told."""
        told = {"RateLimit-Policy": self.policy, "RateLimit": self.state}
        return told if self.allowed else {**told, "Retry-After": str(self.retry_after_s)}


class Limiter:
    """Counts requests.

    Parameters
    ----------
    settings : ServiceSettings
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.rejected: dict[RateClass, int] = dict.fromkeys(RateClass, 0)
        """Requests that were refused, by class."""
        self.tell: Callable[[str], None] | None = None
        """Called with the class of each request that is refused."""
        self._items: dict[RateClass, RateLimitItem] = {rate: parse(str(getattr(settings, f"rate_{rate}"))) for rate in RateClass}
        self._here = SlidingWindowCounterRateLimiter(_Counters())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._pool: BlockingConnectionPool | None = None
        self._lost_until_s = 0.0
        if settings.redis_url is not None:
            address = settings.redis_url.get_secret_value()
            timeout_s = settings.redis_timeout_s
            self._pool = BlockingConnectionPool.from_url(
                address,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
                max_connections=_CONNECTIONS,
                timeout=timeout_s,
            )
            # The library's type leaves out what it hands on to the client.
            options: dict[str, Any] = {"connection_pool": self._pool, "implementation": "redispy", "key_prefix": "hms:rate"}
            self._shared = SlidingWindowCounterRateLimiter(RedisStorage("async+redis://", **options))

    @property
    def shared(self) -> bool:
        """Whether processes count together at the moment."""
        return self._shared is not None and time.monotonic() >= self._lost_until_s

    async def hit(self, rate: RateClass, caller: str) -> Verdict:
        """Count one request of a caller."""
        item = self._items[rate]
        if self._shared is not None and time.monotonic() >= self._lost_until_s:
            try:
                async with asyncio.timeout(self.settings.redis_timeout_s):
                    return await self._count(self._shared, item, rate, caller)
            except (RedisError, OSError, TimeoutError) as error:
                # What a driver says about a lost connection names the server.
                _LOG.warning("Redis does not count requests (%s); this process does for %g s", type(error).__name__, self.settings.redis_retry_s)
                self._lost_until_s = time.monotonic() + self.settings.redis_retry_s
                await self._forget_connections()
        return await self._count(self._here, item, rate, caller)

    async def _forget_connections(self) -> None:
        """Close what is open to a server that is gone: each would only be found out when it is used, one after the other, once the server is back."""
        if self._pool is not None:
            with suppress(RedisError, OSError, TimeoutError):
                await self._pool.disconnect(inuse_connections=False)

    async def _count(self, limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, rate: RateClass, caller: str) -> Verdict:
        allowed = await limiter.hit(item, rate, caller)
        stats = await limiter.get_window_stats(item, rate, caller)
        wait_s = max(1, math.ceil(stats.reset_time - time.time()))
        if not allowed:
            self.rejected[rate] += 1
            if self.tell is not None:
                self.tell(rate)
        left = stats.remaining if allowed else 0
        return Verdict(allowed, f'"{rate}";q={item.amount};w={item.get_expiry()}', f'"{rate}";r={left};t={wait_s}', wait_s)

    async def close(self) -> None:
        """Let go of Redis."""
        if self._pool is not None:
            await self._pool.disconnect()
