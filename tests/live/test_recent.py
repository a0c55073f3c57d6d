"""What watchers are told of the newest rows is what was written."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import UnknownNameError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.live import recent as recent_rows
from hybrid_ml_scheduler.live.contract import LaneStatus, RunRequest
from hybrid_ml_scheduler.live.controller import LiveController
from hybrid_ml_scheduler.live.recent import TIMELINE_COLUMNS, TRAIL_METRICS, LaneTrail, RecentRows
from live_cases import PATIENCE_S, ended, open_controller, until
from storage_cases import SCHEDULERS, make_batch

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def rows_of(timeline: dict[str, Any]) -> list[tuple[Any, ...]]:
    columns = timeline["columns"]
    return list(zip(*(columns[name] for name in TIMELINE_COLUMNS), strict=True))


def written(batches: list[Any], policy: str) -> list[tuple[Any, ...]]:
    found = []
    for batch in batches:
        for row, name in enumerate(batch.results["scheduler"]):
            if name == policy:
                values = [batch.results[column][row] for column in TIMELINE_COLUMNS]
                found.append(tuple(None if isinstance(value, float) and np.isnan(value) else value for value in values))
    return found


def test_a_timeline_holds_the_newest_results_of_its_lane_in_the_order_in_which_they_were_written() -> None:
    recent, batches = RecentRows(), [make_batch(start, 20) for start in range(0, 200, 20)]
    for batch in batches:
        recent.add(batch)
    for policy in SCHEDULERS:
        everything = written(batches, policy)
        whole = recent.timeline(policy, 0, 10_000)
        assert rows_of(whole) == everything
        assert not whole["missed"]
        assert rows_of(recent.timeline(policy, 0, 33)) == everything[-33:]
    columns = recent.timeline("greedy", 0, 10_000)["columns"]
    sizes = {task: size for batch in batches for task, size in zip(batch.tasks["task_id"].tolist(), batch.tasks["size"].tolist(), strict=True)}
    known = [None if np.isnan(sizes[task]) else sizes[task] for task in columns["task_id"]]
    assert columns["size"] == known


def test_pieces_of_a_timeline_are_the_whole_one_and_say_if_something_is_missing() -> None:
    recent, batches, pieces, since = RecentRows(), [make_batch(start, 20) for start in range(0, 200, 20)], [], 0
    for number, batch in enumerate(batches):
        recent.add(batch)
        if number % 3 == 2 or number == len(batches) - 1:
            piece = recent.timeline("oracle", since, 10_000)
            assert not piece["missed"]
            pieces += rows_of(piece)
            since = piece["next"]
    assert pieces == written(batches, "oracle")
    assert rows_of(recent.timeline("oracle", since, 10)) == []
    few = recent.timeline("oracle", len(batches[0].results["task_id"]), 30)
    assert few["missed"]
    assert rows_of(few) == written(batches, "oracle")[-30:]


def test_memory_is_bounded_and_what_was_dropped_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_rows, "MOST_ROWS", 300)
    recent, batches = RecentRows(), [make_batch(start, 20) for start in range(0, 400, 20)]
    since = 0
    for batch in batches:
        recent.add(batch)
        since = since or recent.timeline("oracle", 0, 1)["next"]
    found = recent.timeline("oracle", since, 10_000)
    assert found["missed"]
    assert rows_of(found) == written(batches[-len(rows_of(found)) // 20 :], "oracle")
    assert recent._kept <= 300
    size, intensity = recent.sizes([0, 10**9])
    assert np.isnan(size[1])
    assert np.isnan(intensity[1])


def status(policy: str, queue_length: int) -> LaneStatus:
    return LaneStatus(policy, "running", 0, 0, queue_length, 0, None, None, None, None, (), None, None, None, None)


def test_a_trail_is_bounded_even_and_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_rows, "MOST_POINTS", 64)
    trail = LaneTrail()
    for time in range(1000):
        lanes = [status("a", time)] + ([status("b", 2 * time)] if 300 <= time < 800 else [])
        learning = [SimpleNamespace(policy="b", log_error=time / 100, nominal_log_error=None)]
        trail.add(float(time), lanes, learning)  # type: ignore[arg-type]
        trail.add(float(time), lanes)
    found = trail.to_dict()
    assert 32 <= len(found["time_s"]) < 64
    assert len(set(np.diff(found["time_s"]).tolist())) == 1
    assert found["lanes"]["a"]["queue_length"] == found["time_s"]
    assert found["lanes"]["b"]["queue_length"] == [2 * time if 300 <= time < 800 else None for time in found["time_s"]]
    assert set(found["lanes"]["b"]) == set(TRAIL_METRICS)
    assert found["lanes"]["b"]["log_error"] == [time / 100 if 300 <= time < 800 else None for time in found["time_s"]]
    assert set(found["lanes"]["a"]["log_error"]) == set(found["lanes"]["b"]["nominal_log_error"]) == {None}


async def settled(controller: LiveController, policy: str) -> dict[str, Any]:
    """Wait until the rows of the last step of a paused run are written: then every task that has arrived is finished, runs or waits, once."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await controller.timeline(policy, 0, 5_000)
            ids = sorted([*found["columns"]["task_id"], *found["running"]["task_id"], *found["waiting"]["task_id"]])
            if ids == list(range(controller.status().tasks_arrived)):
                return found
            assert len(ids) == len(set(ids))
            await asyncio.sleep(0.002)


async def test_the_timeline_of_a_real_lane_is_what_its_journal_holds_and_the_rest_runs_or_waits(tmp_path: Path) -> None:
    request = RunRequest(policies=("round_robin", "greedy", "oracle"), seed=7, load=1.5, max_tasks=400, retrain_every=None)
    async with open_controller(tmp_path / "data") as controller:
        with pytest.raises(UnknownNameError):
            await controller.timeline("greedy", 0, 10)
        await controller.start(replace(request, speed=50.0))
        await until(controller, lambda now: now.tasks_processed >= 20)
        await controller.pause()
        for policy in request.policies:
            found = await settled(controller, policy)
            running, waiting = found["running"], found["waiting"]
            assert len(waiting["task_id"]) == min(waiting["length"], 100)
            assert found["devices"][0]["name"] == "workstation"
            for start, cpu, gpu in zip(running["start_s"], running["cpu_s"], running["gpu_s"], strict=True):
                assert start <= found["time_s"]
                assert cpu is None or start + cpu <= found["time_s"]
                assert gpu is None or start + gpu <= found["time_s"]
        await controller.set_speed(None)
        await controller.resume()
        await until(controller, ended)
        run_id = controller.status().run_id
        assert run_id is not None
        found = await controller.timeline("greedy", 0, 5_000)
        stored = [row for page in [await controller._service.newest(Stream.RESULTS, run_id, 10_000, None, "greedy")] for row in page.dicts()]
        if len(stored) == 400:
            by_task = {row["task_id"]: row for row in stored}
            for row in rows_of(found):
                assert row == tuple(by_task[row[0]][name] for name in TIMELINE_COLUMNS)
        assert len(found["columns"]["task_id"]) == 400
        assert found["running"]["task_id"] == found["waiting"]["task_id"] == []
        trail = controller.trail()
        assert trail["run_id"] == run_id
        assert set(trail["lanes"]) == set(request.policies)
        with pytest.raises(UnknownNameError):
            await controller.timeline("priced", 0, 10)
