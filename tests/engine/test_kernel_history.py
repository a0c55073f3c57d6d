"""Corrections from finished tasks, against the dense solution of the same model."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.engine.kernel_history import PRIOR_TASKS, KernelHistory, Variances

WIDE = Variances(0.3, 0.2, 0.05)


def filled(kind: list[int], machine_class: list[int], log_ratio: list[float], variances: Variances = WIDE) -> KernelHistory:
    history = KernelHistory(3, 2, variances)
    ones = np.ones(len(kind))
    history.observe(np.array(kind), np.array(machine_class), ones, np.exp(log_ratio))
    return history


def test_nothing_seen_changes_nothing() -> None:
    found = KernelHistory(2, 3, WIDE).correction()
    assert np.array_equal(found.log_mean, np.zeros((2, 3)))
    assert np.allclose(found.log_sd, np.sqrt(0.3 + 0.2 + 0.05))


def test_exact_estimates_are_never_corrected() -> None:
    found = filled([0, 1, 1, 2], [0, 0, 1, 1], [0.0] * 4).correction()
    assert np.array_equal(found.log_mean, np.zeros((3, 2)))


def test_the_effects_are_the_best_linear_prediction() -> None:
    rng = np.random.default_rng(1)
    kind, of_class, y = rng.integers(0, 3, 25), rng.integers(0, 2, 25), rng.normal(0.3, 0.5, 25)
    found = filled(kind.tolist(), of_class.tolist(), y.tolist()).correction()
    # Joint covariance of b_c + u_kc and the observations, cell by cell.
    cell = [(k, c) for k in range(3) for c in range(2)]
    groups = [y[(kind == k) & (of_class == c)] for k, c in cell]
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group))
    more = sum(max(len(group) - 1, 0) for group in groups)
    noise = (PRIOR_TASKS * WIDE.task + within) / (PRIOR_TASKS + more)
    design = np.array([[(kind[i], of_class[i]) == pair for pair in cell] for i in range(25)], dtype=float)
    prior = np.array([[WIDE.machine_class * (a[1] == b[1]) + WIDE.kind * (a == b) for b in cell] for a in cell])
    gain = prior @ design.T @ np.linalg.inv(design @ prior @ design.T + noise * np.eye(25))
    assert np.allclose(found.log_mean.ravel(), gain @ y)
    posterior = prior - gain @ design @ prior
    assert np.allclose(found.log_sd.ravel() ** 2, np.diag(posterior) + noise)


def test_an_unseen_kind_takes_after_its_class() -> None:
    found = filled([0, 1] * 20, [0, 0] * 20, [0.5] * 40).correction()
    assert found.log_mean[2, 0] == pytest.approx(0.375, abs=0.05)
    assert found.log_mean[0, 0] == pytest.approx(0.5, abs=0.01)
    assert found.log_mean[2, 1] == 0.0
    assert found.seen[2, 0] == 0


def test_noise_that_is_seen_weakens_what_few_tasks_say() -> None:
    noisy = filled([0, 0, 0, 0, 1], [0] * 5, [2.0, -2.0, 2.0, -2.0, 0.4]).correction().log_mean[1, 0]
    quiet = filled([0, 0, 0, 0, 1], [0] * 5, [0.1, -0.1, 0.1, -0.1, 0.4]).correction().log_mean[1, 0]
    assert 0 < noisy < quiet


def test_predictions_are_judged_with_what_was_known_before() -> None:
    history = KernelHistory(1, 1, WIDE)
    nothing = np.zeros(1, dtype=np.int64)
    first = history.observe(nothing, nothing, np.ones(1), np.exp([0.7]))
    second = history.observe(nothing, nothing, np.ones(1), np.exp([0.7]))
    assert first[0] == pytest.approx(0.7)
    assert second[0] == pytest.approx(0.7 * (1 - 0.5 / 0.55))
    assert second[1] == pytest.approx(0.7)
