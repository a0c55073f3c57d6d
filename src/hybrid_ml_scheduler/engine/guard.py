"""The guardrail by errors: a learned policy's predictions against what a rule would have assumed, over the outcomes that were observed.

Errors are absolute differences of logarithms of times. Per device class a running mean of the last outcomes is kept for both. The model has to show
that it is better in every class before it decides at all; it decides while no class stands worse than the rule's assumption, and comes back after it
has been better for a while, which gets longer with every fall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.decision import DecidedBy
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled, compiled_entry

# Positions in Guard.limits.
MEMORY, LEAVE, RETURN, SLACK, LEAST, FIRST_PAUSE = range(6)
DEFAULT_LIMITS = (0.06, 1.1, 0.95, 0.03, 8.0, 20.0)
"""`MEMORY`: weight of an outcome in the running mean. `LEAVE`: the rule takes over when the model's error is above so many times the rule's plus
`SLACK`. `RETURN`: the model may decide (again) below so many times the rule's. `LEAST`: outcomes before a class is judged. `FIRST_PAUSE`: outcomes
after a fall before the model may come back; doubles with each fall."""

# Positions in Guard.status.
ENABLED, COLD, LOSING, FALLEN, PAUSE, SINCE, N_FALLS, N_OUTCOMES = range(8)
N_STATUS = 8
LONGEST_PAUSE = 2_000

_MODEL, _COLD, _ERROR, _LOSING = (
    int(code) for code in (DecidedBy.MODEL, DecidedBy.FALLBACK_COLD, DecidedBy.FALLBACK_ERROR, DecidedBy.FALLBACK_LOSING)
)


class Guard(NamedTuple):
    """State of the guardrail; plain arrays.

    Attributes
    ----------
    limits : ndarray of float64, shape (6,)
        See `DEFAULT_LIMITS`.
    model_error, rule_error : ndarray of float64, shape (n_classes,)
        Running means of absolute log errors.
    weight : ndarray of float64, shape (n_classes,)
        Sum of the weights in them, so that few outcomes are no bias towards 0.
    seen : ndarray of int64, shape (n_classes,)
        Outcomes of each class.
    status : ndarray of int64, shape (N_STATUS,)
        Whether the guard works at all; whether it has not been checked yet; whether it loses the shadow comparison; whether it has fallen to the rule
        by errors; outcomes to wait after a fall; outcomes since; falls so far; outcomes so far.
    """

    limits: FloatArray
    model_error: FloatArray
    rule_error: FloatArray
    weight: FloatArray
    seen: IntArray
    status: IntArray


def build_guard(n_classes: int, *, guarded: bool, cold: bool = True, limits: FloatArray | None = None) -> Guard:
    """Return a guard that has seen nothing.

    Parameters
    ----------
    n_classes : int
        Device classes; 1 where there is only one kind of time to predict.
    guarded : bool
        False: the model always decides; errors are still counted.
    cold : bool
        Whether the rule decides until somebody sets ``status[COLD]`` to 0 and the model has shown that it is better.
    limits : ndarray of float64, shape (6,), optional
        `DEFAULT_LIMITS` if left out.
    """
    status = np.zeros(N_STATUS, dtype=np.int64)
    status[ENABLED], status[COLD] = int(guarded), int(guarded and cold)
    values = np.array(DEFAULT_LIMITS) if limits is None else np.asarray(limits, dtype=np.float64)
    # A model that has shown nothing yet stands like one that has fallen, but need not wait.
    status[FALLEN] = status[COLD]
    status[PAUSE] = 0 if status[COLD] else int(values[FIRST_PAUSE])
    return Guard(values, np.zeros(n_classes), np.zeros(n_classes), np.zeros(n_classes), np.zeros(n_classes, dtype=np.int64), status)


@compiled_entry
def note_outcome(guard: Guard, device: int, model_error: float, rule_error: float) -> None:
    """Count one outcome.

    Parameters
    ----------
    guard : Guard
    device : int
        Class of the device.
    model_error, rule_error : float
        Absolute log error of the model's prediction at the decision, and of the rule's assumption. A prediction that is NaN counts as very wrong.
    """
    if np.isnan(model_error) or model_error > 10.0:
        model_error = 10.0
    memory = guard.limits[MEMORY]
    guard.model_error[device] += memory * (model_error - guard.model_error[device])
    guard.rule_error[device] += memory * (rule_error - guard.rule_error[device])
    guard.weight[device] += memory * (1.0 - guard.weight[device])
    guard.seen[device] += 1
    status = guard.status
    status[N_OUTCOMES] += 1
    status[SINCE] += 1
    worse = False
    better = True
    judged = 0
    for each in range(len(guard.seen)):
        if guard.seen[each] >= guard.limits[LEAST]:
            judged += 1
            model = guard.model_error[each] / guard.weight[each]
            rule = guard.rule_error[each] / guard.weight[each]
            worse = worse or model - guard.limits[SLACK] > guard.limits[LEAVE] * rule
            better = better and model < guard.limits[RETURN] * rule
    if status[FALLEN] == 0 and worse:
        status[FALLEN] = 1
        status[N_FALLS] += 1
        status[SINCE] = 0
    elif status[FALLEN] == 1 and judged > 0 and better and status[SINCE] >= status[PAUSE]:
        status[FALLEN] = 0
        status[PAUSE] = min(max(2 * status[PAUSE], int(guard.limits[FIRST_PAUSE])), LONGEST_PAUSE)


@compiled
def who_decides(guard: Guard) -> int:
    """Return `DecidedBy.MODEL`, or the reason why the rule decides."""
    status = guard.status
    if status[ENABLED] == 0:
        return _MODEL
    if status[COLD] == 1:
        return _COLD
    if status[FALLEN] == 1:
        return _ERROR
    if status[LOSING] == 1:
        return _LOSING
    return _MODEL
