from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from hybrid_ml_scheduler.core import constants
from hybrid_ml_scheduler.core.cluster import Power


def test_known_figures_are_consistent():
    for entry in constants.GPU_MODELS.values():
        power = entry.power
        assert (power.idle_w is None) == (power.busy_w is None)
        if power.idle_w is not None and power.busy_w is not None:
            assert 0 < power.idle_w < power.busy_w
        assert power.usd_per_hour is None or power.usd_per_hour > 0
        assert entry.source
    core = constants.REFERENCE_CORE
    assert core.idle_w is not None
    assert core.busy_w is not None
    assert 0 < core.idle_w < core.busy_w


@pytest.mark.parametrize("model", ["G1", "G2", "G3"])
def test_nothing_is_known_of_undisclosed_models(model):
    entry = constants.GPU_MODELS[model]
    assert (entry.memory_mb, entry.speed, entry.power) == (None, None, Power())


def test_unknown_memory_is_no_limit():
    assert constants.GPU_MODELS["G2"].gpu().memory_mb == float("inf")
    assert constants.GPU_MODELS["T4"].gpu().memory_mb == 16_000.0


def test_a_gpu_of_the_catalogue_has_the_model_link_and_launch():
    gpu = constants.GPU_MODELS["A10"].gpu()
    assert (gpu.speed, gpu.memory_mb, gpu.link_gb_s, gpu.launch_s) == (20.0, 24_000.0, 12.0, 0.02)
    assert dataclasses.asdict(gpu.power) == dataclasses.asdict(constants.GPU_MODELS["A10"].power)


def test_the_page_on_the_model_gives_the_figures_as_they_are():
    page = (Path(__file__).resolve().parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
    rows = {row[0]: row[1:] for row in (re.split(r" *\| *", line.strip("| \n")) for line in page.splitlines() if line.startswith("|"))}

    for entry in constants.GPU_MODELS.values():
        if entry.model in ("G1", "G2", "G3"):
            continue
        memory, speed, idle, busy, price, _ = rows[entry.model]
        assert memory == ("unknown" if entry.memory_mb is None else f"{entry.memory_mb / 1000:g} GB")
        assert speed == ("unknown" if entry.speed is None else f"{entry.speed:g}")
        power = entry.power
        assert (idle, busy) == (f"{power.idle_w:g} W", f"{power.busy_w:g} W")
        assert price == ("unknown" if power.usd_per_hour is None else f"{power.usd_per_hour:.2f} USD")
    core = constants.REFERENCE_CORE
    assert rows["core of the reference CPU (2 threads)"][2:5] == [f"{core.idle_w:.2f} W", f"{core.busy_w:.2f} W", f"{core.usd_per_hour} USD"]
