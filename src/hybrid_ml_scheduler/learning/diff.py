"""In what two models differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.learning.files import Model


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two models differ.

    Attributes
    ----------
    what : str
        A field of the card, with dots for fields in it, or ``array`` and its name.
    first, second : str, float, int, list or None
        What each of them has there; None for nothing. Arrays that differ have their shape and type; of the same shape and type, the second says
        how much they differ.
    """

    what: str
    first: Any
    second: Any


def differences(first: Model, second: Model) -> list[Difference]:
    """Compare two models, fields of the cards first; empty if they are equal."""
    one, two = _flat(first.card.to_dict()), _flat(second.card.to_dict())
    found = [Difference(key, one.get(key), two.get(key)) for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)]
    for name in sorted({*first.arrays, *second.arrays}):
        a, b = first.arrays.get(name), second.arrays.get(name)
        if a is None or b is None or (a.dtype, a.shape) != (b.dtype, b.shape):
            found.append(Difference(f"array {name}", _shape(a), _shape(b)))
        elif a.tobytes() != b.tobytes():
            found.append(Difference(f"array {name}", _shape(a), _apart(a, b)))
    return found


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return flat


def _shape(array: NDArray[Any] | None) -> str | None:
    return None if array is None else f"{array.dtype} {list(array.shape)}"


def _apart(a: NDArray[Any], b: NDArray[Any]) -> str:
    differ = a != b
    largest = np.abs(a[differ].astype(np.float64) - b[differ].astype(np.float64))
    finite = largest[np.isfinite(largest)]
    return f"{np.count_nonzero(differ):,} of {a.size:,} values differ" + (f", by {finite.max():.6g} at most" if len(finite) else "")
