"""Whoever waits for a first start is told what for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from service_process import ServiceProcess

AT_ONCE = """
import runpy
from hybrid_ml_scheduler.service import server
server._LONG_START_S = {}
runpy.run_module("hybrid_ml_scheduler", run_name="__main__")
"""


@pytest.mark.parametrize(("long_s", "told"), [(0.0, True), (3_600.0, False)])
def test_a_start_that_takes_long_says_why(tmp_path: Path, long_s: float, told: bool) -> None:
    with ServiceProcess(tmp_path) as service:
        service.program = ("-c", AT_ONCE.format(long_s))
        service.start("--no-start")
        assert ("still starting" in service.errors) is told
        assert service.end(signal.SIGTERM) == 0
