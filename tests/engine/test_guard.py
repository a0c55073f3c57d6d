from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.decision import DecidedBy
from hybrid_ml_scheduler.engine.guard import COLD, DEFAULT_LIMITS, FIRST_PAUSE, LEAST, LOSING, N_FALLS, build_guard, note_outcome, who_decides


def test_the_rule_decides_until_somebody_has_looked() -> None:
    guard = build_guard(1, guarded=True)
    assert who_decides(guard) == DecidedBy.FALLBACK_COLD
    for _ in range(20):
        note_outcome(guard, 0, 0.1, 0.3)
    assert who_decides(guard) == DecidedBy.FALLBACK_COLD
    guard.status[COLD] = 0
    assert who_decides(guard) == DecidedBy.MODEL
    guard.status[LOSING] = 1
    assert who_decides(guard) == DecidedBy.FALLBACK_LOSING


@pytest.mark.parametrize(("model_error", "rule_error"), [(0.3, 0.3), (0.4, 0.3), (0.0, 0.0), (np.nan, 0.3)])
def test_a_model_that_has_not_been_better_never_decides(model_error: float, rule_error: float) -> None:
    guard = build_guard(2, guarded=True)
    guard.status[COLD] = 0
    for _ in range(200):
        note_outcome(guard, 1, model_error, rule_error)
        assert who_decides(guard) == DecidedBy.FALLBACK_ERROR


def test_unguarded_models_always_decide() -> None:
    guard = build_guard(1, guarded=False)
    for _ in range(100):
        note_outcome(guard, 0, 5.0, 0.1)
    assert who_decides(guard) == DecidedBy.MODEL


@pytest.mark.parametrize("error", [0.6, np.nan, np.inf])
def test_a_model_that_is_worse_falls_and_comes_back_when_it_is_better(error: float) -> None:
    guard = build_guard(2, guarded=True, cold=False)
    for _ in range(int(DEFAULT_LIMITS[LEAST])):
        assert who_decides(guard) == DecidedBy.MODEL
        note_outcome(guard, 1, error, 0.3)
    assert who_decides(guard) == DecidedBy.FALLBACK_ERROR
    waited = 0
    while who_decides(guard) != DecidedBy.MODEL:
        note_outcome(guard, 1, 0.1, 0.3)
        waited += 1
        assert waited < 300
    assert waited >= DEFAULT_LIMITS[FIRST_PAUSE]
    assert guard.status[N_FALLS] == 1


def test_one_bad_device_class_is_enough() -> None:
    guard = build_guard(3, guarded=True, cold=False)
    for _ in range(50):
        note_outcome(guard, 0, 0.1, 0.3)
        note_outcome(guard, 1, 0.1, 0.4)
        note_outcome(guard, 2, 0.8, 0.4)
    assert who_decides(guard) == DecidedBy.FALLBACK_ERROR


def test_every_fall_lengthens_the_way_back() -> None:
    waits = []
    guard = build_guard(1, guarded=True, cold=False)
    for _ in range(4):
        while who_decides(guard) == DecidedBy.MODEL:
            note_outcome(guard, 0, 2.0, 0.3)
        waited = 0
        while who_decides(guard) != DecidedBy.MODEL:
            note_outcome(guard, 0, 0.0, 0.3)
            waited += 1
        waits.append(waited)
    assert waits[-1] >= 2 * waits[-2] - 1 > waits[0]


def test_a_model_as_good_as_noise_allows_is_left_alone() -> None:
    guard = build_guard(1, guarded=True, cold=False)
    rng = np.random.default_rng(0)
    for _ in range(3000):
        noise = 0.15 * float(rng.standard_normal())
        note_outcome(guard, 0, abs(noise), abs(noise + 0.3))
        assert who_decides(guard) == DecidedBy.MODEL
