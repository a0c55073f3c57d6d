"""Which version of a model is in use, and what was before it: ``promoted.json`` beside the versions."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.learning.card import MAX_VERSION
from hybrid_ml_scheduler.learning.files import writing

PROMOTED_FILE = "promoted.json"
MAX_BYTES = 1_000_000
_FORMAT = 1
_ACTIONS = ("in_use", "promote", "rollback")
_EXPECTED = "the history of promotions that hms wrote; remove the file to begin anew"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the history.

    Attributes
    ----------
    action : str
        ``in_use``: what was in use before anything was promoted, the first entry only; ``promote``; ``rollback``.
    version : int
        In use from then on.
    at : str
        When, UTC, ISO 8601.
    """

    action: str
    version: int
    at: str


def new_event(action: str, version: int) -> Event:
    """Return an entry of now."""
    return Event(action, version, datetime.now(UTC).isoformat(timespec="seconds"))


def stack_of(history: list[Event]) -> list[int]:
    """Return the promoted versions that have not been rolled back, the one in use last.

    Raises
    ------
    ValueError
        If the entries do not follow from each other.
    """
    stack: list[int] = []
    for position, event in enumerate(history):
        if event.action == "rollback":
            if len(stack) < 2 or stack[-2] != event.version:
                raise ValueError("a roll-back leads to another version than was promoted before")
            stack.pop()
        else:
            if event.action == "in_use" and position:
                raise ValueError("only the first entry may say what was in use before")
            stack.append(event.version)
    return stack


def read_history(folder: Path) -> list[Event]:
    """Read the history of one model; empty if nothing has been promoted.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    path = folder / PROMOTED_FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); expected {_EXPECTED}") from error
    try:
        history = _decode(content)
        stack_of(history)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: damaged ({str(error)[:120]}); expected {_EXPECTED}") from error
    return history


def _decode(content: bytes) -> list[Event]:
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    values: Any = json.loads(content.decode("utf-8"))
    if not isinstance(values, dict) or set(values) != {"format", "history"} or values["format"] != _FORMAT or not isinstance(values["history"], list):
        raise ValueError(f"not an object with format {_FORMAT} and a history")
    events = []
    for entry in values["history"]:
        if not isinstance(entry, dict) or set(entry) != {"action", "version", "at"}:
            raise ValueError("an entry is not an object with action, version and at")
        action, version, at = entry["action"], entry["version"], entry["at"]
        if action not in _ACTIONS or type(version) is not int or not 1 <= version <= MAX_VERSION or not isinstance(at, str):
            raise ValueError("an entry's action, version or time is impossible")
        events.append(Event(action, version, at))
    return events


def write_history(folder: Path, history: list[Event]) -> None:
    """Replace the history of one model; readers see the old or the new one, never half of it.

    Raises
    ------
    ModelError
        If it cannot be written.
    """
    path = folder / PROMOTED_FILE
    entries = [{"action": event.action, "version": event.version, "at": event.at} for event in history]
    text = json.dumps({"format": _FORMAT, "history": entries}, indent=1) + "\n"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".promoted-", dir=folder)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(handle)
            temporary.chmod(folder.stat().st_mode & 0o666)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
