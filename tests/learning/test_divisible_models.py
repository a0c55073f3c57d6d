from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, CompiledPolicy, DecidedBy
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.divisible import EXPLORATION
from hybrid_ml_scheduler.engine.ensemble import LEAF
from hybrid_ml_scheduler.engine.features.history import WX, WXX, WXY, WY, W
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.learning.divisible import LARGEST_PRICES, compile_learned, read_model
from hybrid_ml_scheduler.learning.files import Model, load_model
from hybrid_ml_scheduler.learning.provider import parse_spelling
from hybrid_ml_scheduler.learning.store import PRETRAINED
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate

CLUSTER = workstation()
SHIPPED = {policy: load_model(PRETRAINED / f"{policy}-divisible" / "1") for policy in ("hybrid_ml", "rl_agent")}


def policy_of(model: Model, workload: Workload, options: str = "", seed: int = 0) -> CompiledPolicy:
    name = model.card.policy
    return compile_learned(name, parse_spelling(name + options), model, workload, CLUSTER, seed)


def response(workload: Workload, policy: Any) -> float:
    return measure(workload, CLUSTER, simulate(workload, CLUSTER, policy))["mean_response_s"]


def broken(model: Model, change: Callable[[dict[str, np.ndarray]], None]) -> Model:
    arrays = {name: array.copy() for name, array in model.arrays.items()}
    change(arrays)
    return Model(model.card, arrays)


# Deliberate damage, each as a change of the arrays.


def _predictions(shift: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Callable[[dict[str, np.ndarray]], None]:
    """Move every cell's line; the cells are given full weight, so that the damage is believed."""

    def change(arrays: dict[str, np.ndarray]) -> None:
        sums = arrays["sums"]
        level = shift(np.divide(sums[..., WY], np.maximum(sums[..., W], 1e-9)), np.random.default_rng(7))
        sums[..., W], sums[..., WX], sums[..., WXX], sums[..., WXY] = 300.0, 0.0, 300.0, 0.0
        sums[..., WY] = 300.0 * level

    return change


def _leaves(change_leaves: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        rng = np.random.default_rng(7)
        for prefix in ("cpu", "gpu"):
            leaf = (arrays[f"{prefix}_flags"] & LEAF) != 0
            arrays[f"{prefix}_number"][leaf] = change_leaves(arrays[f"{prefix}_number"][leaf], rng)

    return change


def _prices(seed: int) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        drawn = np.exp(np.random.default_rng(seed).uniform(np.log(1e-3), np.log(30.0), 9))
        arrays["params"][:9] = np.minimum(drawn, LARGEST_PRICES[:9])

    return change


def _set(**positions: float) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        for name, value in positions.items():
            arrays["params"][int(name[1:])] = value

    return change


DAMAGE = {
    "shuffled": _predictions(lambda level, rng: rng.permuted(level.ravel()).reshape(level.shape)),
    "negated": _predictions(lambda level, _: -level),
    "random": _predictions(lambda level, rng: rng.normal(0.0, 1.0, level.shape)),
    "scaled": _predictions(lambda level, _: 3.0 * level + 1.0),
    "constant": _predictions(lambda level, _: np.full_like(level, 0.8)),
    "random trees": _leaves(lambda leaf, rng: rng.normal(0.0, 0.5, leaf.shape)),
    "negated trees": _leaves(lambda leaf, _: -20.0 * leaf),
    "huge trees": _leaves(lambda leaf, _: np.full_like(leaf, 50.0)),
    "prices 1": _prices(1),
    "prices 2": _prices(2),
    "no prices": _set(p0=0.0, p1=0.0, p2=0.0, p3=0.0, p8=0.0),
    "no CPU": _set(p0=100.0),
    "no GPU": _set(p2=1000.0),
    "longest first": _set(p6=1.0, p7=10.0),
    "explores": _set(p10=0.05),
    "counts joules only": _set(p9=1e5),
}
TREELESS = {"random trees", "negated trees", "huge trees"}
KNOWING = {"shuffled", "negated", "random", "scaled", "constant"}
CASES = [(policy, name) for policy in SHIPPED for name in DAMAGE if policy == "hybrid_ml" or name not in TREELESS | KNOWING]


@pytest.mark.parametrize("preset", ["steady", "bursty"])
@pytest.mark.parametrize(("policy", "damage"), CASES)
def test_a_broken_model_costs_at_most_five_percent(policy: str, damage: str, preset: str) -> None:
    workload = generate(preset, seed=10_800)
    model = broken(SHIPPED[policy], DAMAGE[damage])
    rule = response(workload, compile_policy("priced", workload, CLUSTER))
    for options in ("", "+offline"):
        assert response(workload, policy_of(model, workload, options)) <= 1.05 * rule, options


def test_the_damage_is_real() -> None:
    workload = generate("steady", seed=10_800)
    rule = response(workload, compile_policy("priced", workload, CLUSTER))
    for damage in ("random", "negated trees", "prices 1", "no CPU"):
        model = broken(SHIPPED["hybrid_ml"], DAMAGE[damage])
        assert response(workload, policy_of(model, workload, "+unguarded+offline")) > 1.2 * rule, damage


@pytest.mark.parametrize("preset", ["steady", "bursty", "heavy"])
def test_shipped_models_reach_their_targets(preset: str) -> None:
    runs: dict[str, list[float]] = {name: [] for name in ("oracle", "priced", "hybrid_ml", "rl_agent")}
    for seed in range(30, 36):
        workload = generate(preset, seed=seed)
        for name in ("oracle", "priced"):
            runs[name].append(response(workload, compile_policy(name, workload, CLUSTER)))
        for name, model in SHIPPED.items():
            schedule = simulate(workload, CLUSTER, policy_of(model, workload))
            runs[name].append(measure(workload, CLUSTER, schedule)["mean_response_s"])
            assert (schedule.decided_by >= FIRST_FALLBACK).mean() < 0.2
            assert not (schedule.decided_by == DecidedBy.EXPLORATION).any()
    mean = {name: float(np.mean(values)) for name, values in runs.items()}
    # Six runs vary more than the twenty of the table in docs/learning-divisible.md.
    assert mean["hybrid_ml"] <= 1.08 * mean["oracle"]
    assert mean["hybrid_ml"] <= 0.9 * mean["priced"]
    assert mean["rl_agent"] <= mean["priced"]


def test_a_shipped_model_recovers_from_drift_and_a_stale_one_is_seen() -> None:
    workload = generate("drift", seed=33)
    change = int(np.searchsorted(workload.tasks.arrival_s, workload.truth.regime_start_s[1]))
    late = slice(change + 500, None)

    def after(policy: Any) -> float:
        schedule = simulate(workload, CLUSTER, policy)
        return float((schedule.finish_s - workload.tasks.arrival_s)[late].mean())

    model = SHIPPED["hybrid_ml"]
    assert after(policy_of(model, workload)) <= 1.1 * after(compile_policy("oracle", workload, CLUSTER))
    stale = simulate(workload, CLUSTER, policy_of(model, workload, "+offline"))
    assert (stale.decided_by[late] == DecidedBy.FALLBACK_ERROR).mean() > 0.5
    assert after(policy_of(model, workload, "+offline")) <= 1.05 * after(compile_policy("priced", workload, CLUSTER))


def test_the_energy_model_saves_energy_and_costs_no_time() -> None:
    model = load_model(PRETRAINED / "hybrid_ml-divisible-energy" / "1")
    workload = generate("steady", seed=37)
    schedule = simulate(workload, CLUSTER, policy_of(model, workload))
    ours = measure(workload, CLUSTER, schedule)
    assert (schedule.decided_by >= FIRST_FALLBACK).mean() < 0.2
    for name in ("priced", "gpu_only"):
        theirs = measure(workload, CLUSTER, simulate(workload, CLUSTER, compile_policy(name, workload, CLUSTER)))
        assert ours["energy_per_task_j"] < 0.85 * theirs["energy_per_task_j"]
        assert ours["mean_response_s"] < 1.05 * theirs["mean_response_s"]
    joules_only = broken(model, DAMAGE["counts joules only"])
    rule = response(workload, compile_policy("priced", workload, CLUSTER))
    assert response(workload, policy_of(joules_only, workload)) <= 1.05 * rule


def test_kinds_are_known_by_name() -> None:
    workload = generate("steady", seed=10_801, n_tasks=300)
    names = workload.tasks.kind_names
    model = SHIPPED["hybrid_ml"]
    known = policy_of(model, workload).arrays["sums"]
    turned = replace(workload, tasks=replace(workload.tasks, kind_names=names[::-1]))
    np.testing.assert_array_equal(policy_of(model, turned).arrays["sums"], known[::-1])
    unknown = replace(workload, tasks=replace(workload.tasks, kind_names=tuple(f"other{code}" for code in range(8))))
    assert not policy_of(model, unknown).arrays["sums"].any()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sums", np.zeros((2, 3, 5)), "shape"),
        ("sums", np.full((8, 3, 5), np.nan), "not finite"),
        ("sums", -np.ones((8, 3, 5)), "no observations have"),
        ("params", np.full(11, 1e12), "out of range"),
        ("params", np.full(11, -1.0), "out of range"),
        ("params", np.zeros(9), "shape"),
        ("settings", np.array([np.inf, 0.0]), "not finite"),
        ("guard_limits", np.array([0.06, 50.0, 0.95, 0.03, 8.0, 20.0]), "out of range"),
        ("history_settings", np.zeros(11), "out of range"),
        ("low", np.zeros(3), "shape"),
        ("cpu_flags", np.zeros(1, dtype=np.uint8), "cpu_flags"),
    ],
)
def test_wrong_models_are_refused(name: str, value: np.ndarray, message: str) -> None:
    model = SHIPPED["hybrid_ml"]
    with pytest.raises(ModelError, match=message):
        read_model(Model(model.card, {**model.arrays, name: value}))


def test_models_for_something_else_are_refused() -> None:
    model = SHIPPED["hybrid_ml"]
    with pytest.raises(ModelError, match="its features are"):
        read_model(Model(replace(model.card, features=("size",)), model.arrays))
    with pytest.raises(ModelError, match="is for batch"):
        read_model(Model(replace(model.card, kind="batch"), model.arrays))
    with pytest.raises(ModelError, match="expected cpu first"):
        read_model(Model(replace(model.card, parameters={**model.card.parameters, "devices": ["A10", "P4", "cpu"]}), model.arrays))
    without = {name: array for name, array in model.arrays.items() if name != "gpu_number"}
    with pytest.raises(ModelError, match="gpu_number is missing"):
        read_model(Model(model.card, without))


@pytest.mark.parametrize("policy", sorted(SHIPPED))
def test_shipped_models_are_small_and_trained_on_training_seeds(policy: str) -> None:
    folder = PRETRAINED / f"{policy}-divisible" / "1"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 900_000
    card = SHIPPED[policy].card
    assert min(card.training["seeds"]) >= 10_000
    assert card.command.startswith(f"hms train {policy} divisible --seed ")
    assert read_model(SHIPPED[policy]).params[EXPLORATION] == 0.0
