"""How good the predictions of a learned lane are: what it expected of finished tasks when it decided, against what they took."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.ensemble import ensemble_from_arrays, predict_ensemble_rows
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE
from hybrid_ml_scheduler.engine.features.history import N_ALARMS
from hybrid_ml_scheduler.engine.guard import N_FALLS, Guard, who_decides
from hybrid_ml_scheduler.engine.learned_divisible import LearnedRun
from hybrid_ml_scheduler.engine.state import LAW_OVERLAP, MODE_LAW, Problem, State
from hybrid_ml_scheduler.live.contract import DeviceError, LaneLearning, PredictedPart

MOST_PAIRS = 60
"""Predictions beside true times that a lane shows."""
MEMORY = 0.01
"""Weight of an outcome in the running means."""
PAIRS_AT_ONCE = 8
"""Predictions of a step that are kept as pairs, and whose quantiles are worked out: its newest."""
COVERED = 512
"""Newest sampled outcomes over which it is counted how many lay between the quantiles, and below them."""
BELOW, INSIDE, ABOVE = -1, 0, 1

_ESTIMATE = [feature.name for feature in DIVISIBLE].index("estimate")
_SHORTEST_S = 1e-9


@dataclass(frozen=True, slots=True)
class Parts:
    """What devices worked on, one entry per part of a finished task, in the order of the tasks.

    Attributes
    ----------
    row, device : ndarray of int64, shape (m,)
        Row of the task; class of the device, 0 for the CPU.
    predicted_s, nominal_s, true_s : ndarray of float64, shape (m,)
    fixed_s : ndarray of float64, shape (m,)
        Launch and transfer in them, about which nothing is predicted.
    """

    row: IntArray
    device: IntArray
    predicted_s: FloatArray
    nominal_s: FloatArray
    true_s: FloatArray
    fixed_s: FloatArray


def parts_of(problem: Problem, state: State, predicted: FloatArray, rows: IntArray, gpu: IntArray) -> Parts:
    """Return the parts of finished tasks.

    Parameters
    ----------
    problem : Problem
    state : State
    predicted : ndarray of float64, shape (n, d)
        Logarithm of predicted over nominal work of every task on every class of device.
    rows : ndarray of int64, shape (m,)
        Finished tasks.
    gpu : ndarray of int64, shape (m,)
        GPU that each held, -1 for none.

    Returns
    -------
    Parts
        None under a law by which parts run one after the other: how long each took nobody could see.
    """
    if problem.mode[MODE_LAW] != LAW_OVERLAP:
        rows, gpu = rows[:0], gpu[:0]
    share, size, start = state.fraction[rows], problem.size[rows], state.start[rows]
    on_cpu, on_gpu = np.flatnonzero(share < 1.0), np.flatnonzero(gpu >= 0)
    cpu_s = (1.0 - share[on_cpu]) * size[on_cpu] / problem.node_speed[state.node[rows[on_cpu]]]
    held = gpu[on_gpu]
    c, f = problem.intensity[rows[on_gpu]], share[on_gpu]
    work_s = f * size[on_gpu] * ((1.0 - c) + c / problem.gpu_speed[held]) if len(held) else np.zeros(0)
    fixed_s = problem.gpu_launch[held] + f * problem.mem_mb[rows[on_gpu]] / problem.gpu_link[held] if len(held) else np.zeros(0)
    device = np.concatenate([np.zeros(len(on_cpu), dtype=np.int64), 1 + problem.gpu_model[held] if len(held) else np.zeros(0, dtype=np.int64)])
    place = np.concatenate([on_cpu, on_gpu])
    row = rows[place]
    on_device_s, fixed = np.concatenate([cpu_s, work_s]), np.concatenate([np.zeros(len(on_cpu)), fixed_s])
    end = np.concatenate([state.cpu_end[rows[on_cpu]], state.gpu_end[rows[on_gpu]]])
    found = Parts(
        row=row,
        device=device,
        predicted_s=fixed + on_device_s * np.exp(predicted[row, device]),
        nominal_s=fixed + on_device_s,
        true_s=end - start[place],
        fixed_s=fixed,
    )
    order = np.lexsort((device, place))
    order = order[(found.true_s[order] > _SHORTEST_S) & (found.nominal_s[order] > _SHORTEST_S) & np.isfinite(found.predicted_s[order])]
    return Parts(*(getattr(found, name)[order] for name in Parts.__slots__))


class Accuracy:
    """Running measures of one learned lane.

    Parameters
    ----------
    devices : sequence of str
        Names of the classes of devices, ``cpu`` first.
    """

    def __init__(self, devices: Iterable[str]) -> None:
        self._devices = tuple(devices)
        self.outcomes = 0
        self._error = self._nominal_error = self._weight = 0.0
        self._sides: deque[int] = deque(maxlen=COVERED)
        self._pairs: deque[PredictedPart] = deque(maxlen=MOST_PAIRS)

    def take(
        self, policy: CompiledPolicy, run: LearnedRun, parts: Parts, task_id: IntArray, kinds: tuple[str, ...], kind: IntArray, state: State
    ) -> None:
        """Take in what a step has finished.

        Parameters
        ----------
        policy : CompiledPolicy
            Whose quantiles are asked.
        run : LearnedRun
        parts : Parts
        task_id, kind : ndarray of int64
            Of every row; names of the kinds in ``kinds``.
        kinds : tuple of str
        state : State
        """
        n = len(parts.row)
        if not n:
            return
        self.outcomes += n
        log_true = np.log(parts.true_s)
        fading = MEMORY * (1.0 - MEMORY) ** np.arange(n - 1, -1, -1)
        kept = (1.0 - MEMORY) ** n
        self._error = kept * self._error + float(fading @ np.abs(np.log(parts.predicted_s) - log_true))
        self._nominal_error = kept * self._nominal_error + float(fading @ np.abs(np.log(parts.nominal_s) - log_true))
        self._weight = kept * self._weight + float(fading.sum())
        for place in range(max(0, n - PAIRS_AT_ONCE), n):
            row, device = int(parts.row[place]), int(parts.device[place])
            ends = quantiles(policy, run.mind.recorded[row, device], device) if len(run.mind.recorded) else (math.nan, math.nan)
            fixed_s, work_s = float(parts.fixed_s[place]), float(parts.nominal_s[place] - parts.fixed_s[place])
            low_s, high_s = (None if math.isnan(end) else fixed_s + work_s * math.exp(end) for end in ends)
            true_s = float(parts.true_s[place])
            if low_s is not None and high_s is not None:
                self._sides.append(BELOW if true_s < low_s else ABOVE if true_s > high_s else INSIDE)
            self._pairs.append(
                PredictedPart(
                    task_id=int(task_id[row]),
                    kind=kinds[kind[row]] if kinds else None,
                    device=self._devices[device],
                    predicted_s=float(parts.predicted_s[place]),
                    low_s=low_s,
                    high_s=high_s,
                    nominal_s=float(parts.nominal_s[place]),
                    true_s=true_s,
                    finish_s=float(state.finish[row]),
                    decided_by=DecidedBy(int(state.decided_by[row])).name.lower(),
                )
            )

    def status(self, policy: str, model: str, run: LearnedRun) -> LaneLearning:
        """Return how good the lane's predictions are."""
        guard, history, record = run.mind.guard, run.mind.history, run.record
        alarm_s, _ = run.alarms
        return LaneLearning(
            policy=policy,
            model=model,
            outcomes=self.outcomes,
            log_error=self._error / self._weight if self._weight > 0.0 else None,
            nominal_log_error=self._nominal_error / self._weight if self._weight > 0.0 else None,
            coverage=self._share(INSIDE),
            below=self._share(BELOW),
            coverage_outcomes=len(self._sides),
            devices=_device_errors(guard, self._devices),
            decides=DecidedBy(int(who_decides(guard))).name.lower(),
            falls=int(guard.status[N_FALLS]),
            alarms=int(history.counters[N_ALARMS]),
            last_alarm_s=float(alarm_s.max()) if len(alarm_s) else None,
            comparisons=len(record.finished),
            shadow_log_ratio=None if math.isnan(record.record) else float(record.record),
            pairs=tuple(self._pairs),
        )

    def _share(self, side: int) -> float | None:
        return self._sides.count(side) / len(self._sides) if self._sides else None

    def saved(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON-able."""
        return {
            "outcomes": self.outcomes,
            "sums": [self._error, self._nominal_error, self._weight],
            "sides": list(self._sides),
            "pairs": [asdict(pair) for pair in self._pairs],
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Stand where `saved` was called."""
        self.outcomes = int(values["outcomes"])
        self._error, self._nominal_error, self._weight = (float(value) for value in values["sums"])
        # A checkpoint of before sides were told apart has none: they are counted anew.
        self._sides.extend(int(side) for side in values.get("sides", ()))
        self._pairs.extend(PredictedPart(**pair) for pair in values["pairs"])


def quantiles(policy: CompiledPolicy, x: FloatArray, device: int) -> tuple[float, float]:
    """Return the logarithms of the 10 % and 90 % quantiles of true over nominal work; NaN where the model gives none."""
    ends = []
    for end in ("low", "high"):
        prefix = f"{'cpu' if device == 0 else 'gpu'}_{end}"
        trees = ensemble_from_arrays(policy.arrays, prefix) if f"{prefix}_number" in policy.arrays else None
        if trees is None or not trees.n_features[0]:
            return math.nan, math.nan
        result = np.zeros(1)
        predict_ensemble_rows(trees, np.ascontiguousarray(x[np.newaxis]), result)
        ends.append(float(x[_ESTIMATE] + result[0]))
    return min(ends), max(ends)


def _device_errors(guard: Guard, devices: tuple[str, ...]) -> tuple[DeviceError, ...]:
    return tuple(
        DeviceError(
            device=name,
            outcomes=int(guard.seen[place]),
            log_error=float(guard.model_error[place] / guard.weight[place]),
            nominal_log_error=float(guard.rule_error[place] / guard.weight[place]),
        )
        for place, name in enumerate(devices)
        if guard.seen[place]
    )
