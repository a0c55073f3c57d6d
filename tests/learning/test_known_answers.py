"""Learners meet problems whose answer is known.

The shortest job first on one machine; the best split between two devices for tasks that are alone; and a few tasks at once on two devices, whose
best schedule can be enumerated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from engine_cases import divisible, gpu, node, nodes, pool, rigid
from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy, Decision, DecisionView, Mechanism
from hybrid_ml_scheduler.core.workload import Truth, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.divisible import N_PARAMS
from hybrid_ml_scheduler.engine.ensemble import Ensemble, predict_ensemble
from hybrid_ml_scheduler.engine.features.history import N_SUMS
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.scored_pool import TERMS, Estimate
from hybrid_ml_scheduler.learning.batch import SIGMA, START, weights_of
from hybrid_ml_scheduler.learning.search import TRAINING, VALIDATION, search
from hybrid_ml_scheduler.learning.trees import from_lightgbm
from hybrid_ml_scheduler.policies import compile_policy
from learned_cases import learned, run_whole

pytest.importorskip("gymnasium", reason="the optional extra gym is not installed")

from hybrid_ml_scheduler.learning.gym_env import HybridSchedulingEnv

LAUNCH_S, SPEED = 0.1, 10.0
TWO_DEVICES = nodes(node(1, gpu(SPEED, launch_s=LAUNCH_S)))
Vector = NDArray[np.float64]
Act = Callable[[HybridSchedulingEnv, NDArray[np.float32], NDArray[np.int8]], int]


def episode(env: HybridSchedulingEnv, act: Act) -> float:
    """Return the objective of one episode."""
    columns, info = env.reset()
    ended = False
    while not ended:
        columns, _, ended, _, info = env.step(np.int64(act(env, columns, info["action_mask"])))
    return float(info["objective"])


class Instances:
    """Small problems with their optimum; the score of a rule is its mean ratio to it."""

    def __init__(self, make: Callable[[int], tuple[HybridSchedulingEnv, float]], rule: Callable[[Vector], Act], training: range, validation: range):
        self._rule = rule
        self._problems = {TRAINING: [make(seed) for seed in training], VALIDATION: [make(seed) for seed in validation]}

    def score(self, vector: Vector, split: str, generation: int) -> float:
        del generation
        return float(np.mean(self.ratios(vector, split)))

    def ratios(self, vector: Vector, split: str) -> list[float]:
        act = self._rule(vector)
        return [episode(env, act) / optimum for env, optimum in self._problems[split]]


# One machine, all jobs there at once: shortest processing time first is optimal (Smith, 1956).

N_JOBS = 8


def jobs(seed: int) -> tuple[Workload, float]:
    """Return jobs whose estimates are exact, and their least mean response."""
    run_s = np.random.default_rng(seed).uniform(1.0, 1000.0, N_JOBS)
    return rigid([0.0] * N_JOBS, run_s), float(np.cumsum(np.sort(run_s)).mean())


def one_machine(seed: int) -> tuple[HybridSchedulingEnv, float]:
    work, best_s = jobs(seed)
    return HybridSchedulingEnv(work, pool(1), objective="mean_response", slots=N_JOBS, tasks=None), best_s


def by_columns(vector: Vector) -> Act:
    """Start the job whose weighted columns (waited, requested, share) add up to the least."""

    def act(env: HybridSchedulingEnv, columns: NDArray[np.float32], mask: NDArray[np.int8]) -> int:
        del env
        score = columns[5:].reshape(N_JOBS, 5)[:, 1:4] @ vector
        return int(np.argmin(np.where(mask[:-1] > 0, score, np.inf)))

    return act


def test_search_finds_shortest_processing_time_first() -> None:
    start = np.array([0.0, -1.0, 0.0])
    factory = partial(Instances, one_machine, by_columns, range(10_000, 10_004), range(10_500, 10_504))
    result = search(factory, start, 1.0, seed=1, generations=12)
    unseen = Instances(one_machine, by_columns, range(0), range(20))
    # It starts from the worst order there is.
    assert unseen.score(start, VALIDATION, 0) > 1.4
    np.testing.assert_allclose(unseen.ratios(result.vector, VALIDATION), 1.0, rtol=1e-12)


class OfTheAgent:
    """The same problem for what ``rl_agent`` itself searches: the parameters of the score of waiting batch jobs."""

    def __init__(self, training: range, validation: range) -> None:
        self._work = {TRAINING: [jobs(seed) for seed in training], VALIDATION: [jobs(seed) for seed in validation]}

    def score(self, vector: Vector, split: str, generation: int) -> float:
        del generation
        return float(np.mean(self.ratios(vector, split)))

    def ratios(self, vector: Vector, split: str) -> list[float]:
        codes = {"estimate": int(Estimate.HISTORY), "backfill": 0, "online": 1}
        policy = CompiledPolicy("agent", Mechanism.SCORED_POOL, codes, arrays={"weights": weights_of(vector)})
        return [measure(work, pool(1), simulate(work, pool(1), policy))["mean_response_s"] / best_s for work, best_s in self._work[split]]


def test_the_agent_for_batch_jobs_finds_shortest_processing_time_first() -> None:
    start = START.copy()
    # It starts from the longest first.
    start[TERMS.index("run")] = -2.0
    result = search(partial(OfTheAgent, range(10_000, 10_016), range(10_500, 10_524)), start, SIGMA, seed=1, generations=20)
    unseen = OfTheAgent(range(0), range(20))
    assert unseen.score(start, VALIDATION, 0) > 1.3
    np.testing.assert_allclose(unseen.ratios(result.vector, VALIDATION), 1.0, rtol=1e-12)


class ShortestPredictedFirst:
    """Starts the job whose user's predicted run time is shortest."""

    name = "shortest_predicted"

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    def decide(self, view: DecisionView) -> Decision | None:
        queue, user = view.queue, view.tasks.user
        assert user is not None
        if len(queue) == 0 or view.free_cores_milli[0] == 0:
            return None
        predicted = [predict_ensemble(self._ensemble, row_of(view.tasks.requested_time_s[row], user[row])) for row in queue]
        return Decision(int(queue[int(np.argmin(predicted))]))


def row_of(requested_s: float, user: int) -> Vector:
    return np.array([requested_s, float(user)])


def of_users(seed: int, n: int, run_s: Vector) -> Workload:
    """Jobs of users who each always run equally long, and ask for any time at all."""
    random = np.random.default_rng(seed)
    user = random.integers(0, len(run_s), n)
    work = rigid([0.0] * n, run_s[user], requested_s=random.uniform(1.0, 1000.0, n))
    return replace(work, tasks=replace(work.tasks, user=user, user_names=tuple(f"user {name}" for name in range(len(run_s)))))


def test_predictions_from_observed_run_times_give_the_shortest_first() -> None:
    run_s = np.array([700.0, 20.0, 300.0, 5.0, 90.0, 400.0])
    past = of_users(10_000, 300, run_s)
    schedule = simulate(past, pool(1), compile_policy("fcfs", past, pool(1)))
    # What a real system could have seen: who asked for how much, and when the job started and ended.
    assert past.tasks.user is not None
    rows = np.stack([row_of(requested, user) for requested, user in zip(past.tasks.requested_time_s, past.tasks.user, strict=True)])
    observed_s = schedule.finish_s - schedule.start_s
    params = {"objective": "regression_l1", "num_leaves": 8, "min_data_in_leaf": 5, "min_data_per_group": 5, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(params | {"cat_smooth": 1.0, "seed": 1}, lightgbm.Dataset(rows, observed_s, categorical_feature=[1]), 60)
    policy = ShortestPredictedFirst(from_lightgbm(booster))
    for seed in range(5):
        work = of_users(seed, 40, run_s)
        best_s = float(np.cumsum(np.sort(work.truth.work_s)).mean())
        by_estimate = simulate(work, pool(1), compile_policy("sjf", work, pool(1)))
        assert measure(work, pool(1), by_estimate)["mean_response_s"] > 1.5 * best_s
        assert measure(work, pool(1), simulate(work, pool(1), policy))["mean_response_s"] == pytest.approx(best_s, rel=1e-12)


# One core and one GPU, and never two tasks at once: the best split of each task has a closed form.

FACTORS = np.array([20.0, 0.25])
"""True over nominal GPU work of the two kinds: a rule takes them for equal."""


def alone(n: int) -> Workload:
    random = np.random.default_rng(10_002)
    kind = random.integers(0, 2, n)
    size = random.uniform(2.0, 20.0, n)
    work = divisible(1000.0 * np.arange(n), size, intensity=0.9)
    truth = Truth(work_s=size, slowdown=FACTORS.reshape(1, 2, 1), regime_start_s=np.array([-np.inf]), gpu_models=("gpu",))
    return replace(work, tasks=replace(work.tasks, kind=kind, kind_names=("slow there", "fast there")), truth=truth)


def test_learned_times_lead_to_the_best_split_of_tasks_that_are_alone() -> None:
    work = alone(300)
    assert work.tasks.kind is not None
    a = work.truth.work_s
    b = a * (0.1 + 0.9 / SPEED) * FACTORS[work.tasks.kind]
    best_s = np.where(a <= LAUNCH_S, a, a * (b + LAUNCH_S) / (a + b))
    policy = learned(sums=np.zeros((2, 2, N_SUMS)), exploration=0.1, seed=1)
    # Nothing waits, so holding a device costs nobody anything.
    policy.params[:N_PARAMS] = 0.0
    schedule, _ = run_whole(policy, work, TWO_DEVICES)
    ratio = (schedule.finish_s - schedule.start_s) / best_s
    decided = schedule.decided_by == DecidedBy.MODEL
    assert decided.mean() > 0.8
    late = decided & (np.arange(300) >= 150)
    assert ratio[late].max() < 1.02
    nominal = simulate(work, TWO_DEVICES, compile_policy("mct+split_any", work, TWO_DEVICES))
    assert ((nominal.finish_s - nominal.start_s) / best_s).mean() > 1.3


# One core and one GPU: the best mean response of a few tasks is found by enumeration.

N_TASKS = 5
TOLERANCE = 0.04


def options(size: Vector, intensity: Vector) -> NDArray[np.float64]:
    """Return how long each task holds core and GPU: on the core, split so that both end together, on the GPU; shape (n, 3, 2)."""
    a, b = size, size * ((1.0 - intensity) + intensity / SPEED)
    both = (a - LAUNCH_S) / (a + b)
    zero = np.zeros_like(a)
    return np.stack([np.stack([a, zero], 1), np.stack([(1.0 - both) * a, LAUNCH_S + both * b], 1), np.stack([zero, LAUNCH_S + b], 1)], 1)


def best_mean_response(held: NDArray[np.float64]) -> float:
    """Try every order and option, each task as soon as its devices are free: one of these schedules is optimal, for delaying helps nobody."""
    n = len(held)

    def least(left: frozenset[int], core_s: float, gpu_s: float, total_s: float, best_s: float) -> float:
        if not left:
            return min(best_s, total_s)
        if total_s + len(left) * min(core_s, gpu_s) >= best_s:
            return best_s
        for task, option in itertools.product(sorted(left), range(3)):
            on_core, on_gpu = held[task, option]
            start_s = max(core_s if on_core else 0.0, gpu_s if on_gpu else 0.0)
            free_core_s, free_gpu_s = (start_s + on_core if on_core else core_s), (start_s + on_gpu if on_gpu else gpu_s)
            best_s = least(left - {task}, free_core_s, free_gpu_s, total_s + start_s + max(on_core, on_gpu), best_s)
        return best_s

    return least(frozenset(range(n)), 0.0, 0.0, 0.0, np.inf) / n


def two_devices(seed: int) -> tuple[HybridSchedulingEnv, float]:
    random = np.random.default_rng(seed)
    size = random.uniform(1.0, 10.0, N_TASKS)
    intensity = np.where(random.random(N_TASKS) < 0.5, random.uniform(0.0, 0.3, N_TASKS), random.uniform(0.8, 1.0, N_TASKS))
    env = HybridSchedulingEnv(
        divisible([0.0] * N_TASKS, size, intensity=intensity), TWO_DEVICES, objective="mean_response", slots=N_TASKS, tasks=None
    )
    return env, best_mean_response(options(size, intensity))


def by_prices(vector: Vector) -> Act:
    """Start the option with the lowest price; wait if even that takes too long compared with the task's better device.

    The price is the run time, plus what holding core and GPU costs those behind in the queue, plus how ill the option suits the task.
    """

    def act(env: HybridSchedulingEnv, columns: NDArray[np.float32], mask: NDArray[np.int8]) -> int:
        slots = columns[8:].reshape(N_TASKS, 7)
        a, whole = np.expm1(slots[:, 5]).astype(np.float64), np.expm1(slots[:, 6]).astype(np.float64)
        both = env._fractions[:, 0]
        core = np.stack([a, (1.0 - both) * a, 0.0 * a], 1)
        on_gpu = np.stack([0.0 * a, LAUNCH_S + both * (whole - LAUNCH_S), whole], 1)
        run_s, best_s = np.maximum(core, on_gpu), np.minimum(a, whole)[:, None] + 1e-9
        behind = np.log(max(np.expm1(columns[0]), 1.0))
        log_run, log_ratio = np.log(run_s + 1e-9), np.log(run_s / best_s + 1e-9)
        price = (
            log_run + (vector[0] + vector[1] * behind) * core / best_s + (vector[2] + vector[3] * behind) * on_gpu / best_s + vector[4] * log_ratio
        )
        chosen = int(np.argmin(np.where(mask[:-1].reshape(N_TASKS, 3) > 0, price, np.inf)))
        busy = float(columns[4] + columns[7])
        if mask[-1] and log_ratio.ravel()[chosen] > vector[5] + vector[6] * busy:
            return len(mask) - 1
        return chosen

    return act


def test_enumeration_agrees_with_a_case_done_by_hand() -> None:
    # A task for each device, and one that gains by using both: apart 1 s each, then the third split from 1 s on.
    held = np.array([[[1.0, 0.0], [9.0, 9.0], [0.0, 9.0]], [[9.0, 0.0], [9.0, 9.0], [0.0, 1.0]], [[8.0, 0.0], [3.0, 3.0], [0.0, 8.0]]])
    assert best_mean_response(held) == (1.0 + 1.0 + 4.0) / 3.0


def ratios_of(rule: str, problems: Sequence[tuple[HybridSchedulingEnv, float]]) -> float:
    ratios = []
    for env, optimum in problems:
        env.reset()
        schedule = simulate(env.workload, TWO_DEVICES, compile_policy(rule, env.workload, TWO_DEVICES))
        ratios.append(measure(env.workload, TWO_DEVICES, schedule)["mean_response_s"] / optimum)
    return float(np.mean(ratios))


def test_search_comes_close_to_the_best_schedule_of_two_devices() -> None:
    start = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    factory = partial(Instances, two_devices, by_prices, range(10_000, 10_012), range(10_500, 10_512))
    spread = np.array([0.1, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0])
    result = search(factory, start, spread, seed=1, generations=12)
    problems = [two_devices(seed) for seed in range(40)]
    unseen = Instances(two_devices, by_prices, range(0), range(40))
    found = unseen.score(result.vector, VALIDATION, 0)
    assert all(ratio > 1.0 - 1e-9 for ratio in unseen.ratios(result.vector, VALIDATION))
    assert found < 1.0 + TOLERANCE
    # Not every sensible rule is so close.
    assert unseen.score(start, VALIDATION, 0) > 1.1
    assert ratios_of("mct", problems) > 1.1
