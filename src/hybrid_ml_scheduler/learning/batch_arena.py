"""Where parameters of batch policies are judged: windows and long runs of many workloads, each against the best rule there.

A *group* is one workload: windows of 1,024 jobs on an empty machine (the published protocol), or one long run. Its score is the logarithm of the
policy's objective, mean over the windows, over that of the rule that is best there. Long runs also count by how much the longest wait exceeds that of
their best rule, so that nothing is won by letting jobs starve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine.ensemble import EMPTY_ENSEMBLE, Ensemble
from hybrid_ml_scheduler.engine.features.batch import Book, build_book
from hybrid_ml_scheduler.engine.guard import build_guard
from hybrid_ml_scheduler.engine.mechanisms import prepare
from hybrid_ml_scheduler.engine.metrics import BOUNDED_SLOWDOWN_FLOOR_S, measure
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.reservations import build_ends
from hybrid_ml_scheduler.engine.scored_pool import ScoredRule, build_queue, run_scored
from hybrid_ml_scheduler.engine.state import Law, Problem, State, build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.batch import weights_of
from hybrid_ml_scheduler.learning.objective import Objective
from hybrid_ml_scheduler.learning.search import VALIDATION
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.lublin import LublinParameters
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import first_n

WINDOW = 1024
LONG_SEEDS = 200
"""Long runs have seeds from so many after those of the windows."""
LONG_WEIGHT, WAIT_WEIGHT = 0.5, 2.0
WAIT_FLOOR_S = 3600.0
"""Longest waits below this do not count against a policy."""
CLIP = 3.0
"""Logarithms of ratios are cut here, so that one hopeless group does not hide the others."""

RULES = (
    *(f"{order}{backfill}" for order in ("saf", "f1", "f2", "f3", "f4", "sjf", "unicep") for backfill in ("", "+easy")),
    "fcfs+easypp",
)
"""The best of these on a group is what a policy is held against there."""


def training_spec(seed: int) -> str:
    """Return the workload that a seed stands for: machine, load, users and estimates are drawn from wide ranges.

    Parameters
    ----------
    seed : int
        At least `FIRST_TRAINING_SEED`.
    """
    rng = np.random.default_rng(seed)

    def between(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 3)

    def scale(low: float, high: float) -> float:
        return round(float(np.exp(rng.uniform(math.log(low), math.log(high)))), 2)

    processors = int(rng.choice([64, 100, 128, 200, 240, 256, 320, 430, 512, 1024]))
    widest, load, sort = float(rng.choice([1.0, 1.0, 0.5, 0.25])), between(0.5, 1.0), rng.random()
    if sort < 0.3:
        return LublinParameters(processors=processors, widest=widest, load=load, users=0, estimates="exact").spec
    return LublinParameters(
        processors=processors,
        widest=widest,
        load=load,
        users=int(scale(8, 256)),
        activity=between(0.6, 1.6),
        session=scale(1.5, 15),
        think_s=scale(3, 300),
        repeat=between(0.3, 0.95),
        spread=scale(0.1, 1.0),
        slower=scale(0.5, 5.0),
        burst_h=scale(1, 24),
        failing=between(0.0, 0.3),
        careful=scale(0.2, 2.5),
        longest_h=float(rng.choice([12, 24, 48, 72, 120])),
        lazy=between(0.0, 0.3),
        estimates="exact" if sort < 0.4 else "user",
    ).spec


@dataclass(frozen=True, slots=True)
class ArenaSize:
    """How much is run to judge one parameter set.

    Attributes
    ----------
    windows : int
        Windows of a group.
    long : int
        Jobs of a long run.
    groups, long_runs : int
        For training.
    groups_at_once, long_runs_at_once : int
        Of these, per generation; they take turns.
    validation_groups, validation_long_runs : int
        For validation.
    """

    windows: int = 8
    long: int = 6000
    groups: int = 64
    long_runs: int = 24
    groups_at_once: int = 16
    long_runs_at_once: int = 6
    validation_groups: int = 24
    validation_long_runs: int = 12


FULL = ArenaSize()


@dataclass(slots=True)
class _Piece:
    """One run: a window or a long run, with what it needs more than once."""

    workload: Workload
    cluster: Cluster
    problem: Problem
    truth: Law
    book: Book
    empty: FloatArray

    @classmethod
    def of(cls, workload: Workload, cluster: Cluster) -> _Piece:
        book = build_book(workload.tasks)
        return cls(workload, cluster, build_problem(workload, cluster), build_truth(workload, cluster), book, book.table.copy())

    def learned(self, rule: ScoredRule) -> State:
        n = len(self.workload)
        self.book.table[:] = self.empty
        state = build_state(self.problem)
        ends, guard = build_ends(n if rule.easy else 0), build_guard(1, guarded=False)
        run_scored(self.problem, self.truth, state, rule, self.book, build_queue(n), ends, guard, n + 1, math.inf, math.inf)
        return state

    def ruled(self, name: str) -> State:
        policy = cast("CompiledPolicy", compile_policy(name, self.workload, self.cluster))
        state = build_state(self.problem)
        prepare(policy, self.workload, self.cluster, self.problem, self.truth)(state)
        return state

    def value(self, state: State, objective: Objective) -> float:
        """Return the objective of a finished run; the two usual ones without the detour over all metrics."""
        response_s = state.finish - state.ready
        if objective.text == "mean_response":
            return float(np.nanmean(response_s))
        if objective.text == "mean_bounded_slowdown":
            return float(np.nanmean(np.maximum(1.0, response_s / np.maximum(state.finish - state.start, BOUNDED_SLOWDOWN_FLOOR_S))))
        return objective.value(measure(self.workload, self.cluster, schedule_of(self.problem, state, "", 0.0)))


class Group:
    """The windows of one workload, or a long run of it.

    Parameters
    ----------
    workload : Workload
        Of rigid jobs for a pool.
    cluster : Cluster
    objective : Objective
    spans : sequence of (int, int)
        Start and length of every window; rows of the workload.
    """

    def __init__(self, workload: Workload, cluster: Cluster, objective: Objective, spans: Sequence[tuple[int, int]]) -> None:
        self.name = workload.name
        self._objective = objective
        self._pieces = [_Piece.of(workload.select(np.arange(start, start + length)), cluster) for start, length in spans]

    @cached_property
    def best(self) -> tuple[str, float, float]:
        """The rule that is best here, its objective, and its longest wait in seconds."""
        values = {name: self._mean([piece.ruled(name) for piece in self._pieces]) for name in RULES}
        name = min(values, key=lambda rule: values[rule][0])
        return name, *values[name]

    def _mean(self, states: Sequence[State]) -> tuple[float, float]:
        values = [piece.value(state, self._objective) for piece, state in zip(self._pieces, states, strict=True)]
        return float(np.mean(values)), max(float(np.nanmax(state.start - state.ready)) for state in states)

    def score(self, weights: FloatArray, estimate: int, easy: int, ensemble: Ensemble) -> tuple[float, float]:
        """Return the logarithms of the policy's objective, and of its longest wait, over those of the best rule."""
        rule = ScoredRule(weights, estimate, easy, ensemble, np.zeros(0), 0, 1)
        value, wait_s = self._mean([piece.learned(rule) for piece in self._pieces])
        _, best, best_wait_s = self.best
        return math.log(value / best), math.log(max(wait_s, WAIT_FLOOR_S) / max(best_wait_s, WAIT_FLOOR_S))

    def rule_score(self, name: str) -> float:
        """Return the logarithm of a rule's objective over that of the best rule."""
        return math.log(self._mean([piece.ruled(name) for piece in self._pieces])[0] / self.best[1])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a parameter set reaches on the validation workloads, as geometric means of ratios to the best rule of each.

    Attributes
    ----------
    windows, long : float
        Objective.
    wait : float
        Longest wait of the long runs.
    """

    windows: float
    long: float
    wait: float


class Arena:
    """A search problem (`search.SearchProblem`): parameters of the score for one estimate and one backfilling.

    Parameters
    ----------
    specs : tuple of str
        Workloads as `open_workload` takes them; empty for `training_spec` of every seed. Traces are cut in two halves by time: the first trains.
    objective : Objective
    estimate, easy : int
        As in `ScoredRule`.
    ensemble : Ensemble
    size : ArenaSize
    """

    def __init__(
        self,
        specs: tuple[str, ...],
        objective: Objective,
        estimate: int,
        easy: int,
        ensemble: Ensemble = EMPTY_ENSEMBLE,
        size: ArenaSize = FULL,
    ) -> None:
        self._specs, self._objective, self._size = specs, objective, size
        self._estimate, self._easy, self._ensemble = estimate, easy, ensemble
        self._groups: dict[tuple[int, bool], Group] = {}

    def group(self, seed: int, *, is_long: bool) -> Group:
        """Return a group by its seed; generated once."""
        if (seed, is_long) not in self._groups:
            self._groups[seed, is_long] = self._make(seed, is_long)
        return self._groups[seed, is_long]

    def _make(self, seed: int, is_long: bool) -> Group:
        jobs = self._size.long if is_long else WINDOW * self._size.windows
        spec = self._specs[seed % len(self._specs)] if self._specs else training_spec(seed)
        whole = open_workload(spec, seed=seed)
        cluster = default_cluster(whole)
        if whole.report.format != "generated":
            half = len(whole) // 2
            whole = whole.select(np.arange(half, len(whole)) if seed >= FIRST_VALIDATION_SEED else np.arange(half))
            first = int(np.random.default_rng(seed).integers(max(len(whole) - jobs, 0) + 1))
            whole = whole.select(np.arange(first, len(whole)))
        whole = first_n(whole, jobs)
        spans = [(0, len(whole))]
        if not is_long and len(whole) > WINDOW:
            spans = [(start, WINDOW) for start in range(0, len(whole) - WINDOW + 1, WINDOW)]
        return Group(whole, cluster, self._objective, spans)

    def _judged(self, split: str, generation: int) -> tuple[list[Group], list[Group]]:
        size = self._size
        if split == VALIDATION:
            first, windows, long = FIRST_VALIDATION_SEED, list(range(size.validation_groups)), list(range(size.validation_long_runs))
        else:
            first = FIRST_TRAINING_SEED
            windows = _turn(generation, size.groups_at_once, size.groups)
            long = _turn(generation, size.long_runs_at_once, size.long_runs)
        return [self.group(first + number, is_long=False) for number in windows], [
            self.group(first + LONG_SEEDS + number, is_long=True) for number in long
        ]

    def score(self, vector: FloatArray, split: str, generation: int) -> float:
        """Return the score of a parameter set (`learning.batch.weights_of`); see the head of this module."""
        weights = weights_of(vector)
        of_windows, of_long = (self._scores(groups, weights) for groups in self._judged(split, generation))
        longer = np.maximum(of_long[:, 1], 0.0)
        return float(of_windows[:, 0].mean() + LONG_WEIGHT * of_long[:, 0].mean() + WAIT_WEIGHT * longer.mean())

    def _scores(self, groups: Sequence[Group], weights: FloatArray) -> FloatArray:
        return np.clip([group.score(weights, self._estimate, self._easy, self._ensemble) for group in groups], -CLIP, CLIP)

    def verdict(self, vector: FloatArray) -> Verdict:
        """Return what a parameter set reaches on validation."""
        of_windows, of_long = (self._scores(groups, weights_of(vector)) for groups in self._judged(VALIDATION, 0))
        return Verdict(math.exp(of_windows[:, 0].mean()), math.exp(of_long[:, 0].mean()), math.exp(of_long[:, 1].mean()))

    def rules(self) -> dict[str, float]:
        """Return the geometric mean over the validation windows of every rule's ratio to the best one."""
        groups, _ = self._judged(VALIDATION, 0)
        return {name: math.exp(float(np.mean([group.rule_score(name) for group in groups]))) for name in RULES}


def _turn(generation: int, at_once: int, of_all: int) -> list[int]:
    """Return whose turn it is in a generation."""
    return [number % of_all for number in range(generation * at_once, (generation + 1) * at_once)]
