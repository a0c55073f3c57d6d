"""Timelines, schedules and divergences over real databases, against the rows themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hybrid_ml_scheduler.service import schemas
from service_fixtures import Running, problem, running, settings_in
from storage_servers import PostgresServer

pytestmark = pytest.mark.anyio


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


async def test_what_watchers_get_is_what_the_rows_say(anywhere: Running) -> None:
    run_id = await anywhere.tasks(400)
    rows = (await anywhere.get("/api/full_history", limit=10_000))["rows"]
    by_task = {(row["scheduler"], row["task_id"]): row for row in rows}
    sizes = {row["task_id"]: row["size"] for row in (await anywhere.get(f"/api/v1/runs/{run_id}/tasks", limit=10_000))["rows"]}

    page = await anywhere.get(f"/api/v1/runs/{run_id}/schedule", scheduler="greedy", from_task=30, limit=50)
    schemas.ScheduleAnswer.model_validate(page)
    assert [row["task_id"] for row in page["rows"]] == list(range(30, 80))
    assert page["next"] == 80
    for row in page["rows"]:
        stored = by_task["greedy", row["task_id"]]
        assert {name: stored[name] for name in row if name in stored} == {name: value for name, value in row.items() if name in stored}
        assert row["size"] == sizes[row["task_id"]]
    last = await anywhere.get(f"/api/v1/runs/{run_id}/schedule", scheduler="greedy", from_task=390)
    assert (len(last["rows"]), last["next"]) == (10, None)

    def place(scheduler: str, task: int) -> tuple[object, object, float]:
        found = by_task[scheduler, task]
        return found["node"], found["gpus"], found["fraction"]

    for start in (0, 17, 100):
        found = await anywhere.get(f"/api/v1/runs/{run_id}/divergence", first="greedy", second="oracle", from_task=start)
        schemas.Divergence.model_validate(found)
        expected = next(task for task in range(start, 400) if place("greedy", task) != place("oracle", task))
        assert (found["task_id"], found["looked_until"]) == (expected, expected + 1)
    same = await anywhere.get(f"/api/v1/runs/{run_id}/divergence", first="oracle", second="oracle")
    assert (same["task_id"], same["looked_until"]) == (None, 50_000)


async def test_questions_about_what_is_not_there_are_answered_as_such(anywhere: Running) -> None:
    for path, more in (("schedule", {"scheduler": "greedy"}), ("divergence", {"first": "a", "second": "b"})):
        problem(await anywhere.client.get(f"/api/v1/runs/77/{path}", params=more), 404, "unknown-run")
    run_id = await anywhere.tasks(5)
    assert (await anywhere.get(f"/api/v1/runs/{run_id}/schedule", scheduler="nobody"))["rows"] == []
    problem(await anywhere.client.get("/api/v1/run/timeline", params={"policy": "nobody"}), 422, "unusable-input")
    trail = await anywhere.get("/api/v1/run/trail")
    schemas.Trail.model_validate(trail)
    workloads = await anywhere.get("/api/v1/workloads")
    schemas.WorkloadList.model_validate(workloads)
    assert {entry["name"] for entry in workloads["workloads"]} >= {"steady", "bursty", "drift"}
