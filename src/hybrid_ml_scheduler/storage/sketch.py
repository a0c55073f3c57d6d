"""Quantiles of any number of values in a few kilobytes: a histogram with bins of equal width on a logarithmic scale, as in DDSketch.

Two sketches merge by adding counts, so those of batches add up to that of a run.

References
----------
.. [1] Masson, Rim, Lee: DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees, PVLDB 12(12), 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RELATIVE_ERROR = 0.01
"""A quantile is off by at most this share of itself, between `SMALLEST` and `LARGEST`."""
SMALLEST, LARGEST = 1e-6, 1e12
"""Smaller and larger values (in seconds) count as these."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = float(np.log(_GAMMA))


def bins_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each value.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Not NaN.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    clipped = np.clip(values, SMALLEST, LARGEST)
    bins: NDArray[np.int64] = np.ceil(np.log(clipped) / _LOG_GAMMA - 1e-9).astype(np.int64)
    return bins


def bin_of(value: float) -> int:
    """Return the bin of one value, as `bins_of` would, much faster."""
    return math.ceil(math.log(min(max(value, SMALLEST), LARGEST)) / _LOG_GAMMA - 1e-9)


@dataclass(slots=True)
class Sketch:
    """A histogram on a logarithmic scale.

    Attributes
    ----------
    bins : ndarray of int64, shape (k,)
        Bins that are not empty, ascending: bin ``i`` holds values in ``(gamma ** (i - 1), gamma ** i]``.
    counts : ndarray of int64, shape (k,)
    """

    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Sketch:
        """Return the sketch of some values."""
        bins, counts = np.unique(bins_of(values), return_counts=True)
        return cls(bins, counts.astype(np.int64))

    @classmethod
    def of_counts(cls, counts: Mapping[int, int]) -> Sketch:
        """Return the sketch of values that were counted bin by bin (`bin_of`)."""
        bins = np.array(sorted(counts), dtype=np.int64)
        return cls(bins, np.array([counts[each] for each in bins.tolist()], dtype=np.int64))

    def merged(self, other: Sketch) -> Sketch:
        """Return the sketch of the values of both."""
        if not len(other.bins):
            return self
        if not len(self.bins):
            return other
        bins, where = np.unique(np.concatenate([self.bins, other.bins]), return_inverse=True)
        counts = np.zeros(len(bins), dtype=np.int64)
        np.add.at(counts, where, np.concatenate([self.counts, other.counts]))
        return Sketch(bins, counts)

    @property
    def count(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def values(self) -> NDArray[np.float64]:
        """Return the value that stands for each bin, ascending."""
        found: NDArray[np.float64] = 2 * np.exp(self.bins * _LOG_GAMMA) / (_GAMMA + 1)
        return found

    def quantile(self, share: float) -> float | None:
        """Return the value below which this share of the values is, as `numpy.quantile` with ``method="inverted_cdf"``, within `RELATIVE_ERROR`.

        Parameters
        ----------
        share : float
            0 to 1.

        Returns
        -------
        float or None
            None if there are no values.
        """
        total = self.count
        if not total:
            return None
        rank = max(1, int(np.ceil(share * total - 1e-9)))
        found = int(self.bins[np.searchsorted(np.cumsum(self.counts), rank)])
        return float(2 * np.exp(found * _LOG_GAMMA) / (_GAMMA + 1))

    def to_bytes(self) -> bytes:
        """Return the sketch as bytes: bins as int16, then counts as int64, little endian."""
        return self.bins.astype("<i2").tobytes() + self.counts.astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Sketch:
        """Undo `to_bytes`.

        Raises
        ------
        ValueError
            If the bytes are no sketch.
        """
        size, rest = divmod(len(data), 10)
        if rest:
            raise ValueError(f"{len(data)} bytes are no sketch; expected a multiple of 10")
        return cls(np.frombuffer(data[: 2 * size], dtype="<i2").astype(np.int64), np.frombuffer(data[2 * size :], dtype="<i8").astype(np.int64))
