from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, CompiledPolicy
from hybrid_ml_scheduler.core.errors import InputError, ModelError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.ensemble import predict_ensemble_rows
from hybrid_ml_scheduler.engine.features.batch import N_FEATURES
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.scored_pool import N_WEIGHTS, W_GAP, W_HOLD, W_PATIENCE, Estimate
from hybrid_ml_scheduler.engine.scored_run import model_ensemble
from hybrid_ml_scheduler.learning import batch, batch_arena, train_batch
from hybrid_ml_scheduler.learning.batch import RULE, START, compile_learned, weights_of
from hybrid_ml_scheduler.learning.batch_arena import Arena, ArenaSize, training_spec
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import parse_spelling
from hybrid_ml_scheduler.learning.store import find_model
from hybrid_ml_scheduler.learning.train_batch import fit_predictors, record_rows, retrain, train
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, TrainingRequest
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.lublin import generate, parse_spec

TINY = ArenaSize(windows=1, long=500, groups=2, long_runs=1, groups_at_once=1, long_runs_at_once=1, validation_groups=1, validation_long_runs=1)
SLOWDOWN = parse_objective("mean_bounded_slowdown")
WORK = ("lublin:processors=64,users=8,load=0.9",)


def request(policy: str, **changes: object) -> TrainingRequest:
    fields = {
        "policy": policy,
        "kind": "batch",
        "workloads": WORK,
        "objective": SLOWDOWN,
        "seed": 1,
        "jobs": 1,
        "budget_s": 600.0,
        "generations": 1,
        "checkpoint": None,
        "command": "hms train",
        "created": "2026-11-24",
    }
    return TrainingRequest(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def agent() -> Model:
    return train(request("rl_agent"), lambda *_: None, TINY)


def test_training_gives_the_same_model_with_one_process_and_with_two(agent: Model) -> None:
    again = train(request("rl_agent", jobs=2), lambda *_: None, TINY)
    assert agent.arrays.keys() == again.arrays.keys() == {"weights_none", "weights_easy"}
    for name, array in agent.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    assert agent.card.metrics == again.card.metrics


def test_a_trained_model_says_where_it_comes_from_and_runs(agent: Model) -> None:
    card = agent.card
    assert card.name == "rl_agent-batch"
    assert card.training["seeds"] == [FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED]
    assert card.command.endswith("--generations 1")
    assert [point[0] for point in card.training["curve"]] == [0, 1, 2, 3]
    workload = generate(WORK[0], seed=10_030, n_tasks=300)
    for spelling in ("rl_agent", "rl_agent+easy", "rl_agent+unguarded+offline"):
        policy = compile_learned("rl_agent", parse_spelling(spelling), agent, workload, default_cluster(workload), 0)
        assert simulate(workload, default_cluster(workload), policy).finished.all()
        assert (policy.fallback is None) == ("unguarded" in spelling)
        assert policy.codes["online"] == int("offline" not in spelling)


def test_trees_are_trained_stored_and_served_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_batch, "RECORDED_RUNS", 2)
    monkeypatch.setattr(train_batch, "VALIDATION_RUNS", 1)
    monkeypatch.setattr(train_batch, "RECORDED_JOBS", 600)
    steps: list[str] = []
    model = train(request("hybrid_ml", generations=0), lambda step, _: steps.append(step), TINY)
    assert steps[:2] == ["recording runs", "training run-time models"]
    assert model.card.features == batch.FEATURES["hybrid_ml"]
    assert model.card.parameters["library"] in ("lightgbm", "random forest")
    errors = [model.card.metrics[f"log_error_{name}"] for name in ("lightgbm", "random_forest", "request")]
    assert min(errors[:2]) < errors[2]
    workload = generate(WORK[0], seed=10_031, n_tasks=300)
    policy = compile_learned("hybrid_ml", parse_spelling("hybrid_ml+easy"), model, workload, default_cluster(workload), 0)
    assert policy.codes["estimate"] == Estimate.TREES
    assert simulate(workload, default_cluster(workload), policy).finished.all()
    newer = retrain(model, generate(WORK[0], seed=10_032, n_tasks=500))
    assert newer.card.training["sha256"] != model.card.training["sha256"]
    np.testing.assert_array_equal(newer.arrays["weights_easy"], model.arrays["weights_easy"])
    assert not np.array_equal(newer.arrays["median_number"], model.arrays["median_number"])
    with pytest.raises(InputError, match="at least 100"):
        retrain(model, generate(WORK[0], seed=10_032, n_tasks=50))
    broken = replace(model, arrays={name: array for name, array in model.arrays.items() if name != "high_number"})
    with pytest.raises(ModelError, match="high_number is missing"):
        compile_learned("hybrid_ml", parse_spelling("hybrid_ml"), broken, workload, default_cluster(workload), 0)


def test_trees_learn_what_users_take_of_their_requests() -> None:
    """Every user takes a fixed share of what is asked: after two ended jobs the trees must know it."""
    tables = []
    for seed in (10_033, 10_034):
        workload = generate("lublin:processors=64,users=6,load=0.7,failing=0", seed=seed, n_tasks=1500)
        share = np.array([0.01, 0.05, 0.1, 0.3, 0.6, 0.9])[workload.tasks.user]
        run_s = np.maximum(workload.tasks.requested_time_s * share, 1.0)
        tables.append(record_rows(replace(workload, truth=replace(workload.truth, work_s=run_s))))
    predictors = fit_predictors(*tables, seed=1)
    known = tables[1].features[:, 3] > np.log(10.0)
    predicted = np.zeros(np.count_nonzero(known))
    predict_ensemble_rows(predictors.ensembles["median"], np.ascontiguousarray(tables[1].features[known]), predicted)
    assert np.mean(np.abs(predicted - tables[1].log_ratio[known])) < 0.15
    assert np.mean(np.abs(tables[1].log_ratio[known])) > 1.0


def test_recorded_rows_are_of_jobs_that_ended() -> None:
    workload = generate(WORK[0], seed=10_035, n_tasks=200)
    rows = record_rows(workload)
    assert rows.features.shape == (len(rows.log_ratio), N_FEATURES)
    assert len(rows.log_ratio) >= 200
    assert rows.digest == record_rows(workload).digest


def test_no_training_seed_is_below_ten_thousand() -> None:
    assert FIRST_TRAINING_SEED >= 10_000
    size = batch_arena.FULL
    asked: list[int] = []

    class Watched(Arena):
        def group(self, seed: int, *, is_long: bool) -> batch_arena.Group:
            asked.append(seed)
            return super().group(10_000, is_long=False)

    watched = Watched(WORK, SLOWDOWN, 0, 0, size=replace(size, windows=1))
    for generation in range(20):
        watched._judged("training", generation)
    training = set(asked)
    asked.clear()
    watched._judged("validation", 3)
    assert min(training | set(asked)) >= 10_000
    assert not training & set(asked)
    recorded = {first + train_batch.RECORDED_SEEDS + run for first, runs in ((10_000, 100), (10_500, 30)) for run in range(runs)}
    assert not recorded & (training | set(asked))


def test_training_workloads_are_of_many_kinds() -> None:
    parameters = [parse_spec(training_spec(seed)) for seed in range(10_000, 10_064)]
    assert {p.estimates for p in parameters} == {"exact", "user"}
    assert min(p.load for p in parameters) < 0.6
    assert max(p.load for p in parameters) > 0.9
    assert len({p.processors for p in parameters}) >= 8
    assert any(p.users == 0 for p in parameters)


def test_parameters_stay_within_their_bounds_wherever_the_search_goes() -> None:
    rng = np.random.default_rng(1)
    for scale in (0.0, 1.0, 30.0):
        weights = weights_of(START + scale * rng.standard_normal(N_WEIGHTS))
        assert np.isfinite(weights).all()
        assert 0.0 <= weights[W_HOLD] <= 0.5
        assert weights[W_GAP] > 0.0
        assert 0.4 < weights[W_PATIENCE] < 21.0
    assert batch.SIGMA.shape == START.shape == (N_WEIGHTS,)


def test_a_group_is_judged_against_its_best_rule() -> None:
    arena = Arena(WORK, SLOWDOWN, int(Estimate.HISTORY), 1, size=TINY)
    group = arena.group(10_000, is_long=False)
    assert min(group.rule_score(name) for name in batch_arena.RULES) == pytest.approx(0.0)
    value, wait = group.score(weights_of(START), int(Estimate.HISTORY), 1, batch_arena.EMPTY_ENSEMBLE)
    assert math.isfinite(value)
    assert math.isfinite(wait)
    assert arena.score(START, "validation", 0) == arena.score(START, "validation", 7)


def slowdown(workload: Workload, policy: CompiledPolicy) -> float:
    cluster = default_cluster(workload)
    return measure(workload, cluster, simulate(workload, cluster, policy))["mean_bounded_slowdown"]


@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
def test_shipped_models_beat_the_rule_behind_them_on_validation_workloads(policy: str) -> None:
    model = find_model(policy, "batch")
    assert sum(array.nbytes for array in model.arrays.values()) < 700_000
    logs, fallback = [], []
    for seed in range(10_500, 10_508):
        workload = generate(training_spec(seed), seed=seed, n_tasks=3000)
        cluster = default_cluster(workload)
        compiled = compile_learned(policy, parse_spelling(f"{policy}+easy"), model, workload, cluster, 0)
        rule = compile_policy(RULE, workload, cluster)
        assert isinstance(rule, CompiledPolicy)
        schedule = simulate(workload, cluster, compiled)
        fallback.append(float(np.mean(schedule.decided_by >= FIRST_FALLBACK)))
        logs.append(math.log(measure(workload, cluster, schedule)["mean_bounded_slowdown"] / slowdown(workload, rule)))
    assert math.exp(float(np.mean(logs))) < 0.95
    assert np.mean(fallback) < 0.2
    if policy == "hybrid_ml":
        assert model_ensemble(model.arrays, "median").n_features[0] <= N_FEATURES
