"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

QUIET_S = 2.0
"""Work shorter than this shows nothing when standard error is no terminal."""
LINE_EVERY_S = 5.0


class ProgressReporter:
    """Shows how far a piece of work has come: a bar on a terminal, otherwise a plain line every few seconds.

    Call it with the number of steps done, the number of all steps, and what is being done now.

    Parameters
    ----------
    title : str
        What the work is.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._started_s = time.monotonic()
        self._shown_s = self._started_s + QUIET_S - LINE_EVERY_S
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn(self._title), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int, label: str) -> None:
        """Show that `done` of `total` steps are done and `label` is under way."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, description=label)
            return
        now_s = time.monotonic()
        if now_s - self._shown_s >= LINE_EVERY_S:
            self._shown_s = now_s
            sys.stderr.write(f"{self._title}: {done}/{total} {label} ({now_s - self._started_s:.0f} s)\n")
            sys.stderr.flush()
