from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import Workload, check_workload
from hybrid_ml_scheduler.workloads import lublin
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.lublin import LublinParameters, generate, parse_spec
from hybrid_ml_scheduler.workloads.open import open_workload

N = 200_000
PUBLISHED = "lublin:load=0,users=0,estimates=exact"


def same(a: Workload, b: Workload) -> bool:
    pairs = [(getattr(a.tasks, field.name), getattr(b.tasks, field.name)) for field in fields(a.tasks)] + [(a.truth.work_s, b.truth.work_s)]
    return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)


def test_sizes_are_serial_two_stage_uniform_and_often_powers_of_two() -> None:
    size = lublin.sizes(np.random.default_rng(1), N, 128)
    assert size.min() == 1
    assert size.max() == 128
    assert np.mean(size == 1) == pytest.approx(0.244, abs=0.005)
    powers = np.isin(size, 2 ** np.arange(1, 8))
    # Besides the share rounded on purpose some of the rest are powers by chance.
    assert 0.576 < np.mean(powers) < 0.576 + 0.1
    log2 = np.log2(size[~powers & (size > 1)])
    assert np.mean(log2 <= 4.5) == pytest.approx(0.86, abs=0.06)


def test_run_times_are_hyper_gamma_with_the_larger_part_likelier_for_wide_jobs() -> None:
    for processors, chance in ((1, 0.78 - 0.0054), (64, 0.78 - 0.0054 * 64)):
        run_s = lublin.run_times_s(np.random.default_rng(2), np.full(N, processors), 128)
        long = stats.gamma.cdf(12.0, 312.0, scale=0.03)
        short = stats.gamma.cdf(12.0, 4.2, scale=0.94)

        def cdf(x: float, chance: float = chance, short: float = short, long: float = long) -> float:
            return chance * stats.gamma.cdf(x, 4.2, scale=0.94) / short + (1 - chance) * stats.gamma.cdf(x, 312.0, scale=0.03) / long

        for x in (2.0, 4.0, 6.0, 8.0, 9.0, 9.36, 10.0):
            assert np.mean(np.log(run_s) <= x) == pytest.approx(cdf(x), abs=0.005)
        assert run_s.max() <= np.exp(12.0)


def test_gaps_are_gamma_in_the_logarithm() -> None:
    gaps = np.log(lublin.gaps_s(np.random.default_rng(3), N))
    assert gaps.max() <= 13.0
    assert gaps.mean() == pytest.approx(10.2303 * 1.0225 * 0.4871, rel=0.01)
    assert gaps.var() == pytest.approx(10.2303 * 1.0225 * 0.4871**2, rel=0.03)


def test_the_day_has_its_cycle() -> None:
    weights = lublin.daily_weights()
    assert weights.mean() == pytest.approx(1.0)
    assert 24 <= int(weights.argmax()) <= 30  # early afternoon
    assert 8 <= int(weights.argmin()) <= 11  # before the working day
    even = np.linspace(0.0, 5 * lublin.DAY_S, 100_001)
    real = lublin.stretch(even)
    assert np.all(np.diff(real) > 0)
    assert real[::20_000] == pytest.approx(even[::20_000])
    counts = np.bincount((real[:-1] % lublin.DAY_S // 1800).astype(int), minlength=48)
    assert counts / counts.mean() == pytest.approx(weights, rel=0.03)


def test_the_published_model_alone() -> None:
    workload = generate(PUBLISHED, seed=10_000)
    assert workload.tasks.user is None
    assert np.array_equal(workload.tasks.requested_time_s, workload.truth.work_s)
    assert workload.report.processors == 256
    assert default_cluster(workload).name == "pool:256"
    # The mean gap of the model, by Wald's formula for the logarithm's gamma.
    expected = (1 - 0.4871) ** -(10.2303 * 1.0225)
    assert np.diff(workload.tasks.arrival_s).mean() == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("load", [0.4, 0.9, 1.3])
@pytest.mark.parametrize("more", ["", ",users=0,estimates=exact", ",processors=100,widest=0.3"])
def test_the_load_is_what_was_asked(load: float, more: str) -> None:
    workload = generate(f"lublin:load={load}{more}", seed=10_001)
    area = float(np.sum(workload.tasks.cores_milli / 1000 * workload.truth.work_s))
    span = float(workload.tasks.arrival_s[-1])
    # A session may reach beyond the last start, so spans differ a little.
    assert area / (workload.report.processors * span) == pytest.approx(load, rel=0.1)


def test_people_give_round_estimates_and_repeat_themselves() -> None:
    workload = generate("lublin", seed=10_002)
    t, run_s = workload.tasks, workload.truth.work_s
    assert t.user is not None
    assert set(t.requested_time_s.tolist()) <= {*lublin.ROUND_S, 48 * 3600.0}
    assert np.all(run_s <= t.requested_time_s)
    assert 0.005 < np.mean(run_s == t.requested_time_s) < 0.3  # ended at the limit
    assert np.mean(run_s < 300.0) > 0.1
    counts = np.sort(np.bincount(t.user, minlength=64))[::-1]
    assert counts[:6].sum() > 0.4 * len(workload)  # Zipf
    # Within a user, consecutive jobs are far more alike than jobs of everybody.
    order = np.lexsort((t.arrival_s, t.user))
    logs, user = np.log(run_s[order]), t.user[order]
    mine = user[1:] == user[:-1]
    assert np.corrcoef(logs[1:][mine], logs[:-1][mine])[0, 1] > 0.3
    assert abs(np.corrcoef(np.log(run_s)[2000:], np.log(run_s)[:-2000])[0, 1]) < 0.1


@given(
    seed=st.integers(0, 2**40),
    n=st.integers(1, 60),
    users=st.integers(0, 5),
    processors=st.integers(2, 2000),
    load=st.floats(0.05, 5.0),
    repeat=st.floats(0.0, 1.0),
    longest_h=st.floats(0.5, 200.0),
)
def test_every_workload_is_sound(seed: int, n: int, users: int, processors: int, load: float, repeat: float, longest_h: float) -> None:
    estimates = "user" if users else "exact"
    p = LublinParameters(processors=processors, users=users, load=load, repeat=repeat, longest_h=longest_h, estimates=estimates)
    workload = check_workload(generate(p, seed=seed, n_tasks=n))
    assert len(workload) == n
    assert workload.tasks.cores_milli.min() >= 1000
    assert workload.tasks.cores_milli.max() <= processors * 1000
    assert workload.truth.work_s.min() >= 1.0
    again = generate(p, seed=seed, n_tasks=n)
    assert same(workload, again)


def test_another_seed_is_another_workload_and_a_load_scales_arrivals() -> None:
    assert not same(generate("lublin", seed=10_000, n_tasks=500), generate("lublin", seed=10_001, n_tasks=500))
    once, twice = generate("lublin", seed=10_000, n_tasks=2000), generate("lublin", seed=10_000, n_tasks=2000, load=2.0)
    assert twice.tasks.arrival_s[-1] == pytest.approx(once.tasks.arrival_s[-1] / 2, rel=0.1)


def test_texts_and_parameters_stand_for_each_other() -> None:
    for p in (LublinParameters(), LublinParameters(processors=64, load=0.123, users=3, think_s=12.5), LublinParameters(users=0, estimates="exact")):
        assert parse_spec(p.spec) == p
    assert same(open_workload("lublin:processors=64", seed=10_000), generate("lublin:processors=64", seed=10_000))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lublin:cores=3", "expected each of processors"),
        ("lublin:load=1,load=2", "at most once"),
        ("lublin:load", "as name=value"),
        ("lublin:users=many", "a whole number"),
        ("lublin:load=nan", "expected 0 to 10"),
        ("lublin:processors=1", "expected 2 to"),
        ("lublin:estimates=good", "expected exact or user"),
        ("lublin:users=0", "needs users"),
    ],
)
def test_wrong_texts(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        open_workload(text)


def test_wrong_numbers() -> None:
    with pytest.raises(InputError, match="seed is -1"):
        generate(seed=-1)
    with pytest.raises(InputError, match="0 tasks"):
        generate(seed=1, n_tasks=0)
    with pytest.raises(InputError, match="multiplied by 0"):
        generate(seed=1, load=0.0)
    with pytest.raises(InputError, match="--format swf"):
        open_workload("lublin", format="swf")
