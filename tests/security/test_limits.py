"""Limits on rates: what is refused, what is told, and that processes count together."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from hybrid_ml_scheduler.service.security.limits import Limiter
from hybrid_ml_scheduler.service.security.scopes import RateClass
from hybrid_ml_scheduler.service.settings import ServiceSettings
from security_fixtures import Guarded, bearer, with_keys
from service_fixtures import Running, problem, settings_in
from storage_servers import ValkeyServer

pytestmark = pytest.mark.anyio


async def statuses(guarded: Guarded, method: str, path: str, count: int, key: str = "admin") -> list[int]:
    return [(await guarded.ask(method, path, guarded.keys[key])).status_code for _ in range(count)]


async def test_too_many_requests_get_429_and_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with with_keys(tmp_path, rate_read="5/hour", rate_control="2/hour") as guarded:
        answer = await guarded.ask("GET", "/api/status", guarded.keys["read"])
        assert answer.headers["ratelimit-policy"] == '"read";q=5;w=3600'
        assert answer.headers["ratelimit"].startswith('"read";r=4;t=')
        assert await statuses(guarded, "GET", "/api/status", 6, "read") == [200] * 4 + [429] * 2
        refused = await guarded.ask("GET", "/api/v1/runs", guarded.keys["read"])
        problem(refused, 429, "too-many-requests")
        assert 0 < int(refused.headers["retry-after"]) <= 7_200
        assert refused.headers["ratelimit"].startswith('"read";r=0;')
        # Each caller, and each class, has its own.
        assert await statuses(guarded, "GET", "/api/status", 1, "admin") == [200]
        assert await statuses(guarded, "POST", "/api/stop", 3, "control") == [200, 200, 429]
        # Where a key comes from does not matter.
        assert guarded.security.limiter.rejected[RateClass.READ] == 3
        assert guarded.app.state.observability.metrics.registry.get_sample_value("hms_rate_limit_rejections_total", {"route_class": "read"}) == 3
        # Who is refused is counted for what was asked for.
        await guarded.ask("GET", "/api/v1/runs/5")
        await guarded.ask("POST", "/api/start", guarded.keys["read"])
        await guarded.ask("POST", "/api/start", headers={"origin": "https://evil.example"})
        counted = guarded.app.state.observability.metrics.registry.get_sample_value
        for method, route, status, count in (
            ("GET", "/api/status", "429", 2),
            ("GET", "/api/v1/runs", "429", 1),
            ("GET", "/api/v1/runs/{run_id}", "401", 1),
            ("POST", "/api/start", "403", 2),
        ):
            assert counted("hms_http_requests_total", {"method": method, "route": route, "status": status}) == count, route


async def test_a_window_slides(tmp_path: Path) -> None:
    async with with_keys(tmp_path, rate_read="2/second") as guarded:
        async with asyncio.timeout(30):
            while (await statuses(guarded, "GET", "/api/status", 1))[0] != 429:
                pass
            while (await statuses(guarded, "GET", "/api/status", 1))[0] == 429:
                await asyncio.sleep(0.05)


async def test_a_new_window_brings_no_second_allowance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = Limiter(settings_in(tmp_path, rate_control="10/minute"))

    async def allowed(at_s: float) -> int:
        monkeypatch.setattr(time, "time", lambda: 60 * 30_000_000 + at_s)
        return sum([(await limiter.hit(RateClass.CONTROL, "somebody")).allowed for _ in range(20)])

    assert await allowed(59.0) == 10
    assert await allowed(61.0) <= 1
    assert 4 <= await allowed(90.0) <= 6
    assert await allowed(300.0) == 10


async def test_by_default_control_is_limited_to_20_a_second_with_keys_and_not_without(tmp_path: Path, service: Running) -> None:
    assert ServiceSettings.model_fields["rate_control"].default == "20/second"
    assert (await service.get("/health/info"))["security"]["limits"] == "off"
    assert {(await service.client.get("/api/status")).status_code for _ in range(300)} == {200}
    async with with_keys(tmp_path / "k", rate_control="20/second") as guarded:
        found = await asyncio.gather(*(guarded.ask("POST", "/api/stop", guarded.keys["control"]) for _ in range(120)))
        codes = [answer.status_code for answer in found]
        assert codes.count(429) >= 20
        assert codes.count(200) >= 20


@pytest.mark.parametrize("shared", [True, False])
async def test_two_processes_count_together_where_there_is_redis(valkey: ValkeyServer, tmp_path: Path, shared: bool) -> None:
    given = {"redis_url": valkey.url} if shared else {}
    limiters = [Limiter(settings_in(tmp_path, rate_control="10/hour", **given)) for _ in range(2)]
    caller = f"key:{tmp_path.name}{shared}"
    try:
        verdicts = await asyncio.gather(*(limiters[index % 2].hit(RateClass.CONTROL, caller) for index in range(40)))
        assert sum(verdict.allowed for verdict in verdicts) == (10 if shared else 20)
        assert [limiter.shared for limiter in limiters] == [shared, shared]
    finally:
        for limiter in limiters:
            await limiter.close()


async def test_without_redis_each_process_counts_alone_and_nothing_fails(tmp_path: Path) -> None:
    server = ValkeyServer()
    server.start()
    limiter = Limiter(settings_in(tmp_path, redis_url=server.url, rate_control="3/hour", redis_timeout_s=0.5))
    try:
        assert (await limiter.hit(RateClass.CONTROL, "a")).allowed
        assert limiter.shared
        server.remove()
        verdicts = [(await limiter.hit(RateClass.CONTROL, "a")).allowed for _ in range(5)]
        assert verdicts == [True, True, True, False, False]
    finally:
        await limiter.close()


async def test_once_redis_is_back_it_counts_every_request(tmp_path: Path) -> None:
    """Connections from before are no use, and must not be found out one after the other."""
    server = ValkeyServer()
    server.start()
    limiter = Limiter(settings_in(tmp_path, redis_url=server.url, rate_control="1000/hour", redis_timeout_s=30.0, redis_retry_s=0.01))
    try:
        await asyncio.gather(*(limiter.hit(RateClass.CONTROL, "a") for _ in range(20)))
        server.kill()
        await limiter.hit(RateClass.CONTROL, "a")
        server.start()
        for _ in range(20):
            async with asyncio.timeout(30):
                while not limiter.shared:
                    await asyncio.sleep(0.001)
            await limiter.hit(RateClass.CONTROL, "b")
            assert limiter.shared
    finally:
        await limiter.close()
        server.remove()


async def test_counters_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hybrid_ml_scheduler.service.security import limits

    monkeypatch.setattr(limits, "_MOST_COUNTERS", 100)
    limiter = Limiter(settings_in(tmp_path))
    for index in range(1_000):
        await limiter.hit(RateClass.ANONYMOUS, f"10.0.{index // 250}.{index % 250}")
    counters = limiter._here.storage
    assert isinstance(counters, limits._Counters)
    assert len(counters.expirations) <= 101
    assert len(counters.storage) <= 101


async def test_a_flood_without_credentials_does_not_take_the_place_of_those_with(tmp_path: Path) -> None:
    async with with_keys(tmp_path, rate_anonymous="3/hour") as guarded:
        found = [(await guarded.client.get("/api/status", headers=bearer("nonsense"))).status_code for _ in range(10)]
        assert found == [401] * 3 + [429] * 7
        assert await statuses(guarded, "GET", "/api/status", 5) == [200] * 5


async def test_asking_for_what_there_is_not_is_limited_too(tmp_path: Path) -> None:
    async with with_keys(tmp_path, rate_anonymous="3/hour") as guarded:
        for method, path, status in (("GET", "/none", 404), ("PUT", "/api/status", 405)):
            key = bearer(guarded.keys["admin"])
            found = [(await guarded.client.request(method, path, headers=key)).status_code for _ in range(5)]
            assert found == ([status] * 3 + [429] * 2 if path == "/none" else [429] * 5)
        assert await statuses(guarded, "GET", "/api/status", 1) == [200]
