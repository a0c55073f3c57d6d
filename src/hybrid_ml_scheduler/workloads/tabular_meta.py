"""What a table of our own columns says about the whole workload, as one JSON object beside the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.workloads.rows import INT64_LIMIT, shown_json
from hybrid_ml_scheduler.workloads.source import Source

FIRST_LINE = "# hybrid-ml-scheduler "
"""How the first line of a CSV file with metadata begins."""

ESTIMATES = ("user", "exact", "nominal", "none")
LAWS = ("overlap", "sum", "serial")


@dataclass(frozen=True, slots=True)
class TabularMeta:
    """The JSON object, checked; what it leaves out has the defaults of `Workload`.

    Attributes
    ----------
    processors, estimates
        As in `ReadReport`; ``None`` where the file does not say.
    law, warmup, meta
        As in `Workload`.
    kind_names, user_names : tuple of str or None
        Where given, the cells of these columns are numbers into them (into nothing if empty: then the numbers are all there is).
    slowdown, regime_start_s, gpu_models
        As in `Truth`; in JSON, ``null`` stands for minus infinity.
    """

    processors: int | None = None
    estimates: str | None = None
    law: str = "overlap"
    warmup: float = 0.0
    kind_names: tuple[str, ...] | None = None
    user_names: tuple[str, ...] | None = None
    slowdown: NDArray[np.float64] | None = None
    regime_start_s: FloatArray = field(default_factory=lambda: np.array([-np.inf]))
    gpu_models: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


_KEYS = tuple(TabularMeta.__dataclass_fields__)


def parse_meta(source: Source, text: str) -> TabularMeta:
    """Check the JSON object of a file.

    Parameters
    ----------
    source : Source
        The file, for messages.
    text : str
        The object, or nothing.

    Returns
    -------
    TabularMeta

    Raises
    ------
    DataFileError
        If it is no JSON object of these keys and types.
    """
    if not text.strip():
        return TabularMeta()
    value = Source(source.path, text.encode(), source.sha256).json()
    if not isinstance(value, dict) or not set(value) <= set(_KEYS):
        source.fail(f"the metadata is {shown_json(value)}", f"a JSON object with some of {', '.join(_KEYS)}", 1)

    def check(good: bool, key: str, expected: str) -> None:
        if not good:
            source.fail(f"the metadata's {key} is {shown_json(value[key])}", expected, 1)

    for key, allowed in (("estimates", ESTIMATES), ("law", LAWS)):
        check(key not in value or value[key] in allowed, key, f"one of {', '.join(allowed)}")
    processors = value.get("processors")
    check(processors is None or (type(processors) is int and 0 < processors < INT64_LIMIT), "processors", "a whole number above 0")
    warmup = value.get("warmup", 0.0)
    check(type(warmup) in (int, float) and 0 <= warmup < 1, "warmup", "a number from 0 to 1")
    for key in ("kind_names", "user_names", "gpu_models"):
        names = value.get(key, [])
        check(isinstance(names, list) and all(isinstance(name, str) for name in names), key, "a list of names")
    check(isinstance(value.get("meta", {}), dict), "meta", "a JSON object")
    regime_start_s, slowdown = _slowdown(source, value)
    return TabularMeta(
        processors=processors,
        estimates=value.get("estimates"),
        law=value.get("law", "overlap"),
        warmup=float(warmup),
        kind_names=tuple(value["kind_names"]) if "kind_names" in value else None,
        user_names=tuple(value["user_names"]) if "user_names" in value else None,
        slowdown=slowdown,
        regime_start_s=regime_start_s,
        gpu_models=tuple(value.get("gpu_models", ())),
        meta=value.get("meta", {}),
    )


def _slowdown(source: Source, value: dict[str, Any]) -> tuple[FloatArray, NDArray[np.float64] | None]:
    starts = value.get("regime_start_s", [None])
    expected = "null, then ascending numbers"
    if not isinstance(starts, list) or not starts or starts[0] is not None or not all(_is_number(start) for start in starts[1:]):
        source.fail("the metadata's regime_start_s is no list of times", expected, 1)
    regime_start_s = np.array([-np.inf, *starts[1:]])
    if np.any(regime_start_s[1:] <= regime_start_s[:-1]):
        source.fail("the metadata's regime_start_s is not ascending", expected, 1)
    table = value.get("slowdown")
    if table is None:
        return regime_start_s, None
    models = len(value.get("gpu_models", []))
    kinds = len(table[0]) if isinstance(table, list) and table and isinstance(table[0], list) else 0
    expected = "for each regime, for each kind, one number above 0 for each of gpu_models"
    good = isinstance(table, list) and len(table) == len(starts) and kinds > 0 and models > 0
    good = good and all(isinstance(regime, list) and len(regime) == kinds for regime in table)
    good = good and all(
        isinstance(row, list) and len(row) == models and all(_is_number(e) and e > 0 for e in row) for regime in table for row in regime
    )
    if not good:
        source.fail("the metadata's slowdown has the wrong shape or values", expected, 1)
    return regime_start_s, np.array(table, dtype=np.float64)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < INT64_LIMIT


def meta_text(workload: Workload, *, listed_names: Mapping[str, tuple[str, ...]], estimates: str | None) -> str:
    """Return the JSON object for a workload: what differs from the defaults, empty if nothing does.

    Parameters
    ----------
    workload : Workload
        Whose.
    listed_names : mapping of str to tuple of str
        ``kind_names`` and ``user_names``, where the rows hold numbers into them.
    estimates : str, optional
        Where the rows do not give it away.

    Returns
    -------
    str
        On one line.
    """
    truth = workload.truth
    value: dict[str, Any] = {key: list(names) for key, names in listed_names.items()}
    if workload.report.processors is not None:
        value["processors"] = workload.report.processors
    if estimates is not None:
        value["estimates"] = estimates
    if workload.law != "overlap":
        value["law"] = workload.law
    if workload.warmup:
        value["warmup"] = workload.warmup
    if truth.slowdown is not None:
        value["slowdown"] = truth.slowdown.tolist()
    if len(truth.regime_start_s) > 1:
        value["regime_start_s"] = [None, *truth.regime_start_s[1:].tolist()]
    if truth.gpu_models:
        value["gpu_models"] = list(truth.gpu_models)
    # Where the original was read says nothing to who reads the copy.
    meta = {key: entry for key, entry in workload.meta.items() if key != "path"}
    if meta:
        value["meta"] = meta
    return json.dumps(value, allow_nan=False) if value else ""
