"""Timing one kernel of a given size on one device, within a share of a budget of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hybrid_ml_scheduler.experiments.profile_gpus import GPU_ERRORS
from hybrid_ml_scheduler.experiments.profile_kernels import Device, Kernel, Run
from hybrid_ml_scheduler.workloads.measured import CPU, MeasuredRow

MIN_REPEATS = 3
MAX_REPEATS = 1_000
MEMORY_SHARE = 0.5
"""Most of a device's memory that the arrays of one run may take."""
PROBE_SIZE = 128
"""Where no smaller size was measured, one run of this size tells how long a larger one will take."""

Clock = Callable[[], float]


class LeftOut(Exception):  # noqa: N818 - not an error: it says why there is no measurement, and never leaves this package's profile
    """A measurement did not happen."""


@dataclass(slots=True)
class Budget:
    """Time for so many measurements; each may use an equal share of what is left, and what it does not use is left for the others.

    Attributes
    ----------
    limit_s : float
        Seconds for all of them; they run from the construction on.
    measurements : int
        How many are to be made.
    clock : callable
        Returns seconds.
    """

    limit_s: float
    measurements: int
    clock: Clock = time.perf_counter
    done: int = 0
    _began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._began_s = self.clock()

    @property
    def left_s(self) -> float:
        """Seconds that are left; below 0 when it was overrun."""
        return self.limit_s - (self.clock() - self._began_s)

    def next_share_s(self) -> float:
        """Return the seconds that the next measurement may use, and count it."""
        share_s = self.left_s / (self.measurements - self.done)
        self.done += 1
        return share_s


def measure(device: Device, kernel: Kernel, size: int, budget: Budget, s_per_work: float | None) -> MeasuredRow:
    """Measure one kernel of one size on one device.

    Parameters
    ----------
    device : Device
        Where.
    kernel : Kernel
        What.
    size : int
        The kernel works on ``size * size`` numbers.
    budget : Budget
        Its next share is used: for the data, one run to warm up, and repeats until it is gone, from `MIN_REPEATS` to `MAX_REPEATS`.
    s_per_work : float or None
        Seconds per unit of ``kernel.work`` that a smaller size took there; None where none was measured.

    Returns
    -------
    MeasuredRow

    Raises
    ------
    LeftOut
        If the memory is too small, or what is left of the budget does not suffice for `MIN_REPEATS` runs.
    """
    share_s = budget.next_share_s()
    needed_bytes = kernel.bytes_per_number * size * size
    if needed_bytes > MEMORY_SHARE * device.memory_bytes:
        raise LeftOut(f"its arrays take {needed_bytes / 1e9:.3g} GB, more than half of the memory")
    deadline_s = budget.clock() + share_s
    try:
        with device:
            if s_per_work is None and size > PROBE_SIZE:
                probe = device.prepare(kernel, PROBE_SIZE)
                probe()
                s_per_work = _time_s(probe, budget.clock) / kernel.work(PROBE_SIZE)
            if s_per_work is not None:
                _check_fits((1 + MIN_REPEATS) * s_per_work * kernel.work(size), budget, "are expected to take")
            elif budget.left_s <= 0:
                raise LeftOut("the budget was used up")
            run = device.prepare(kernel, size)
            _check_fits(MIN_REPEATS * _time_s(run, budget.clock), budget, "would take")
            times_s: list[float] = []
            while len(times_s) < MIN_REPEATS or (len(times_s) < MAX_REPEATS and budget.clock() < deadline_s):
                times_s.append(_time_s(run, budget.clock))
    except MemoryError as error:
        raise LeftOut("its arrays do not fit into the memory") from error
    except GPU_ERRORS as error:
        if device.name == CPU:
            raise
        raise LeftOut(first_line(error)) from error
    low_s, median_s, high_s = np.quantile(times_s, (0.25, 0.5, 0.75)).tolist()
    return MeasuredRow(
        kernel=kernel.name,
        size=size,
        device=device.name,
        cores=device.cores,
        output_bytes=kernel.output_bytes(size),
        median_s=median_s,
        low_s=low_s,
        high_s=high_s,
        min_s=min(times_s),
        max_s=max(times_s),
        repeats=len(times_s),
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its name where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check_fits(needed_s: float, budget: Budget, verb: str) -> None:
    left_s = budget.left_s
    if left_s <= 0:
        raise LeftOut("the budget was used up")
    if needed_s > left_s:
        raise LeftOut(f"the runs {verb} {needed_s:.3g} s, and {left_s:.3g} s of the budget are left")


def _time_s(run: Run, clock: Clock) -> float:
    began_s = clock()
    run()
    return clock() - began_s
