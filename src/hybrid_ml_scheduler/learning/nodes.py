"""Learned policies for rigid tasks on nodes with GPUs: from a model to what the engine runs."""

from __future__ import annotations

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.ensemble import ensemble_from_arrays
from hybrid_ml_scheduler.engine.features.nodes import N_NODE_FEATURES, NODES
from hybrid_ml_scheduler.engine.learned_nodes import TREES, Estimate, node_ensemble, node_weights
from hybrid_ml_scheduler.engine.orders import Order
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import Spelling

FEATURE_NAMES = tuple(feature.name for feature in NODES)
LOW, HIGH = "low", "high"
"""Prefixes of the ensembles for the quantiles of 10 and 90 %, which explanations show."""

RULE = CompiledPolicy("saf+fgd", Mechanism.NODES, {"order": int(Order.SAF), "placement": int(PlacementCode.FGD)})
"""The rule behind the model: smallest requested area first, placed by least fragmentation."""


def compile_learned(policy: str, options: Spelling, model: Model, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
    """Make a model for tasks on nodes ready to run.

    Parameters
    ----------
    policy : str
        ``hybrid_ml`` estimates run times by trees, ``rl_agent`` takes the requests.
    options : Spelling
        Without ``guarded`` no rule stands behind the model; without ``online`` its histories do not learn from the tasks that end.
    model : Model
        Of kind ``nodes``.
    workload, cluster
        What will run where.
    seed : int
        Not needed: nothing in it is random.

    Raises
    ------
    ModelError
        If the model is not one for this policy and nodes, or damaged.
    """
    del workload, cluster
    card = model.card
    if card.features != FEATURE_NAMES:
        raise ModelError(f"model {card.spelling}: features {', '.join(card.features)}; expected {', '.join(FEATURE_NAMES)}")
    arrays = {"weights": node_weights(model.arrays), "objective": parse_objective(card.objective).vector}
    estimate = Estimate.TREES if policy == "hybrid_ml" else Estimate.REQUEST
    if estimate is Estimate.TREES:
        node_ensemble(model.arrays)
        for prefix in (LOW, HIGH):
            if ensemble_from_arrays(model.arrays, prefix).n_features[0] > N_NODE_FEATURES:
                raise ModelError(f"model {card.spelling}: an ensemble looks at too many features; expected at most {N_NODE_FEATURES}")
        prefixes = tuple(f"{prefix}_" for prefix in (TREES, LOW, HIGH))
        arrays |= {name: array for name, array in model.arrays.items() if name.startswith(prefixes)}
    codes = {"estimate": int(estimate), "online": int(options.online)}
    return CompiledPolicy(options.text, Mechanism.LEARNED_NODES, codes, seed=seed, arrays=arrays, fallback=RULE if options.guarded else None)
