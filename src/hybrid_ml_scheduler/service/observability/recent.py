"""How long things took lately: the times themselves, so that quantiles are times that were measured."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
MOST_TIMES = 1_024
"""Newest times of one thing that are kept."""
WINDOW_S = 300.0


class RecentTimes(Generic[Key]):
    """The newest times of several things.

    Attributes
    ----------
    found : dict of Key to deque of (float, float)
        When something was measured (``time.monotonic``), and how long it took, in seconds; the newest last.
    """

    def __init__(self) -> None:
        self.found: dict[Key, deque[tuple[float, float]]] = {}

    def add(self, key: Key, time_s: float) -> None:
        """Keep a time."""
        times = self.found.get(key)
        if times is None:
            times = self.found[key] = deque(maxlen=MOST_TIMES)
        times.append((time.monotonic(), time_s))

    def of(self, key: Key) -> list[float]:
        """Return the times of the last `WINDOW_S` seconds, ascending."""
        since_s = time.monotonic() - WINDOW_S
        return sorted(time_s for at_s, time_s in tuple(self.found.get(key, ())) if at_s >= since_s)


def quantile(ascending_s: Sequence[float], share: float) -> float | None:
    """Return the least time that a share of all of them does not exceed; None if there are none.

    Parameters
    ----------
    ascending_s : sequence of float
    share : float
        Above 0, at most 1.
    """
    return ascending_s[math.ceil(share * len(ascending_s)) - 1] if ascending_s else None
