"""One policy over a stream of tasks that comes in pieces: `ContinuedRun` does what a run over all of them at once would do, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine.divisible import Split, build_desk, run_divisible
from hybrid_ml_scheduler.engine.learned_divisible import LearnedRun, prepare_learned
from hybrid_ml_scheduler.engine.mechanisms import divisible_rule
from hybrid_ml_scheduler.engine.rebase import TASK_ROWS, TRUTH_ROWS, carry_desk, carry_state, joined, rows_to_keep
from hybrid_ml_scheduler.engine.shadow import LARGEST_BLOCK
from hybrid_ml_scheduler.engine.state import N_FINISHED, Law, Problem, State, build_problem, build_state, build_truth

Arrays = dict[str, NDArray[Any]]


class _RuleRun:
    """A rule for divisible tasks; see `LearnedRun`."""

    def __init__(self, policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> None:
        self._problem, self._truth = problem, truth
        self._expected, self._rule = divisible_rule(policy, workload, cluster, problem, truth)
        self.draw = self._rule.draw
        self.desk = build_desk(problem)

    def __call__(self, state: State, until_s: float) -> None:
        """Run through all events before a time."""
        run_divisible(self._problem, self._truth, self._expected, state, self._rule, self.desk, float(until_s))


class ContinuedRun:
    """A run that can be stopped at any time, and given further tasks.

    Parameters
    ----------
    policy : CompiledPolicy
        For divisible tasks.
    cluster : Cluster
    piece : Workload
        The first tasks.
    first_number : int
        How many tasks of the stream came before them: the policy's own random numbers belong to places in the stream.

    Attributes
    ----------
    workload : Workload
        The tasks at hand: those that are unfinished or still needed, and those to come.
    problem, truth, state
        The engine's arrays for them.
    run : LearnedRun or _RuleRun
        With ``desk``.

    Raises
    ------
    IncompatiblePolicyError
        If this policy cannot run tasks that come in pieces.
    """

    def __init__(self, policy: CompiledPolicy, cluster: Cluster, piece: Workload, first_number: int) -> None:
        if policy.mechanism not in (Mechanism.DIVISIBLE, Mechanism.LEARNED_DIVISIBLE):
            raise IncompatiblePolicyError(policy.name, piece.name, "only policies for divisible tasks run tasks that come in pieces")
        if policy.codes.get("split") == Split.QILIN:
            raise IncompatiblePolicyError(policy.name, piece.name, "its lines are fitted to all tasks, of which a stream has no end")
        self.policy = policy
        self.cluster = cluster
        # Learned policies look back at so many finished tasks.
        self.tail = LARGEST_BLOCK if policy.mechanism is Mechanism.LEARNED_DIVISIBLE else 0
        self._lay_out(piece)
        self.run.draw[:] = _draws(policy.seed, first_number, len(piece))

    def _lay_out(self, workload: Workload) -> None:
        self.workload = workload
        self.problem = build_problem(workload, self.cluster)
        self.truth = build_truth(workload, self.cluster)
        self.state = build_state(self.problem)
        self.run: LearnedRun | _RuleRun
        if self.policy.mechanism is Mechanism.LEARNED_DIVISIBLE:
            self.run = prepare_learned(self.policy, workload, self.cluster, self.problem, self.truth)
        else:
            self.run = _RuleRun(self.policy, workload, self.cluster, self.problem, self.truth)

    def advance(self, until_s: float) -> None:
        """Go through all events before a time."""
        self.run(self.state, until_s)

    @property
    def finished(self) -> IntArray:
        """Rows of the finished tasks that are at hand, in the order of their ends."""
        return self.state.finish_log[: self.state.counters[N_FINISHED]]

    def append(self, piece: Workload, first_number: int) -> None:
        """Give it further tasks, all of which arrive later than those at hand, and forget those that are over."""
        self._move(piece, _draws(self.policy.seed, first_number, len(piece)))

    def compact(self) -> None:
        """Forget the tasks that are over."""
        self._move(None, np.zeros((0, 2)))

    def swap(self, policy: CompiledPolicy) -> None:
        """Let another version of a learned policy decide from now on, or another rule."""
        self.policy = policy
        self._move(None, np.zeros((0, 2)), knows=False)

    def _move(self, piece: Workload | None, draw: FloatArray, *, knows: bool = True) -> None:
        old, run = self.state, self.run
        keep = rows_to_keep(self.problem, old, self.tail)
        kept = self.workload.select(keep)
        self._lay_out(kept if piece is None else joined(kept, piece))
        dropped = carry_state(old, self.state, keep, self.tail)
        self.run.draw[:] = np.concatenate([run.draw[keep], draw])
        carry_desk(run.desk, self.run.desk, keep)
        if isinstance(self.run, LearnedRun) and isinstance(run, LearnedRun):
            self.run.carry(run, keep, dropped, knows=knows)

    def arrays(self) -> Arrays:
        """Return everything that `restored` needs, besides the policy and the cluster."""
        tasks, truth = self.workload.tasks, self.workload.truth
        found: Arrays = {}
        for name in (*TASK_ROWS, "parent_ptr", "parent_idx", "edge_s", "edge_mb"):
            if (column := getattr(tasks, name)) is not None:
                found[f"tasks.{name}"] = column
        for name in (*TRUTH_ROWS, "slowdown", "regime_start_s"):
            if (column := getattr(truth, name)) is not None:
                found[f"truth.{name}"] = column
        found |= {f"state.{name}": column for name, column in self.state._asdict().items()}
        found |= {f"desk.{name}": column for name, column in self.run.desk._asdict().items()}
        found["draw"] = self.run.draw
        if isinstance(self.run, LearnedRun):
            found |= self.run.arrays()
        return found

    @classmethod
    def restored(cls, policy: CompiledPolicy, cluster: Cluster, template: Workload, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return a run that stands where `arrays` was called.

        Parameters
        ----------
        policy, cluster
            Those of that run.
        template : Workload
            Any piece of its stream.
        arrays : mapping of str to ndarray

        Raises
        ------
        KeyError, ValueError
            If something is missing or of the wrong shape.
        """
        tasks: dict[str, Any] = {
            name: arrays.get(f"tasks.{name}") for name in (*TASK_ROWS, "parent_ptr", "parent_idx", "edge_s", "edge_mb", "cost_s")
        }
        truth: dict[str, Any] = {"gpu_noise": None}
        truth |= {name: arrays[f"truth.{name}"] for name in (*TRUTH_ROWS, "slowdown", "regime_start_s") if f"truth.{name}" in arrays}
        workload = replace(template, tasks=replace(template.tasks, **tasks), truth=replace(template.truth, **truth))
        made = cls(policy, cluster, workload, 0)
        for kind, target in (("state", made.state), ("desk", made.run.desk)):
            for name, column in target._asdict().items():
                column[...] = arrays[f"{kind}.{name}"]
        made.run.draw[:] = arrays["draw"]
        if isinstance(made.run, LearnedRun):
            made.run.restore(arrays)
        return made


def _draws(seed: int, first: int, count: int) -> FloatArray:
    """Return the random numbers of some tasks of a stream, two each; of the first ones, those of a run over all tasks at once."""
    bits = np.random.PCG64(seed)
    bits.advance(2 * first)
    return np.random.Generator(bits).random((count, 2))
