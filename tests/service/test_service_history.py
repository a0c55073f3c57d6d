"""What has been, over real databases."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest

from hybrid_ml_scheduler.core.errors import StorageUnavailableError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.service import schemas
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.repositories import Page
from service_fixtures import Killable, Running, listening, problem, running, settings_in
from service_stand_in import StandInController
from storage_servers import PostgresServer

pytestmark = pytest.mark.anyio
SIX = 6
HUGE = 2**53


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> dict[str, object]:
    """Settings that say where the database is."""
    if request.param == "sqlite":
        return {}
    server: PostgresServer = request.getfixturevalue("postgres")
    return {"database_url": server.url(server.new_database(request.getfixturevalue("migrated")))}


@pytest.fixture
async def anywhere(where: dict[str, object], tmp_path: Path) -> AsyncIterator[Running]:
    async with running(settings_in(tmp_path, **where)) as found:
        yield found


async def test_pages_of_the_history_hold_every_result_once(anywhere: Running) -> None:
    run_id = await anywhere.tasks(50)
    seen, before = [], None
    while True:
        page = await anywhere.get("/api/full_history", limit=70, **({} if before is None else {"before": before}))
        schemas.RowPage.model_validate(page)
        assert page["run_id"] == run_id
        seen += page["rows"]
        before = page["next"]
        if before is None:
            break
    assert [row["seq"] for row in seen] == list(range(50 * SIX - 1, -1, -1))
    assert len({(row["task_id"], row["scheduler"]) for row in seen}) == 50 * SIX
    greedy = await anywhere.get("/api/full_history", scheduler="greedy")
    assert {row["scheduler"] for row in greedy["rows"]} == {"greedy"}
    assert len(greedy["rows"]) == 50


async def read_into(part: bytearray, opened: AbstractAsyncContextManager[httpx.Response]) -> None:
    async with opened as answer:
        async for piece in answer.aiter_bytes():
            part += piece


async def test_an_export_whose_database_goes_away_is_broken_off(
    killable: Killable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client can tell that it has a part only, compressed or not, and the log says it in a line."""
    monkeypatch.setattr("hybrid_ml_scheduler.storage.service.STREAM_PAGE", 50)
    settings = settings_in(tmp_path, database_url=killable.url, connect_timeout_s=2.0)
    async with running(settings) as service, listening(service, settings) as address:
        run_id = await service.tasks(40)
        following = service.resources.storage.following

        async def dying(stream: Stream, run_id: int, from_seq: int, limit: int, scheduler: str | None = None) -> Page:
            if from_seq >= 150 and killable.server.process is not None:
                await asyncio.to_thread(killable.server.kill)
            return await following(stream, run_id, from_seq, limit, scheduler)

        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            for form, encoding in (("csv", "identity"), ("ndjson", "identity"), ("csv", "gzip")):
                path, headers = f"/api/v1/runs/{run_id}/results?format={form}", {"accept-encoding": encoding}
                async with asyncio.timeout(60):
                    # The first answers after the server's return may find connections of before, and rows may still be on their way.
                    while service.resources.storage.drainer.lag_rows or (found := await client.get(path, headers=headers)).status_code != 200:
                        await asyncio.sleep(0.01)
                whole = found.content
                assert whole
                caplog.clear()
                monkeypatch.setattr(service.resources.storage, "following", dying)
                part = bytearray()
                with pytest.raises(httpx.RemoteProtocolError):
                    await read_into(part, client.stream("GET", path, headers=headers))
                assert len(part) < len(whole)
                assert whole.startswith(part)
                said = [record for record in caplog.records if record.name == "hybrid_ml_scheduler.service.exports"]
                assert [record.getMessage().partition(":")[0] for record in said] == ["an export was broken off before its end"]
                assert [record.getMessage() for record in caplog.records if record.exc_info] == []
                monkeypatch.setattr(service.resources.storage, "following", following)
                await asyncio.to_thread(killable.server.start)
                async with asyncio.timeout(60):
                    while service.resources.storage.drainer.state != "ok":
                        await asyncio.sleep(0.01)


async def test_streams_hold_the_same_as_pages(anywhere: Running) -> None:
    run_id = await anywhere.tasks(40)
    page = (await anywhere.get("/api/full_history", limit=10_000))["rows"][::-1]
    answer = await anywhere.client.get("/api/full_history", params={"format": "ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == page
    answer = await anywhere.client.get(f"/api/v1/runs/{run_id}/results", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="results-{run_id}.csv"'
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["seq"]) for row in table] == list(range(40 * SIX))
    for text, row in zip(table, page, strict=True):
        for name, value in row.items():
            assert text[name] == ("" if value is None else str(value)), name


async def test_statistics_and_comparison(anywhere: Running) -> None:
    run_id = await anywhere.tasks(60)
    found = await anywhere.get("/api/history/comparative")
    schemas.Comparative.model_validate(found)
    assert found["run_id"] == run_id
    assert len(found["schedulers"]) == SIX
    for one in found["schedulers"]:
        assert one["results"] == 60
        assert (await anywhere.get(f"/api/v1/runs/{run_id}/statistics", scheduler=one["scheduler"])) == [one]
    rows = (await anywhere.get("/api/full_history", scheduler="oracle", limit=10_000))["rows"]
    times = [row["finish_s"] - row["arrival_s"] for row in rows]
    oracle = next(one for one in found["schedulers"] if one["scheduler"] == "oracle")
    assert oracle["mean_response_s"] == pytest.approx(sum(times) / len(times))
    windows = await anywhere.get(f"/api/v1/runs/{run_id}/windows", scheduler="oracle", limit=1)
    schemas.WindowPage.model_validate(windows)
    compared = await anywhere.get("/api/v1/compare", first=run_id, second=run_id)
    schemas.ComparedRuns.model_validate(compared)
    assert {one["response_ratio"] for one in compared["schedulers"]} == {1.0}


async def test_new_rows_are_seen_at_once_although_answers_are_kept(service: Running) -> None:
    await service.tasks(10)
    assert len((await service.get("/api/full_history"))["rows"]) == 60
    assert len((await service.get("/api/full_history"))["rows"]) == 60
    await service.tasks(5)
    assert len((await service.get("/api/full_history"))["rows"]) == 90


async def test_the_same_question_at_the_same_time_is_asked_once(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = await service.tasks(5)
    asked = 0
    true_newest = service.resources.storage.newest

    async def counted(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        return await true_newest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(service.resources.storage, "newest", counted)
    answers = await asyncio.gather(*(service.get("/api/full_history", run_id=run_id) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert asked == 1


async def test_before_there_is_a_run(service: Running) -> None:
    assert await service.get("/api/full_history") == {"run_id": None, "rows": [], "next": None}
    assert await service.get("/api/history/comparative") == {"run_id": None, "schedulers": []}
    assert (await service.client.get("/api/full_history", params={"format": "ndjson"})).text == ""
    assert (await service.client.get("/api/full_history", params={"format": "csv"})).text.startswith("run_id,seq,task_id,scheduler,")
    assert await service.get("/api/v1/runs") == {"runs": [], "next": None, "source": "database"}


async def test_a_run_that_has_no_rows_yet_is_known(anywhere: Running) -> None:
    run_id = (await anywhere.post("/api/start"))["run_id"]
    assert (await anywhere.get("/api/full_history", run_id=run_id))["rows"] == []
    assert await anywhere.get("/api/history/comparative", run_id=run_id) == {"run_id": run_id, "schedulers": []}
    assert await anywhere.get(f"/api/v1/runs/{run_id}/statistics") == []
    assert (await anywhere.get(f"/api/v1/runs/{run_id}/differences"))["schedulers"] == []
    for path in ("compare", "compare/paired"):
        assert (await anywhere.get(f"/api/v1/{path}", first=run_id, second=run_id))["schedulers"] == []
    assert (await anywhere.client.get(f"/api/v1/runs/{run_id}/report")).status_code == 200
    assert (await anywhere.get(f"/api/v1/runs/{run_id}"))["workload"] == "steady"
    assert [run["id"] for run in (await anywhere.get("/api/v1/runs"))["runs"]] == [run_id]


@pytest.mark.parametrize(
    "path",
    [
        "/api/full_history?run_id=5",
        "/api/full_history?run_id=5&format=csv",
        "/api/history/comparative?run_id=5",
        "/api/v1/runs/5",
        "/api/v1/runs/5/tasks",
        "/api/v1/runs/5/results",
        "/api/v1/runs/5/training",
        "/api/v1/runs/5/statistics",
        "/api/v1/runs/5/windows?scheduler=greedy",
        "/api/v1/runs/5/tasks/1",
        "/api/v1/runs/5/tasks/1/explanation?policy=greedy",
        "/api/v1/compare?first=5&second=6",
    ],
)
async def test_runs_that_there_are_not(anywhere: Running, path: str) -> None:
    problem(await anywhere.client.get(path), 404, "unknown-run")


@pytest.mark.parametrize(
    "path",
    [
        "/api/full_history?limit=0",
        "/api/full_history?limit=-1",
        "/api/full_history?limit=10001",
        "/api/full_history?limit=1e9",
        "/api/full_history?limit=99999999999999999999999999",
        "/api/full_history?limit=ten",
        "/api/full_history?before=-1",
        f"/api/full_history?before={HUGE}",
        f"/api/full_history?run_id={HUGE}",
        "/api/full_history?run_id=x",
        "/api/full_history?format=xml",
        "/api/full_history?scheduler=",
        "/api/full_history?scheduler=a%00b",
        "/api/full_history?scheduler=" + "x" * 201,
        f"/api/history/comparative?run_id={HUGE}",
        f"/api/v1/runs/{HUGE}",
        "/api/v1/runs/x",
        "/api/v1/runs?limit=10001",
        "/api/v1/runs?state=%00",
        f"/api/v1/runs/1/tasks/{HUGE}",
        "/api/v1/runs/1/tasks/1/explanation",
        "/api/v1/runs/1/windows",
        "/api/v1/compare?first=1",
        "/api/v1/models?limit=0",
    ],
)
async def test_questions_that_make_no_sense(service: Running, path: str) -> None:
    problem(await service.client.get(path), 422, "invalid-request")


async def test_streams_are_no_pages(service: Running) -> None:
    for more in ({"limit": 5}, {"before": 5}):
        answer = await service.client.get("/api/full_history", params={"format": "csv", **more})
        assert "format=json only" in problem(answer, 422, "unusable-input")["detail"]


async def test_schedulers_with_any_spelling(service: Running) -> None:
    name = "hybrid_ml:mine@3+offline"
    await service.post("/api/start", {"policies": ["oracle", name]})
    run_id = await service.tasks(5)
    assert len((await service.get("/api/full_history", scheduler=name))["rows"]) == 5
    assert len(await service.get(f"/api/v1/runs/{run_id}/statistics", scheduler=name)) == 1
    problem(await service.client.get(f"/api/v1/runs/{run_id}/statistics", params={"scheduler": "'; drop table runs"}), 404, "not-found")
    assert (await service.get("/api/full_history", scheduler="' or 1=1 --"))["rows"] == []


async def test_one_task_and_why_it_was_placed_where_it_was(anywhere: Running) -> None:
    run_id = await anywhere.tasks(5)
    found = await anywhere.get(f"/api/v1/runs/{run_id}/tasks/3")
    schemas.TaskDetail.model_validate(found)
    assert found["task"]["task_id"] == 3
    assert len(found["results"]) == SIX
    problem(await anywhere.client.get(f"/api/v1/runs/{run_id}/tasks/99"), 404, "not-found")
    why = await anywhere.get(f"/api/v1/runs/{run_id}/tasks/3/explanation", policy="hybrid_ml")
    schemas.ExplanationAnswer.model_validate(why)
    assert why["decided_by"] == "model"
    assert why["order_score"] is None
    assert why["predictions"] == [{"device": "cpu", "expected_s": 3.0, "low_s": None, "high_s": 4.0, "nominal_s": 5.0}]
    problem(await anywhere.client.get(f"/api/v1/runs/{run_id}/tasks/3/explanation?policy=fcfs"), 404, "not-found")
    problem(await anywhere.client.get(f"/api/v1/runs/{run_id}/tasks/99/explanation?policy=greedy"), 404, "not-found")


async def test_tasks_and_training_rows(service: Running) -> None:
    run_id = await service.tasks(8)
    for stream in ("tasks", "training"):
        page = await service.get(f"/api/v1/runs/{run_id}/{stream}", limit=3)
        assert [row["seq"] for row in page["rows"]] == [7, 6, 5]
        assert page["next"] == 5
        text = (await service.client.get(f"/api/v1/runs/{run_id}/{stream}", params={"format": "ndjson"})).text
        assert [json.loads(line)["seq"] for line in text.splitlines()] == list(range(8))


async def test_runs_are_pages_of_numbers(service: Running) -> None:
    ids = []
    for _ in range(3):
        ids.append((await service.post("/api/start"))["run_id"])
        await service.tasks(2)
        await service.post("/api/stop")
    page = await service.get("/api/v1/runs", limit=2)
    schemas.RunPage.model_validate(page)
    assert [run["id"] for run in page["runs"]] == ids[:0:-1]
    rest = await service.get("/api/v1/runs", limit=2, before=page["next"])
    assert [run["id"] for run in rest["runs"]] == ids[:1]
    assert (await service.get("/api/v1/runs", workload="bursty"))["runs"] == []
    schemas.Run.model_validate(await service.get(f"/api/v1/runs/{ids[0]}"))


async def test_deleting_asks_what_and_takes_database_and_journal(anywhere: Running) -> None:
    first = await anywhere.tasks(5)
    client = anywhere.client
    problem(await client.delete("/api/history"), 422, "unusable-input")
    problem(await client.delete(f"/api/history?all=true&run_id={first}"), 422, "unusable-input")
    problem(await client.delete("/api/history?all=maybe"), 422, "invalid-request")
    problem(await client.delete(f"/api/history?run_id={first}"), 409, "storage-conflict")
    problem(await client.delete("/api/history?all=true"), 409, "storage-conflict")
    problem(await client.delete("/api/history?run_id=5"), 404, "unknown-run")
    assert len((await anywhere.get("/api/full_history"))["rows"]) == 30
    await anywhere.post("/api/stop")
    folder = anywhere.resources.storage.journals.run_folder(first)
    assert folder.exists()
    assert (await client.delete(f"/api/history?run_id={first}")).json()["rows"] > 30
    assert not folder.exists()
    problem(await client.get(f"/api/full_history?run_id={first}"), 404, "unknown-run")
    assert (await client.delete("/api/history?all=true")).json() == {"rows": 0}


async def test_while_the_database_is_away_readers_are_told_when_to_come_back(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = await service.tasks(5)

    def away(*_: object, **__: object) -> None:
        raise StorageUnavailableError("the database cannot be reached")

    monkeypatch.setattr(Database, "read", away)
    answer = await service.client.get("/api/full_history", params={"limit": 7})
    problem(answer, 503, "storage-away")
    assert answer.headers["retry-after"]
    problem(await service.client.get("/api/full_history", params={"format": "csv"}), 503, "storage-away")
    runs = await service.get("/api/v1/runs")
    assert (runs["source"], [run["id"] for run in runs["runs"]]) == ("journal", [run_id])
    assert (await service.get(f"/api/v1/runs/{run_id}"))["id"] == run_id
    assert (await service.get("/api/status"))["state"] == "running"


def test_the_stand_in_keeps_to_the_contract() -> None:
    for name in ("start", "stop", "pause", "resume", "set_speed", "add_policy", "remove_policy", "recover", "shutdown", "explain"):
        assert asyncio.iscoroutinefunction(getattr(StandInController, name))


async def test_a_parameter_stands_once(service: Running) -> None:
    for path in ("/api/v1/run/trail?policy=a&policy=b", "/api/v1/runs?state=running&state=stopped", "/api/full_history?limit=1&limit=2"):
        assert problem(await service.client.get(path), 422, "invalid-request")["detail"].endswith("given more than once; expected it once")


async def test_a_parameter_that_nobody_knows_is_refused(service: Running) -> None:
    """Who mistypes one shall not take the answer to another question for theirs."""
    run_id = await service.tasks(2)
    described = (await service.get("/openapi.json"))["paths"]
    count = 0
    for path, operations in described.items():
        for method, operation in operations.items():
            if not {"run", "history", "runs", "policies and models", "access"} & set(operation["tags"]):
                continue
            answer = await service.client.request(method, re.sub(r"\{\w+\}", "1", path), params={"limt": 5})
            found = problem(answer, 422, "invalid-request")
            assert any(each["where"] == "query.limt" for each in found["errors"]), f"{method} {path}: {found}"
            assert "422" in operation["responses"]
            count += 1
    assert count > 40
    assert (await service.get("/api/status"))["run_id"] == run_id
