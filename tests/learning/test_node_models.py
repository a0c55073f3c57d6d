"""Learned policies for rigid tasks on nodes with GPUs: models, training, explanations, and what the shipped ones reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine_cases import gpu, node, nodes, rigid, run
from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK
from hybrid_ml_scheduler.core.errors import InputError, ModelError, PolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.learned_nodes import N_WEIGHTS, W_AGEING
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.learning import train_nodes
from hybrid_ml_scheduler.learning.explain import explain
from hybrid_ml_scheduler.learning.explain_nodes import explain as explain_row
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.nodes import FEATURE_NAMES, compile_learned
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import parse_spelling, register
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.learning.train_nodes import record_rows, start_weights, train_sized, weights_of
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, TrainingRequest
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.gpu_cluster import generate_gpu_cluster

SHIPPED = ModelStore([PRETRAINED])
RULES = ("sjf+fgd", "saf+fgd", "sjf+best_fit", "saf+best_fit", "fcfs+fgd")
SMALL = (3, 2)


def request(policy: str = "rl_agent", **changes: Any) -> TrainingRequest:
    fields = {
        "policy": policy,
        "kind": "nodes",
        "workloads": (),
        "objective": parse_objective("mean_response"),
        "seed": 1,
        "jobs": 1,
        "budget_s": 3600.0,
        "generations": 2,
        "checkpoint": None,
        "command": f"hms train {policy} nodes --seed 1",
        "created": "2026-11-24",
    }
    return TrainingRequest(**(fields | changes))


def nothing(*_: object) -> None:
    """Nobody is told."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small workloads, so that training takes seconds."""
    monkeypatch.setattr(train_nodes, "N_TASKS", 200)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
def test_the_same_seed_gives_the_same_model(policy: str) -> None:
    first, second = (train_sized(request(policy), nothing, sizes=SMALL, recorded=3) for _ in range(2))
    assert first.card == second.card
    assert all(np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays)
    assert first.card.command == f"hms train {policy} nodes --seed 1 --generations 2"
    assert first.card.metrics["validation_log_ratio_to_best_rule"] <= first.card.metrics["validation_log_ratio_at_start"]
    compile_learned(policy, parse_spelling(policy), first, *generate_gpu_cluster(0, n_tasks=20), 0)


@pytest.mark.usefixtures("small")
def test_no_seed_of_a_comparison_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def recording(seed: int, **rest: Any) -> tuple[Workload, Cluster]:
        seeds.append(seed)
        return generate_gpu_cluster(seed, **rest)

    monkeypatch.setattr(train_nodes, "generate_gpu_cluster", recording)
    train_sized(request("hybrid_ml", generations=1), nothing, sizes=SMALL, recorded=3)
    assert min(seeds) == FIRST_TRAINING_SEED
    training = {seed for seed in seeds if seed < FIRST_VALIDATION_SEED}
    assert max(training) < FIRST_VALIDATION_SEED <= max(seeds)


def test_files_are_cut_in_time_between_training_and_validation(tmp_path: Path) -> None:
    trace = tmp_path / "openb_pod_list.csv"
    head = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
    trace.write_text(head + "".join(f"p{i},2000,100,1,500,,LS,Running,{i * 10},{i * 10 + 100},{i * 10}\n" for i in range(40)))
    (tmp_path / "openb_node_list_gpu_node.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\nn0,8000,100000,2,T4\n")
    sources = train_nodes.Sources((str(trace),))
    training = {int(task) for workload, _ in sources.open(FIRST_TRAINING_SEED, 8) for task in workload.tasks.task_id}
    validation = {int(task) for workload, _ in sources.open(FIRST_VALIDATION_SEED, 8) for task in workload.tasks.task_id}
    assert training == set(range(20))
    assert validation == set(range(20, 40))
    swf = tmp_path / "jobs.swf"
    swf.write_text("; MaxProcs: 4\n1 0 -1 20 1 -1 -1 1 100 -1 1 1 -1 -1 -1 -1 -1 -1\n")
    with pytest.raises(InputError, match="expected rigid tasks for nodes"):
        train_nodes.Sources((str(swf),)).open(FIRST_TRAINING_SEED, 1)


def test_what_is_recorded_is_what_was_seen_and_what_it_took() -> None:
    workload, cluster = generate_gpu_cluster(10_001, n_tasks=200)
    rows = record_rows(workload, cluster)
    assert rows.features.shape == (200, len(FEATURE_NAMES))
    expected = np.sort(np.log(workload.truth.work_s / workload.tasks.requested_time_s))
    assert np.allclose(np.sort(rows.log_ratio), np.clip(expected, -12, 3))


def test_weights_of_the_search_are_kept_within_bounds() -> None:
    weights = weights_of(np.full(N_WEIGHTS, -100.0))
    assert weights[W_AGEING] == 0.0
    assert np.abs(weights).max() <= 3.0
    assert weights_of(np.zeros(N_WEIGHTS))[-1] == 1.0
    assert np.array_equal(weights_of(start_weights()), start_weights())


def spoiled(policy: str, **changes: Any) -> Model:
    made = SHIPPED.get(f"{policy}-nodes")
    arrays = {**made.arrays, **changes.pop("arrays", {})}
    return Model(replace(made.card, **changes), {name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("policy", "changes", "message"),
    [
        ("rl_agent", {"features": ("size",)}, "features size; expected log_requested"),
        ("rl_agent", {"arrays": {"weights": np.zeros(3)}}, "expected 9 finite numbers"),
        ("rl_agent", {"arrays": {"weights": None}}, "expected 9 finite numbers"),
        ("hybrid_ml", {"arrays": {"median_feature": None}}, "median"),
        ("hybrid_ml", {"arrays": {"low_n_features": np.array([999])}}, "low|features"),
    ],
)
def test_a_model_that_is_none_is_refused(policy: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        compile_learned(policy, parse_spelling(policy), spoiled(policy, **changes), *generate_gpu_cluster(0, n_tasks=20), 0)


@pytest.fixture
def registered() -> None:
    register()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
def test_why_a_task_went_where_it_did(policy: str) -> None:
    workload, cluster = generate_gpu_cluster(1, n_tasks=400)
    schedule = simulate(workload, cluster, compile_policy(policy, workload, cluster))
    for row in (0, 200, int(np.argmax(schedule.start_s - workload.tasks.arrival_s))):
        found = explain(policy, workload, cluster, row)
        assert found.time_s == schedule.start_s[row]
        assert found.chosen.node == schedule.node[row]
        assert sum(1 << gpu for gpu in found.chosen.gpus) == schedule.gpu_mask[row]
        assert found.decided_by == schedule.decided_by[row]
        if found.decided_by < FIRST_FALLBACK:
            assert found.candidates[0] == found.chosen
        assert found.queue_length >= 1
        (prediction,) = found.predictions
        assert prediction.nominal_s == workload.tasks.requested_time_s[row]
        assert (prediction.expected_s == pytest.approx(prediction.nominal_s)) == (policy == "rl_agent")
        assert np.isnan(prediction.low_s) == (policy == "rl_agent")
    with pytest.raises(PolicyError, match="expected a learned policy for nodes"):
        explain("sjf+fgd", workload, cluster, 0)
    with pytest.raises(InputError, match="never started"):
        explain_row(compile_policy(policy, workload, cluster), workload, cluster, len(workload))  # type: ignore[arg-type]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(("policy", "at_most"), [("hybrid_ml", 0.03), ("rl_agent", 0.0)])
def test_the_shipped_models_beat_the_rule_behind_them_and_are_near_or_better_than_any_other(policy: str, at_most: float) -> None:
    logs, fallback = [], []
    for seed in range(10):
        workload, cluster = generate_gpu_cluster(seed, n_tasks=1000)
        schedule = simulate(workload, cluster, compile_policy(policy, workload, cluster))
        own = measure(workload, cluster, schedule)["mean_response_s"]
        logs.append([np.log(own / measure(workload, cluster, run(rule, workload, cluster))["mean_response_s"]) for rule in RULES])
        fallback.append(np.mean(schedule.decided_by >= FIRST_FALLBACK))
    means = dict(zip(RULES, np.mean(logs, axis=0), strict=True))
    assert means["saf+fgd"] < -0.02
    assert max(means.values()) < at_most
    assert np.mean(fallback) < 0.2


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
def test_a_trace_without_users_and_with_parents_runs(policy: str) -> None:
    workload = rigid([0.0, 0.0, 5.0], [10.0, 20.0, 5.0], gpus=[0.5, 0.0, 1.0], edges=[(0, 2, 0.0, 0.0)])
    cluster = nodes(node(4, gpu()), node(4))
    schedule = run(policy, workload, cluster)
    assert schedule.finished.all()
    assert schedule.start_s[2] == 10.0
    again = run(f"{policy}+unguarded+offline", workload, cluster)
    assert again.finished.all()


@pytest.mark.parametrize("name", ["hybrid_ml-nodes", "rl_agent-nodes"])
def test_shipped_models_say_where_they_come_from(name: str) -> None:
    card = SHIPPED.get(name).card
    assert card.objective == "mean_response"
    assert card.command.startswith(f"hms train {card.policy} nodes --seed 1 --generations ")
    assert card.training["workloads"] == [train_nodes.GENERATED]
    assert min(card.training["seeds"]) >= FIRST_TRAINING_SEED
    assert card.training["curve"]
