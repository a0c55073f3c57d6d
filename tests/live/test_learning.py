"""Learning in the running service: a window of outcomes, another version between two decisions, and failures that change nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.learning.retrain_divisible import outcomes_of
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.live import retrainer
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.retrainer import outcomes_of_window
from hybrid_ml_scheduler.live.stream import StreamPosition, TaskStream
from hybrid_ml_scheduler.workloads.clusters import workstation
from live_cases import PATIENCE_S, ended, journal_rows, open_controller, until

pytestmark = pytest.mark.anyio
REQUEST = RunRequest(policies=("hybrid_ml", "priced"), seed=20_400, max_tasks=600, retrain_every=200)


async def test_a_model_is_brought_up_to_date_and_its_version_stands_in_the_results(data_folder: Path) -> None:
    async with open_controller(data_folder, training_rows=300) as controller:
        await controller.start(replace(REQUEST, max_tasks=None))
        await until(controller, lambda status: len(status.retraining.versions) >= 2)
        at = controller.status().tasks_processed
        await until(controller, lambda status: status.tasks_processed > at + 50)
        async with asyncio.timeout(PATIENCE_S):
            # Between the entry of one and the mark on the one before it there may be two.
            while [entry.state for entry in await controller._service.models(controller.status().run_id)].count("in_use") != 1:
                await asyncio.sleep(0.002)
        status = await controller.stop()
        assert status.retraining.last_error is None
        assert status.run_id is not None
        await controller._service.drainer.drain_all()
        entries = await controller._service.models(status.run_id)
        entered = {f"{entry.name}@{entry.version}" for entry in entries}
        assert set(status.retraining.versions) <= entered
        assert {entry.state for entry in entries} == {"retired"}
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    mine = results.filter(scheduler="hybrid_ml", status="finished")
    named = mine.sort(mine["finish_s"].cast(float))["model"].to_list()
    assert named[0] == "hybrid_ml-divisible@1"
    assert set(status.retraining.versions[:1]) <= set(named)
    store = ModelStore([PRETRAINED, data_folder / "models"])
    for version in status.retraining.versions:
        assert store.find(version).card.training["retrained_on"] <= 300
    # Trained, but not promoted: other programs use what they used before.
    assert store.current("hybrid_ml-divisible") == 1


async def test_outcomes_are_those_of_the_schedule(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        await controller.start(replace(REQUEST, retrain_every=None, max_tasks=128))
        status = await until(controller, ended)
        assert status.run_id is not None
        await controller._service.drainer.drain_all()
        window = await controller._service.training_window(status.run_id, 1_000)
    found = outcomes_of_window(window, "hybrid_ml", workstation())
    stream = TaskStream("steady", None, 20_400, 0.3, 128, 128)
    piece = stream.piece(StreamPosition())
    assert piece is not None
    live = controller._live
    assert live is not None
    chosen = controller._models.choose(stream, live.request, "hybrid_ml", "hybrid_ml-divisible@1")
    expected = outcomes_of(piece[0], workstation(), simulate(piece[0], workstation(), chosen.compiled))
    assert (found.kind, found.device) == (expected.kind, expected.device)
    np.testing.assert_allclose(found.log_size, expected.log_size, rtol=1e-9)
    np.testing.assert_allclose(found.log_factor, expected.log_factor, rtol=1e-7, atol=1e-9)
    assert not len(outcomes_of_window(window, "priced", workstation()))


async def test_failed_training_changes_nothing_and_is_seen(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ModelError("the disk of the models is broken; expected a whole one")

    monkeypatch.setattr(retrainer, "train", fail)
    async with open_controller(data_folder) as controller:
        await controller.start(replace(REQUEST, max_tasks=None))
        failed = await until(controller, lambda status: status.retraining.state == "failed")
        assert "the disk of the models is broken" in str(failed.retraining.last_error)
        status = await controller.stop()
        assert status.message is None
        assert status.lanes[0].model == "hybrid_ml-divisible@1"
        assert status.run_id is not None
        entries = await controller._service.models(status.run_id)
        assert {entry.state for entry in entries} == {"failed"}
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    assert set(results.filter(scheduler="hybrid_ml", status="finished")["model"]) == {"hybrid_ml-divisible@1"}


async def test_without_a_model_the_rule_decides_and_says_so(data_folder: Path, tmp_path: Path) -> None:
    async with open_controller(data_folder) as controller:
        controller._models.store = ModelStore([tmp_path / "none"])
        await controller.start(replace(REQUEST, max_tasks=200))
        status = await until(controller, ended)
        lane = status.lanes[0]
        assert (lane.model, lane.fallback_share) == (None, 1.0)
        assert "no model" in str(lane.message)
    assert status.run_id is not None
    results = journal_rows(data_folder, status.run_id, Stream.RESULTS)
    mine, rule = (results.filter(results["scheduler"] == name) for name in ("hybrid_ml", "priced"))
    assert set(mine["decided_by"]) == {"fallback_no_model"}
    assert mine["finish_s"].equals(rule["finish_s"])
