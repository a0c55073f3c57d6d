"""The newest troubles, for those who look at the service from outside: a few, short, and without secrets."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hybrid_ml_scheduler.service.observability.context import REQUEST

MOST_FAILURES = 50
LONGEST_MESSAGE = 500
_LOGGERS = ("hybrid_ml_scheduler", "uvicorn")


class RecentFailures(logging.Handler):
    """Keeps the newest warnings and errors of the log, and answers that said that the service failed.

    Parameters
    ----------
    clean : callable
        Returns text without secrets and without characters that cannot be printed.
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__(logging.WARNING)
        self._clean = clean
        self._found: deque[dict[str, Any]] = deque(maxlen=MOST_FAILURES)
        self._total = 0
        # Threads log too.
        self._guard = threading.Lock()

    def attach(self) -> None:
        """Begin to listen to the log."""
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self)

    def detach(self) -> None:
        """End that."""
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of the log."""
        self._add(record.levelname.lower(), record.name, record.getMessage(), None, None)

    def answered(self, status: int, method: str, route: str) -> None:
        """Keep an answer that said that the service failed."""
        self._add("error", "http", f"answered {status}", f"{method} {route}", status)

    def _add(self, level: str, source: str, message: str, route: str | None, status: int | None) -> None:
        request = REQUEST.get()
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "source": source,
            "message": self._clean(message)[:LONGEST_MESSAGE],
            "route": route,
            "status": status,
            "request_id": None if request is None else request.request_id,
        }
        with self._guard:
            self._found.append(entry)
            self._total += 1

    def total(self) -> int:
        """Return how many there have been."""
        with self._guard:
            return self._total

    def newest(self) -> list[dict[str, Any]]:
        """Return them, newest first."""
        with self._guard:
            return list(reversed(self._found))
