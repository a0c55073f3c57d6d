from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.decision import DecidedBy
from hybrid_ml_scheduler.core.errors import InputError, ModelError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE
from hybrid_ml_scheduler.engine.features.history import N_SUMS, W
from hybrid_ml_scheduler.learning import train_divisible
from hybrid_ml_scheduler.learning.arrays import arrays_digest
from hybrid_ml_scheduler.learning.divisible import compile_learned, read_model
from hybrid_ml_scheduler.learning.files import Model, load_model, save_model
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import parse_spelling
from hybrid_ml_scheduler.learning.retrain_divisible import outcomes_of, retrain
from hybrid_ml_scheduler.learning.train_divisible import record_run, training_workload
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, TrainingRequest
from hybrid_ml_scheduler.learning.worlds import other_world
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import run_whole

CLUSTER = workstation()
SMALL = {
    "N_WORLDS": 4,
    "VALIDATION_WORLDS": 1,
    "WORLD_TASKS": 500,
    "HISTORY_SEEDS": 1,
    "HISTORY_TASKS": 600,
    "TREES": 8,
    "FOREST_TREES": 3,
    "LEAST_ROWS": 40,
    "SEARCH_TASKS": 150,
    "VALIDATION_SEEDS": 1,
}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(train_divisible, name, value)


def request(policy: str, *, objective: str = "mean_response", generations: int = 1, workloads: tuple[str, ...] = ("steady",)) -> TrainingRequest:
    aim = parse_objective(objective)
    return TrainingRequest(policy, "divisible", workloads, aim, 3, 1, 600.0, generations, None, f"hms train {policy} steady", "2026-11-24")


def trained(policy: str, **options: object) -> Model:
    return train_divisible.train(request(policy, **options), lambda step, point: None)  # type: ignore[arg-type]


@pytest.mark.usefixtures("_small")
def test_the_same_seed_gives_the_same_model_from_training_seeds_alone() -> None:
    first, second = trained("hybrid_ml"), trained("hybrid_ml")
    assert arrays_digest(first.arrays) == arrays_digest(second.arrays)
    assert first.card == second.card
    assert min(first.card.training["seeds"]) >= FIRST_TRAINING_SEED
    assert first.card.features == tuple(feature.name for feature in DIVISIBLE)
    assert first.card.metrics["gpu_log_error_nominal"] > first.card.metrics["gpu_log_error_history"]
    assert read_model(first).sums[..., W].sum() > 300


@pytest.mark.usefixtures("_small")
def test_an_agent_begins_without_knowledge() -> None:
    model = trained("rl_agent")
    known = read_model(model)
    assert known.kinds == ()
    assert not known.trees["cpu"].n_features[0]
    workload = generate("steady", seed=20_020, n_tasks=300)
    schedule = simulate(workload, CLUSTER, compile_learned("rl_agent", parse_spelling("rl_agent"), model, workload, CLUSTER, 0))
    assert schedule.finished.all()
    with pytest.raises(ModelError, match="is for rl_agent; expected a model for hybrid_ml"):
        compile_learned("hybrid_ml", parse_spelling("hybrid_ml"), model, workload, CLUSTER, 0)


@pytest.mark.usefixtures("_small")
def test_energy_gets_a_price() -> None:
    model = trained("rl_agent", objective="energy", generations=2)
    assert model.card.name == "rl_agent-divisible-energy"
    assert read_model(model).params[9] > 0.0


def test_training_needs_divisible_tasks_and_training_seeds() -> None:
    with pytest.raises(InputError, match="smaller ones are for comparisons"):
        training_workload("steady", 19, "training")
    assert training_workload("steady", FIRST_TRAINING_SEED, "training").meta["seed"] == FIRST_TRAINING_SEED


def test_records_hold_only_the_options_that_were_taken() -> None:
    workload = generate("steady", seed=20_021, n_tasks=400)
    nothing = np.zeros((8, 3, N_SUMS))
    records, run = record_run(workload, CLUSTER, nothing, share=0.2, seed=5)
    assert len(records.y[0]) + len(records.y[1]) == (~np.isnan(run.mind.outcome)).sum()
    assert np.isfinite(records.x[0]).all()
    assert np.isfinite(records.x[1]).all()
    # Were the truth of other options different, nothing that was recorded would change.
    taken = ~np.isnan(run.mind.outcome)
    other = workload.truth.slowdown
    assert other is not None
    never = ~taken[:, 1:].any(axis=0)
    assert not never.any()
    again, _ = record_run(workload, CLUSTER, nothing, share=0.2, seed=5)
    np.testing.assert_array_equal(again.y[1], records.y[1])
    np.testing.assert_array_equal(again.x[1], records.x[1])


def test_other_worlds_are_other_worlds() -> None:
    one, cluster = other_world("steady", seed=10_001, n_tasks=300, load=0.5, drifts=True)
    same, _ = other_world("steady", seed=10_001, n_tasks=300, load=0.5, drifts=True)
    two, other_cluster = other_world("steady", seed=10_002, n_tasks=300, load=0.5, drifts=False)
    np.testing.assert_array_equal(one.truth.work_s, same.truth.work_s)
    assert one.truth.slowdown is not None
    assert two.truth.slowdown is not None
    assert one.truth.slowdown.shape == (2, 8, 2)
    assert two.truth.slowdown.shape == (1, 8, 2)
    assert not np.allclose(one.truth.slowdown[0], two.truth.slowdown[0])
    assert cluster.nodes[0].gpus[0].speed != other_cluster.nodes[0].gpus[0].speed
    assert set(cluster.gpu_models).isdisjoint(CLUSTER.gpu_models)


@pytest.mark.usefixtures("_small")
def test_a_window_of_outcomes_brings_a_model_up_to_date() -> None:
    model = trained("hybrid_ml", generations=0)
    drifted = generate("drift", seed=20_022, n_tasks=4000)
    assert drifted.truth.slowdown is not None
    late = replace(drifted, truth=replace(drifted.truth, slowdown=drifted.truth.slowdown[1:], regime_start_s=np.array([-np.inf])))
    schedule = simulate(late, CLUSTER, compile_policy("priced", late, CLUSTER))
    outcomes = outcomes_of(late, CLUSTER, schedule)
    newer = retrain(model, outcomes)
    assert newer.card.version == 0
    assert newer.card.training["retrained_on"] == 4000
    stale, fresh = (_offline_error(each, late) for each in (model, newer))
    assert fresh < 0.6 * stale
    with pytest.raises(ModelError, match="expected at least 1"):
        retrain(model, outcomes, window=0)


def _offline_error(model: Model, workload: Workload) -> float:
    policy = compile_learned("hybrid_ml", parse_spelling("hybrid_ml+unguarded+offline"), model, workload, CLUSTER, 0)
    schedule, run = run_whole(policy, workload, CLUSTER)
    assert DecidedBy.MODEL in schedule.decided_by
    return float(np.nanmean(np.abs(run.mind.outcome - run.mind.predicted)[:, 1:]))


@pytest.mark.usefixtures("_small")
def test_a_stored_model_decides_as_the_trained_one(tmp_path: Path) -> None:
    model = trained("hybrid_ml", generations=0)
    saved = load_model(save_model(tmp_path, Model(replace(model.card, version=1), model.arrays)))
    workload = generate("bursty", seed=20_023, n_tasks=400)
    one, two = (
        simulate(workload, CLUSTER, compile_learned("hybrid_ml", parse_spelling("hybrid_ml"), each, workload, CLUSTER, 0)) for each in (model, saved)
    )
    np.testing.assert_array_equal(one.start_s, two.start_s)
    np.testing.assert_array_equal(one.fraction, two.fraction)
