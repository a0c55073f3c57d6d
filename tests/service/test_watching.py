"""How the service is watched: identifiers, times, metrics of single parts; what all of them do together stands in test_metrics_of_a_run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hybrid_ml_scheduler.service.observability import recent
from hybrid_ml_scheduler.service.observability.metrics import MOST_POLICIES, OTHER, Metrics
from hybrid_ml_scheduler.service.observability.recent import MOST_TIMES, RecentTimes, quantile
from hybrid_ml_scheduler.service.operations import Operations
from hybrid_ml_scheduler.service.security.scopes import RateClass
from service_fixtures import Running, running, settings_in

pytestmark = pytest.mark.anyio


async def scraped(service: Running) -> dict[str, float]:
    """Return all samples, by name and labels as they stand in the text."""
    answer = await service.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def one(found: dict[str, float], name: str, **labels: str) -> float:
    return found[name + str(sorted(labels.items()))]


async def test_a_request_is_identified_by_its_client_only_if_that_is_well_formed(service: Running) -> None:
    for given in ("a", "A-1.b_c", "x" * 64):
        answer = await service.client.get("/health/live", headers={"X-Correlation-ID": given})
        assert answer.headers["x-correlation-id"] == given
    drawn = set()
    for given in ("", "x" * 65, "a b", "-a", "é", "a\tb", "a;b", "../a"):
        answer = await service.client.get("/health/live", headers={"X-Correlation-ID": given.encode("latin-1")})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-correlation-id"])
        drawn.add(answer.headers["x-correlation-id"])
    assert len(drawn) == 8


async def test_times_of_an_answer_and_of_its_statements(service: Running) -> None:
    run_id = await service.tasks(5)
    first = await service.client.get("/api/history/comparative", params={"run_id": run_id})
    assert re.fullmatch(r'total;dur=[\d.]+, db;dur=[\d.]+;desc="[1-9]\d* statements", cache;desc="miss"', first.headers["server-timing"])
    second = await service.client.get("/api/history/comparative", params={"run_id": run_id})
    assert re.fullmatch(r'total;dur=[\d.]+, cache;desc="hit"', second.headers["server-timing"])


async def test_routes_are_templates_and_unknown_paths_share_one_label(service: Running) -> None:
    await service.tasks(2)
    for path in ("/api/v1/runs/1", "/api/v1/runs/2", "/nothing", "/nothing/else", "/.env"):
        assert (await service.client.get(path)).status_code == 404
    assert (await service.client.put("/api/status")).status_code == 405
    assert (await service.client.request("BREW", "/api/status")).status_code == 405
    assert (await service.client.get("/openapi.json")).status_code == 200
    found = await scraped(service)
    assert one(found, "hms_http_requests_total", method="GET", route="/api/v1/runs/{run_id}", status="404") == 2
    assert one(found, "hms_http_requests_total", method="GET", route=OTHER, status="404") == 3
    assert one(found, "hms_http_requests_total", method="PUT", route="/api/status", status="405") == 1
    assert one(found, "hms_http_requests_total", method=OTHER, route="/api/status", status="405") == 1
    assert one(found, "hms_http_requests_total", method="GET", route="/openapi.json", status="200") == 1
    assert not [name for name in found if "nothing" in name or ".env" in name or "BREW" in name]


async def test_every_application_counts_for_itself(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path / "a")) as first, running(settings_in(tmp_path / "b")) as second:
        first.resources.observability.metrics.rejected("control")
        await first.get("/api/status")
        assert one(await scraped(first), "hms_rate_limit_rejections_total", route_class="control") == 1
        others = await scraped(second)
        # There before the first refusal, which would else be no change that an alert could see.
        assert {one(others, "hms_rate_limit_rejections_total", route_class=each.value) for each in RateClass} == {0}
        assert not [name for name in others if "/api/status" in name]


def test_policies_have_bounded_labels() -> None:
    metrics = Metrics()
    for number in range(MOST_POLICIES + 50):
        metrics.decided({f"p{number}": 0.1}, {"scheduler": [f"p{number}"] * 2, "status": ["finished"] * 2, "decided_by": ["rule", None]})
    text = metrics.exposition("")[0].decode()
    assert text.count('hms_policy_results_total{policy="p') == MOST_POLICIES
    assert f'hms_policy_results_total{{policy="{OTHER}",status="finished"}} 100.0' in text
    assert f'hms_policy_decisions_total{{decided_by="rule",policy="{OTHER}"}} 50.0' in text


@pytest.mark.parametrize("count", [1, 2, 19, 20, 100, 101])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.99, 1.0])
def test_quantiles_are_times_that_were_measured(count: int, share: float) -> None:
    times_s = [0.25 * number for number in range(1, count + 1)]
    found_s = quantile(times_s, share)
    assert found_s == np.quantile(times_s, share, method="inverted_cdf")
    assert quantile([], share) is None


def test_times_are_of_the_last_minutes_and_of_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(recent.time, "monotonic", lambda: now_s)
    times: RecentTimes[str] = RecentTimes()
    for number in range(2 * MOST_TIMES):
        times.add("a", float(-number))
    assert times.of("a") == [float(-number) for number in reversed(range(MOST_TIMES, 2 * MOST_TIMES))]
    now_s += recent.WINDOW_S / 2
    times.add("a", 7.0)
    now_s += recent.WINDOW_S / 2 + 1
    assert times.of("a") == [7.0]
    assert times.of("b") == []


async def test_operations_tell_what_happened(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, slow_request_s=1e-9, slow_query_s=1e-9, cache_ttl_s=600.0)) as service:
        run_id = await service.tasks(5)
        for _ in range(3):
            await service.get("/api/full_history", run_id=run_id)
        service.resources.observability.metrics.rejected("read")
        service.run.fails_with = RuntimeError("a secret place")
        failed = await service.client.post("/api/pause", headers={"X-Correlation-ID": "find-me"})
        assert (failed.status_code, failed.headers["x-correlation-id"]) == (500, "find-me")
        found = await service.get("/api/v1/operations")
        Operations.model_validate(found)
        routes = {(entry["method"], entry["route"]): entry for entry in found["routes"]}
        history = routes["GET", "/api/full_history"]
        assert (history["total"], history["count"], history["failed"]) == (3, 3, 0)
        assert 0 < history["p50_s"] <= history["p95_s"] <= history["p99_s"]
        assert (routes["POST", "/api/pause"]["total"], routes["POST", "/api/pause"]["failed"]) == (1, 1)
        assert {entry["answer"]: (entry["hits"], entry["misses"]) for entry in found["cache"]} == {"rows": (2, 1)}
        assert found["rejections"] == [{"route_class": "read", "count": 1}]
        assert found["slow_requests"] >= 5
        assert found["slow_statements"] > 0
        assert found["requests_in_progress"] == 1
        assert {pool["name"] for pool in found["pools"]} == {"read", "write"}
        answered = next(entry for entry in found["failures"] if entry["status"] == 500)
        assert (answered["route"], answered["request_id"]) == ("POST /api/pause", "find-me")
        assert "a secret place" not in str(found)
        slow = [entry["message"] for entry in found["failures"] if entry["source"].endswith("statements")]
        assert any("SELECT" in message or "INSERT" in message for message in slow), slow
