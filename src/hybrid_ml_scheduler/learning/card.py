"""What stands about a model in its ``model.json``: where it comes from, what it expects, how it did."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.core.errors import ModelError

FORMAT_VERSION = 1
"""Of the two files of a model; other versions are refused."""

KINDS = ("batch", "nodes", "divisible", "kernels")
"""Kinds of workload that models are for."""

DEFAULT_OBJECTIVES: Mapping[str, str] = {
    "batch": "mean_bounded_slowdown",
    "nodes": "mean_response",
    "divisible": "mean_response",
    "kernels": "makespan",
}
"""Models for the usual objective of their kind are named policy-kind; others have their objective in the name."""

MAX_JSON_BYTES = 4_000_000
MAX_JSON_DEPTH = 12
MAX_TEXT = 20_000
MAX_VERSION = 999_999

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,49}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INT64 = range(-(2**63), 2**63)
_SEAL = "card_sha256"
_TRAINING: Mapping[str, type] = {"workloads": list, "spans": list, "seeds": list, "tasks": int, "sha256": str}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything about a model except its arrays.

    Attributes
    ----------
    name : str
        Lower-case letters, digits, ``.``, ``_`` and ``-``; see `model_name`.
    policy : str
        ``hybrid_ml`` or ``rl_agent``.
    kind : str
        Kind of workload, one of `KINDS`.
    objective : str
        What it was trained for, such as ``mean_response`` or ``mean_response=1,energy=0.02``.
    created : str
        ISO date.
    seed : int
        Of the training; >= 0.
    command : str
        Rebuilds the model.
    features : tuple of str
        Names of the features in the order of the columns that the model expects, each once.
    training : dict
        ``workloads`` (list of str), ``spans`` (list: which part of each), ``seeds`` (list of int), ``tasks`` (int, >= 0), ``sha256`` (of the training
        data, `arrays_digest`); may hold more.
    metrics : dict of str to float
        How it did on validation, finite.
    parameters : dict
        Whatever else the policy needs that JSON can hold.
    version : int
        1 to 999,999; 0 until the store has given it one.
    engine_version : str
        Version of this package that trained it.
    arrays_sha256 : str
        `arrays_digest` of the arrays; empty until it is saved.
    """

    name: str
    policy: str
    kind: str
    objective: str
    created: str
    seed: int
    command: str
    features: tuple[str, ...]
    training: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    engine_version: str = __version__
    arrays_sha256: str = ""

    @property
    def spelling(self) -> str:
        """``NAME@VERSION``."""
        return f"{self.name}@{self.version}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {"format": FORMAT_VERSION, **values, "features": list(self.features)}


def model_name(policy: str, kind: str, objective: str | None = None) -> str:
    """Return the usual name of models for a policy, a kind of workload and an objective (by default the usual one of the kind).

    Examples
    --------
    >>> model_name("hybrid_ml", "divisible")
    'hybrid_ml-divisible'
    >>> model_name("rl_agent", "batch", "mean_response=1,energy=0.02")
    'rl_agent-batch-mean_response-1-energy-0.02'
    """
    suffix = "" if objective in (None, DEFAULT_OBJECTIVES.get(kind)) else "-" + re.sub(r"[^a-z0-9._]+", "-", str(objective).lower()).strip("-")
    return f"{policy}-{kind}{suffix}"


def is_model_name(text: str) -> bool:
    """Whether this can be the name of a model; such a name is also safe as the name of a folder."""
    return _NAME.fullmatch(text) is not None


def encode_card(card: ModelCard) -> str:
    """Return the text of ``model.json``: sorted keys, the same for the same card, sealed with a hash of the other fields.

    Raises
    ------
    ModelError
        If a field is not what `ModelCard` says.
    """
    values = card.to_dict()
    where = f"card of model {card.name!r}"
    _check_json(values, where)
    _check_fields(values, where)
    return json.dumps({**values, _SEAL: _seal(values)}, indent=1, sort_keys=True, allow_nan=False) + "\n"


def decode_card(content: bytes, where: str) -> ModelCard:
    """Read a card from the bytes of a ``model.json``; safe for files from anyone.

    Parameters
    ----------
    content : bytes
        What the file holds.
    where : str
        Name of the file, for messages.

    Raises
    ------
    ModelError
        If it is no JSON, of another format version, has been altered, or a field is not what `ModelCard` says.
    """
    if len(content) > MAX_JSON_BYTES:
        raise ModelError(f"{where}: larger than {MAX_JSON_BYTES} bytes; expected a model card")
    try:
        values = json.loads(content.decode("utf-8"), object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where}: not readable as JSON ({_first_line(error)}); expected the card of a model") from error
    if not isinstance(values, dict):
        raise ModelError(f"{where}: holds {_kind_of(values)}; expected an object with the card of a model")
    if values.get("format") != FORMAT_VERSION or isinstance(values["format"], bool):
        raise ModelError(f"{where}: format version {_short(values.get('format'))}; expected {FORMAT_VERSION}, as this version of hms reads")
    _check_json(values, where)
    seal = values.pop(_SEAL, None)
    if seal != _seal(values):
        raise ModelError(f"{where}: {_SEAL} does not match the other fields; expected a file that nobody has altered or damaged")
    _check_fields(values, where)
    values.pop("format")
    metrics = {key: float(value) for key, value in values["metrics"].items()}
    return ModelCard(**{**values, "features": tuple(values["features"]), "metrics": metrics})


def _seal(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return values


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def _check_json(value: Any, where: str, depth: int = 0) -> None:
    """Refuse what JSON cannot hold or what would surprise a reader: deep nesting, infinite or huge numbers, half characters."""
    if depth > MAX_JSON_DEPTH:
        raise ModelError(f"{where}: nested deeper than {MAX_JSON_DEPTH} levels; expected less")
    if isinstance(value, str):
        if len(value) > MAX_TEXT or any("\ud800" <= char <= "\udfff" for char in value):
            raise ModelError(f"{where}: text {_short(value)} is too long or no Unicode; expected at most {MAX_TEXT} characters")
    elif isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, int):
        if value not in _INT64:
            raise ModelError(f"{where}: a number needs more than 64 bits; expected less")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ModelError(f"{where}: a number is not finite; expected finite numbers")
    elif isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise ModelError(f"{where}: key {_short(key)} is {_kind_of(key)}; expected text")
            _check_json(key, where, depth + 1)
            _check_json(entry, where, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            _check_json(entry, where, depth + 1)
    else:
        raise ModelError(f"{where}: holds {_kind_of(value)}; expected what JSON can hold: text, numbers, lists, objects")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and is_model_name(value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_int(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _are_lines_once(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_line, value)) and len(set(value)) == len(value)


def _are_metrics(value: Any) -> bool:
    # A bool is an int in Python, but no measurement.
    return isinstance(value, dict) and all(_is_line(key) and type(entry) in (int, float) for key, entry in value.items())


def _is_training(value: Any) -> bool:
    if not isinstance(value, dict) or any(type(value.get(key)) is not kind for key, kind in _TRAINING.items()):
        return False
    return (
        all(map(_is_line, value["workloads"]))
        and all(map(_is_int(0, 2**63 - 1), value["seeds"]))
        and value["tasks"] >= 0
        and _is_sha256(value["sha256"])
    )


_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "format": (_is_int(FORMAT_VERSION, FORMAT_VERSION), str(FORMAT_VERSION)),
    "name": (_is_name, "lower-case letters, digits, '.', '_' and '-'"),
    "version": (_is_int(1, MAX_VERSION), f"a whole number from 1 to {MAX_VERSION}"),
    "policy": (_is_word, "the name of a learned policy"),
    "kind": (lambda value: value in KINDS, f"one of {', '.join(KINDS)}"),
    "objective": (_is_line, "one line of text"),
    "created": (_is_date, "a date such as 2026-01-31"),
    "seed": (_is_int(0, 2**63 - 1), "a whole number of at least 0"),
    "command": (_is_line, "one line of text"),
    "engine_version": (_is_line, "a version of this package"),
    "features": (_are_lines_once, "a list of names, each once"),
    "training": (_is_training, "an object with workloads, spans, seeds, tasks and sha256"),
    "metrics": (_are_metrics, "an object of numbers"),
    "parameters": (lambda value: isinstance(value, dict), "an object"),
    "arrays_sha256": (_is_sha256, "64 hexadecimal digits"),
}


def _check_fields(values: Mapping[str, Any], where: str) -> None:
    missing = [name for name in _FIELDS if name not in values]
    unknown = [name for name in values if name not in _FIELDS]
    if missing or unknown:
        problem = f"field {missing[0]!r} is missing" if missing else f"there is an unknown field {_short(unknown[0])}"
        raise ModelError(f"{where}: {problem}; expected exactly {', '.join(_FIELDS)}")
    for name, (is_right, expected) in _FIELDS.items():
        if not is_right(values[name]):
            raise ModelError(f"{where}: field {name!r} is {_short(values[name])}; expected {expected}")


def _kind_of(value: Any) -> str:
    return type(value).__name__


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:120]
