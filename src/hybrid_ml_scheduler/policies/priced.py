"""Parameters of the priced rule and of the oracle.

They were tuned by ``python -m hybrid_ml_scheduler.experiments.tune`` on seeds from 10,000 on; docs/policies.md has the command and what it printed.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray


def priced_params() -> FloatArray:
    """Return the parameters of `priced` (positions as in `engine.divisible`)."""
    return np.array([0.0007764, 0.714, 1.224, 1.152, 0.2196, 0.002118, 0.002791, 0.0004131, 0.0007944])


def oracle_params() -> FloatArray:
    """Return the parameters of `oracle`."""
    return np.array([0.1301, 0.4242, 1.054, 1.411, 0.2231, 1.873, 0.6455, 0.001628, 0.003755])
