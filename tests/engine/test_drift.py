from __future__ import annotations

import numpy as np
import pytest
from river.drift import PageHinkley

from hybrid_ml_scheduler.engine.drift import build_detectors, detect_change


@pytest.mark.parametrize("seed", range(6))
def test_rings_where_river_rings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.normal(0.0, 2.0, 8), 150)
    stream = levels + rng.standard_normal(len(levels))
    theirs = PageHinkley(min_instances=3, delta=0.5, threshold=10.0)
    ours = build_detectors(1)
    rung, expected = [], []
    for place, value in enumerate(stream):
        theirs.update(float(value))
        if theirs.drift_detected:
            expected.append(place)
        if detect_change(ours[0], float(value), 0.5, 10.0, 3):
            rung.append(place)
    assert rung == expected
    assert len(expected) >= 3


def test_steady_noise_rings_rarely() -> None:
    detector = build_detectors(1)[0]
    rng = np.random.default_rng(1)
    assert sum(detect_change(detector, float(value), 0.5, 13.0, 3) for value in rng.standard_normal(20_000)) <= 2
