"""What a learned policy is trained for: one metric, or a weighted sum of several; smaller is better."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.shadow import OBJECTIVE_METRICS

METRICS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "mean_bounded_slowdown": ("mean_bounded_slowdown", "1"),
        "mean_response": ("mean_response_s", "s"),
        "p99_wait": ("p99_wait_s", "s"),
        "makespan": ("makespan_s", "s"),
        "energy": ("energy_per_task_j", "J per task"),
        "cost": ("cost_usd", "USD"),
    }
)
"""Name of each objective: the metric of `engine.metrics` behind it, and its unit."""

MAX_WEIGHT = 1e12

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]{1,3})?|\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Objective:
    """A weighted sum of metrics, each in its own unit.

    Attributes
    ----------
    weights : tuple of (str, float)
        Names of `METRICS` in the order of that table, each once, with weights > 0.
    """

    weights: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """Canonical spelling: the name alone for one metric of weight 1, else ``name=weight,...``."""
        if len(self.weights) == 1 and self.weights[0][1] == 1.0:
            return self.weights[0][0]
        return ",".join(f"{name}={weight:g}" for name, weight in self.weights)

    @property
    def metric(self) -> str:
        """The metric that this ranks by: the one behind a single name, else ``objective``, the weighted sum."""
        return METRICS[self.weights[0][0]][0] if len(self.weights) == 1 else "objective"

    @property
    def vector(self) -> FloatArray:
        """Weights in the order of `engine.shadow.OBJECTIVE_METRICS`, shape (6,); 0 for metrics that do not count."""
        by_metric = {METRICS[name][0]: weight for name, weight in self.weights}
        return np.array([by_metric.get(metric, 0.0) for metric in OBJECTIVE_METRICS])

    def value(self, metrics: Mapping[str, float]) -> float:
        """Return the weighted sum for one run; smaller is better.

        Parameters
        ----------
        metrics : mapping of str to float
            As `engine.metrics.measure` returns them.

        Raises
        ------
        InputError
            If a metric is absent, as energy and cost are where the cluster does not say what its devices draw or cost.
        """
        total = 0.0
        for name, weight in self.weights:
            metric = METRICS[name][0]
            if metric not in metrics:
                raise InputError(f"objective {self.text!r}: the run has no {metric}; expected a cluster with the watts and prices of its devices")
            total += weight * metrics[metric]
        return total


def parse_objective(text: str) -> Objective:
    """Read an objective: a name of `METRICS`, or ``name=weight,name=weight``.

    Parameters
    ----------
    text : str
        Weights are finite and > 0; each counts per unit of its metric, so ``mean_response=1,energy=0.02`` gives 20 ms for a joule.

    Raises
    ------
    InputError
        If a name is unknown or stands twice, or a weight is not a number above 0.

    Examples
    --------
    >>> parse_objective("energy=0.02,mean_response=1").text
    'mean_response=1,energy=0.02'
    >>> parse_objective("makespan=1").text
    'makespan'
    """
    chosen: dict[str, float] = {}
    parts = [part.strip() for part in text.strip().lower().split(",")]
    for part in parts:
        name, equals, weight = (piece.strip() for piece in part.partition("="))
        if name not in METRICS:
            near = get_close_matches(name, METRICS) or list(METRICS)
            raise InputError(f"objective {text!r}: {name!r} is no metric to train for; expected {' or '.join(near)}")
        if name in chosen:
            raise InputError(f"objective {text!r}: {name!r} stands twice; expected each metric once")
        if not equals and len(parts) > 1:
            raise InputError(f"objective {text!r}: {name!r} has no weight; expected name=weight for each of several metrics")
        if equals and not (_NUMBER.fullmatch(weight) and 0.0 < float(weight) <= MAX_WEIGHT and math.isfinite(float(weight))):
            raise InputError(f"objective {text!r}: weight {weight!r} of {name!r}; expected a number above 0, at most {MAX_WEIGHT:g}")
        chosen[name] = float(weight) if equals else 1.0
    return Objective(tuple((name, chosen[name]) for name in METRICS if name in chosen))
