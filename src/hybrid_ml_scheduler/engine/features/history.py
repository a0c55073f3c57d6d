"""What has been observed of each kind of task on each device class: a running regression per cell, with forgetting and drift detection.

A cell is a kind of task on a device class (column 0: the CPU; column ``1 + m``: GPU model ``m``). What is learned is the logarithm of the factor
between the work that was observed and the nominal work, as a straight line in the logarithm of the size: ``y = a + b x`` with ``x = log(size /
PIVOT_S)``. It is a Bayesian linear regression [1]_ with a normal prior around ``a = b = 0`` (nominal times) and known noise; observations fade by a
constant factor per further observation of the cell, so that at most ``1 / (1 - KEEP)`` of them count.

Observed is only what a real system can observe: the time of the part that a device worked on. A cell whose residuals change their mean (Page-Hinkley)
forgets; so do all cells of a device class whose squared residuals become large in many kinds at once.

References
----------
.. [1] Bishop, "Pattern Recognition and Machine Learning", section 3.3, 2006.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled, compiled_entry
from hybrid_ml_scheduler.engine.drift import build_detectors, detect_change, reset_detector

PIVOT_S = 4.0
"""Where a line's intercept is taken."""

# Positions in the sums of a cell: weight, x, x^2, y, x y.
W, WX, WXX, WY, WXY = range(5)
N_SUMS = 5

# Positions in History.settings.
INTERCEPT_SD, SLOPE_SD, NOISE_SD, KEEP, FORGET_TO, CELL_DELTA, CELL_THRESHOLD, CLASS_DELTA, CLASS_THRESHOLD, RECENT, NOTICEABLE = range(11)
DEFAULT_SETTINGS = (0.6, 0.15, 0.15, 0.999, 0.5, 0.5, 13.0, 1.0, 40.0, 0.1, 0.05)
"""Prior standard deviations of intercept and slope; that of the noise; share of an observation that stays with each further one; observations
that count after an alarm; tolerances and thresholds of the detectors, in standard deviations for a cell and squared ones for a class; weight of
an outcome in the running means; change of a cell's prediction from which on waiting tasks are predicted anew."""

LEAST_SEEN = 3
"""Outcomes before a detector may ring."""
KNOWN_WEIGHT = 100.0
"""Values that the detectors' knowledge counts for: standardised residuals have mean 0, their squares mean 1."""
_CLIP = 8.0
_CLIP_SQUARE = 9.0

# Positions in History.counters.
N_ALARMS, N_OBSERVED = 0, 1
MAX_ALARMS = 4096


class History(NamedTuple):
    """Running aggregates. Sizes: k kinds, d device classes, u users.

    Attributes
    ----------
    settings : ndarray of float64, shape (11,)
        See `DEFAULT_SETTINGS`.
    sums : ndarray of float64, shape (k, d, N_SUMS)
        Faded sums of each cell.
    cell_detector : ndarray of float64, shape (k, d, N_DETECTOR)
    class_detector : ndarray of float64, shape (d, N_DETECTOR)
    since : ndarray of float64, shape (k, d)
        Outcomes of a cell since it last forgot.
    recent : ndarray of float64, shape (k, d)
        Running mean of a cell's residuals.
    class_recent : ndarray of float64, shape (d,)
        The same over a device class.
    class_level : ndarray of float64, shape (d, 2)
        Running mean of ``y`` over a device class less the CPU's line of the same kind (for the CPU: of ``y``), and its weight.
    user_recent : ndarray of float64, shape (u,)
        Running mean of the residuals of a user's tasks.
    noise : ndarray of float64, shape (1,)
        Running variance of the residuals of well-known cells.
    marked : ndarray of float64, shape (k, d)
        Prediction of a cell at the pivot when ``version`` last changed.
    version : ndarray of int64, shape (k,)
        Goes up when the predictions of a kind have changed noticeably.
    alarm_s : ndarray of float64, shape (MAX_ALARMS,)
        When a detector rang, in simulated seconds.
    alarm_cell : ndarray of int64, shape (MAX_ALARMS, 2)
        Which one: kind (-1 for a whole class) and device class.
    counters : ndarray of int64, shape (2,)
        Alarms, observations.
    """

    settings: FloatArray
    sums: FloatArray
    cell_detector: FloatArray
    class_detector: FloatArray
    since: FloatArray
    recent: FloatArray
    class_recent: FloatArray
    class_level: FloatArray
    user_recent: FloatArray
    noise: FloatArray
    marked: FloatArray
    version: IntArray
    alarm_s: FloatArray
    alarm_cell: IntArray
    counters: IntArray


def build_history(n_kinds: int, n_classes: int, n_users: int, *, sums: FloatArray | None = None, settings: FloatArray | None = None) -> History:
    """Return a history.

    Parameters
    ----------
    n_kinds, n_classes, n_users : int
        Sizes; at least 1 each.
    sums : ndarray of float64, shape (n_kinds, n_classes, N_SUMS), optional
        What is known before the first task; nothing if left out.
    settings : ndarray of float64, shape (11,), optional
        `DEFAULT_SETTINGS` if left out.
    """
    values = np.array(DEFAULT_SETTINGS) if settings is None else np.asarray(settings, dtype=np.float64)
    known = np.zeros((n_kinds, n_classes, N_SUMS)) if sums is None else np.array(sums, dtype=np.float64)
    return History(
        settings=values,
        sums=known,
        cell_detector=build_detectors(n_kinds, n_classes, known_weight=KNOWN_WEIGHT),
        class_detector=build_detectors(n_classes, known_mean=1.0, known_weight=KNOWN_WEIGHT),
        since=known[:, :, W].copy(),
        recent=np.zeros((n_kinds, n_classes)),
        class_recent=np.zeros(n_classes),
        class_level=np.zeros((n_classes, 2)),
        user_recent=np.zeros(n_users),
        noise=np.array([values[NOISE_SD] ** 2]),
        marked=np.zeros((n_kinds, n_classes)),
        version=np.zeros(n_kinds, dtype=np.int64),
        alarm_s=np.full(MAX_ALARMS, np.nan),
        alarm_cell=np.full((MAX_ALARMS, 2), -1, dtype=np.int64),
        counters=np.zeros(2, dtype=np.int64),
    )


@compiled
def estimate(history: History, kind: int, device: int, x: float) -> tuple[float, float]:
    """Return mean and variance of a cell's line at ``x = log(size / PIVOT_S)``; the variance is that of the mean, without the noise of a task."""
    noise = history.settings[NOISE_SD] ** 2
    s = history.sums[kind, device]
    # Precision matrix and right-hand side.
    p00 = 1.0 / history.settings[INTERCEPT_SD] ** 2 + s[W] / noise
    p01 = s[WX] / noise
    p11 = 1.0 / history.settings[SLOPE_SD] ** 2 + s[WXX] / noise
    r0 = s[WY] / noise
    r1 = s[WXY] / noise
    determinant = p00 * p11 - p01 * p01
    intercept = (p11 * r0 - p01 * r1) / determinant
    slope = (p00 * r1 - p01 * r0) / determinant
    variance = (p11 - 2.0 * x * p01 + x * x * p00) / determinant
    return intercept + slope * x, variance


@compiled
def _forget(history: History, kind: int, device: int) -> None:
    s = history.sums[kind, device]
    if s[W] > history.settings[FORGET_TO]:
        share = history.settings[FORGET_TO] / s[W]
        for entry in range(N_SUMS):
            s[entry] *= share
    history.since[kind, device] = 0.0
    history.recent[kind, device] = 0.0
    reset_detector(history.cell_detector[kind, device])
    history.version[kind] += 1


@compiled
def _ring(history: History, now_s: float, kind: int, device: int) -> None:
    number = history.counters[N_ALARMS]
    history.counters[N_ALARMS] += 1
    if number < len(history.alarm_s):
        history.alarm_s[number] = now_s
        history.alarm_cell[number, 0] = kind
        history.alarm_cell[number, 1] = device


@compiled_entry
def observe(history: History, now_s: float, kind: int, device: int, user: int, x: float, y: float) -> None:
    """Take one outcome in.

    Parameters
    ----------
    history : History
    now_s : float
        Simulated time of the outcome in seconds.
    kind, device, user : int
        Cell and user.
    x : float
        ``log(size / PIVOT_S)``.
    y : float
        ``log(observed work / nominal work)``.
    """
    settings = history.settings
    mean, variance = estimate(history, kind, device, x)
    residual = y - mean
    z = min(max(residual / np.sqrt(variance + history.noise[0]), -_CLIP), _CLIP)
    cpu_mean, _ = estimate(history, kind, 0, x)
    recent = settings[RECENT]

    if detect_change(history.cell_detector[kind, device], z, settings[CELL_DELTA], settings[CELL_THRESHOLD], LEAST_SEEN):
        _forget(history, kind, device)
        _ring(history, now_s, kind, device)
    square = min(z * z, _CLIP_SQUARE)
    if detect_change(history.class_detector[device], square, settings[CLASS_DELTA], settings[CLASS_THRESHOLD], LEAST_SEEN):
        for other in range(history.sums.shape[0]):
            _forget(history, other, device)
        history.class_recent[device] = 0.0
        history.class_level[device, 0] = 0.0
        history.class_level[device, 1] = 0.0
        _ring(history, now_s, -1, device)
    elif history.since[kind, device] >= 5.0:
        # Clipped, because a change that no detector has noticed yet is no noise.
        history.noise[0] += 0.01 * (min(residual * residual, _CLIP_SQUARE * history.noise[0]) - history.noise[0])

    s = history.sums[kind, device]
    for entry in range(N_SUMS):
        s[entry] *= settings[KEEP]
    s[W] += 1.0
    s[WX] += x
    s[WXX] += x * x
    s[WY] += y
    s[WXY] += x * y
    history.since[kind, device] += 1.0
    history.counters[N_OBSERVED] += 1
    history.recent[kind, device] += recent * (residual - history.recent[kind, device])
    history.class_recent[device] += recent * (residual - history.class_recent[device])
    history.user_recent[user] += recent * (residual - history.user_recent[user])
    level = y - cpu_mean if device > 0 else y
    history.class_level[device, 0] += recent * (level - history.class_level[device, 0])
    history.class_level[device, 1] += recent * (1.0 - history.class_level[device, 1])
    at_pivot, _ = estimate(history, kind, device, 0.0)
    if abs(at_pivot - history.marked[kind, device]) > settings[NOTICEABLE]:
        history.marked[kind, device] = at_pivot
        history.version[kind] += 1
