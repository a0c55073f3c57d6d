"""Generated graphs of kernels, and wrong estimates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.workloads.kernel_graphs import ACCELERATION, OPERATIONS, TILES, Misjudged, generate_kernel_graph, misjudge

SEEDS = range(60)


def test_the_seed_decides() -> None:
    first, second, other = (generate_kernel_graph(seed)[0] for seed in (7, 7, 8))
    assert first.tasks.cost_s is not None
    assert np.array_equal(first.tasks.cost_s, second.tasks.cost_s)
    assert first.tasks.cost_s.shape != other.tasks.cost_s.shape or not np.array_equal(first.tasks.cost_s, other.tasks.cost_s)  # type: ignore[union-attr]


def test_the_sizes_of_the_real_graphs_are_never_drawn() -> None:
    assert not {4, 8, 12} & set(TILES)
    names = {generate_kernel_graph(seed)[0].name.split(" seed")[0] for seed in SEEDS}
    assert any(name.startswith("qr") for name in names)
    assert "layers" in names
    assert not any(name.endswith((" 4", " 8", " 12")) for name in names)


def test_every_case_is_a_graph_with_exact_costs() -> None:
    several = 0
    for seed in SEEDS:
        workload, cluster = generate_kernel_graph(seed)
        tasks = workload.tasks
        assert tasks.cost_s is not None
        assert tasks.cost_s.shape == (len(tasks), len(cluster.nodes))
        assert np.array_equal(tasks.cost_s, workload.truth.cost_s)  # type: ignore[arg-type]
        assert (tasks.cost_s > 0).all()
        several += len(np.unique(tasks.arrival_s)) > 1
        for number, kernel in enumerate(tasks.kind_names):
            cost = tasks.cost_s[tasks.kind == number]
            assert (cost == cost[0]).all()
            if kernel in ACCELERATION:
                low, high = ACCELERATION[kernel]
                assert low * 0.999 <= cost[0].max() / cost[0].min() or low < 1
                assert cost[0, 0] / cost[0, -1] <= high * 1.001
    assert 3 <= several <= 15
    assert set(ACCELERATION) == set(OPERATIONS)


def test_wrong_estimates_are_as_wrong_as_asked_and_stay_visible() -> None:
    workload, _ = generate_kernel_graph(1)
    before = workload.tasks.cost_s
    assert before is not None
    exact = misjudge(workload, Misjudged(0.0, 0.0, 0.0), 3)
    assert np.array_equal(exact.truth.cost_s, before)  # type: ignore[arg-type]
    log_ratios = []
    for seed in range(200):
        wrong = misjudge(workload, Misjudged(0.3, 0.0, 0.0), seed)
        assert wrong.tasks.cost_s is before
        ratio = np.log(wrong.truth.cost_s / before)  # type: ignore[operator]
        assert np.allclose(ratio, ratio[0])
        log_ratios += [ratio[0, 0], ratio[0, -1]]
    assert np.std(log_ratios) == pytest.approx(0.3, rel=0.15)
    by_task = np.log(misjudge(workload, Misjudged(0.0, 0.0, 0.2), 0).truth.cost_s / before)  # type: ignore[operator]
    assert np.allclose(by_task, by_task[:, :1])
    assert by_task[:, 0].std() == pytest.approx(0.2, rel=0.3)
    by_kind = np.log(misjudge(workload, Misjudged(0.0, 0.4, 0.0), 0).truth.cost_s / before)  # type: ignore[operator]
    assert len(np.unique(by_kind[:, 0].round(9))) == len(workload.tasks.kind_names)


def test_without_costs_there_is_nothing_to_misjudge() -> None:
    workload, _ = generate_kernel_graph(1)
    with pytest.raises(InputError, match="no costs to misjudge"):
        misjudge(replace(workload, tasks=replace(workload.tasks, cost_s=None)), Misjudged(0.1, 0.1, 0.1), 0)
