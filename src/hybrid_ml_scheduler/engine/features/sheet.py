"""The data sheet of a feature."""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """One column of what a model sees.

    Attributes
    ----------
    name : str
        Unique within its kind of workload.
    unit : str
        Unit, ``1`` for none.
    low, high : float
        Smallest and largest value that a model may be given; beyond them its rule decides.
    meaning : str
        One line.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
