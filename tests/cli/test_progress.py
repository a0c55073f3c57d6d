from __future__ import annotations

import sys
import threading

import numba.core.event
import pytest

from hybrid_ml_scheduler.cli import progress
from hybrid_ml_scheduler.cli.progress import LINE_EVERY_S, QUIET_S, ProgressReporter


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "nothing_compiled_yet", lambda: False)


class Pacer(threading.Event):
    """Lets a few pauses pass at once and records how long they would have been; afterwards it waits for the end of the work."""

    def __init__(self, pauses: int) -> None:
        super().__init__()
        self.pauses_s: list[float] = []
        self.left = pauses
        self.used_up = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses_s.append(timeout)
        if self.left:
            self.left -= 1
            return False
        self.used_up.set()
        return super().wait(60)


def test_short_work_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    pacer = Pacer(0)
    with ProgressReporter("compare", pacer) as report:
        report(0, 2, "fcfs")
        report(1, 2, "sjf")
        pacer.used_up.wait(60)
    assert capsys.readouterr() == ("", "")
    assert pacer.pauses_s == [QUIET_S]


def test_long_work_says_on_standard_error_where_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress.time, "monotonic", lambda: 7.0)
    pacer = Pacer(2)
    reporter = ProgressReporter("compare", pacer)
    reporter(3, 12, "fcfs")
    with reporter:
        pacer.used_up.wait(60)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "compare: 3/12 fcfs (0 s)\n" * 2
    assert pacer.pauses_s == [QUIET_S, LINE_EVERY_S, LINE_EVERY_S]


def test_the_first_run_says_that_it_compiles(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "nothing_compiled_yet", lambda: True)
    pacer = Pacer(1)
    with ProgressReporter("compare", pacer):
        pacer.used_up.wait(60)
    assert capsys.readouterr().err.startswith("compare: compiling (first run only) (")


def test_compiling_is_said_while_it_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    pacer = Pacer(0)
    with ProgressReporter("compare", pacer) as reporter:
        reporter(1, 2, "sjf")
        with numba.core.event.trigger_event("numba:compile"):
            with numba.core.event.trigger_event("numba:compile"):
                pass
            said_within = reporter.activity
        said_after = reporter.activity
    with numba.core.event.trigger_event("numba:compile"):
        said_when_over = reporter.activity
    assert (said_within, said_after, said_when_over) == ("sjf, compiling (first run only)", "sjf", "sjf")


def test_workers_are_taken_to_compile_until_the_first_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "nothing_compiled_yet", lambda: True)
    reporter = ProgressReporter("compare")
    reporter(0, 2, "sjf")
    assert reporter.activity == "sjf, compiling (first run only)"
    reporter(1, 2, "fcfs")
    assert reporter.activity == "fcfs"


def test_on_a_terminal_there_is_a_bar_that_vanishes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressReporter("compare") as report:
        report(1, 4, "saf+easy")
    out, err = capsys.readouterr()
    assert out == ""
    assert "1/4" in err
    assert "saf+easy" in err
    # The last thing written erases the line.
    assert err.rstrip().endswith("\x1b[2K")
