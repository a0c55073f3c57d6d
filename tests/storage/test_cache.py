"""Cache, messages and leadership: the same with Redis (a real Valkey), without it, and across a server that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ml_scheduler.storage import cache as cache_module
from hybrid_ml_scheduler.storage.cache import LocalCache, Sharing, SharingState
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_fixtures import QUICK
from storage_servers import ValkeyServer

pytestmark = pytest.mark.anyio
Make = Callable[..., Sharing]


@pytest.fixture(params=["alone", "connected"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make sharing of one process; in the second case several of them share a server."""
    server: ValkeyServer | None = request.getfixturevalue("valkey") if request.param == "connected" else None
    if server is not None:
        import redis

        with redis.Redis(port=server.port) as client:
            client.flushall()
    url = None if server is None else server.url

    def made(**given: object) -> Sharing:
        return Sharing(StorageSettings.load(**{"data_dir": tmp_path, "redis_url": url, **QUICK, **given}))

    return made


async def test_answers_are_cached_by_group_until_they_are_invalidated(make: Make) -> None:
    async with make(cache_ttl_s=60) as sharing:
        await sharing.set("run 1", "statistics", b"a\0b")
        await sharing.set("run 2", "statistics", b"other")
        assert await sharing.get("run 1", "statistics") == b"a\0b"
        assert await sharing.get("run 1", "page") is None
        await sharing.invalidate("run 1")
        assert await sharing.get("run 1", "statistics") is None
        assert await sharing.get("run 2", "statistics") == b"other"


async def test_an_answer_is_asked_for_once(make: Make) -> None:
    asked = 0

    async def answer() -> bytes:
        nonlocal asked
        asked += 1
        return b"%d" % asked

    async with make(cache_ttl_s=60) as sharing:
        assert [await sharing.remember("once", "k", answer) for _ in range(3)] == [b"1"] * 3
        await sharing.invalidate("once")
        assert await sharing.remember("once", "k", answer) == b"2"


async def test_an_answer_does_not_outlive_its_time(make: Make) -> None:
    async with make() as sharing:
        await sharing.set("run", "page", b"x", ttl_s=0.03)
        assert await sharing.get("run", "page") == b"x"
        await asyncio.sleep(0.05)
        assert await sharing.get("run", "page") is None


async def test_a_message_reaches_each_subscriber_of_its_topic_once(make: Make) -> None:
    async with make() as sharing:
        first, second, deaf = sharing.subscribe("results", "state"), sharing.subscribe("results"), sharing.subscribe("other")
        await sharing.publish("results", b"1\0\n")
        await sharing.publish("state", b"2")
        assert [await first.next(5), await first.next(5)] == [("results", b"1\0\n"), ("state", b"2")]
        assert await second.next(5) == ("results", b"1\0\n")
        # What comes back from the server must not be delivered again: a later message comes next.
        await sharing.publish("results", b"3")
        assert await second.next(5) == ("results", b"3")
        assert await deaf.next(0.02) is None


async def test_a_slow_subscriber_loses_the_oldest_and_holds_nobody_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "WAITING_MESSAGES", 3)
    async with make() as sharing:
        slow = sharing.subscribe("t")
        for number in range(5):
            await sharing.publish("t", b"%d" % number)
        assert [await slow.next(1) for _ in range(3)] == [("t", b"2"), ("t", b"3"), ("t", b"4")]
        assert slow.dropped == 2


async def test_a_closed_subscription_ends(make: Make) -> None:
    async with make() as sharing:
        subscription = sharing.subscribe("t")
        await sharing.publish("t", b"1")
        seen = []
        async for _, message in subscription:
            seen.append(message)
            subscription.close()
        assert seen == [b"1"]


async def test_tokens_rise_above_each_other_and_above_the_floor(make: Make) -> None:
    async with make() as sharing:
        first = await sharing.acquire("run")
        assert first is not None
        assert await sharing.acquire("run") is None
        assert await sharing.renew(first)
        await sharing.release(first)
        assert not await sharing.renew(first)
        second = await sharing.acquire("run", floor=41)
        assert second is not None
        assert (first.token, second.token) == (1, 42)


def test_the_local_cache_is_bounded_and_drops_the_longest_unused() -> None:
    cache = LocalCache(entries=2)
    cache.set("g", "a", b"1", 60)
    cache.set("g", "b", b"2", 60)
    assert cache.get("g", "a") == b"1"
    cache.set("g", "c", b"3", 60)
    assert [cache.get("g", key) for key in "abc"] == [b"1", None, b"3"]


def test_the_local_cache_is_bounded_in_bytes() -> None:
    cache = LocalCache(most_bytes=100)
    for key in "abcd":
        cache.set("g", key, b"x" * 40, 60)
        assert cache.bytes == 40 * len(cache) <= 100
    assert [cache.get("g", key) is None for key in "abcd"] == [True, True, False, False]
    cache.set("g", "c", b"y" * 10, 60)
    assert cache.bytes == 50
    # What is larger than everything that may be there is not kept, and takes nothing with it that comes later.
    cache.set("g", "e", b"x" * 101, 60)
    assert (len(cache), cache.bytes) == (0, 0)
    cache.set("g", "f", b"x", 60)
    cache.invalidate("g")
    assert (len(cache), cache.bytes) == (0, 0)


def test_answers_that_are_too_old_do_not_stay_although_nobody_asks_for_them() -> None:
    cache = LocalCache()
    for number in range(100):
        cache.set("g", str(number), b"x" * 1_000, 0.0)
    assert len(cache) <= 1


async def test_two_processes_share_answers_messages_and_one_leader(valkey: ValkeyServer, tmp_path: Path) -> None:
    settings = StorageSettings.load(data_dir=tmp_path, redis_url=valkey.url, **(QUICK | {"cache_ttl_s": 60}))
    async with Sharing(settings) as one, Sharing(settings) as two:
        assert (one.state, two.state) == (SharingState.CONNECTED, SharingState.CONNECTED)
        heard = two.subscribe("results")
        await one.publish("results", b"hello")
        assert await heard.next(5) == ("results", b"hello")
        await one.set("shared", "k", b"v")
        assert await two.get("shared", "k") == b"v"
        await two.invalidate("shared")
        assert await one.get("shared", "k") is None
        lease = await one.acquire("shared run")
        assert lease is not None
        assert await two.acquire("shared run") is None
        await one.release(lease)
        taken = await two.acquire("shared run")
        assert taken is not None
        assert taken.token > lease.token


async def test_a_leader_that_says_nothing_loses_its_place(valkey: ValkeyServer, tmp_path: Path) -> None:
    settings = StorageSettings.load(data_dir=tmp_path, redis_url=valkey.url, **(QUICK | {"leader_lease_s": 0.2}))
    async with Sharing(settings) as one, Sharing(settings) as two:
        silent = await one.acquire("silent run")
        assert silent is not None
        taken = None
        async with asyncio.timeout(20):
            while taken is None:
                taken = await two.acquire("silent run")
                await asyncio.sleep(0.02)
        assert taken.token > silent.token
        assert not await one.renew(silent)


async def test_a_server_that_is_away_at_the_start_is_picked_up_later(tmp_path: Path, own_valkey: ValkeyServer) -> None:
    own_valkey.kill()
    async with Sharing(StorageSettings.load(data_dir=tmp_path, redis_url=own_valkey.url, **QUICK)) as sharing:
        assert sharing.state is SharingState.LOST
        assert not await sharing.ping()
        await sharing.set("g", "k", b"here")
        assert await sharing.get("g", "k") == b"here"
        own_valkey.start()
        assert await sharing.wait_for(SharingState.CONNECTED, 20)
        assert await sharing.ping()


async def test_a_lost_server_does_not_come_back_with_old_answers(tmp_path: Path, own_valkey: ValkeyServer) -> None:
    settings = StorageSettings.load(data_dir=tmp_path, redis_url=own_valkey.url, **(QUICK | {"cache_ttl_s": 60}))
    async with Sharing(settings) as sharing:
        await sharing.set("g", "k", b"old")
        # The connection breaks, the server and what it holds stay.
        sharing._set(SharingState.LOST)
        await sharing.invalidate("g")
        assert await sharing.wait_for(SharingState.CONNECTED, 20)
        assert await sharing.get("g", "k") is None
