"""Learned policies for task graphs: what a model may be, how it is trained, and what the shipped ones reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine_cases import machines, on_machines, run
from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, CompiledPolicy, DecidedBy
from hybrid_ml_scheduler.core.errors import InputError, ModelError, PolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.bounds import lower_bounds
from hybrid_ml_scheduler.engine.plan_search import VECTOR_LENGTH
from hybrid_ml_scheduler.learning import train_kernels
from hybrid_ml_scheduler.learning.explain import explain
from hybrid_ml_scheduler.learning.explain_kernels import explain as explain_row
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.kernels import FEATURE_NAMES, compile_learned
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import parse_spelling, register
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.learning.train_kernels import Observed, fit_variances, heft_vector, peft_vector, train_history, train_vectors
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, TrainingRequest
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.clusters import open_cluster
from hybrid_ml_scheduler.workloads.kernel_graphs import Misjudged, generate_kernel_graph, misjudge
from hybrid_ml_scheduler.workloads.open import open_workload
from model_cases import example_model
from shared_data import shared

RULES = ("heft", "peft", "dmda")
EXAMPLE = Path(__file__).parents[2] / "examples" / "topcuoglu.graph.json"
SHIPPED = ModelStore([PRETRAINED])
SMALL = (8, 8)


def request(policy: str = "rl_agent", objective: str = "makespan", **changes: Any) -> TrainingRequest:
    fields = {
        "policy": policy,
        "kind": "kernels",
        "workloads": (),
        "objective": parse_objective(objective),
        "seed": 1,
        "jobs": 1,
        "budget_s": 3600.0,
        "generations": 15,
        "checkpoint": None,
        "command": f"hms train {policy} kernels --seed 1",
        "created": "2026-11-24",
    }
    return TrainingRequest(**(fields | changes))


def nothing(*_: object) -> None:
    """Nobody is told."""


def model(policy: str = "hybrid_ml", **changes: Any) -> Model:
    parameters = {"steps": 100, "work": 1e7, "again_steps": 20, "delay": 0.01, "correction": 0.1}
    parameters |= {"variance_class": 0.1, "variance_kind": 0.1, "variance_task": 0.01} | changes.pop("parameters", {})
    vectors = changes.pop("vectors", np.stack([heft_vector(), peft_vector()]))
    fields = {"policy": policy, "kind": "kernels", "objective": "makespan", "features": FEATURE_NAMES, "parameters": parameters}
    return replace(example_model(f"{policy}-kernels", **(fields | changes)), arrays={"vectors": vectors})


def compiled(made: Model, text: str = "hybrid_ml") -> CompiledPolicy:
    return compile_learned(made.card.policy, parse_spelling(text), made, *generate_kernel_graph(0), 0)


def test_a_spelling_decides_about_guard_and_learning() -> None:
    codes = {text: compiled(model(), text).codes for text in ("hybrid_ml", "hybrid_ml+offline", "hybrid_ml+unguarded")}
    assert codes["hybrid_ml"] == {"planner": 3, "guarded": 1, "online": 1, "predicts": 1}
    assert codes["hybrid_ml+offline"] == {"planner": 3, "guarded": 1, "online": 0, "predicts": 0}
    assert codes["hybrid_ml+unguarded"]["guarded"] == 0
    assert compiled(model("rl_agent"), "rl_agent").codes["predicts"] == 0
    assert compiled(model()).fallback is not None
    assert compiled(model(), "hybrid_ml+unguarded").fallback is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": ("size",)}, "features size; expected up_mean"),
        ({"vectors": np.zeros((0, VECTOR_LENGTH))}, "'vectors' is not what"),
        ({"vectors": np.zeros((2, 3))}, "'vectors' is not what"),
        ({"vectors": np.full((1, VECTOR_LENGTH), np.nan)}, "'vectors' is not what"),
        ({"vectors": np.full((1, VECTOR_LENGTH), 1e7)}, "'vectors' is not what"),
        ({"vectors": np.zeros((1, VECTOR_LENGTH), dtype=np.int64)}, "'vectors' is not what"),
        ({"parameters": {"steps": "many"}}, "'steps' is many; expected a number from 0 to"),
        ({"parameters": {"steps": True}}, "'steps' is True; expected a number from 0 to"),
        ({"parameters": {"work": 1e12}}, "'work' is"),
        ({"parameters": {"variance_task": 0.0}}, "'variance_task' is 0.0; expected a number from 1e-09"),
        ({"parameters": {"delay": float("nan")}}, "'delay' is nan"),
        ({"objective": "energy"}, "does not say its energy"),
    ],
)
def test_a_model_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        compiled(model(**changes))


def test_only_a_plans_own_metrics_can_be_trained_for() -> None:
    with pytest.raises(InputError, match="does not say its p99_wait"):
        train_kernels.train(request(objective="makespan=1,p99_wait=1"), nothing)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cases, so that training takes seconds."""
    monkeypatch.setattr(train_kernels, "N_VECTORS", 2)
    monkeypatch.setattr(train_kernels, "LARGEST_CASE", 100)
    monkeypatch.setattr(train_kernels, "_CORRECTIONS", (0.1,))
    monkeypatch.setattr(train_kernels, "SEARCH_STEPS", 50)


@pytest.mark.usefixtures("small")
def test_the_same_seed_gives_the_same_model() -> None:
    first, second = (train_vectors(request(), (1.0, 0.0), nothing, sizes=SMALL) for _ in range(2))
    assert np.array_equal(first.arrays["vectors"], second.arrays["vectors"])
    assert first.arrays["vectors"].shape == (2, VECTOR_LENGTH)
    assert first.card.command == "hms train rl_agent kernels --seed 1 --generations 15"
    assert first.card.metrics["validation_log_ratio_to_best_rule"] <= 0.0
    compiled(first, "rl_agent")
    other = train_vectors(request(seed=2), (1.0, 0.0), nothing, sizes=SMALL)
    assert not np.array_equal(first.arrays["vectors"], other.arrays["vectors"])
    history = [train_history(request("hybrid_ml"), nothing, sizes=SMALL) for _ in range(2)]
    assert history[0].card == history[1].card
    compiled(history[0])


@pytest.mark.usefixtures("small")
def test_no_seed_of_a_comparison_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def recording(seed: int) -> tuple[Workload, Cluster]:
        seeds.append(seed)
        return generate_kernel_graph(seed)

    monkeypatch.setattr(train_kernels, "generate_kernel_graph", recording)
    train_vectors(request(generations=1), (1.0, 0.0), nothing, sizes=SMALL)
    train_history(request("hybrid_ml"), nothing, sizes=SMALL)
    assert min(seeds) == FIRST_TRAINING_SEED
    assert any(seed >= FIRST_VALIDATION_SEED for seed in seeds)
    assert not {s for s in seeds if s >= FIRST_VALIDATION_SEED} & set(range(FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED))


@pytest.mark.usefixtures("small")
def test_a_file_of_the_users_own_can_be_trained_on(tmp_path: Path) -> None:
    path = EXAMPLE
    made = train_vectors(request(workloads=(str(path),), generations=1), (0.0, 1.0), nothing, sizes=SMALL)
    assert made.card.training["workloads"] == [str(path)]
    trace = tmp_path / "jobs.swf"
    trace.write_text("; MaxProcs: 4\n1 0 -1 20 1 -1 -1 1 100 -1 1 1 -1 -1 -1 -1 -1 -1\n")
    with pytest.raises(InputError, match="expected a task graph"):
        train_vectors(request(workloads=(str(trace),)), (1.0, 0.0), nothing, sizes=SMALL)


def test_variances_are_found_again() -> None:
    rng = np.random.default_rng(0)
    runs = []
    for _ in range(300):
        of_class, of_kind = rng.normal(0, 0.4, 2), rng.normal(0, 0.2, (5, 2))
        kind, machine_class = rng.integers(0, 5, 60), rng.integers(0, 2, 60)
        runs.append(Observed(kind, machine_class, of_class[machine_class] + of_kind[kind, machine_class] + rng.normal(0, 0.1, 60)))
    assert np.sqrt(fit_variances(runs)) == pytest.approx([0.4, 0.2, 0.1], rel=0.1)


@pytest.fixture
def registered() -> None:
    register()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
def test_why_a_task_runs_where_it_does(policy: str) -> None:
    workload, cluster = generate_kernel_graph(10)
    wrong = misjudge(workload, Misjudged(0.2, 0.3, 0.1), 1)
    schedule = simulate(wrong, cluster, compile_policy(policy, wrong, cluster))
    for row in (0, 100, len(wrong) - 1):
        found = explain(policy, wrong, cluster, int(wrong.tasks.task_id[row]))
        assert found.time_s == schedule.start_s[row]
        assert found.chosen.node == schedule.node[row]
        assert found.chosen in found.candidates
        assert len(found.candidates) == len(cluster.nodes)
        assert [c.score for c in found.candidates] == sorted(c.score for c in found.candidates)
        assert found.decided_by == schedule.decided_by[row]
        assert found.queue_length >= 1
        assert found.notes[0].startswith("the plan in force was made")
        for entry in found.predictions:
            if policy == "hybrid_ml":
                assert entry.low_s < entry.expected_s < entry.high_s
            else:
                assert entry.expected_s == entry.nominal_s
                assert np.isnan(entry.low_s)
    with pytest.raises(PolicyError, match="expected a learned policy for task graphs"):
        explain("heft", wrong, cluster, 0)
    with pytest.raises(InputError, match="never started"):
        explain_row(compiled(model()), wrong, cluster, len(wrong))


def makespans(workload: Workload, cluster: Cluster, policy: str) -> tuple[float, float, np.ndarray]:
    schedule = simulate(workload, cluster, compile_policy(policy, workload, cluster))
    best = min(float(run(rule, workload, cluster).finish_s.max()) for rule in RULES)
    return float(schedule.finish_s.max()), best, schedule.decided_by


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
def test_the_shipped_models_are_better_than_the_best_rule_on_graphs_they_have_not_seen(policy: str) -> None:
    ratios, fallback = [], []
    for seed in range(15):
        found, best, decided = makespans(*generate_kernel_graph(seed), policy)
        assert found <= best * (1 + 1e-12)
        ratios.append(found / best)
        fallback.append(np.mean(decided >= FIRST_FALLBACK))
    assert np.exp(np.mean(np.log(ratios))) < 0.985
    assert np.mean(fallback) <= 0.2


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("policy", ["hybrid_ml", "rl_agent"])
@pytest.mark.parametrize("graph", ["cholesky_4", "cholesky_8", "denselu_8"])
def test_no_worse_than_the_best_rule_on_the_real_graphs(policy: str, graph: str) -> None:
    for tile in (409_600, 1_638_400, 3_686_400, 8_294_400):
        workload = open_workload(str(shared(f"data/task-graphs/{graph}.txt")))
        cluster = open_cluster(f"kernels:{shared('data/starpu-perfmodels/derived_kernel_times.csv')}@sirocco#{tile}")
        bound = bind_to_cluster(workload, cluster)
        found, best, _ = makespans(bound, cluster, policy)
        assert lower_bounds(bound, cluster)["best_s"] * (1 - 1e-9) <= found <= best * (1 + 1e-12)


@pytest.mark.usefixtures("registered")
def test_any_graph_on_machines_runs() -> None:
    """Without kinds, with one machine, with zero costs: what a matrix of the user's own may be."""
    for cost in ([[1.0], [2.0]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 0.0]]):
        workload = on_machines(cost, [(0, 1, 1.0, 0.0)])
        for policy in ("hybrid_ml", "rl_agent"):
            schedule = run(policy, workload, machines(len(cost[0])))
            assert schedule.finished.all()
            assert schedule.finish_s.max() <= min(run(rule, workload, machines(len(cost[0]))).finish_s.max() for rule in RULES)
    assert DecidedBy.FALLBACK_RANGE in schedule.decided_by


@pytest.mark.parametrize("name", ["hybrid_ml-kernels", "rl_agent-kernels"])
def test_shipped_models_say_where_they_come_from(name: str) -> None:
    card = SHIPPED.get(name).card
    assert card.objective == "makespan"
    assert card.command.startswith(f"hms train {card.policy} kernels --seed 1")
    assert card.training["workloads"] == [train_kernels.GENERATED]
    assert min(card.training["seeds"]) >= FIRST_TRAINING_SEED
    assert card.metrics["validation_log_ratio_to_best_rule"] < 0.0
    assert card.training["curve"]
