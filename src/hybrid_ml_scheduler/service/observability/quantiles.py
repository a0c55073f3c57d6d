"""Quantiles out of the buckets of a histogram."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Histogram

Counts = dict[tuple[str, ...], list[float]]
"""Cumulative counts of the buckets, by the values of the labels."""


def counts_of(histogram: Histogram, labels: Sequence[str]) -> Counts:
    """Return the cumulative counts of all buckets, in the order of their bounds."""
    found: Counts = {}
    for metric in histogram.collect():
        for sample in metric.samples:
            if sample.name.endswith("_bucket"):
                found.setdefault(tuple(sample.labels[name] for name in labels), []).append(sample.value)
    return found


def quantile(counts: Sequence[float], bounds_s: Sequence[float], share: float) -> float | None:
    """Return a quantile, interpolated inside its bucket; None if nothing was counted.

    Parameters
    ----------
    counts : sequence of float
        Cumulative; one more than there are bounds.
    bounds_s : sequence of float
        Upper bounds of the buckets, ascending, without infinity.
    share : float
        0 to 1.
    """
    total = counts[-1]
    if total <= 0:
        return None
    wanted = share * total
    below_s = below = 0.0
    for count, bound_s in zip(counts, bounds_s, strict=False):
        if count >= wanted:
            return below_s + (bound_s - below_s) * ((wanted - below) / (count - below) if count > below else 1.0)
        below_s, below = bound_s, count
    # Above the last bound nothing more is known.
    return float(bounds_s[-1])


class Recent:
    """What a histogram has counted lately: the difference to what it had counted a while ago.

    Parameters
    ----------
    keep : int
        Snapshots that are kept; the oldest one is the beginning of the window.
    """

    def __init__(self, keep: int) -> None:
        self._snapshots: deque[tuple[float, Mapping[str, Counts]]] = deque(maxlen=keep)

    def take(self, now_s: float, counts: Mapping[str, Counts]) -> None:
        """Keep a snapshot of some histograms, by name."""
        self._snapshots.append((now_s, counts))

    def since(self, now_s: float, name: str, counts: Counts) -> tuple[float | None, Counts]:
        """Return how long ago the window began (None: with the process), and what was counted in it."""
        full = len(self._snapshots) == self._snapshots.maxlen
        if not full:
            return None, counts
        then_s, before = self._snapshots[0]
        old: Any = before.get(name, {})
        return now_s - then_s, {
            labels: [new - was for new, was in zip(now, old[labels], strict=True)] if labels in old else now for labels, now in counts.items()
        }
