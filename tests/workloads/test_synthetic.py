from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.errors import InputError, UnknownNameError
from hybrid_ml_scheduler.core.workload import Workload, check_workload
from hybrid_ml_scheduler.workloads import hidden_world, synthetic
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import PRESETS, generate

N = 20_000
DIVISIBLE = [name for name in PRESETS if name != "serial"]


@pytest.fixture(scope="module")
def steady() -> Workload:
    return generate("steady", seed=2, n_tasks=N)


def same(a: Workload, b: Workload) -> bool:
    def equal(x, y):
        return np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y

    return all(
        equal(getattr(one, field.name), getattr(two, field.name)) for one, two in ((a.tasks, b.tasks), (a.truth, b.truth)) for field in fields(one)
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seed_gives_the_same_workload(preset):
    first = generate(preset, seed=3, n_tasks=500)
    assert same(first, generate(preset, seed=3, n_tasks=500))
    assert not same(first, generate(preset, seed=4, n_tasks=500))


@pytest.mark.parametrize("preset", PRESETS)
def test_defaults(preset):
    workload = generate(preset, seed=0)
    assert len(workload) == 5000
    assert workload.warmup == 0.1
    assert workload.name == preset
    assert workload.report.format == "generated"
    assert workload.meta["rate_per_s"] == PRESETS[preset].rate_per_s


@given(preset=st.sampled_from(list(PRESETS)), seed=st.integers(0, 2**64), n=st.integers(1, 60), load=st.floats(1e-3, 1e3))
def test_every_workload_is_sound(preset, seed, n, load):
    workload = check_workload(generate(preset, seed=seed, n_tasks=n, load=load))
    assert len(workload) == n
    t = workload.tasks
    assert not t.gpus.any()
    assert not t.gpu_share_milli.any()
    assert t.arrival_s[0] >= 0


def test_sizes(steady):
    size = steady.tasks.size
    assert size.min() >= 2.0
    assert size.max() == 120.0
    pareto = stats.pareto(1.8, scale=2.0)
    assert np.mean(size == 120.0) == pytest.approx(pareto.sf(120.0), abs=5e-4)
    assert stats.kstest(size[size < 120.0], lambda x: pareto.cdf(x) / pareto.cdf(120.0)).pvalue > 0.01
    assert np.array_equal(steady.tasks.requested_time_s, size)
    assert steady.report.estimates == "nominal"


def test_heavy_sizes():
    size = generate("heavy", seed=2, n_tasks=N).tasks.size
    pareto = stats.pareto(1.3, scale=2.0)
    assert size.max() == 600.0
    assert stats.kstest(size[size < 600.0], lambda x: pareto.cdf(x) / pareto.cdf(600.0)).pvalue > 0.01


def test_intensities_are_half_low_half_high(steady):
    def cdf(x):
        return 0.5 * stats.beta(2, 6).cdf(x) + 0.5 * stats.beta(18, 2).cdf(x)

    assert stats.kstest(steady.tasks.compute_intensity, cdf).pvalue > 0.01


def test_memory_is_log_normal_and_cut_at_20_gb(steady):
    memory = steady.tasks.memory_mb
    law = stats.lognorm(1.0, scale=3000.0)
    assert memory.max() == 20_000.0
    assert np.mean(memory == 20_000.0) == pytest.approx(law.sf(20_000.0), abs=0.004)
    assert stats.kstest(memory[memory < 20_000.0], lambda x: law.cdf(x) / law.cdf(20_000.0)).pvalue > 0.01


def test_cores_kinds_and_users(steady):
    t = steady.tasks
    assert stats.chisquare(np.bincount(t.cores_milli // 1000)[1:], N * np.array([0.4, 0.3, 0.1, 0.2])).pvalue > 0.01
    assert stats.chisquare(np.bincount(t.kind, minlength=8)).pvalue > 0.01
    zipf = 1 / np.arange(1, 13)
    assert stats.chisquare(np.bincount(t.user), N * zipf / zipf.sum()).pvalue > 0.01
    assert (len(t.kind_names), len(t.user_names)) == (8, 12)


def test_columns_are_independent(steady):
    t = steady.tasks
    columns = np.stack((np.log(t.size), t.compute_intensity, np.log(t.memory_mb), t.cores_milli, t.kind, t.user, np.diff(t.arrival_s, prepend=0.0)))
    correlation = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlation).max() < 4 / np.sqrt(N)


def test_noise_is_log_normal_with_mean_one(steady):
    factor = steady.truth.work_s / hidden_world.true_work_s(steady.tasks.size, steady.tasks.kind)
    assert stats.kstest(np.log(factor), "norm", args=(-(0.15**2) / 2, 0.15)).pvalue > 0.01
    assert factor.mean() == pytest.approx(1.0, abs=0.005)
    assert steady.truth.gpu_noise is None


def test_noise_per_device_class_is_independent(steady):
    workload = generate("steady", seed=2, n_tasks=N, noise="device")
    assert np.array_equal(workload.truth.work_s, steady.truth.work_s)
    nominal = hidden_world.true_work_s(workload.tasks.size, workload.tasks.kind)
    on_cpu = np.log(workload.truth.work_s / nominal)
    on_gpu = np.log(workload.truth.work_s * workload.truth.gpu_noise / nominal)
    assert stats.kstest(on_gpu, "norm", args=(-(0.15**2) / 2, 0.15)).pvalue > 0.01
    assert abs(np.corrcoef(on_cpu, on_gpu)[0, 1]) < 4 / np.sqrt(N)


@pytest.mark.parametrize("preset", ["steady", "heavy", "drift"])
def test_poisson_presets(preset):
    workload = generate(preset, seed=6, n_tasks=5000)
    gaps = np.diff(workload.tasks.arrival_s, prepend=0.0)
    assert stats.kstest(gaps, "expon", args=(0, 1 / PRESETS[preset].rate_per_s)).pvalue > 0.01


def test_rates_are_the_shares_of_capacity_that_the_model_fixes():
    shares = {name: preset.rate_per_s / preset.capacity_per_s for name, preset in PRESETS.items()}
    assert shares == pytest.approx({"steady": 0.6, "bursty": 0.5, "diurnal": 0.55, "heavy": 0.6, "drift": 0.45, "graphs": 0.6, "serial": 1.0})
    assert PRESETS["serial"].rate_per_s == 100.0


@pytest.mark.parametrize("preset", ["bursty", "diurnal", "graphs"])
def test_mean_rates_of_the_others(preset):
    workload = generate(preset, seed=8, n_tasks=100_000)
    assert len(workload) / workload.tasks.arrival_s[-1] == pytest.approx(PRESETS[preset].rate_per_s, rel=0.05)


@pytest.mark.parametrize("preset", ["steady", "heavy", "drift", "graphs", "serial"])
def test_load_compresses_poisson_arrivals(preset):
    once, twice = generate(preset, seed=9, n_tasks=300), generate(preset, seed=9, n_tasks=300, load=2.0)
    assert twice.tasks.arrival_s == pytest.approx(once.tasks.arrival_s / 2)
    assert np.array_equal(twice.truth.work_s, once.truth.work_s)


@pytest.mark.parametrize("preset", ["bursty", "diurnal"])
def test_load_multiplies_the_rate_but_not_the_clock_of_the_others(preset):
    workload = generate(preset, seed=9, n_tasks=100_000, load=2.0)
    assert len(workload) / workload.tasks.arrival_s[-1] == pytest.approx(2 * PRESETS[preset].rate_per_s, rel=0.06)


@pytest.mark.parametrize("preset", ["bursty", "diurnal", "drift", "graphs"])
def test_presets_share_their_tasks(preset, steady):
    other = generate(preset, seed=2, n_tasks=N)
    for column in ("size", "compute_intensity", "memory_mb", "cores_milli", "kind", "user"):
        assert np.array_equal(getattr(other.tasks, column), getattr(steady.tasks, column))
    assert np.array_equal(other.truth.work_s, steady.truth.work_s)
    assert not np.array_equal(other.tasks.arrival_s, steady.tasks.arrival_s) or preset == "drift"


def test_graphs_arrive_whole_and_send_data():
    workload = generate("graphs", seed=3, n_tasks=3000)
    t = workload.tasks
    child = np.repeat(np.arange(len(t)), np.diff(t.parent_ptr))
    assert len(child) > 2000
    assert np.array_equal(t.arrival_s[child], t.arrival_s[t.parent_idx])
    share = t.edge_mb / t.memory_mb[t.parent_idx]
    assert share.min() >= 0.05 - 1e-12
    assert share.max() <= 0.25 + 1e-12
    assert share.mean() == pytest.approx(0.15, abs=0.005)
    assert not t.edge_s.any()


def gpu(model: str, speed: float) -> Gpu:
    return Gpu(model, 24_000.0, speed, 12.0, 0.02)


def nodes(*gpus: Gpu) -> Cluster:
    return Cluster("test", ClusterKind.NODES, (Node("n", 16_000, gpus=gpus),))


def test_drift_draws_all_slowdowns_again_and_halves_the_fast_gpus():
    workload = generate("drift", seed=0)
    truth = workload.truth
    assert truth.gpu_models == ("A10", "P4")
    assert truth.slowdown.shape == (2, 8, 2)
    assert truth.regime_start_s.tolist() == [-np.inf, workload.tasks.arrival_s[-1] / 2]
    again = hidden_world.slowdown_table(("A10", "P4"), 1)
    assert np.array_equal(truth.slowdown[0], hidden_world.slowdown_table(("A10", "P4"), 0))
    assert np.array_equal(truth.slowdown[1, :, 0], 2 * again[:, 0])
    assert np.array_equal(truth.slowdown[1, :, 1], again[:, 1])
    assert not np.isclose(truth.slowdown[0], again).any()


@pytest.mark.parametrize(
    ("cluster", "fast"),
    [
        (workstation(), {"A10"}),
        (nodes(gpu("X", 5.0), gpu("Y", 5.0)), {"X", "Y"}),
        (nodes(gpu("X", 5.0), gpu("Y", 6.0), gpu("Z", 6.0)), {"Y", "Z"}),
        (nodes(), set()),
    ],
)
def test_fast_models(cluster, fast):
    assert synthetic.fast_models(cluster) == fast


def test_the_cluster_decides_only_the_hidden_table(steady):
    other = generate("steady", seed=2, n_tasks=N, cluster=nodes(gpu("P4", 8.0), gpu("X", 2.0)))
    assert other.truth.gpu_models == ("P4", "X")
    assert np.array_equal(other.truth.slowdown[0, :, 0], steady.truth.slowdown[0, :, 1])
    assert np.array_equal(other.truth.work_s, steady.truth.work_s)
    assert np.array_equal(other.tasks.arrival_s, steady.tasks.arrival_s)


@pytest.mark.parametrize("preset", DIVISIBLE)
def test_a_cluster_without_gpus_is_possible(preset):
    assert generate(preset, seed=0, n_tasks=20, cluster=nodes()).truth.gpu_models == ()


def test_the_visible_columns_do_not_give_the_work_away(steady):
    """What a policy sees leaves the kind's law and the noise open."""
    ratio = steady.truth.work_s / steady.tasks.size
    assert np.log(ratio).std() > 0.3
    assert np.mean(np.isclose(steady.tasks.requested_time_s, steady.truth.work_s, rtol=1e-6)) < 1e-3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"n_tasks": 0}, "0 tasks"),
        ({"n_tasks": synthetic.MAX_TASKS + 1}, "5000001 tasks"),
        ({"load": 0.0}, "load is 0.0"),
        ({"load": -1.0}, "load is -1.0"),
        ({"load": float("nan")}, "load is nan"),
        ({"load": float("inf")}, "load is inf"),
        ({"noise": "none"}, "noise is 'none'"),
    ],
)
def test_wrong_parameters(arguments, says):
    with pytest.raises(InputError, match=says):
        generate("steady", **{"seed": 0, **arguments})


def test_unknown_preset():
    with pytest.raises(UnknownNameError, match=r"'stedy'.*steady, bursty"):
        generate("stedy", seed=0)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_presets_describe_themselves(preset):
    assert preset.description
    assert preset.parameters()["rate_per_s"] == preset.rate_per_s


def test_the_page_on_the_model_gives_the_rates_as_they_are():
    page = (Path(__file__).resolve().parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
    for preset in PRESETS.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{preset.name}` |"))
        assert float(row.split("|")[3]) == pytest.approx(preset.rate_per_s)
