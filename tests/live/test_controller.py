"""One run: it starts, goes at a speed, pauses, ends, and leaves every result once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hybrid_ml_scheduler.core.errors import AlreadyRunningError, InputError, NotRunningError, RunRequestError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.live.contract import RunRequest, RunState
from hybrid_ml_scheduler.live.group import LaneGroup, Produced
from hybrid_ml_scheduler.live.present import MOST_BEHIND_S
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from live_cases import RULES, ended, journal_rows, open_controller, until

pytestmark = pytest.mark.anyio
SEED = 20_100


async def test_every_task_gets_one_result_of_every_lane(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        started = await controller.start(RunRequest(policies=RULES, seed=SEED, max_tasks=300))
        assert started.state is RunState.RUNNING
        status = await until(controller, ended)
        assert (status.state, status.message, status.tasks_processed, status.tasks_arrived) == (RunState.STOPPED, None, 300, 300)
        assert [lane.policy for lane in status.lanes] == list(RULES)
        assert {lane.state for lane in status.lanes} == {"finished"}
        assert all(lane.finished == 300 and lane.queue_length == 0 for lane in status.lanes)
        assert status.run_id is not None
        tasks = journal_rows(data_folder, status.run_id, Stream.TASKS)
        results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
        assert tasks["task_id"].cast(int).sort().to_list() == list(range(300))
        assert results.height == 5 * 300
        assert results.select("task_id", "scheduler").is_unique().all()
        assert results["lanes"].unique().to_list() == ["5"]
        for policy in RULES:
            assert results.filter(results["scheduler"] == policy)["finish_s"].null_count() == 0


async def test_the_first_piece_is_what_a_comparison_simulates(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        await controller.start(RunRequest(policies=("greedy", "priced"), seed=SEED, max_tasks=128, load=0.3))
        status = await until(controller, ended)
    workload = generate("steady", seed=SEED, n_tasks=128, load=0.5)
    assert status.run_id is not None
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    for policy in ("greedy", "priced"):
        schedule = simulate(workload, workstation(), compile_policy(policy, workload, workstation(), seed=SEED))
        mine = results.filter(results["scheduler"] == policy).sort(pl.col("task_id").cast(int))
        np.testing.assert_array_equal(mine["finish_s"].cast(float).to_numpy(), schedule.finish_s)
        np.testing.assert_array_equal(mine["fraction"].cast(float).to_numpy(), schedule.fraction)


async def test_wrong_orders_are_refused_and_change_nothing(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        for order in (controller.pause, controller.resume):
            with pytest.raises(NotRunningError):
                await order()
        assert (await controller.stop()).state is RunState.STOPPED
        for wrong in (
            RunRequest(policies=()),
            RunRequest(policies=("greedy", "greedy")),
            RunRequest(policies=("no_such",)),
            RunRequest(policies=("mct+split_qilin",)),
            RunRequest(workload="no_such"),
            RunRequest(cluster="no_such"),
            RunRequest(policies=("greedy",), load=float("nan")),
            RunRequest(policies=("greedy",), load=-1.0),
            RunRequest(policies=("greedy",), speed=0.0),
            RunRequest(policies=("greedy",), seed=-1),
            RunRequest(policies=("greedy",), max_tasks=0),
            RunRequest(policies=("greedy",), retrain_every=0),
            RunRequest(policies=("greedy",), workload="lublin"),
        ):
            with pytest.raises(InputError):
                await controller.start(wrong)
            assert controller.status().state is RunState.STOPPED
        first = await controller.start(RunRequest(policies=("greedy",), seed=SEED))
        with pytest.raises(AlreadyRunningError):
            await controller.start(RunRequest(policies=("greedy",)))
        with pytest.raises(RunRequestError):
            await controller.set_speed(-1.0)
        assert controller.status().run_id == first.run_id


async def test_a_paused_run_stands_still_and_goes_on(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        await controller.start(RunRequest(policies=("greedy", "priced"), seed=SEED))
        await until(controller, lambda status: status.tasks_processed > 100)
        assert (await controller.pause()).state is RunState.PAUSED
        assert (await controller.pause()).state is RunState.PAUSED
        # A step that was under way may still end.
        before = await controller.set_speed(None)
        for _ in range(3):
            before = controller.status()
            await asyncio.sleep(0.05)
        assert controller.status().tasks_processed == before.tasks_processed
        assert controller.status().state is RunState.PAUSED
        await controller.resume()
        await controller.resume()
        await until(controller, lambda status: status.tasks_processed > before.tasks_processed + 100)
        assert (await controller.stop()).state is RunState.STOPPED


async def test_simulated_time_follows_real_time_at_a_speed(data_folder: Path) -> None:
    async with open_controller(data_folder, step_interval_s=0.01) as controller:
        await controller.start(RunRequest(policies=("greedy",), seed=SEED, speed=20.0))
        loop = asyncio.get_running_loop()
        began = loop.time()
        status = await until(controller, lambda status: status.time_s >= 10.0)
        # Never ahead of real time, however busy the machine is.
        assert status.time_s <= 20.0 * (loop.time() - began) + 1.0
        await controller.set_speed(None)
        await until(controller, lambda status: status.time_s > 1_000.0)


async def test_time_that_a_run_was_held_up_for_is_not_made_up(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speed, held_up_s = 100.0, 3.0
    stalls: list[tuple[float, float]] = []
    advance = LaneGroup.advance

    def slow(group: LaneGroup, until_s: float) -> Produced:
        found = advance(group, until_s)
        if not stalls and group.time_s > 1.0:
            time.sleep(held_up_s)  # as compiling does
            stalls.append((time.monotonic(), group.time_s))
        return found

    monkeypatch.setattr(LaneGroup, "advance", slow)
    async with open_controller(data_folder, step_interval_s=0.01, piece_tasks=4_096, step_tasks=4_096) as controller:
        await controller.start(RunRequest(policies=("greedy",), seed=SEED, speed=speed))
        status = await until(controller, lambda status: bool(stalls) and status.time_s > stalls[0][1])
        ended_at, from_s = stalls[0]
        assert status.time_s <= from_s + speed * (MOST_BEHIND_S + time.monotonic() - ended_at)


async def test_stop_then_start_a_hundred_times_under_concurrent_callers(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:

        async def start() -> bool:
            try:
                await controller.start(RunRequest(policies=("greedy",), seed=SEED))
            except AlreadyRunningError:
                return False
            return True

        for _ in range(100):
            assert sorted(await asyncio.gather(*(start() for _ in range(3)))) == [False, False, True]
            stopped = await asyncio.gather(*(controller.stop() for _ in range(3)))
            assert {status.state for status in stopped} == {RunState.STOPPED}


async def test_policies_come_and_go(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        await controller.start(RunRequest(policies=("greedy", "priced"), seed=SEED))
        await until(controller, lambda status: status.tasks_processed > 200)
        await controller.add_policy("mct")
        with pytest.raises(RunRequestError):
            await controller.add_policy("mct")
        with pytest.raises(InputError):
            await controller.add_policy("nothing")
        await until(controller, lambda status: status.lanes[-1].policy == "mct" and status.lanes[-1].finished > 100)
        await controller.remove_policy("greedy")
        with pytest.raises(RunRequestError):
            await controller.remove_policy("greedy")
        await until(controller, lambda status: [lane.policy for lane in status.lanes] == ["priced", "mct"])
        at = controller.status().tasks_processed
        await until(controller, lambda status: status.tasks_processed > at + 200)
        status = await controller.stop()
    assert status.run_id is not None
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    tasks = journal_rows(data_folder, status.run_id, Stream.TASKS)
    assert results.select("task_id", "scheduler").is_unique().all()
    assert set(tasks["lanes"].unique()) == {"2", "3"}
    removed = results.filter(reason="the policy was taken out of the run")
    assert set(removed["scheduler"].unique()) <= {"greedy"}
    # Every task has results of as many lanes as it was given to: those that were unfinished at the end say so.
    counts = tasks.join(results.group_by("task_id").len(), on="task_id", how="left")
    assert (counts["len"] == counts["lanes"].cast(int)).all()
    assert counts.height == status.tasks_processed


async def test_a_lane_that_cannot_follow_refuses_and_the_others_go_on(data_folder: Path) -> None:
    async with open_controller(data_folder, queue_limit=20) as controller:
        await controller.start(RunRequest(policies=("round_robin", "oracle"), seed=SEED, load=0.6, max_tasks=1500))
        status = await until(controller, ended)
        assert status.lanes[0].refused > 0
        assert status.lanes[1].refused == 0
        assert status.tasks_processed == 1500
        assert status.lanes[0].finished + status.lanes[0].refused == 1500
        assert status.run_id is not None
        results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
        refused = results.filter(results["status"] == "refused")
        assert refused.height == status.lanes[0].refused
        assert set(refused["scheduler"]) == {"round_robin"}
        assert "saturated" in refused["reason"][0]


async def test_a_run_that_is_stopped_leaves_no_task_without_a_result(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        request = RunRequest(policies=("round_robin", "priced", "hybrid_ml"), seed=20_106, load=0.9, retrain_every=None)
        await controller.start(request)
        await until(controller, lambda status: status.tasks_processed > 200 and any(lane.queue_length for lane in status.lanes))
        status = await controller.stop()
        assert status.run_id is not None
        assert status.tasks_processed == status.tasks_arrived
        await controller._service.drainer.drain_all()
        assert (await controller._service.check()).differences == 0
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    assert results.height == 3 * journal_rows(data_folder, status.run_id, Stream.TASKS).height
    left = results.filter(status="withdrawn")
    assert set(left["reason"]) == {"the run was stopped"}
    assert left["finish_s"].null_count() == left.height
