"""Which features the trees of a model ask about, from its file alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_ml_scheduler.engine.ensemble import LEAF
from hybrid_ml_scheduler.learning.store import Model

_SUFFIX = "_tree_nodes"


@dataclass(frozen=True, slots=True)
class EnsembleUse:
    """How often one ensemble of a model asks about each feature.

    Attributes
    ----------
    name : str
        The prediction it makes, as in the file: ``median``, ``cpu_low``, ...
    trees, splits : int
    share : dict of str to float
        Splits on a feature over all splits, largest first; features without any are left out. The file does not hold how much each split gained.
    """

    name: str
    trees: int
    splits: int
    share: dict[str, float]


def feature_use(model: Model) -> list[EnsembleUse]:
    """Count the splits of every ensemble of trees in a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of EnsembleUse
        Empty for a model without trees.
    """
    names, found = model.card.features, []
    for key in sorted(model.arrays):
        if not key.endswith(_SUFFIX) or not len(model.arrays[key]):
            continue
        name = key.removesuffix(_SUFFIX)
        feature, flags = model.arrays[f"{name}_feature"], model.arrays[f"{name}_flags"]
        asked = feature[(flags & LEAF) == 0].astype(np.int64)
        which, counts = np.unique(asked, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        share = {
            names[which[place]] if which[place] < len(names) else f"feature {which[place]}": float(counts[place] / len(asked)) for place in order
        }
        found.append(EnsembleUse(name, len(model.arrays[key]), len(asked), share))
    return found
