"""What is asked of a training, the same for every kind of workload."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.learning.card import DEFAULT_OBJECTIVES, KINDS
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import Objective, parse_objective
from hybrid_ml_scheduler.learning.provider import model_kind
from hybrid_ml_scheduler.learning.search import CurvePoint
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.open import open_workload

FIRST_TRAINING_SEED = 10_000
"""Generated workloads of a training have seeds from here on; smaller ones are for comparisons."""
FIRST_VALIDATION_SEED = 10_500
"""Seeds from here on are for choosing among what training found."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train.

    Attributes
    ----------
    policy : str
        ``hybrid_ml`` or ``rl_agent``.
    kind : str
        Kind of workload, one of `card.KINDS`.
    workloads : tuple of str
        Presets and files to train on, as `open_workload` takes them; empty for those that the package's own models were trained on.
    objective : Objective
        What to train for.
    seed : int
        Of everything random in the training; >= 1. The same seed gives the same model.
    jobs : int
        Processes; the result does not depend on it.
    budget_s : float
        Wall time in seconds after which the search ends.
    generations : int or None
        Generations of the search after which it ends.
    checkpoint : Path or None
        File to continue from and to write after every generation.
    command : str
        The command without what ended the search; see `rebuilt_by`.
    created : str
        ISO date, for the card.
    """

    policy: str
    kind: str
    workloads: tuple[str, ...]
    objective: Objective
    seed: int
    jobs: int
    budget_s: float
    generations: int | None
    checkpoint: Path | None
    command: str
    created: str

    def rebuilt_by(self, generations: int) -> str:
        """Return the command that gives the same model again, for its card."""
        return f"{self.command} --generations {generations}"


Step = Callable[[str, CurvePoint | None], None]
"""Is told what is being done, and every generation of the search."""


class Trainer(Protocol):
    """A module that trains models for one kind of workload."""

    def train(self, request: TrainingRequest, tell: Step) -> Model:
        """Train a model; see `train`."""


def plan_training(workloads: Sequence[str], objective: str | None) -> tuple[str, tuple[str, ...], Objective]:
    """Find out what kind of model the workloads of a training ask for.

    Parameters
    ----------
    workloads : sequence of str
        Presets and files; or one of `card.KINDS` alone, which stands for what the package's own models were trained on.
    objective : str or None
        As the user spells it; None for the usual one of the kind.

    Returns
    -------
    kind : str
        One of `card.KINDS`.
    workloads : tuple of str
        Empty for the package's own.
    objective : Objective

    Raises
    ------
    InputError
        If a workload is unknown or cannot be read, they are of several kinds, no learned policy runs them, or the objective is none.
    """
    if len(workloads) == 1 and workloads[0] in KINDS:
        kind = workloads[0]
        chosen: tuple[str, ...] = ()
    else:
        kinds = {spec: _kind_of(spec) for spec in workloads}
        kind, chosen = next(iter(kinds.values())), tuple(workloads)
        other = next((spec for spec, its in kinds.items() if its != kind), None)
        if other is not None:
            raise InputError(f"workload {other!r} is of kind {kinds[other]}, {workloads[0]!r} of kind {kind}; expected one kind for one model")
    return kind, chosen, parse_objective(DEFAULT_OBJECTIVES[kind] if objective is None else objective)


def _kind_of(spec: str) -> str:
    workload = open_workload(spec, seed=FIRST_TRAINING_SEED)
    cluster = default_cluster(workload)
    kind = model_kind(workload, cluster)
    if kind is None:
        raise InputError(f"workload {spec!r}: no learned policy runs {workload.kind} tasks on {cluster.kind}; expected another workload")
    return kind


def train(request: TrainingRequest, tell: Step) -> Model:
    """Train a model.

    Parameters
    ----------
    request : TrainingRequest
    tell : callable
        Is told how far the training has come.

    Returns
    -------
    Model
        Not stored yet; its card names data, metrics on validation, the learning curve (``training["curve"]``) and the command that rebuilds it.
    """
    module = cast("Trainer", importlib.import_module(f"{__package__}.train_{request.kind}"))
    return module.train(request, tell)
