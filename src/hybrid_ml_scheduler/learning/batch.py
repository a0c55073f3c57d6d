"""Learned policies for batch jobs on a pool of processors: from a model to a compiled policy.

Both score the waiting jobs (`engine.scored_pool`) with parameters that a search over whole runs has found. ``hybrid_ml`` takes run times from trees
that were trained on jobs that had ended; ``rl_agent`` has no supervised model: what it believes of run times is a running mean over the class, the
user and all jobs, and how far each is trusted belongs to what the search finds.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine import scored_pool as engine
from hybrid_ml_scheduler.engine.features.batch import BATCH
from hybrid_ml_scheduler.engine.orders import Order
from hybrid_ml_scheduler.engine.pool import Backfill
from hybrid_ml_scheduler.engine.scored_pool import Estimate
from hybrid_ml_scheduler.engine.scored_run import MEDIAN, model_ensemble, model_weights
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import Spelling

RULE = "saf+easy"
"""The rule behind the models: the one with the best geometric mean over the validation workloads."""
LOW, HIGH = "low", "high"
"""Prefixes of the arrays of the ensembles for the quantiles of 10 % and 90 %."""
ESTIMATES = {"hybrid_ml": Estimate.TREES, "rl_agent": Estimate.HISTORY}
FEATURES = {
    "hybrid_ml": tuple(feature.name for feature in BATCH),
    "rl_agent": tuple(feature.name for feature in BATCH if feature.name in ("log_requested", "log_share", "round_request")),
}
"""Names of what each policy's run times rest on, besides the histories."""

_LOG_DAY = float(np.log(24.0))
# Per parameter of the search, in the order of `engine.scored_pool`: where it starts, and the spread of the first generation.
_TERMS = ((2.0, 0.5), (1.5, 0.5), (0.0, 0.5), (0.0, 0.5), (0.0, 0.5), (0.5, 0.5), (0.3, 0.5), (0.3, 0.3))
_REST = (
    (-2.2, 0.8),  # share held back, as a logit of twice the share
    (8.5, 1.0),  # from this logarithm of the run time on
    (0.0, 0.5),  # slope, logarithm
    (-1.0, 0.7),  # gap, logarithm
    (1.5, 0.7),  # gap with EASY, logarithm
    (_LOG_DAY, 0.5),  # patience, logarithm of hours
    (float(np.log(3.0)), 0.4),  # patience, logarithm of the time that the queued work takes
    (-1.0, 0.3),  # prior of the logarithm of run over requested time
    (float(np.log(10.0)), 0.5),  # strengths of the shrinking, logarithms
    (float(np.log(2.0)), 0.5),
    (0.0, 0.5),
    (-1.0, 0.5),  # share of the mean of the history beside the trees, as a logit
)
_TABLE = np.array((*_TERMS, *((0.0, 0.4),) * (3 * len(engine.MOVING)), *_REST))
START, SIGMA = _TABLE[:, 0].copy(), _TABLE[:, 1].copy()
"""Where the search starts, and its first spread."""


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))


def weights_of(vector: FloatArray) -> FloatArray:
    """Turn what the search moves freely into the parameters of a score, within their bounds.

    Parameters
    ----------
    vector : ndarray of float64, shape (N_WEIGHTS,)

    Returns
    -------
    ndarray of float64, shape (N_WEIGHTS,)
    """
    weights = np.array(vector, dtype=np.float64)
    weights[engine.W_HOLD] = 0.5 * _logistic(vector[engine.W_HOLD])
    weights[engine.W_BLEND] = _logistic(vector[engine.W_BLEND])
    for place, low, high in (
        (engine.W_HOLD_SLOPE, -5.0, 3.0),
        (engine.W_GAP, -10.0, 5.0),
        (engine.W_GAP_EASY, -10.0, 8.0),
        (engine.W_PATIENCE_S, 0.0, 6.5),
        (engine.W_PATIENCE, -0.7, 3.0),
        (engine.W_SHRINK_ALL, -3.0, 5.0),
        (engine.W_SHRINK_USER, -3.0, 5.0),
        (engine.W_SHRINK_CLASS, -3.0, 5.0),
    ):
        weights[place] = np.exp(np.clip(vector[place], low, high))
    weights[engine.W_PATIENCE_S] *= engine.HOUR_S
    return weights


def compile_learned(policy: str, options: Spelling, model: Model, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
    """Make a model for batch jobs ready to run.

    Parameters
    ----------
    policy : str
        ``hybrid_ml`` or ``rl_agent``.
    options : Spelling
        Without ``guarded`` no rule stands behind the model; without ``online`` it learns nothing of the jobs that end.
    model : Model
        Of kind ``batch``.
    workload, cluster
        What it will run, and where.
    seed : int
        Not needed: nothing in it is random.

    Raises
    ------
    ModelError
        If the model is not one for this policy and batch jobs, or damaged.
    """
    card = model.card
    if card.policy != policy or card.kind != "batch":
        raise ModelError(f"model {card.spelling} is for {card.policy} and {card.kind}; expected one for {policy} and batch")
    if card.features != FEATURES[policy]:
        raise ModelError(f"model {card.spelling} was trained on other features; expected those of this version: {', '.join(FEATURES[policy])}")
    estimate = ESTIMATES[policy]
    arrays = {
        "weights": model_weights(model.arrays, f"weights_{options.backfill}"),
        "objective": parse_objective(card.objective).vector,
    }
    if estimate is Estimate.TREES:
        for prefix in (MEDIAN, LOW, HIGH):
            model_ensemble(model.arrays, prefix)
            arrays |= {name: array for name, array in model.arrays.items() if name.startswith(f"{prefix}_")}
    backfill = Backfill.EASY if options.backfill == "easy" else Backfill.NONE
    rule = CompiledPolicy(RULE, Mechanism.POOL, {"order": int(Order.SAF), "backfill": int(Backfill.EASY)}, seed=seed)
    return CompiledPolicy(
        options.text,
        Mechanism.SCORED_POOL,
        {"estimate": int(estimate), "backfill": int(backfill), "online": int(options.online)},
        seed=seed,
        arrays=arrays,
        fallback=rule if options.guarded else None,
    )
