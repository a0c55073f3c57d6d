"""The service with a clock that a test sets: ``python served_with_a_clock.py FILE ...`` is ``python -m hybrid_ml_scheduler ...``.

The file holds by how many seconds Python's wall clock is wrong. It is read at every look at the clock, so it can be changed while the service runs.
"""

from __future__ import annotations

import datetime as dt
import runpy
import sys
import time
from pathlib import Path
from typing import Any

offset_file = Path(sys.argv.pop(1))
true_time, true_time_ns = time.time, time.time_ns
true_datetime = dt.datetime


def offset_s() -> float:
    return float(offset_file.read_text(encoding="ascii"))


class SetBack(dt.datetime):
    """The class of the standard library, but for what the time is."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return true_datetime.now(tz) + dt.timedelta(seconds=offset_s())


time.time = lambda: true_time() + offset_s()
time.time_ns = lambda: true_time_ns() + int(offset_s() * 1e9)
dt.datetime = SetBack  # type: ignore[misc]

runpy.run_module("hybrid_ml_scheduler", run_name="__main__", alter_sys=True)
