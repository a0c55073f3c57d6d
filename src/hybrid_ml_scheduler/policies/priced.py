"""Parameters of the priced rule and of the oracle.

They were tuned by ``python -m hybrid_ml_scheduler.experiments.tune`` on seeds from 10,000 on; docs/policies.md has the command and what it printed.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray


def priced_params() -> FloatArray:
    """Return the parameters of `priced` (positions as in `engine.divisible`)."""
    return np.array([2.398e-05, 0.6471, 1.765, 0.2664, 0.1704, 0.001825, 0.0069, 7.839e-06, 5.892e-06])


def oracle_params() -> FloatArray:
    """Return the parameters of `oracle`."""
    return np.array([0.1109, 0.3635, 1.2, 1.107, 0.2954, 0.3853, 0.4141, 1.456e-06, 1.051e-08])
