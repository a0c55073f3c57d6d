"""Every metric of the real service moves as it should: a run with a learned policy, SQLite, Valkey, HTTP and WebSocket clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from hybrid_ml_scheduler.service.app import create_app
from hybrid_ml_scheduler.service.server import address_of, bind, http_server
from live_cases import QUICKLY
from service_fixtures import settings_in
from storage_servers import ValkeyServer

pytestmark = pytest.mark.anyio
PATIENCE_S = 300.0
POLICIES = ["greedy", "hybrid_ml", "oracle"]


class Scrape:
    """One scrape: samples by name, summed over whatever labels are not asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def of(self, name: str, **labels: str) -> float:
        found = [each.value for each in self.samples if each.name == name and labels.items() <= each.labels.items()]
        assert found, f"{name} {labels} is not there"
        return sum(found)

    def has(self, name: str, **labels: str) -> bool:
        return any(each.name == name and labels.items() <= each.labels.items() for each in self.samples)


class System:
    def __init__(self, client: httpx.AsyncClient, address: str) -> None:
        self.client = client
        self.address = address

    async def scrape(self) -> Scrape:
        answer = await self.client.get("/metrics")
        assert answer.status_code == 200
        return Scrape(answer.text)

    async def until(self, holds: Callable[[Scrape], bool]) -> Scrape:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(found := await self.scrape()):
                await asyncio.sleep(0.05)
        return found


@contextlib.asynccontextmanager
async def system(folder: Path, valkey: ValkeyServer) -> AsyncIterator[System]:
    settings = settings_in(folder, **QUICKLY, redis_url=valkey.url, rate_control="3/hour", limits="on", ws_rate_hz=5.0, training_rows=100)
    app = create_app(settings, start=False)
    with contextlib.closing(bind(settings)) as listener:
        async with app.router.lifespan_context(app):
            address = address_of(listener)
            server = http_server(app, settings)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client, asyncio.timeout(PATIENCE_S):
                    while not server.started:
                        await asyncio.sleep(0.01)
                    yield System(client, address)
            finally:
                server.should_exit = True
                await task


async def test_each_metric_moves_as_it_should(tmp_path: Path) -> None:
    valkey = ValkeyServer()
    try:
        valkey.start()
        async with system(tmp_path, valkey) as it:
            await _run(it)
            await _limits(it)
            await _redis(it, valkey)
    finally:
        valkey.remove()


async def _run(it: System) -> None:
    before = await it.scrape()
    assert before.of("hms_run_state", state="stopped") == 1
    # What is not known is absent.
    for name in ("hms_run_processed_tasks", "hms_policy_queue_length", "hms_model_version", "hms_device_utilization_ratio"):
        assert not before.has(name)
    assert (before.of("hms_ws_clients"), before.of("hms_redis_up")) == (0, 1)

    body = {"policies": POLICIES, "seed": 7, "speed": "max", "max_tasks": 3_000, "retrain_every": 300}
    async with connect(it.address.replace("http", "ws") + "/ws", open_timeout=PATIENCE_S) as socket:
        json.loads(await socket.recv())
        answer = await it.client.post("/api/start", json=body)
        assert answer.status_code == 200, answer.text
        run_id = answer.json()["run_id"]
        during = await it.until(lambda found: found.has("hms_policy_regret_to_oracle_ratio", policy="greedy"))
        assert during.of("hms_ws_clients") == 1
        assert during.of("hms_run_state") == 1
        after = await it.until(
            lambda found: (
                found.of("hms_run_state", state="stopped") == 1
                and found.of("hms_journal_lag_rows") == 0
                and found.of("hms_training_seconds_count", outcome="in_use") > 0
            )
        )

    assert after.of("hms_run_processed_tasks") == after.of("hms_run_arrived_tasks") == 3_000
    assert after.of("hms_run_simulated_seconds") > 0
    for policy in POLICIES:
        assert after.of("hms_policy_results_total", policy=policy) == 3_000
        assert after.of("hms_policy_results_total", policy=policy, status="finished") == 3_000
        assert after.of("hms_policy_decisions_total", policy=policy) == 3_000
        assert 0 < after.of("hms_policy_decision_seconds_sum", policy=policy) < PATIENCE_S
        assert after.of("hms_policy_decision_seconds_count", policy=policy) > 10
        assert after.of("hms_policy_mean_response_seconds", policy=policy) > 0
        assert after.of("hms_policy_p95_response_seconds", policy=policy) > 0
        assert after.of("hms_policy_energy_joules", policy=policy) > 0
        for name in ("hms_policy_queue_length", "hms_policy_running_tasks", "hms_policy_saturated", "hms_device_utilization_ratio"):
            assert after.of(name, policy=policy) == 0
    assert any(during.of("hms_device_utilization_ratio", policy=policy) > 0 for policy in POLICIES)
    assert after.of("hms_policy_regret_to_oracle_ratio", policy="oracle") == 0
    assert after.of("hms_policy_regret_to_oracle_ratio", policy="greedy") > 0
    assert after.of("hms_policy_decisions_total", policy="greedy", decided_by="rule") == 3_000
    assert 0 <= after.of("hms_policy_fallback_ratio", policy="hybrid_ml") <= 1
    first = during.of("hms_model_version", policy="hybrid_ml")
    assert after.of("hms_model_version", policy="hybrid_ml") > first >= 1
    assert after.of("hms_training_seconds_sum", policy="hybrid_ml", outcome="in_use") > 0
    assert after.of("hms_training_seconds_count", policy="hybrid_ml", outcome="failed") == 0

    # Tasks, results of three lanes, and what the learned one is taught.
    assert after.of("hms_journal_drained_rows_total") - before.of("hms_journal_drained_rows_total") >= 4 * 3_000
    assert after.of("hms_journal_drain_rows_per_second") > 0
    assert after.of("hms_journal_lag_limit_rows") >= 20_000
    assert after.of("hms_journal_drain_state", state="ok") == after.of("hms_journal_drain_state") == 1
    assert after.of("hms_database_up") == 1
    assert after.of("hms_database_statement_seconds_count", kind="insert") > before.of("hms_database_statement_seconds_count")
    assert after.of("hms_database_pool_connections_max", pool="read") == 10
    assert after.has("hms_database_pool_connections_in_use", pool="write")
    assert after.has("hms_database_pool_connections_idle", pool="read")
    assert after.of("hms_database_pool_timeouts_total") == 0

    assert after.of("hms_ws_frames_sent_total") > 1
    assert after.of("hms_ws_merged_messages_total") > 0
    assert (await it.until(lambda found: found.of("hms_ws_clients") == 0)).of("hms_ws_dropped_clients_total") == 0
    async with connect(it.address.replace("http", "ws") + "/ws?topics=nonsense", open_timeout=PATIENCE_S):
        await it.until(lambda found: found.of("hms_ws_dropped_clients_total", reason="refused") == 1)

    for _ in range(3):
        assert (await it.client.get("/api/history/comparative", params={"run_id": run_id})).status_code == 200
    end = await it.scrape()
    cache = {result: end.of("hms_cache_requests_total", answer="comparative", result=result) for result in ("hit", "miss")}
    assert cache["hit"] + cache["miss"] == 3
    assert cache["miss"] >= 1
    assert end.of("hms_http_requests_total", method="GET", route="/api/history/comparative", status="200") == 3
    assert end.of("hms_http_response_seconds_count", route="/api/history/comparative") == 3
    assert end.of("hms_http_response_seconds_sum") > 0
    assert end.of("hms_http_requests_in_progress") == 1
    assert end.of("hms_event_loop_lag_seconds_count") > before.of("hms_event_loop_lag_seconds_count")
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert end.of(name) > 0
    assert end.of("python_gc_collections_total") > 0
    assert end.of("hms_build_info") == 1

    promtool = shutil.which("promtool")
    if promtool is not None:
        done = subprocess.run([promtool, "check", "metrics"], input=end.text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    openmetrics = await it.client.get("/metrics/prometheus", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.text.endswith("# EOF\n")


async def _limits(it: System) -> None:
    statuses = [(await it.client.post("/api/pause")).status_code for _ in range(5)]
    refused = statuses.count(429)
    assert refused >= 1
    assert (await it.scrape()).of("hms_rate_limit_rejections_total", route_class="control") == refused


async def _redis(it: System, valkey: ValkeyServer) -> None:
    assert (await it.scrape()).of("hms_redis_connections") >= 1
    valkey.kill()
    lost = await it.until(lambda found: found.of("hms_redis_up") == 0)
    assert lost.of("hms_redis_lost_total") == 1
    await it.client.get("/api/history/comparative")
    assert (await it.scrape()).of("hms_cache_entries") >= 1
    valkey.start()
    assert (await it.until(lambda found: found.of("hms_redis_up") == 1)).of("hms_redis_lost_total") == 1
