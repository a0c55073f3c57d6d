"""Learned policies for task graphs on unrelated machines: from a model to what the engine runs."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine.features.kernels import KERNELS
from hybrid_ml_scheduler.engine.learned_graphs import (
    N_PARAMS,
    P_AGAIN_STEPS,
    P_CLASS,
    P_CORRECTION,
    P_DELAY,
    P_KIND,
    P_LATEST,
    P_STEPS,
    P_TASK,
    P_TOTAL,
    P_WORK,
    PLANNER,
)
from hybrid_ml_scheduler.engine.plan_search import VECTOR_LENGTH
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import Spelling

FEATURE_NAMES = tuple(feature.name for feature in KERNELS)
FALLBACK = CompiledPolicy("peft", Mechanism.PLAN, {"planner": 2})
"""The rule named as the one behind the model; at plan time all rules of `engine.plan_search` compete."""

MAX_VECTORS = 64
MAX_STEPS = 100_000
MAX_WORK = 1e10
LARGEST_WEIGHT = 1e6

OBJECTIVES = ("makespan", "mean_response")
"""What models of this kind can be trained for: both are known of a plan."""

_NUMBERS: tuple[tuple[str, int, float, float], ...] = (
    ("steps", P_STEPS, 0.0, MAX_STEPS),
    ("work", P_WORK, 0.0, MAX_WORK),
    ("again_steps", P_AGAIN_STEPS, 0.0, MAX_STEPS),
    ("delay", P_DELAY, 0.0, 1e3),
    ("correction", P_CORRECTION, 0.0, 1e3),
    ("variance_class", P_CLASS, 1e-9, 1e3),
    ("variance_kind", P_KIND, 1e-9, 1e3),
    ("variance_task", P_TASK, 1e-9, 1e3),
)
"""Parameters of the card: name, position in the policy's parameters, range. The last four are for ``hybrid_ml``."""


def compile_learned(policy: str, options: Spelling, model: Model, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
    """Make a learned policy for a task graph ready to run; what it plans from are the visible costs alone.

    Parameters
    ----------
    policy : str
        ``hybrid_ml`` or ``rl_agent``; both plan anew as tasks finish, but not with ``+offline``.
    options : Spelling
        With ``+unguarded`` no rule competes with the model, and neither features nor predictions are checked.
    model : Model
        Of kind ``kernels``.
    workload, cluster
        What will run where.
    seed : int
        Of the search around the best plans.

    Raises
    ------
    ModelError
        If the model's arrays or parameters are not what a policy of this kind needs.
    """
    del workload, cluster
    card = model.card
    if card.features != FEATURE_NAMES:
        raise ModelError(f"model {card.spelling}: features {', '.join(card.features)}; expected {', '.join(FEATURE_NAMES)}")
    params = np.zeros(N_PARAMS)
    params[[P_LATEST, P_TOTAL]] = aim_of(card.objective)
    for name, position, low, high in _NUMBERS if policy == "hybrid_ml" else _NUMBERS[:4]:
        value = card.parameters.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ModelError(f"model {card.spelling}: parameter {name!r} is {str(value)[:40]}; expected a number from {low:g} to {high:g}")
        params[position] = value
    predicts = policy == "hybrid_ml" and options.online
    codes = {"planner": PLANNER, "guarded": int(options.guarded), "online": int(options.online), "predicts": int(predicts)}
    arrays = {"vectors": _vectors(model)}
    return CompiledPolicy(options.text, Mechanism.PLAN, codes, params, seed=seed, arrays=arrays, fallback=FALLBACK if options.guarded else None)


def aim_of(objective: str) -> FloatArray:
    """Return what a second of the makespan and of the mean response counts; shape (2,).

    Raises
    ------
    ModelError
        If the objective has any other part.
    """
    weights = dict(parse_objective(objective).weights)
    other = [name for name in weights if name not in OBJECTIVES]
    if other:
        raise ModelError(f"objective {objective!r}: a plan of a task graph does not say its {other[0]}; expected {' and '.join(OBJECTIVES)}")
    return np.array([weights.get(name, 0.0) for name in OBJECTIVES])


def _vectors(model: Model) -> FloatArray:
    vectors = model.arrays.get("vectors")
    if (
        vectors is None
        or vectors.dtype != np.float64
        or vectors.ndim != 2
        or vectors.shape[1] != VECTOR_LENGTH
        or not 1 <= len(vectors) <= MAX_VECTORS
        or not np.all(np.abs(vectors) <= LARGEST_WEIGHT)
    ):
        raise ModelError(
            f"model {model.card.spelling}: array 'vectors' is not what a policy for task graphs needs; expected 1 to {MAX_VECTORS} rows of "
            f"{VECTOR_LENGTH} finite numbers"
        )
    return np.ascontiguousarray(vectors)
