"""Learning in the running service: a model brought up to date from the newest outcomes of its own lane."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.streams import TrainingWindow
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE
from hybrid_ml_scheduler.engine.features.history import PIVOT_S
from hybrid_ml_scheduler.learning.divisible import CPU
from hybrid_ml_scheduler.learning.retrain_divisible import HeldOut, Outcomes, judge, retrain
from hybrid_ml_scheduler.learning.store import ModelStore

_PLACE = {feature.name: place for place, feature in enumerate(DIVISIBLE)}
_SHORTEST_S = 1e-9


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training made.

    Attributes
    ----------
    model : str
        ``NAME@VERSION``, in the store.
    sha256 : str
        Of its arrays.
    rows : int
        Outcomes that it looked at.
    held_out : HeldOut
        What it brought.
    """

    model: str
    sha256: str
    rows: int
    held_out: HeldOut


def outcomes_of_window(window: TrainingWindow, scheduler: str, cluster: Cluster) -> Outcomes:
    """Return what the finished tasks of one lane have shown, oldest first: for every part the observed work over the nominal one.

    Parameters
    ----------
    window : TrainingWindow
    scheduler : str
        Policy of the lane.
    cluster : Cluster
    """
    kinds, devices, sizes, factors = [], [], [], []
    columns = cluster.columns()
    link = {model: float(columns.gpu_link_mb_s[columns.gpu_model == code][0]) for code, model in enumerate(cluster.gpu_models)}
    launch = {model: float(columns.gpu_launch_s[columns.gpu_model == code][0]) for code, model in enumerate(cluster.gpu_models)}
    for row in np.flatnonzero(np.asarray(window.columns["scheduler"], dtype=object) == scheduler) if len(window) else ():
        x = window.features[row]
        fraction = float(window.columns["fraction"][row])
        log_size = float(x[_PLACE["log_size"]])
        nominal = np.exp(log_size) * PIVOT_S
        kind, device = window.columns["kind"][row] or "", window.columns["device"][row]
        if np.isnan(window.columns["nominal_s"][row]) and fraction > 0.0:
            # The parts ran one after the other: how long each took nobody could see.
            continue
        if fraction < 1.0:
            speed = float(columns.node_cpu_speed[int(window.columns["node"][row])])
            factor = float(window.columns["cpu_s"][row]) / (1.0 - fraction) * speed / nominal
            if factor > _SHORTEST_S:
                kinds.append(kind)
                devices.append(CPU)
                sizes.append(log_size)
                factors.append(np.log(factor))
        if fraction > 0.0 and device in link:
            moved = float(np.expm1(x[_PLACE["log_memory"]])) / link[device]
            factor = ((float(window.columns["gpu_s"][row]) - launch[device]) / fraction - moved) / float(np.exp(x[_PLACE["log_nominal"]]))
            if factor > _SHORTEST_S:
                kinds.append(kind)
                devices.append(device)
                sizes.append(log_size)
                factors.append(np.log(factor))
    return Outcomes(tuple(kinds), tuple(devices), np.array(sizes, dtype=np.float64), np.array(factors, dtype=np.float64))


def train(model: str, window: TrainingWindow, scheduler: str, cluster: Cluster, store: ModelStore, rows: int) -> Trained:
    """Bring a model up to date and keep it in the store, without promoting it.

    Parameters
    ----------
    model : str
        ``NAME@VERSION`` that the lane uses.
    window : TrainingWindow
    scheduler : str
    cluster : Cluster
    store : ModelStore
    rows : int
        Outcomes that count at most.

    Raises
    ------
    ModelError
        If there is nothing to learn from, the model is gone, or the store cannot be written. The lane goes on with the model it has.
    """
    outcomes = outcomes_of_window(window, scheduler, cluster)
    if not len(outcomes):
        raise ModelError(f"model {model}: no outcome of {scheduler} among the newest {len(window)} rows; expected some to learn from")
    known = store.find(model)
    held_out = judge(known, outcomes, window=rows)
    made = retrain(known, outcomes, window=rows)
    version = store.add(made, leaves_in_use=True)
    kept = store.get(made.card.name, version)
    return Trained(f"{made.card.name}@{version}", kept.card.arrays_sha256, min(len(outcomes), rows), held_out)


def prune(store: ModelStore, name: str, kept: int, needed: Collection[str]) -> list[str]:
    """Delete old versions that retraining made.

    Parameters
    ----------
    store : ModelStore
    name : str
        Of the model.
    kept : int
        Newest versions that stay.
    needed : collection of str
        ``NAME@VERSION`` that must stay besides.

    Returns
    -------
    list of str
        What was deleted. Versions that the user trained, promoted, or got with the package stay.
    """
    promoted = {event.version for event in store.history(name)} | {store.current(name)}
    gone = []
    for version, path in list(store.versions(name).items())[:-kept]:
        spelled = f"{name}@{version}"
        if spelled in needed or version in promoted or path.parent.parent != store.folders[-1]:
            continue
        if "retrained_on" in store.get(name, version).card.training:
            store.remove(name, version)
            gone.append(spelled)
    return gone
