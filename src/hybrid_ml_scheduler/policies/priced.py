"""Parameters of the priced rule and of the oracle.

They were tuned by ``python -m hybrid_ml_scheduler.experiments.tune`` on seeds from 10,000 on; docs/policies.md has the command and what it printed.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray


def priced_params() -> FloatArray:
    """Return the parameters of `priced` (positions as in `engine.divisible`)."""
    return np.array([0.04017, 0.5514, 1.257, 1.14, 0.2302, 0.7177, 0.2413, 0.009907, 0.02518])


def oracle_params() -> FloatArray:
    """Return the parameters of `oracle`."""
    return np.array([0.03757, 0.471, 0.9185, 1.476, 0.2427, 1.478, 0.3304, 0.001631, 0.08297])
