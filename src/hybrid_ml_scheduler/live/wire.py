"""What processes that share a run say to each other, as JSON: where the run stands, what shall be done to it, and what became of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from hybrid_ml_scheduler.core import errors
from hybrid_ml_scheduler.core.decision import Explanation
from hybrid_ml_scheduler.core.errors import HmsError, NoLeaderError
from hybrid_ml_scheduler.live.contract import RunRequest, RunStatus

STATE, CONTROL, ANSWERS = "run.state", "run.control", "run.answers"
"""Topics: from the leader to all, from all to the leader, from the leader to one."""

_Found = TypeVar("_Found")

_STATUS = TypeAdapter(RunStatus)
_REQUEST = TypeAdapter(RunRequest)
_EXPLANATION = TypeAdapter(Explanation)
_ERRORS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HmsError)}


class UnreadableError(Exception):
    """A message is not one that a process of this version sends."""


def pack(message: Mapping[str, Any]) -> bytes:
    """Return a message as bytes."""
    return json.dumps(message, default=_plain, separators=(",", ":")).encode()


def unpack(data: bytes) -> dict[str, Any]:
    """Undo `pack`.

    Raises
    ------
    UnreadableError
    """
    try:
        found = json.loads(data)
    except ValueError as error:
        raise UnreadableError("no JSON") from error
    if not isinstance(found, dict):
        raise UnreadableError("no JSON object")
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    # NumPy's numbers and arrays.
    return value.tolist()


def read_status(value: Any) -> RunStatus:
    """Return a status that was packed.

    Raises
    ------
    UnreadableError
    """
    return _read(_STATUS, value)


def read_request(value: Any) -> RunRequest:
    """Return a request that was packed.

    Raises
    ------
    UnreadableError
    """
    return _read(_REQUEST, value)


def read_explanation(value: Any) -> Explanation:
    """Return an explanation that was packed.

    Raises
    ------
    UnreadableError
    """
    return _read(_EXPLANATION, value)


def _read(adapter: TypeAdapter[_Found], value: Any) -> _Found:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise UnreadableError(str(error)) from error


def error_message(error: HmsError) -> dict[str, Any]:
    """Return an error as what can be packed."""
    return {"kind": type(error).__name__, "text": str(error)}


def read_error(value: Mapping[str, Any]) -> HmsError:
    """Return an error of the same kind with the same text."""
    kind = _ERRORS.get(str(value.get("kind")), NoLeaderError)
    # Some take other arguments than their text; what counts here is what they are and what they say.
    error = kind.__new__(kind)
    error.args = (str(value.get("text")),)
    return error
