"""Page-Hinkley's test for a change of a mean, compiled: as `river.drift.PageHinkley` counts [1]_ [2]_.

Deviation: a detector may begin, and begin anew, as if it had seen so many values of a mean that is known beforehand. Residuals of a sound estimate
have mean 0; those of one that is wrong from the first value on would never change theirs.

References
----------
.. [1] Page, "Continuous inspection schemes", Biometrika 41, 1954.
.. [2] Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 46(4), 2014.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.compiled import compiled, compiled_entry

# Positions in a detector.
N_SEEN, MEAN, INCREASE, DECREASE, LEAST_INCREASE, MOST_DECREASE, KNOWN_MEAN, KNOWN_WEIGHT = range(8)
N_DETECTOR = 8

FADING = 1.0 - 0.0001
"""Share of the sums that stays with every value (river's ``alpha``)."""


def build_detectors(*shape: int, known_mean: float = 0.0, known_weight: float = 0.0) -> FloatArray:
    """Return detectors that have seen nothing, in an array of this shape with `N_DETECTOR` numbers each.

    Parameters
    ----------
    *shape : int
    known_mean : float
        Mean of the values while nothing changes.
    known_weight : float
        Values that this knowledge counts for; 0, as in river, for none.
    """
    detectors = np.zeros((*shape, N_DETECTOR))
    detectors[..., MEAN] = known_mean
    detectors[..., KNOWN_MEAN] = known_mean
    detectors[..., KNOWN_WEIGHT] = known_weight
    detectors[..., LEAST_INCREASE] = np.inf
    detectors[..., MOST_DECREASE] = -1.0
    return detectors


@compiled
def reset_detector(detector: FloatArray) -> None:
    """Let a detector, shape (N_DETECTOR,), forget what it has seen."""
    detector[N_SEEN] = 0.0
    detector[MEAN] = detector[KNOWN_MEAN]
    detector[INCREASE] = 0.0
    detector[DECREASE] = 0.0
    detector[LEAST_INCREASE] = np.inf
    detector[MOST_DECREASE] = -1.0


@compiled_entry
def detect_change(detector: FloatArray, value: float, delta: float, threshold: float, least: int) -> bool:
    """Show a detector one value.

    Parameters
    ----------
    detector : ndarray of float64, shape (N_DETECTOR,)
        Reset here when it rings.
    value : float
        In the unit of ``delta`` and ``threshold``.
    delta : float
        Change of the mean that is let pass.
    threshold : float
        Sum of exceedances above which it rings.
    least : int
        Values that must have been seen since the last reset.

    Returns
    -------
    bool
        Whether the mean has gone up or down.
    """
    detector[N_SEEN] += 1.0
    detector[MEAN] += (value - detector[MEAN]) / (detector[N_SEEN] + detector[KNOWN_WEIGHT])
    deviation = value - detector[MEAN]
    detector[INCREASE] = FADING * detector[INCREASE] + deviation - delta
    detector[DECREASE] = FADING * detector[DECREASE] + deviation + delta
    detector[LEAST_INCREASE] = min(detector[LEAST_INCREASE], detector[INCREASE])
    detector[MOST_DECREASE] = max(detector[MOST_DECREASE], detector[DECREASE])
    up = detector[INCREASE] - detector[LEAST_INCREASE] > threshold
    down = detector[MOST_DECREASE] - detector[DECREASE] > threshold
    if detector[N_SEEN] >= least and (up or down):
        reset_detector(detector)
        return True
    return False
