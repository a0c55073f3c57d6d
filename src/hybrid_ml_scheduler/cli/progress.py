"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hybrid_ml_scheduler.cli.environment import nothing_compiled_yet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numba.core.event import Event
    from rich.progress import Progress

QUIET_S = 2.0
"""Work shorter than this shows nothing when standard error is no terminal."""
LINE_EVERY_S = 10.0
COMPILING = "compiling (first run only)"


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
        self._title = title
        self._started_s = time.monotonic()
        self._done, self._total, self._label = 0, 0, ""
        # Worker processes do not tell what they compile, but until the first of them is done it can be nothing else.
        self._fresh = nothing_compiled_yet()
        self._compilations = _Compilations(self._show)
        self._bar: Progress | None = None
        self._stop = threading.Event() if stop is None else stop
        self._lines = threading.Thread(target=self._write_lines, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._compilations.watch()
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
        self._compilations.ignore()
        if self._bar is not None:
            self._bar.stop()
        else:
            self._stop.set()
            self._lines.join()

    def __call__(self, done: int, total: int, label: str) -> None:
        """Show that `done` of `total` steps are done and `label` is under way."""
        self._done, self._total, self._label = done, total, label
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, total=self._total or None, description=self.activity)

    @property
    def activity(self) -> str:
        """What is being done now."""
        compiling = self._compilations.running or (self._fresh and self._done == 0)
        return ", ".join(part for part in (self._label, COMPILING if compiling else "") if part)

    def _write_lines(self) -> None:
        pause_s = QUIET_S
        while not self._stop.wait(pause_s):
            pause_s = LINE_EVERY_S
            steps = f"{self._done}/{self._total} " if self._total else ""
            sys.stderr.write(f"{self._title}: {steps}{self.activity} ({time.monotonic() - self._started_s:.0f} s)\n")
            sys.stderr.flush()


class _Compilations:
    """Knows whether numba is compiling in this process, as numba itself tells (`numba.core.event`).

    Parameters
    ----------
    changed : callable
        Called when compiling begins and ends.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._depth = 0
        self._watching = False

    @property
    def running(self) -> bool:
        """Whether something is being compiled."""
        return self._depth > 0

    def watch(self) -> None:
        """Begin to listen, where numba is there already: it is not imported for this."""
        if "numba.core.event" in sys.modules:
            events: Any = sys.modules["numba.core.event"]
            # Not a subclass, which would need numba when this module is imported.
            events.Listener.register(_Compilations)
            events.register("numba:compile", self)
            self._watching = True

    def ignore(self) -> None:
        """Stop listening."""
        if self._watching:
            events: Any = sys.modules["numba.core.event"]
            events.unregister("numba:compile", self)
            self._watching = False

    def notify(self, event: Event) -> None:
        """Count a compilation that begins or ends; one may hold others."""
        self._depth += 1 if event.is_start else -1
        if self._depth == int(event.is_start):
            self._changed()
