from __future__ import annotations

import dataclasses

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
