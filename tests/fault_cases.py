"""What tests of faults have in common: runs that are asked for, settings that let things happen quickly, and what ``hms db check`` says."""

from __future__ import annotations

import json
import subprocess
import sys

from service_process import ServiceProcess

FEW = ("greedy", "priced", "oracle")
SIX = ("round_robin", "random", "greedy", "hybrid_ml", "rl_agent", "oracle")
SPEED = 200
"""Simulated seconds per real one: about 310 tasks a second, for `FEW` policies."""
QUICK = {
    "drain_interval_s": 0.02,
    "drain_retry_max_s": 0.2,
    "drain_batch_rows": 500,
    "redis_retry_s": 0.05,
    "checkpoint_interval_s": 0.3,
    "piece_tasks": 128,
    "blocked_retry_s": 0.05,
    "database_away_max_s": 2.0,
}


def asked(policies: tuple[str, ...], seed: int, **given: object) -> dict[str, object]:
    """Return what is to be run: more policies go slower, so that as many rows come in a second, which small batches can follow."""
    return {"policies": list(policies), "seed": seed, "speed": SPEED * len(FEW) / len(policies), "retrain_every": None, **given}


def check(service: ServiceProcess) -> dict[str, object]:
    """Ask ``hms db check``; with the runs that the journal has."""
    command = [sys.executable, "-c", "from hybrid_ml_scheduler.cli.main import main; main()", "db", "check", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=service.folder, env=service.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["differences"], found["duplicates"], found["journal"]["lag_rows"]) == (0, 0, 0), done.stderr
    found["runs"] = sorted(int(path.name) for path in (service.data / "journal").iterdir() if path.name.isdigit())
    return dict(found)
