"""A short soak: `benchmarks/soak.py` on a service that is worn for half a minute (two minutes with ``--long``)."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"
LEAK_MB_PER_MIN = 50.0
"""In so short a time memory still settles. What keeps every row of a run at this speed grows faster than this."""


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("wear_s", [pytest.param(30.0, id="short"), pytest.param(120.0, id="two minutes", marks=pytest.mark.long)])
def test_nothing_is_lost_and_nothing_grows(soak: ModuleType, tmp_path: Path, wear_s: float) -> None:
    found = soak.Soak(tmp_path, wear_s, 1_000.0, seed=3).run()
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    assert found["errors"] == []
    assert set(found["problems"]) <= {"memory grows", "file descriptors grow"}
    assert found["simulated_s"] > 0
    assert found["wear"]["database_restarts"] + found["wear"]["redis_restarts"] > 0
    assert found["memory_mb"]["least_per_min"] < LEAK_MB_PER_MIN
    # Every client has gone; what is left is the pools, the journal and the listener.
    assert found["descriptors"]["in_the_end"] < 60


def test_the_verdict_tells_growth_from_noise(soak: ModuleType) -> None:
    chance = np.random.default_rng(1)
    at_s = np.arange(0.0, 400.0, 0.5)
    # Noise whose neighbours resemble each other, as that of memory does.
    noise = np.zeros(len(at_s))
    for place in range(1, len(at_s)):
        noise[place] = 0.99 * noise[place - 1] + chance.normal(0, 0.5)
    flat, grows = soak.trend(at_s, 500 + noise), soak.trend(at_s, 500 + noise + at_s * 0.5)
    assert flat["least_per_min"] <= 0 <= flat["most_per_min"]
    assert grows["least_per_min"] > 0
    assert grows["slope_per_min"] == pytest.approx(30 + flat["slope_per_min"], abs=0.01)
    assert soak.trend(at_s, np.full(len(at_s), 30.0))["least_per_min"] == 0
