from __future__ import annotations

import pytest

from hybrid_ml_scheduler.cli import progress
from hybrid_ml_scheduler.cli.progress import ProgressReporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    return now_s


def test_short_work_is_silent(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReporter("compare") as report:
        for done in range(10):
            clock[0] += 0.19
            report(done, 10, "fcfs")
    assert capsys.readouterr() == ("", "")


def test_long_work_reports_every_few_seconds_on_standard_error(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReporter("compare") as report:
        for done in range(1, 13):
            clock[0] += 1.0
            report(done, 12, "fcfs")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["compare: 2/12 fcfs (2 s)", "compare: 7/12 fcfs (7 s)", "compare: 12/12 fcfs (12 s)"]
