"""A lane: one policy with an engine state of its own, and the rows that its finished tasks leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, CompiledPolicy, DecidedBy, TaskStatus
from hybrid_ml_scheduler.core.errors import EngineError, IncompatiblePolicyError, ModelError, RunRequestError
from hybrid_ml_scheduler.core.streams import Columns, ResultStatus, features_text, gpus_text
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.continued import ContinuedRun
from hybrid_ml_scheduler.engine.learned_divisible import LearnedRun
from hybrid_ml_scheduler.engine.power import SECONDS_PER_HOUR
from hybrid_ml_scheduler.engine.state import HEAP_SIZE, LAW_OVERLAP, MODE_LAW, N_FINISHED, N_ORPHANED, N_REJECTED, N_RUNNING, NEXT_ARRIVAL, QUEUE_SIZE
from hybrid_ml_scheduler.engine.usage import Devices, devices_of
from hybrid_ml_scheduler.engine.whole import WholeRun
from hybrid_ml_scheduler.learning.card import model_name
from hybrid_ml_scheduler.learning.divisible import compile_learned, priced_rule
from hybrid_ml_scheduler.learning.provider import compile_with, model_kind, parse_spelling
from hybrid_ml_scheduler.learning.store import ModelStore, find_model
from hybrid_ml_scheduler.live.accuracy import Accuracy, parts_of
from hybrid_ml_scheduler.live.contract import DeviceStatus, LaneLearning, LaneStatus
from hybrid_ml_scheduler.live.settings import CHECK_EVERY
from hybrid_ml_scheduler.policies import compile_policy

RECENT = 4_096
"""Newest tasks by number that the measures of a lane look at."""
MOST_SHOWN = 64
"""Tasks of a device that are shown."""
MOST_WAITING_SHOWN = 100
"""Waiting tasks of a lane that are shown."""
MOST_DEVICES = 64
"""Devices that are shown one by one; those of larger clusters are shown as one per kind."""
FEW_ROWS = 32
"""Up to so many rows Python spells features faster than Polars."""
LEARNED = ("hybrid_ml", "rl_agent")
NO_MODEL = ""
"""What stands for the name of a model where a learned policy has none."""
DECIDED_WITHOUT = "fallback_no_model"
"""Who decided in such a lane."""

_DECIDED_BY = np.array([code.name.lower() for code in sorted(DecidedBy)], dtype=object)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A policy made ready.

    Attributes
    ----------
    compiled : CompiledPolicy
    model : str or None
        ``name@version`` of its model.
    message : str or None
        What a user should know about it.
    """

    compiled: CompiledPolicy
    model: str | None = None
    message: str | None = None


def choose(
    policy: str, template: Workload, cluster: Cluster, seed: int, store: ModelStore, objective: str | None, model: str | None = None
) -> Chosen:
    """Make a policy ready for a stream of tasks.

    Parameters
    ----------
    policy : str
        As spelled.
    template : Workload
        Some tasks of the stream.
    cluster : Cluster
    seed : int
        Of the policy's own random choices.
    store : ModelStore
    objective : str or None
        Of learned policies.
    model : str or None
        ``NAME@VERSION``: take this one, and no other; `NO_MODEL`: the rule decides. None: the one in use.

    Raises
    ------
    InputError
        If there is no such policy, it does not run these tasks, or ``model`` is not there.
    """
    text = policy.strip().lower()
    if text.partition("+")[0].partition(":")[0] not in LEARNED:
        compiled = compile_policy(text, template, cluster, seed=seed)
        if not isinstance(compiled, CompiledPolicy):
            raise RunRequestError(
                f"policy {policy!r} is a Python class; a continuous run takes compiled policies: rules, learned ones and the oracle"
            )
        return Chosen(compiled)
    spelling = parse_spelling(text)
    if template.kind is not WorkloadKind.DIVISIBLE:
        kind = model_kind(template, cluster)
        if kind is None:
            raise IncompatiblePolicyError(policy, template.name, f"learned policies do not run {template.kind} tasks on {cluster.kind}")
        found = find_model(spelling.policy, kind, objective, model or spelling.wanted, store=store)
        return Chosen(compile_with(found, spelling, template, cluster, seed), f"{found.card.name}@{found.card.version}")
    if spelling.backfill != "none":
        raise IncompatiblePolicyError(policy, template.name, "backfilling is for batch jobs on a pool of processors")
    if model == NO_MODEL:
        return Chosen(replace(priced_rule(), name=text, seed=seed), None, "its rule (priced) decides: there was no model when it began")
    try:
        found = find_model(spelling.policy, "divisible", objective, model or spelling.wanted, store=store)
    except ModelError as error:
        named = model is not None or spelling.model is not None
        if named or store.versions(model_name(spelling.policy, "divisible", objective)):
            raise
        return Chosen(replace(priced_rule(), name=text, seed=seed), None, f"its rule (priced) decides: {error}")
    learned = compile_learned(spelling.policy, spelling, found, template, cluster, seed)
    message = "its rule decides: the prices of the model were refused" if learned.codes.get("refused") else None
    return Chosen(replace(learned, codes={**learned.codes, "records": 1}), f"{found.card.name}@{found.card.version}", message)


def spelled_features(rows: FloatArray) -> list[str]:
    """Spell feature values as `core.streams.features_text` does; many in a third of the time and without keeping other threads waiting.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, n_features)
    """
    if len(rows) <= FEW_ROWS:
        return features_text(rows)
    import polars as pl

    table = pl.DataFrame(np.ascontiguousarray(rows))
    return table.select(pl.concat_str(pl.all().cast(pl.String), separator=" ").alias("features"))["features"].to_list()


class Lane:
    """One policy of a run.

    Parameters
    ----------
    policy : str
        As spelled: the name of the lane.
    chosen : Chosen
    cluster : Cluster
    run : ContinuedRun or WholeRun
        Of the first tasks that it gets.
    first_number : int
        Tasks of the stream before them.
    queue_limit : int
        See `LiveSettings`.
    """

    def __init__(self, policy: str, chosen: Chosen, cluster: Cluster, run: ContinuedRun | WholeRun, first_number: int, queue_limit: int) -> None:
        self.policy, self.model, self.message = policy, chosen.model, chosen.message
        self.run = run
        self.saturated = False
        self.finished = self.refused = 0
        self.energy_j: float | None = 0.0
        self._no_model = chosen.model is None and policy.partition("+")[0].partition(":")[0] in LEARNED
        self._limit = queue_limit
        # On unrelated machines tasks are given to a machine before they run, often by a plan for all of them: none can be left out.
        self._refuses = cluster.kind is not ClusterKind.MACHINES
        self._devices: Devices = devices_of(cluster)
        self._models = np.array(["cpu", *cluster.gpu_models], dtype=object)
        self._end = first_number + len(run.workload)
        self._next_check = -(-first_number // CHECK_EVERY) * CHECK_EVERY
        self._refused_until = 0
        self._response = np.full(RECENT, np.nan)
        self._task = np.full(RECENT, -1, dtype=np.int64)
        self._by_fallback = np.zeros(RECENT, dtype=np.bool_)
        self._accuracy = Accuracy(self._models.tolist())
        self._forget_rows()

    def _forget_rows(self) -> None:
        """Begin to look at the rows of the run as they are now laid out."""
        self._seen = int(self.run.state.counters[N_FINISHED])
        arrived = int(self.run.state.counters[NEXT_ARRIVAL])
        self._reported = self.run.state.status >= TaskStatus.REJECTED
        self._reported[arrived:] = False
        self._refused = np.zeros(len(self._reported), dtype=np.bool_)
        self._mark_refused(arrived)

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """Mask of the rows at hand that it refused, and of those that need their data."""
        status = self.run.state.status
        mask: NDArray[np.bool_] = self._refused | (self._refused.any() & (status == TaskStatus.ORPHANED))
        return mask

    # Going on.

    def advance(self, until_s: float) -> None:
        """Go through all events before a time."""
        run = self.run
        arrival_s = run.problem.arrival
        while self._refuses:
            row = self._next_check - self._end + len(arrival_s)
            if row >= len(arrival_s) or arrival_s[row] >= until_s:
                break
            run.advance(float(arrival_s[row]))
            waiting = self.waiting
            self.saturated = waiting > (self._limit // 2 if self.saturated else self._limit)
            self._next_check += CHECK_EVERY
            if self.saturated:
                self._refused_until = self._next_check
                self._mark_refused(row)
        run.advance(until_s)

    @property
    def waiting(self) -> int:
        """Tasks that wait to be started."""
        return int(self.run.state.counters[QUEUE_SIZE]) if isinstance(self.run, ContinuedRun) else len(self._waiting_rows())

    def _waiting_rows(self) -> IntArray:
        state = self.run.state
        if isinstance(self.run, ContinuedRun):
            return state.queue[: state.counters[QUEUE_SIZE]]
        # Other mechanisms take them out of the engine's queue into one of their own.
        return np.flatnonzero(state.status[: state.counters[NEXT_ARRIVAL]] == TaskStatus.READY)

    def _mark_refused(self, from_row: int) -> None:
        """Take the tasks that are refused out of those to come, and those that need their data."""
        status = self.run.state.status
        last = min(self._refused_until - self._end + len(status), len(status))
        if last <= from_row:
            return
        problem = self.run.problem
        rows = from_row + np.flatnonzero((status[from_row:last] == TaskStatus.PENDING) & problem.fits[from_row:last])
        status[rows] = TaskStatus.REJECTED
        self._refused[rows] = True
        self._lose_orphans()

    def _lose_orphans(self) -> None:
        """Mark the tasks that need the data of tasks that are not run."""
        status, problem = self.run.state.status, self.run.problem
        if not len(problem.parent_idx):
            return
        owner = np.repeat(np.arange(len(status)), np.diff(problem.parent_ptr))
        while True:
            lost = owner[(status[problem.parent_idx] >= TaskStatus.REJECTED) & (status[owner] == TaskStatus.PENDING)]
            if not len(lost):
                break
            status[lost] = TaskStatus.ORPHANED

    def append(self, piece: Workload, first_number: int) -> None:
        """Give it further tasks; everything that has finished must have been harvested."""
        if isinstance(self.run, WholeRun):
            raise EngineError(f"lane {self.policy}: a trace is one piece; expected no further tasks")
        self._unmark()
        self.run.append(piece, first_number)
        self._end = first_number + len(piece)
        self._forget_rows()

    def compact(self) -> None:
        """Forget the tasks that are over; everything that has finished must have been harvested."""
        if isinstance(self.run, WholeRun):
            return
        self._unmark()
        self.run.compact()
        self._forget_rows()

    def swap(self, chosen: Chosen) -> None:
        """Let another version of the model decide from now on; everything that has finished must have been harvested.

        Raises
        ------
        RunRequestError
            If its mechanism goes through the trace with the one that it began with.
        """
        if isinstance(self.run, WholeRun):
            raise RunRequestError(f"policy {self.policy!r} keeps its model to the end of the trace; expected a lane of divisible tasks")
        self._unmark()
        self.run.swap(chosen.compiled)
        self.model, self.message = chosen.model, chosen.message
        self._no_model = False
        self._forget_rows()

    def _unmark(self) -> None:
        """Make the tasks to come that will be refused look like others, so that they are not forgotten."""
        status = self.run.state.status
        to_come = status[self.run.state.counters[NEXT_ARRIVAL] :]
        to_come[to_come >= TaskStatus.REJECTED] = TaskStatus.PENDING
        if isinstance(self.run, WholeRun):
            # Those whose data is lost for another reason stay so.
            self._lose_orphans()

    # What it leaves.

    def harvest(self) -> tuple[list[Columns], list[Columns]]:
        """Return rows of results and of training for the tasks that have finished, were rejected or refused since the last time.

        Returns
        -------
        results, training : list of Columns
            As of `core.streams.STREAM_COLUMNS`, without ``lanes`` in the results.
        """
        state = self.run.state
        rows = state.finish_log[self._seen : state.counters[N_FINISHED]].copy()
        self._seen += len(rows)
        results: list[Columns] = []
        training: list[Columns] = []
        if len(rows):
            results.append(self._results(rows))
            if isinstance(self.run.run, LearnedRun) and isinstance(self.run, ContinuedRun):
                training.append(self._training(rows, self.run.run))
                self._compare(rows, self.run.run)
        if self._refused_until or state.counters[N_REJECTED] or state.counters[N_ORPHANED]:
            over = (state.status >= TaskStatus.REJECTED) & ~self._reported
            over[state.counters[NEXT_ARRIVAL] :] = False
            if over.any():
                results.append(self._not_run(np.flatnonzero(over)))
                self._reported |= over
        return results, training

    def _results(self, rows: IntArray) -> Columns:
        state, problem = self.run.state, self.run.problem
        start_s, finish_s, node = state.start[rows], state.finish[rows], state.node[rows]
        cpu_s, gpu_s = state.cpu_end[rows] - start_s, state.gpu_end[rows] - start_s
        energy_j, cost_usd = self._energy_and_cost(rows, cpu_s, gpu_s)
        decided = state.decided_by[rows]
        self._remember(rows, finish_s - problem.arrival[rows], energy_j, decided)
        score = self.run.run.desk.score[rows] if isinstance(self.run, ContinuedRun) else np.full(len(rows), np.nan)
        return {
            "task_id": self.run.workload.tasks.task_id[rows],
            "scheduler": [self.policy] * len(rows),
            "status": [ResultStatus.FINISHED.value] * len(rows),
            "arrival_s": problem.arrival[rows],
            "start_s": start_s,
            "finish_s": finish_s,
            "cpu_s": cpu_s,
            "gpu_s": gpu_s,
            "node": node,
            "gpus": gpus_text(state.gpu_mask[rows]),
            "fraction": state.fraction[rows],
            "score": np.where(np.isfinite(score), score, np.nan),
            "energy_j": energy_j,
            "cost_usd": cost_usd,
            "decided_by": [DECIDED_WITHOUT] * len(rows) if self._no_model else _DECIDED_BY[decided].tolist(),
            "model": [self.model] * len(rows),
            "reason": [None] * len(rows),
        }

    def _gpu_of(self, rows: IntArray) -> IntArray:
        """Return the number of the GPU that each task held; -1 for none."""
        state = self.run.state
        mask = state.gpu_mask[rows]
        bit = np.log2(np.maximum(mask, 1).astype(np.float64)).astype(np.int64)
        return np.where(mask > 0, self.run.problem.gpu_ptr[state.node[rows]] + bit, -1)

    def _energy_and_cost(self, rows: IntArray, cpu_s: FloatArray, gpu_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return busy energy in joules and price in dollars, as `engine.power` counts them; NaN where nobody knows."""
        devices = self._devices
        node, gpu = self.run.state.node[rows], self._gpu_of(rows)
        core_s = np.nan_to_num(cpu_s) * self.run.problem.cores[rows] / MILLI
        on_gpu = np.where(gpu >= 0, devices.n_nodes + gpu, node)
        gpu_s = np.where(gpu >= 0, np.nan_to_num(gpu_s), 0.0)
        if isinstance(self.run, WholeRun):
            # GPUs asked, all of one node and so of one model, or a share of one.
            gpu_s = gpu_s * self.run.problem.gpus[rows] * self.run.problem.share[rows] / MILLI

        def total(rate: FloatArray) -> FloatArray:
            cpu = np.where(core_s > 0.0, core_s * rate[node], 0.0)
            return np.asarray(cpu + np.where(gpu_s > 0.0, gpu_s * rate[on_gpu], 0.0))

        return total(devices.busy_w), total(devices.usd_per_hour / SECONDS_PER_HOUR)

    def _remember(self, rows: IntArray, response_s: FloatArray, energy_j: FloatArray, decided: NDArray[np.int8]) -> None:
        ids = self.run.workload.tasks.task_id[rows]
        place = ids % RECENT
        self._response[place], self._task[place], self._by_fallback[place] = response_s, ids, decided >= FIRST_FALLBACK
        self.finished += len(rows)
        if self.energy_j is not None:
            total = float(energy_j.sum())
            self.energy_j = None if np.isnan(total) else self.energy_j + total

    def _not_run(self, rows: IntArray) -> Columns:
        refused, orphaned = self._refused[rows], self.run.state.status[rows] == TaskStatus.ORPHANED
        self.refused += int(refused.sum())
        reasons = np.where(
            refused,
            f"the lane is saturated: more than {self._limit} tasks were waiting",
            np.where(orphaned, "a task whose data it needs was not run", "it can never fit the cluster"),
        )
        return self._unrun(rows, np.where(refused, ResultStatus.REFUSED.value, ResultStatus.REJECTED.value).tolist(), reasons.tolist())

    def _unrun(self, rows: IntArray, status: list[str], reasons: list[str]) -> Columns:
        unknown = np.full(len(rows), np.nan)
        return {
            "task_id": self.run.workload.tasks.task_id[rows],
            "scheduler": [self.policy] * len(rows),
            "status": status,
            "arrival_s": self.run.problem.arrival[rows],
            **dict.fromkeys(("start_s", "finish_s", "cpu_s", "gpu_s", "node", "fraction", "score", "energy_j", "cost_usd"), unknown),
            "gpus": [None] * len(rows),
            "decided_by": [None] * len(rows),
            "model": [None] * len(rows),
            "reason": reasons,
        }

    @property
    def idle(self) -> bool:
        """Whether nothing is left to happen to the tasks that it has."""
        counters = self.run.state.counters
        return bool(counters[HEAP_SIZE] == 0 and counters[NEXT_ARRIVAL] == len(self.run.problem.arrival))

    def withdraw(self, reason: str) -> Columns:
        """Return results for the tasks that it was given and will not finish, and why."""
        state = self.run.state
        rows = np.flatnonzero(state.status <= TaskStatus.RUNNING)
        rows = rows[rows < state.counters[NEXT_ARRIVAL]]
        return self._unrun(rows, [ResultStatus.WITHDRAWN.value] * len(rows), [reason] * len(rows))

    def _training(self, rows: IntArray, run: LearnedRun) -> Columns:
        state, problem = self.run.state, self.run.problem
        gpu = self._gpu_of(rows)
        device = np.where(gpu >= 0, 1 + problem.gpu_model[np.maximum(gpu, 0)], 0) if len(problem.gpu_model) else np.zeros(len(rows), dtype=np.int64)
        names = self.run.workload.tasks.kind_names
        return {
            "task_id": self.run.workload.tasks.task_id[rows],
            "scheduler": [self.policy] * len(rows),
            "finish_s": state.finish[rows],
            "kind": [names[kind] for kind in problem.kind[rows]] if names else [None] * len(rows),
            "device": self._models[device].tolist(),
            "node": state.node[rows],
            "fraction": state.fraction[rows],
            "run_s": state.finish[rows] - state.start[rows],
            "cpu_s": state.cpu_end[rows] - state.start[rows],
            "gpu_s": state.gpu_end[rows] - state.start[rows],
            "nominal_s": self._nominal(rows, gpu),
            "features": spelled_features(run.mind.recorded[rows, device]),
        }

    def _nominal(self, rows: IntArray, gpu: IntArray) -> FloatArray:
        """Return how long the chosen option would have taken by nominal times; NaN where the parts do not overlap."""
        problem, state = self.run.problem, self.run.state
        if problem.mode[MODE_LAW] != LAW_OVERLAP or not len(problem.gpu_node):
            return np.full(len(rows), np.nan)
        size, c, fraction = problem.size[rows], problem.intensity[rows], state.fraction[rows]
        cpu_s = (1.0 - fraction) * size / problem.node_speed[state.node[rows]]
        there = np.maximum(gpu, 0)
        whole = problem.mem_mb[rows] / problem.gpu_link[there] + size * ((1.0 - c) + c / problem.gpu_speed[there])
        return np.maximum(cpu_s, np.where(fraction > 0.0, problem.gpu_launch[there] + fraction * whole, 0.0))

    def _compare(self, rows: IntArray, run: LearnedRun) -> None:
        tasks, problem, state = self.run.workload.tasks, self.run.problem, self.run.state
        parts = parts_of(problem, state, run.mind.predicted, rows, self._gpu_of(rows))
        self._accuracy.take(self.run.policy, run, parts, tasks.task_id, tasks.kind_names, problem.kind, state)

    # How it does.

    def learning(self) -> LaneLearning | None:
        """Return how good its predictions are; None for a lane without a model."""
        run = self.run.run
        return self._accuracy.status(self.policy, self.model, run) if self.model is not None and isinstance(run, LearnedRun) else None

    def status(self, over: bool, oracle: Lane | None) -> LaneStatus:
        """Return how it is doing.

        Parameters
        ----------
        over : bool
            Whether no further tasks come.
        oracle : Lane or None
            The lane to compare with.
        """
        state = self.run.state
        known = ~np.isnan(self._response)
        recent = self._response[known]
        waiting, running = self.waiting, int(state.counters[N_RUNNING])
        cores, gpus = float(self.run.problem.node_cores.sum()), len(self.run.problem.gpu_node)
        learned = self.model is not None or self._no_model
        share = 1.0 if self._no_model else float(self._by_fallback[known].mean()) if len(recent) else None
        return LaneStatus(
            policy=self.policy,
            state="finished" if over and not waiting and not running else "saturated" if self.saturated else "running",
            finished=self.finished,
            refused=self.refused,
            queue_length=waiting,
            running=running,
            mean_response_s=float(recent.mean()) if len(recent) else None,
            p95_response_s=float(np.percentile(recent, 95)) if len(recent) else None,
            utilization_cpu=float(1.0 - state.free_cores.sum() / cores) if cores else None,
            utilization_gpu=float(1.0 - state.gpu_free.sum() / (1000.0 * gpus)) if gpus else None,
            devices=self._device_statuses(),
            energy_j=self.energy_j,
            model=self.model,
            fallback_share=share if learned else None,
            regret_to_oracle=None if oracle is None else self._regret(oracle),
            message=self.message,
        )

    def _regret(self, oracle: Lane) -> float | None:
        both = (self._task == oracle._task) & ~np.isnan(self._response) & ~np.isnan(oracle._response)
        if not both.any():
            return None
        least = float(oracle._response[both].mean())
        return float(self._response[both].mean()) / least - 1.0 if least > 0.0 else None

    def present(self) -> dict[str, Any]:
        """Return what is on its devices and what waits, JSON-able; of a part that still runs, nobody knows yet when it ends."""
        state, workload = self.run.state, self.run.workload
        running = state.running[: state.counters[N_RUNNING]]
        now = state.clock[0]
        cpu_end, gpu_end = state.cpu_end[running], state.gpu_end[running]
        waiting = self._waiting_rows()[:MOST_WAITING_SHOWN]
        start_s = state.start[running]
        return {
            "running": {
                "task_id": workload.tasks.task_id[running].tolist(),
                "arrival_s": self.run.problem.arrival[running].tolist(),
                "start_s": start_s.tolist(),
                "cpu_s": [float(end - begin) if end <= now else None for begin, end in zip(start_s, cpu_end, strict=True)],
                "gpu_s": [float(end - begin) if end <= now else None for begin, end in zip(start_s, gpu_end, strict=True)],
                "node": state.node[running].tolist(),
                "gpus": gpus_text(state.gpu_mask[running]),
                "fraction": state.fraction[running].tolist(),
            },
            "waiting": {
                "length": self.waiting,
                "task_id": workload.tasks.task_id[waiting].tolist(),
                "arrival_s": self.run.problem.arrival[waiting].tolist(),
            },
            "devices": [{"name": device.name, "kind": device.kind} for device in self._device_statuses()],
        }

    def _device_statuses(self) -> tuple[DeviceStatus, ...]:
        state, problem, devices = self.run.state, self.run.problem, self._devices
        running = state.running[: state.counters[N_RUNNING]]
        ids = self.run.workload.tasks.task_id[running]
        if len(devices.names) > MOST_DEVICES:
            return self._device_kinds(ids, state.gpu_mask[running] > 0)
        if isinstance(self.run, WholeRun):
            return self._whole_devices(running, ids)
        now = state.clock[0]
        on_cpu, gpu = state.cpu_end[running] > now, self._gpu_of(running)
        on_gpu = state.gpu_end[running] > now
        found = []
        for device, name in enumerate(devices.names):
            number = device - devices.n_nodes
            if number < 0:
                free, whole, here = state.free_cores[device], problem.node_cores[device], on_cpu & (state.node[running] == device)
            else:
                free, whole, here = state.gpu_free[number], MILLI, on_gpu & (gpu == number)
            held = float(1.0 - free / whole) if whole else 0.0
            found.append(DeviceStatus(name, devices.models[device] or "cpu", held, tuple(ids[here][:MOST_SHOWN].tolist())))
        return tuple(found)

    def _whole_devices(self, running: IntArray, ids: IntArray) -> tuple[DeviceStatus, ...]:
        """Return the devices under tasks that hold all that they asked for until they end."""
        state, problem, devices = self.run.state, self.run.problem, self._devices
        node, mask = state.node[running], state.gpu_mask[running]
        found = []
        for device, name in enumerate(devices.names):
            number = device - devices.n_nodes
            if number < 0:
                free, whole, here = state.free_cores[device], problem.node_cores[device], (node == device) & (problem.cores[running] > 0)
            else:
                of_node = problem.gpu_node[number]
                free, whole = state.gpu_free[number], MILLI
                here = (node == of_node) & (mask >> (number - problem.gpu_ptr[of_node]) & 1 > 0)
            held = float(1.0 - free / whole) if whole else 0.0
            kind = devices.models[device] or ("machine" if self.run.cluster.kind is ClusterKind.MACHINES else "cpu")
            found.append(DeviceStatus(name, kind, held, tuple(ids[here][:MOST_SHOWN].tolist())))
        return tuple(found)

    def _device_kinds(self, ids: IntArray, on_gpu: NDArray[np.bool_]) -> tuple[DeviceStatus, ...]:
        """Return one entry for the cores of all nodes, and one for all GPUs of each model."""
        state, problem = self.run.state, self.run.problem
        nodes, cores = len(problem.node_cores), float(problem.node_cores.sum())
        held = float(1.0 - state.free_cores.sum() / cores) if cores else 0.0
        found = [DeviceStatus(f"cores of {nodes} nodes", "cpu", held, tuple(ids[:MOST_SHOWN].tolist()))]
        running = state.running[: state.counters[N_RUNNING]]
        first = problem.gpu_ptr[state.node[running]]
        for code, model in enumerate(self.run.cluster.gpu_models):
            free = state.gpu_free[problem.gpu_model == code]
            here = on_gpu.copy()
            here[on_gpu] = problem.gpu_model[first[on_gpu]] == code
            held = float(1.0 - free.sum() / (MILLI * len(free)))
            found.append(DeviceStatus(f"{len(free)} GPUs {model}", model, held, tuple(ids[here][:MOST_SHOWN].tolist())))
        return tuple(found)

    # Saving.

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what `restore` needs: JSON-able values, and arrays."""
        values = {
            "policy": self.policy,
            "model": self.model,
            "saturated": self.saturated,
            "finished": self.finished,
            "refused": self.refused,
            "energy_j": self.energy_j,
            "first": self._end - len(self.run.workload),
            "end": self._end,
            "next_check": self._next_check,
            "refused_until": self._refused_until,
            "accuracy": self._accuracy.saved(),
        }
        recent = {"recent.response": self._response, "recent.task": self._task, "recent.fallback": self._by_fallback}
        return values, {**self.run.arrays(), **recent}

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Stand where `saved` was called, right after `compact`; the run does so already."""
        self.saturated, self.finished, self.refused = bool(values["saturated"]), int(values["finished"]), int(values["refused"])
        self.energy_j = None if values["energy_j"] is None else float(values["energy_j"])
        self._end, self._next_check, self._refused_until = (int(values[name]) for name in ("end", "next_check", "refused_until"))
        for name, column in (("response", self._response), ("task", self._task), ("fallback", self._by_fallback)):
            column[...] = arrays[f"recent.{name}"]
        self._accuracy.restore(values["accuracy"])
        # Tasks to come that will be refused look so already; they are marked anew.
        self._unmark()
        self._forget_rows()
