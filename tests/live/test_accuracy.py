"""What the running service says about its predictions is what the journal and the explanations say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.retrainer import prune
from live_cases import ended, journal_rows, open_controller, until

pytestmark = pytest.mark.anyio


async def test_predictions_are_those_of_the_explanation_and_true_times_those_of_the_journal(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        await controller.start(RunRequest(policies=("hybrid_ml", "priced"), seed=20_401, max_tasks=700, retrain_every=None))
        status = await until(controller, ended)
        assert status.run_id is not None
        (lane,) = status.learning.lanes
        assert (lane.policy, lane.model, lane.decides) == ("hybrid_ml", "hybrid_ml-divisible@1", "model")
        rows = journal_rows(data_folder, status.run_id, Stream.RESULTS).filter(scheduler="hybrid_ml")
        by_task = {int(row["task_id"]): row for row in rows.iter_rows(named=True)}
        shares = [float(row["fraction"]) for row in by_task.values()]
        assert lane.outcomes == sum((share < 1.0) + (share > 0.0) for share in shares)
        assert len(lane.pairs) == 60
        compared = 0
        for pair in lane.pairs:
            row = by_task[pair.task_id]
            assert pair.true_s == pytest.approx(float(row["cpu_s" if pair.device == "cpu" else "gpu_s"]), rel=1e-12)
            assert (pair.finish_s, pair.decided_by) == (float(row["finish_s"]), row["decided_by"])
            if float(row["fraction"]) not in (0.0, 1.0) or pair.decided_by != "model" or compared == 5:
                continue
            found = await controller.explain(status.run_id, pair.task_id, "hybrid_ml")
            (said,) = (each for each in found.predictions if each.device == pair.device)
            assert pair.nominal_s == pytest.approx(said.nominal_s, rel=1e-12)
            assert pair.predicted_s == pytest.approx(said.expected_s, rel=0.2)
            assert (pair.low_s, pair.high_s) == (pytest.approx(said.low_s, rel=1e-12), pytest.approx(said.high_s, rel=1e-12))
            compared += 1
        assert compared
        assert lane.log_error is not None
        assert lane.nominal_log_error is not None
        assert 0.0 < lane.log_error < lane.nominal_log_error
        assert lane.coverage is not None
        assert 0.6 < lane.coverage < 0.95
        assert lane.below is not None
        # What is neither below nor inside is above.
        assert 0.0 <= lane.below <= 1.0 - lane.coverage
        assert lane.coverage_outcomes >= 60
        assert {each.device for each in lane.devices} <= {"cpu", "A10", "P4"}
        published = {message.topic: message.body for message in controller.feed.snapshot(("learning", "run"))}
        assert published["learning"]["lanes"][0]["outcomes"] == lane.outcomes
        assert "learning" not in published["run"]


async def test_a_training_is_judged_on_outcomes_that_it_has_not_seen(data_folder: Path) -> None:
    async with open_controller(data_folder, training_rows=400, models_kept=2) as controller:
        # The hidden table changes in the middle of the first piece: what was known before is wrong afterwards.
        await controller.start(RunRequest("drift", policies=("hybrid_ml",), seed=20_402, max_tasks=None, retrain_every=150))
        status = await until(controller, lambda status: len(status.learning.trainings) >= 5)
        status = await controller.stop()
        assert status.run_id is not None
        heads = controller._service.journals.kept_heads(status.run_id).values()
    trainings = status.learning.trainings
    for before, after in pairwise(trainings):
        assert (after.before, after.policy) == (before.model, "hybrid_ml")
        assert after.at_tasks >= before.at_tasks + 150
    judged = [(each.error_before, each.error_after) for each in trainings if each.held_out]
    assert judged
    assert min(after - before for before, after in judged if before is not None and after is not None) < 0.0
    store = ModelStore([PRETRAINED, data_folder / "models"])
    kept = store.versions("hybrid_ml-divisible")
    # Besides the shipped one, which others use: what this run decides with, and what its kept checkpoints need.
    needed = {int(lane["model"].partition("@")[2]) for head in heads for lane in head["group"]["lanes"]}
    assert {1, int(trainings[-1].model.partition("@")[2])} | needed <= set(kept)


def test_only_what_retraining_made_and_nobody_needs_is_deleted(tmp_path: Path) -> None:
    store = ModelStore([PRETRAINED, tmp_path])
    name = "hybrid_ml-divisible"
    mine = store.add(store.find(name), leaves_in_use=True)
    assert store.current(name) == 1
    card = store.get(name, mine).card
    made = [store.add(type(store.get(name, mine))(_retrained(card), store.get(name, mine).arrays), leaves_in_use=True) for _ in range(6)]
    store.promote(name, made[0])
    gone = prune(store, name, 2, {f"{name}@{made[1]}"})
    assert gone == [f"{name}@{version}" for version in made[2:4]]
    assert list(store.versions(name)) == [1, mine, *made[:2], *made[4:]]
    assert not [path for path in (tmp_path / name).iterdir() if path.name.startswith(".gone")]


def _retrained(card: object) -> object:
    from dataclasses import replace

    from hybrid_ml_scheduler.learning.card import ModelCard

    assert isinstance(card, ModelCard)
    return replace(card, training={**card.training, "retrained_on": 10})
