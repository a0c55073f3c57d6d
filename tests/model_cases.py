"""Small models for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_ml_scheduler.learning.arrays import arrays_digest
from hybrid_ml_scheduler.learning.card import ModelCard
from hybrid_ml_scheduler.learning.files import Model


def example_model(name: str = "hybrid_ml-batch", *, mark: float = 1.0, **changes: Any) -> Model:
    """A model whose array ``mark`` tells it from others."""
    arrays = {
        "mark": np.array([float(mark)]),
        "leaf": np.arange(6, dtype=np.int32).reshape(2, 3),
        "gain": np.array(np.nan),
        "none": np.zeros((0, 2), dtype=bool),
    }
    fields: dict[str, Any] = {
        "name": name,
        "policy": "hybrid_ml",
        "kind": "batch",
        "objective": "mean_response",
        "created": "2026-01-31",
        "seed": 10_000,
        "command": "hms train hybrid_ml steady",
        "features": ("size", "wait_s"),
        "training": {"workloads": ["lublin"], "spans": [[0, 100]], "seeds": [10_000], "tasks": 100, "sha256": arrays_digest({"x": np.ones(3)})},
        "metrics": {"loss": 0.25},
        "parameters": {"depth": 3, "steps": [0.5, 1.0]},
        "version": 1,
    }
    return Model(ModelCard(**(fields | changes)), arrays)
