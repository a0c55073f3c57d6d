"""Parameters of the priced rule and of the oracle.

They were tuned by ``python -m hybrid_ml_scheduler.experiments.tune`` on seeds from 10,000 on; docs/policies.md has the command and what it printed.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray


def priced_params() -> FloatArray:
    """Return the parameters of `priced` (positions as in `engine.divisible`)."""
    return np.array([0.05, 0.5, 0.5, 0.5, 0.8, 0.7, 0.3, 0.0, 0.0])


def oracle_params() -> FloatArray:
    """Return the parameters of `oracle`."""
    return np.array([0.05, 0.5, 0.5, 0.5, 0.8, 0.7, 0.3, 0.0, 0.0])
