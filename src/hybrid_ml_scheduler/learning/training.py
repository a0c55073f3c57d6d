"""What is asked of a training, the same for every kind of workload."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import Objective
from hybrid_ml_scheduler.learning.search import CurvePoint

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
        For the card.
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


Step = Callable[[str, CurvePoint | None], None]
"""Is told what is being done, and every generation of the search."""


class Trainer(Protocol):
    """A module that trains models for one kind of workload."""

    def train(self, request: TrainingRequest, tell: Step) -> Model:
        """Train a model; see `train`."""


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
