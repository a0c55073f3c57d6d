from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.workloads import hidden_world

COEFFICIENT = [0.775639057163, 1.26376734975, 1.0594313541, 1.15995898312, 0.447355297041, 0.635359609466, 0.967060763221, 1.83047458428]
EXPONENT = [1.06428571429, 0.935714285714, 0.892857142857, 1.15, 1.02142857143, 1.10714285714, 0.978571428571, 0.85]
SLOWDOWN = {
    "A10": [1.20085302835, 1.97083830458, 0.592854103921, 1.18033991296, 1.16504142925, 3.87964827535, 0.567511865119, 0.752926594262],
    "P4": [1.02025026715, 0.816610367937, 0.628676780538, 2.0026678516, 0.838180697533, 2.16045919642, 0.727508663533, 0.874597764061],
}


def test_the_world_is_the_one_that_results_were_made_with():
    """Trained models and published figures hold in this world only."""
    coefficient, exponent = hidden_world.work_law()
    assert coefficient == pytest.approx(COEFFICIENT, rel=1e-9)
    assert exponent == pytest.approx(EXPONENT, rel=1e-9)
    for model, column in SLOWDOWN.items():
        assert hidden_world.slowdown_table((model,))[:, 0] == pytest.approx(column, rel=1e-9)


def test_exponents_are_spread_evenly():
    assert np.sort(hidden_world.work_law()[1]) == pytest.approx(np.linspace(0.85, 1.15, 8))


def test_mean_work_is_mean_size():
    rng = np.random.default_rng(0)
    size = np.minimum(2.0 * (1 + rng.pareto(1.8, 1_000_000)), 120.0)
    work = hidden_world.true_work_s(size, rng.integers(0, 8, len(size)))
    assert work.mean() == pytest.approx(size.mean(), rel=0.01)


@given(power=st.floats(0.1, 1.7), shape=st.floats(1.75, 3), high=st.floats(3, 500))
def test_moments_of_the_clipped_pareto(power, shape, high):
    x = 2.0 * (1 - (np.arange(200_000) + 0.5) / 200_000) ** (-1 / shape)
    assert hidden_world.clipped_pareto_moment(power, shape, 2.0, high) == pytest.approx(np.mean(np.minimum(x, high) ** power), rel=1e-3)


def test_work_follows_the_law_of_its_kind():
    coefficient, exponent = hidden_world.work_law()
    assert hidden_world.true_work_s(np.array([2.0, 50.0]), np.array([3, 5])) == pytest.approx(
        [coefficient[3] * 2.0 ** exponent[3], coefficient[5] * 50.0 ** exponent[5]]
    )


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5, unique=True), st.integers(0, 1))
def test_a_column_depends_on_its_model_alone(models, regime):
    table = hidden_world.slowdown_table(models, regime)
    assert table.shape == (8, len(models))
    assert np.all(table > 0)
    for column, model in enumerate(models):
        assert np.array_equal(table[:, column], hidden_world.slowdown_table((model,), regime)[:, 0])


def test_slowdowns_are_log_normal_with_median_one():
    log_e = np.log(hidden_world.slowdown_table([f"model{number}" for number in range(2000)]))
    assert log_e.mean() == pytest.approx(0.0, abs=0.02)
    assert log_e.std() == pytest.approx(0.5, abs=0.02)
