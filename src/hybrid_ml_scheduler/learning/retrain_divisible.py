"""Bring a model for divisible tasks up to date from tasks that have finished: a sliding window over their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine.features.divisible import observed_cpu, observed_gpu
from hybrid_ml_scheduler.engine.features.history import KEEP, N_SUMS, PIVOT_S, build_history, estimate
from hybrid_ml_scheduler.engine.state import build_problem, build_state, nominal_law
from hybrid_ml_scheduler.learning.arrays import arrays_digest
from hybrid_ml_scheduler.learning.divisible import CPU, read_model
from hybrid_ml_scheduler.learning.files import Model

WINDOW = 4_000
"""Outcomes that count at most; the cost of bringing a model up to date does not grow with the age of a service."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What finished tasks have shown, oldest first; one entry per part that a device worked on.

    Attributes
    ----------
    kind, device : tuple of str
        Names of the task's kind and of the device: ``cpu`` or a GPU model.
    log_size : ndarray of float64, shape (m,)
        Logarithm of nominal CPU seconds over `history.PIVOT_S`.
    log_factor : ndarray of float64, shape (m,)
        Logarithm of observed over nominal work.
    """

    kind: tuple[str, ...]
    device: tuple[str, ...]
    log_size: FloatArray
    log_factor: FloatArray

    def __len__(self) -> int:
        return len(self.kind)


def outcomes_of(workload: Workload, cluster: Cluster, schedule: Schedule) -> Outcomes:
    """Return what the finished tasks of a schedule have shown, in the order of their ends.

    Parameters
    ----------
    workload : Workload
        Visible columns only are used; the truth is not looked at.
    cluster : Cluster
    schedule : Schedule
    """
    problem = build_problem(workload, cluster)
    nominal = nominal_law(problem)
    state = build_state(problem)._replace(
        start=schedule.start_s,
        cpu_end=schedule.cpu_end_s,
        gpu_end=schedule.gpu_end_s,
        node=schedule.node,
        gpu_mask=schedule.gpu_mask,
        fraction=schedule.fraction,
    )
    names = workload.tasks.kind_names
    kinds, devices, sizes, factors = [], [], [], []
    finished = np.flatnonzero(schedule.finished)
    for row in finished[np.argsort(schedule.finish_s[finished], kind="stable")]:
        found = [(CPU, observed_cpu(problem, nominal, state, row))]
        if schedule.gpu_mask[row]:
            gpu = int(problem.gpu_ptr[schedule.node[row]]) + int(schedule.gpu_mask[row]).bit_length() - 1
            found.append((cluster.gpu_models[problem.gpu_model[gpu]], observed_gpu(problem, nominal, state, row, gpu)))
        for device, factor in found:
            if not np.isnan(factor):
                kinds.append(names[problem.kind[row]] if names else "")
                devices.append(device)
                sizes.append(np.log(max(float(nominal.work[row]), 1e-6) / PIVOT_S))
                factors.append(factor)
    return Outcomes(tuple(kinds), tuple(devices), np.array(sizes, dtype=np.float64), np.array(factors, dtype=np.float64))


def retrain(model: Model, finished: Outcomes, *, window: int = WINDOW) -> Model:
    """Return a model whose knowledge of every kind on every device comes from the last outcomes alone.

    Trees and prices stay: they hold in any world. Kinds and devices that the model does not know yet are added.

    Parameters
    ----------
    model : Model
        Of kind ``divisible``.
    finished : Outcomes
        Oldest first.
    window : int
        Outcomes that count at most; > 0.

    Returns
    -------
    Model
        Not stored yet, without a version.

    Raises
    ------
    ModelError
        If there is no outcome, the window is not above 0, or the model is for something else.
    """
    known = read_model(model)
    if window < 1 or not len(finished):
        raise ModelError(f"model {model.card.spelling}: {len(finished)} outcomes in a window of {window}; expected at least 1 to learn from")
    first = max(len(finished) - window, 0)
    kinds = _extended(known.kinds, finished.kind[first:])
    devices = _extended(known.devices, finished.device[first:])
    sums = np.zeros((len(kinds), len(devices), N_SUMS))
    keep = known.history_settings[KEEP]
    for kind, device, x, y in zip(
        finished.kind[first:], finished.device[first:], finished.log_size[first:], finished.log_factor[first:], strict=True
    ):
        cell = sums[kinds.index(kind), devices.index(device)]
        cell *= keep
        cell += np.array([1.0, x, x * x, y, x * y])
    arrays = {**model.arrays, "sums": sums}
    digest = arrays_digest({"log_size": finished.log_size[first:], "log_factor": finished.log_factor[first:]})
    training = {**model.card.training, "retrained_on": len(finished) - first, "retrained_sha256": digest}
    parameters = {**model.card.parameters, "kinds": list(kinds), "devices": list(devices)}
    return Model(replace(model.card, training=training, parameters=parameters, version=0, arrays_sha256=""), arrays)


HELD_OUT_SHARE, MOST_HELD_OUT, LEAST_OUTCOMES = 0.2, 400, 20
"""Share of the outcomes on which a training is judged, the newest, and at most so many; with fewer outcomes than the last nothing is judged."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a training brought, on outcomes that neither model has seen.

    Attributes
    ----------
    outcomes : int
        Newest outcomes that were held out; 0: too few to judge.
    before, after : float or None
        Mean absolute error of the log factor that the model's knowledge of a kind on a device says: of the model as it was, and of one brought up to
        date from the outcomes before them.
    """

    outcomes: int
    before: float | None
    after: float | None


def judge(model: Model, finished: Outcomes, *, window: int = WINDOW) -> HeldOut:
    """Say what bringing a model up to date brings, on the newest outcomes.

    Parameters are those of `retrain`.
    """
    first = max(len(finished) - window, 0)
    n = min(int(HELD_OUT_SHARE * (len(finished) - first)), MOST_HELD_OUT)
    if len(finished) - first < LEAST_OUTCOMES:
        return HeldOut(0, None, None)
    last = len(finished)
    older = Outcomes(finished.kind[: last - n], finished.device[: last - n], finished.log_size[: last - n], finished.log_factor[: last - n])
    newest = Outcomes(finished.kind[last - n :], finished.device[last - n :], finished.log_size[last - n :], finished.log_factor[last - n :])
    return HeldOut(n, _error_of(model, newest), _error_of(retrain(model, older, window=window - n), newest))


def _error_of(model: Model, outcomes: Outcomes) -> float:
    known = read_model(model)
    kinds, devices = _extended(known.kinds, outcomes.kind), _extended(known.devices, outcomes.device)
    sums = np.zeros((len(kinds), len(devices), N_SUMS))
    sums[: len(known.kinds), : len(known.devices)] = known.sums
    history = build_history(len(kinds), len(devices), 1, sums=sums, settings=known.history_settings)
    said = [
        estimate(history, kinds.index(kind), devices.index(device), float(size))[0]
        for kind, device, size in zip(outcomes.kind, outcomes.device, outcomes.log_size, strict=True)
    ]
    return float(np.mean(np.abs(np.array(said) - outcomes.log_factor)))


def _extended(known: Sequence[str], named: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *named)))
