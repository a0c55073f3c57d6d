"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hybrid_ml_scheduler.cli.environment import nothing_compiled_yet

if TYPE_CHECKING:
    from rich.progress import Progress

QUIET_S = 2.0
"""Work shorter than this shows nothing when standard error is no terminal."""
LINE_EVERY_S = 10.0


class ProgressReporter:
    """Shows how far a piece of work has come: a bar on a terminal, otherwise a plain line every few seconds.

    Call it with the number of steps done, the number of all steps, and what is being done now. It shows that even while a single step takes long.

    Parameters
    ----------
    title : str
        What the work is.
    stop : threading.Event, optional
        Set to end the lines; its ``wait`` paces them.
    """

    def __init__(self, title: str, stop: threading.Event | None = None) -> None:
        self._title = f"{title} (the first run compiles the engine, once)" if nothing_compiled_yet() else title
        self._started_s = time.monotonic()
        self._state = ""
        self._bar: Progress | None = None
        self._stop = threading.Event() if stop is None else stop
        self._lines = threading.Thread(target=self._write_lines, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn(self._title), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=None)
            self._bar.start()
        else:
            self._lines.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        else:
            self._stop.set()
            self._lines.join()

    def __call__(self, done: int, total: int, label: str) -> None:
        """Show that `done` of `total` steps are done and `label` is under way."""
        self._state = f" {done}/{total} {label}"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, description=label)

    def _write_lines(self) -> None:
        pause_s = QUIET_S
        while not self._stop.wait(pause_s):
            pause_s = LINE_EVERY_S
            sys.stderr.write(f"{self._title}:{self._state} ({time.monotonic() - self._started_s:.0f} s)\n")
            sys.stderr.flush()
