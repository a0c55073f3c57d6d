"""How the service has done since its process began, in bounded memory: requests, refusals, failures and troubles, stretch by stretch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from hybrid_ml_scheduler.storage.sketch import Sketch

MOST_STRETCHES = 240
"""Even. When there are so many, each two that follow one another become one."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted since the process began.

    Attributes
    ----------
    requests : int
        Answered.
    refused : int
        Of these, because there were too many.
    failed : int
        Answered with 500 or above.
    troubles : int
        Warnings and errors of the log, and answers of 500 or above.
    responses : mapping of int to int
        How many response times, of all routes together, fell in which bin of a `Sketch`.
    """

    requests: int = 0
    refused: int = 0
    failed: int = 0
    troubles: int = 0
    responses: Mapping[int, int] = field(default_factory=dict)

    def since(self, before: Totals) -> Totals:
        """Return what was counted after an earlier moment."""
        return Totals(
            self.requests - before.requests,
            self.refused - before.refused,
            self.failed - before.failed,
            self.troubles - before.troubles,
            {bin_: new for bin_, count in self.responses.items() if (new := count - before.responses.get(bin_, 0))},
        )

    def response_s(self, share: float) -> float | None:
        """Return a quantile of the response times, within 1 %; None if there are none."""
        return Sketch.of_counts(self.responses).quantile(share)


class ServiceHistory:
    """Totals at the ends of stretches of the same length, which doubles whenever there are too many of them."""

    def __init__(self) -> None:
        self._ends: list[tuple[float, Totals]] = []
        self._stride = 1
        self._skipped = 0

    def take(self, uptime_s: float, totals: Totals) -> None:
        """Take what was counted until now; called at even distances."""
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self._ends.append((uptime_s, totals))
        if len(self._ends) >= MOST_STRETCHES:
            self._ends = self._ends[1::2]
            self._stride *= 2

    def stretches(self) -> list[tuple[float, float, Totals]]:
        """Return all stretches, the oldest first: when each began and ended, in seconds since the process began, and what was counted in it."""
        moments = [(0.0, Totals()), *self._ends]
        return [(from_s, until_s, now.since(before)) for (from_s, before), (until_s, now) in pairwise(moments)]
