"""Traces: who is whose parent, from the request to the statement, and from the step of a run to its rows in the database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from hybrid_ml_scheduler.core.streams import RunBatch
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.controller import LiveController
from hybrid_ml_scheduler.service.observability import tracing
from hybrid_ml_scheduler.service.observability.watching import Observability
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.service import SimulationDataService
from live_cases import PATIENCE_S, QUICKLY, ended, until
from service_fixtures import Killable, Running, running, settings_in
from storage_servers import ValkeyServer

pytestmark = pytest.mark.anyio
CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Spans(InMemorySpanExporter):
    """What was traced."""

    def all(self) -> list[ReadableSpan]:
        return list(self.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        return next((other for other in self.all() if span.parent is not None and other.context.span_id == span.parent.span_id), None)

    def path(self, span: ReadableSpan) -> list[str]:
        """Names from the first span of the trace to this one."""
        above = self.parent(span)
        return [*(self.path(above) if above is not None else []), span.name]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Let traces go into memory, each span as it ends, instead of out of the process."""
    found = Spans()
    monkeypatch.setattr(tracing, "BatchSpanProcessor", SimpleSpanProcessor)
    monkeypatch.setattr(tracing, "_exporter", lambda settings: found)
    return found


@asynccontextmanager
async def traced(folder: Path, spans: Spans, **given: object) -> AsyncIterator[Running]:
    async with running(settings_in(folder, traces="otlp", **given)) as service:
        yield service


async def test_a_request_is_one_trace_down_to_postgresql_and_redis(
    tmp_path: Path, spans: Spans, postgres: Any, migrated: str, valkey: ValkeyServer
) -> None:
    url = postgres.url(postgres.new_database(migrated))
    async with traced(tmp_path, spans, database_url=url, redis_url=valkey.url) as service:
        run_id = await service.tasks(5)
        spans.clear()
        headers = {"traceparent": CLIENT, "X-Correlation-ID": "mine"}
        answer = await service.client.get("/api/history/comparative", params={"run_id": run_id}, headers=headers)
        assert answer.status_code == 200
    whole = "GET /api/history/comparative"
    found = [span for span in spans.all() if f"{span.context.trace_id:032x}" == CLIENT.split("-")[1]]
    request = next(span for span in found if span.name == whole)
    assert request.kind is SpanKind.SERVER
    assert f"{request.parent.span_id:016x}" == CLIENT.split("-")[2]
    assert answer.headers["traceresponse"] == f"00-{CLIENT.split('-')[1]}-{request.context.span_id:016x}-01"
    assert dict(request.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": "/api/history/comparative",
        "hms.request_id": "mine",
        "http.route": "/api/history/comparative",
        "http.response.status_code": 200,
        "hms.cache": "miss",
    }
    paths = {tuple(spans.path(span)) for span in found}
    assert (whole, "HGET") in paths
    statements = [span for span in found if (span.attributes or {}).get("db.system") == "postgresql"]
    assert {tuple(spans.path(span)[:-1]) for span in statements} == {(whole, "ask", "database read")}
    assert any("SELECT" in str((span.attributes or {}).get("db.statement")) and span.name.startswith("SELECT") for span in statements)
    # Values are nowhere.
    assert str(run_id) not in str([span.attributes for span in found if span is not request])


async def test_without_a_trace_of_the_client_a_new_one_begins_and_a_bad_header_is_none(tmp_path: Path, spans: Spans) -> None:
    async with traced(tmp_path, spans) as service:
        for given in ({}, {"traceparent": "00-zz-1-01"}, {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}):
            spans.clear()
            answer = await service.client.get("/api/v1/runs/1", headers=given)
            [request] = spans.named("GET /api/v1/runs/{run_id}")
            assert request.parent is None
            assert answer.headers["traceresponse"].split("-")[1] == f"{request.context.trace_id:032x}"
            assert (request.attributes or {})["http.response.status_code"] == 404
        service.run.fails_with = RuntimeError("broken")
        await service.client.post("/api/pause")
        [request] = spans.named("POST /api/pause")
        assert request.status.status_code is StatusCode.ERROR
        # What an exception says is for the log, which takes secrets out of it.
        assert "broken" not in request.to_json()


async def test_a_client_that_does_not_want_a_trace_gets_none_and_shares_are_kept(tmp_path: Path, spans: Spans) -> None:
    async with traced(tmp_path, spans, traces_share=0.0) as service:
        await service.client.get("/health/live")
        await service.client.get("/health/live", headers={"traceparent": CLIENT[:-1] + "0"})
        assert spans.all() == []
        await service.client.get("/health/live", headers={"traceparent": CLIENT})
        assert [span.name for span in spans.all()] == ["GET /health/live"]


async def test_each_step_of_a_run_is_one_trace_until_its_rows_are_in_the_database(tmp_path: Path, spans: Spans) -> None:
    settings = settings_in(tmp_path, traces="otlp", **QUICKLY)
    observability = Observability(settings)
    async with Database(settings) as database:
        await database.upgrade()
    async with SimulationDataService(settings, observability) as storage:
        controller = LiveController(storage, settings)
        status = await controller.start(RunRequest(policies=("round_robin", "greedy"), seed=3, max_tasks=200, retrain_every=None))
        await until(controller, ended)
        await storage.drainer.wait_until_lag_below(1)
        await controller.shutdown(PATIENCE_S)
    firsts = spans.named("batch")
    assert firsts
    assert all(span.parent is None for span in firsts)
    assert all((span.attributes or {}) == {"hms.run_id": status.run_id, "hms.lanes": 2} for span in firsts)
    assert len({span.context.trace_id for span in firsts}) == len(firsts)
    kept = [span for span in spans.named("journal") if spans.parent(span) in firsts]
    assert kept
    for journal in kept:
        trace = [span for span in spans.all() if span.context.trace_id == journal.context.trace_id]
        beside = sorted(span.name for span in trace if spans.path(span)[:-1] == ["batch"])
        below = [span.name for span in trace if spans.path(span)[:-1] == ["batch", "journal"]]
        assert (beside, below) == (["decide", "journal", "publish"], ["write"])
    assert sum((span.attributes or {})["hms.tasks"] for span in spans.named("journal")) == 200
    assert sum((span.attributes or {})["hms.results"] for span in spans.named("journal")) == 400
    # The statements stand in the newest of the traces that they were for, and the others point there.
    inserts = [span for span in spans.all() if span.name.startswith("INSERT")]
    assert inserts
    assert {tuple(spans.path(span)[:-1]) for span in inserts} == {("batch", "journal", "write", "database write")}
    works = {span.context.span_id for span in spans.named("write") if any(spans.parent(other) is span for other in spans.all())}
    assert all(span.context.span_id in works or [link.context.span_id in works for link in span.links] == [True] for span in spans.named("write"))


async def test_a_run_is_traced_across_an_absence_of_the_database(tmp_path: Path, spans: Spans, killable: Killable) -> None:
    async with traced(tmp_path, spans, database_url=killable.url, connect_timeout_s=2.0) as service:
        run_id = await service.tasks(1)
        observability = service.resources.observability
        killable.server.kill()
        spans.clear()
        with observability.span("batch"):
            await service.run.process(1)
        async with asyncio.timeout(60):
            while not any(span.status.status_code is StatusCode.ERROR for span in spans.named("write")):
                await asyncio.sleep(0.01)
        killable.server.start()
        async with asyncio.timeout(60):
            while service.resources.storage.drainer.lag_rows:
                await asyncio.sleep(0.01)
        done = [span for span in spans.named("write") if span.status.status_code is not StatusCode.ERROR]
        assert [spans.path(span) for span in done] == [["batch", "write"]]
        assert (done[0].attributes or {})["hms.run_id"] == run_id


def test_switched_off_nothing_is_imported() -> None:
    code = (
        "import sys; from hybrid_ml_scheduler.service.app import create_app; from hybrid_ml_scheduler.service.settings import ServiceSettings; "
        "create_app(ServiceSettings.load(data_dir='x')); "
        # The client of Redis imports the API, and metrics, by itself.
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.instr', 'opentelemetry.exp'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_switched_off_a_run_is_not_held_up(tmp_path: Path) -> None:
    observability = Observability(ServiceSettings.load(data_dir=tmp_path))
    assert observability.place() is None
    assert observability.span("batch") is observability.span_of("write", [])
    async with running(settings_in(tmp_path / "run")) as service:
        await service.tasks(1)
        assert service.resources.storage.drainer._expected == {}
        assert service.run.sink is not None
        await service.run.sink.write(RunBatch())
        assert "traceresponse" not in (await service.client.get("/health/live")).headers
