"""A cached answer is never older than its time to live, nor than a write of this process, or of the leader of a shared run, that made it wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.service.cache import AnswerCache
from hybrid_ml_scheduler.service.observability.watching import Observability
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage import cache as cache_module
from hybrid_ml_scheduler.storage.cache import Sharing
from hybrid_ml_scheduler.storage.service import SimulationDataService
from service_fixtures import settings_in
from storage_servers import ValkeyServer

TTL_S = 2.0
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 1)),
        st.tuples(st.just("ask while writing"), st.integers(0, 1)),
        st.tuples(st.just("ask while deleting"), st.integers(0, 1)),
        st.tuples(st.just("write"), st.integers(1, 3)),
        st.tuples(st.just("write of the leader"), st.integers(1, 3)),
        st.tuples(st.just("forget"), st.just(0)),
        st.tuples(st.just("elsewhere"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 0.9, 1.1, 2.0, 5.0])),
    ),
    max_size=30,
)


class Clock:
    """The time that the cache goes by."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(cache_module, "time", found)
    return found


class World:
    """What is stored: a number that every write raises; who else writes is not seen by this process."""

    def __init__(self, configured: ServiceSettings, clock: Clock) -> None:
        self.clock = clock
        self.storage = SimulationDataService(configured)
        self.observability = Observability(configured)
        self.leader_rows: int | None = None
        self.answers = AnswerCache(self.storage, Sharing(configured), self.observability, lambda: self.leader_rows)
        self.truth = 0
        # When each state of the world was replaced, and the state as of the newest write that this process knows of.
        self.replaced_s: dict[int, float] = {}
        self.least = 0

    def change(self, *, known: bool) -> None:
        self.replaced_s[self.truth] = self.clock.now_s
        self.truth += 1
        if known:
            self.least = self.truth

    async def ask(self, key: int, meanwhile: str) -> None:
        least = self.least

        async def look() -> bytes:
            seen = self.truth
            if meanwhile == "writing":
                self.change(known=True)
                self.storage.drainer.drained_rows += 1
            elif meanwhile == "deleting":
                self.change(known=True)
                await self.answers.forget()
            return str(seen).encode()

        got = int((await self.answers.answer(f"rows {key}", look)).content)
        assert got >= least, "older than a write that this process had made before it was asked"
        assert self.replaced_s.get(got, self.clock.now_s) >= self.clock.now_s - TTL_S, "older than its time to live"


async def live_through(world: World, steps: list[tuple[str, float]]) -> None:
    asked = 0
    for what, value in steps:
        if what.startswith("ask"):
            asked += 1
            await world.ask(int(value), what.rpartition(" ")[2])
        elif what == "write":
            world.change(known=True)
            world.storage.drainer.drained_rows += int(value)
        elif what == "write of the leader":
            world.change(known=True)
            world.leader_rows = (world.leader_rows or 0) + int(value)
        elif what == "forget":
            world.change(known=True)
            await world.answers.forget()
        elif what == "elsewhere":
            world.change(known=False)
        else:
            world.clock.now_s += value
    counted = [sample.value for metric in world.observability.metrics.cache.collect() for sample in metric.samples if sample.name.endswith("_total")]
    assert sum(counted) == asked


@example([("ask", 0), ("elsewhere", 0), ("wait", 5.0), ("ask", 0)])
@example([("ask", 0), ("write of the leader", 1), ("ask", 0)])
@example([("ask while deleting", 0), ("ask", 0)])
@given(STEPS)
@settings(max_examples=200)
def test_an_answer_is_never_older_than_its_time_nor_than_a_write(steps: list[tuple[str, float]]) -> None:
    ticking = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_module, "time", ticking)
        asyncio.run(live_through(World(ServiceSettings.load(data_dir=Path("x"), cache_ttl_s=TTL_S), ticking), steps))


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    found = ValkeyServer()
    try:
        found.start()
        yield found
    finally:
        found.remove()


@pytest.mark.anyio
async def test_with_redis_deleting_in_one_process_is_seen_in_the_other_at_once(tmp_path: Path, server: ValkeyServer) -> None:
    configured = settings_in(tmp_path, redis_url=server.url, cache_ttl_s=60.0)
    truth = b"old"

    async def look() -> bytes:
        return truth

    async with Sharing(configured) as here, Sharing(configured) as there:
        one, two = (AnswerCache(SimulationDataService(configured), sharing, Observability(configured)) for sharing in (here, there))
        assert (await one.answer("rows 1", look)).content == b"old"
        truth = b"new"
        assert (await two.answer("rows 1", look)).content == b"old"
        await one.forget()
        assert (await two.answer("rows 1", look)).content == b"new"


def test_time_is_the_caches_own(clock: Clock) -> None:
    assert cache_module.time.monotonic() == 100.0
    assert time.monotonic() != 100.0
