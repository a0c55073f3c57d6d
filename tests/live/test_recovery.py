"""A run that died at any moment goes on as if nothing had happened: the same rows as of an undisturbed run, each once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.live.contract import RunRequest, RunState
from live_cases import RULES, abandon, ended, journal_rows, open_controller, open_service, until

pytestmark = pytest.mark.anyio
SEED = 20_200
TASKS = 700
REQUEST = RunRequest(policies=(*RULES, "hybrid_ml"), seed=SEED, load=0.4, max_tasks=TASKS, retrain_every=None)


async def undisturbed(folder: Path) -> int:
    async with open_controller(folder) as controller:
        await controller.start(REQUEST)
        status = await until(controller, ended)
    assert status.message is None
    assert status.run_id is not None
    return status.run_id


async def same_rows(first: Path, first_id: int, second: Path, second_id: int) -> None:
    for stream in Stream:
        expected, found = journal_rows(first, first_id, stream), journal_rows(second, second_id, stream)
        assert found.height == expected.height
        assert found.equals(expected), stream
    async with open_service(second) as service:
        await service.drainer.drain_all()
        report = await service.check()
        assert (report.problems, report.to_dict()["differences"], report.to_dict()["duplicates"]) == ((), 0, 0)
        assert report.tables["tasks"] == TASKS
        assert report.tables["scheduler_results"] == 6 * TASKS


async def test_a_run_that_dies_again_and_again_leaves_the_rows_of_one_that_does_not(data_folder: Path, tmp_path: Path) -> None:
    first_id = await undisturbed(data_folder)
    folder = tmp_path / "second"
    rng = np.random.default_rng(5)
    second_id = None
    least, reached_s = 0, 0.0
    for kill in range(8):
        # Checkpoints at every seam, or hardly ever: what is done again differs.
        async with open_controller(folder, checkpoint_interval_s=0.0 if kill % 2 else 1e3) as controller:
            if second_id is None:
                second_id = (await controller.start(REQUEST)).run_id
            else:
                recovered = await controller.recover()
                assert recovered.run_id == second_id
                # What was counted once is counted from the beginning.
                assert recovered.tasks_processed >= least
                assert recovered.time_s >= reached_s
            goal = least + int(rng.integers(5, 90))
            status = await until(controller, lambda status, goal=goal: status.tasks_processed >= goal or ended(status))  # type: ignore[misc]
            assert not ended(status)
            least = controller.status().tasks_processed
            # The last step may not have been written yet when it died.
            rows = journal_rows(folder, second_id or 0, Stream.TASKS)
            reached_s = float(rows["arrival_s"].cast(float).max() or 0.0)  # type: ignore[arg-type]
            await abandon(controller)
    async with open_controller(folder) as controller:
        await controller.recover()
        status = await until(controller, ended)
        assert (status.tasks_processed, status.tasks_arrived, status.message) == (TASKS, TASKS, None)
    assert second_id is not None
    await same_rows(data_folder, first_id, folder, second_id)


async def test_a_run_survives_an_orderly_end_of_its_process(data_folder: Path, tmp_path: Path) -> None:
    first_id = await undisturbed(data_folder)
    folder = tmp_path / "second"
    async with open_controller(folder) as controller:
        second_id = (await controller.start(REQUEST)).run_id
        await until(controller, lambda status: status.tasks_processed >= 100)
        await controller.pause()
    async with open_controller(folder) as controller:
        recovered = await controller.recover()
        assert (recovered.run_id, recovered.state) == (second_id, RunState.PAUSED)
        assert recovered.tasks_processed >= 100
        assert recovered.request == REQUEST
        await controller.resume()
        await until(controller, ended)
        assert (await controller.recover()).run_id == second_id
    async with open_controller(folder) as controller:
        # It has ended, so there is nothing to go on with.
        assert (await controller.recover()).state is RunState.STOPPED
    assert second_id is not None
    await same_rows(data_folder, first_id, folder, second_id)


async def test_a_run_whose_checkpoint_is_gone_is_marked_as_failed_and_another_starts(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        first_id = (await controller.start(REQUEST)).run_id
        await until(controller, lambda status: status.tasks_processed >= 50)
        await abandon(controller)
    folder = data_folder / "journal" / str(first_id)
    for path in folder.glob("state*.hms"):
        head, newline, checkpoint = path.read_bytes().partition(b"\n")
        path.write_bytes(head.replace(b'"lanes"', b'"trains"') + newline + checkpoint)
    async with open_controller(data_folder) as controller:
        status = await controller.recover()
        assert (status.state, status.run_id) == (RunState.FAILED, first_id)
        assert "checkpoint cannot be used" in str(status.message)
        await controller.start(RunRequest(policies=("greedy",), seed=SEED, max_tasks=100))
        assert (await until(controller, ended)).tasks_processed == 100


async def test_policies_that_came_and_went_are_still_so_after_a_death(data_folder: Path) -> None:
    async with open_controller(data_folder, checkpoint_interval_s=1e3) as controller:
        await controller.start(RunRequest(policies=("greedy", "priced"), seed=SEED, retrain_every=None))
        await until(controller, lambda status: status.tasks_processed > 100)
        await controller.add_policy("mct")
        await controller.remove_policy("greedy")
        at = controller.status().tasks_processed
        await until(controller, lambda status: status.tasks_processed > at + 100)
        await abandon(controller)
    async with open_controller(data_folder) as controller:
        recovered = await controller.recover()
        assert [lane.policy for lane in recovered.lanes] == ["priced", "mct"]
        before = recovered.tasks_processed
        await until(controller, lambda status: status.tasks_processed > before + 200)
        status = await controller.stop()
    assert status.run_id is not None
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    assert results.select("task_id", "scheduler").is_unique().all()
    # Whoever arrived has results of all lanes that it was given to: those that were unfinished at the end say so.
    counts = results.group_by("task_id").len().join(journal_rows(data_folder, status.run_id, Stream.TASKS), on="task_id")
    assert (counts["len"] == counts["lanes"].cast(int)).all()
    assert counts.height == status.tasks_processed
