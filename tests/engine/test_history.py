from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.engine.features.history import (
    CELL_THRESHOLD,
    CLASS_THRESHOLD,
    DEFAULT_SETTINGS,
    FORGET_TO,
    INTERCEPT_SD,
    KEEP,
    N_ALARMS,
    NOISE_SD,
    SLOPE_SD,
    History,
    W,
    build_history,
    estimate,
    observe,
)


def quiet() -> np.ndarray:
    """Settings under which no detector rings."""
    settings = np.array(DEFAULT_SETTINGS)
    settings[[CELL_THRESHOLD, CLASS_THRESHOLD]] = 1e6
    return settings


def regression(x: np.ndarray, y: np.ndarray, at: float, settings: np.ndarray) -> tuple[float, float]:
    """The posterior of a line by the textbook's matrices, with weights that fade."""
    weight = settings[KEEP] ** np.arange(len(x))[::-1]
    rows = np.stack([np.ones_like(x), x], axis=1)
    precision = np.diag([settings[INTERCEPT_SD] ** -2, settings[SLOPE_SD] ** -2]) + (rows * weight[:, None]).T @ rows / settings[NOISE_SD] ** 2
    mean = np.linalg.solve(precision, (rows * weight[:, None]).T @ y / settings[NOISE_SD] ** 2)
    here = np.array([1.0, at])
    return float(here @ mean), float(here @ np.linalg.solve(precision, here))


@pytest.mark.parametrize("n", [0, 1, 2, 30, 900])
def test_estimate_is_the_bayesian_regression(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.exponential(1.0, n)
    y = 0.4 + 0.1 * x + 0.15 * rng.standard_normal(n)
    history = build_history(2, 3, 1, settings=quiet())
    for place in range(n):
        observe(history, float(place), 1, 2, 0, float(x[place]), float(y[place]))
        observe(history, float(place), 0, 1, 0, 5.0, -3.0)  # other cells must not matter
    for at in (-0.5, 0.0, 2.0):
        assert estimate(history, 1, 2, at) == pytest.approx(regression(x, y, at, quiet()), rel=1e-8, abs=1e-10)


def feed(history: History, n: int, level: float, *, kinds: int = 1, device: int = 1, seed: int = 0, start: float = 0.0) -> None:
    rng = np.random.default_rng(seed)
    for place in range(n):
        observe(history, start + place, place % kinds, device, 0, 0.0, level + 0.15 * float(rng.standard_normal()))


def test_a_changed_cell_forgets_and_learns_anew() -> None:
    history = build_history(4, 2, 1)
    feed(history, 200, 0.5)
    assert history.counters[N_ALARMS] == 0
    feed(history, 6, -0.6, start=200.0, seed=1)
    assert history.counters[N_ALARMS] == 1
    assert 200.0 < history.alarm_s[0] < 206.0
    assert history.alarm_cell[0].tolist() == [0, 1]
    assert estimate(history, 0, 1, 0.0)[0] == pytest.approx(-0.6, abs=0.2)
    assert history.sums[0, 1, W] < 6.0 + DEFAULT_SETTINGS[FORGET_TO]


def test_a_changed_device_class_forgets_all_kinds_and_no_other_class() -> None:
    history = build_history(8, 2, 1)
    feed(history, 800, 0.2, kinds=8)
    feed(history, 800, 0.1, kinds=8, device=0, seed=2)
    before = history.sums[:, 0].copy()
    feed(history, 40, 1.2, kinds=8, start=900.0, seed=1)
    cells = history.alarm_cell[: history.counters[N_ALARMS]]
    assert [-1, 1] in cells.tolist()
    assert (cells[:, 1] == 1).all()
    assert np.array_equal(history.sums[:, 0], before)
    for kind in range(8):
        assert estimate(history, kind, 1, 0.0)[0] == pytest.approx(1.2, abs=0.25)


def test_a_history_that_was_wrong_from_the_beginning_is_noticed() -> None:
    taught = build_history(4, 2, 1)
    feed(taught, 300, 0.35)
    history = build_history(4, 2, 1, sums=taught.sums)
    feed(history, 25, 0.0, seed=5)
    assert history.counters[N_ALARMS] >= 1
    assert estimate(history, 0, 1, 0.0)[0] == pytest.approx(0.0, abs=0.12)


def test_noise_alone_rings_rarely() -> None:
    history = build_history(8, 3, 1)
    for device in range(3):
        feed(history, 4000, 0.3, kinds=8, device=device, seed=device)
    assert history.counters[N_ALARMS] <= 1


def test_versions_move_when_predictions_do() -> None:
    history = build_history(2, 2, 1)
    feed(history, 1, 0.8)
    first = int(history.version[0])
    assert first == 1
    feed(history, 300, 0.8, seed=3)
    later = int(history.version[0])
    feed(history, 100, 0.8, seed=4)
    assert history.version[0] == later
    assert history.version[1] == 0
