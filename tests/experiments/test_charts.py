"""Curves reduced from schedules keep what they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.experiments.charts import GANTT_BARS, bin_means, policy_charts


def pool_run(arrival, start, run, cores, processors):
    n = len(arrival)
    arrival, start, run = (np.asarray(column, dtype=float) for column in (arrival, start, run))
    nothing, unknown = np.zeros(n, dtype=np.int64), np.full(n, np.nan)
    tasks = Tasks(np.arange(n), arrival, np.asarray(cores) * 1000, nothing, nothing, np.zeros(n), run, **no_edges(n))
    workload = Workload("hand", WorkloadKind.RIGID, tasks, Truth(run), ReadReport("swf", n))
    schedule = Schedule(
        np.full(n, 3, dtype=np.int8),
        arrival,
        start,
        start + run,
        start + run,
        unknown,
        nothing,
        nothing,
        unknown,
        np.arange(n),
        0.1,
        "hand",
        np.zeros(n, dtype=np.int8),
    )
    return workload, Cluster("pool", ClusterKind.POOL, (Node("pool", processors * 1000),)), schedule


def test_bin_means_by_hand():
    # 2 from 1 s to 4 s, 1 until 6 s, nothing after.
    means = bin_means(np.array([1.0, 4.0, 6.0]), np.array([2.0, 1.0, 0.0]), np.array([0.0, 2.0, 5.0, 10.0]))
    assert means == pytest.approx([1.0, 5 / 3, 0.2])
    assert bin_means(np.zeros(0), np.zeros(0), np.array([0.0, 1.0])).tolist() == [0.0]


@given(st.lists(st.tuples(st.floats(0.01, 10), st.integers(0, 9)), min_size=1, max_size=20), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_bins_keep_the_area(steps, bins):
    time_s = np.cumsum([gap for gap, _ in steps])
    level = np.array([height for _, height in steps[:-1]] + [0], dtype=float)
    edges = np.linspace(0, time_s[-1] + 1, bins + 1)
    assert np.sum(bin_means(time_s, level, edges) * np.diff(edges)) == pytest.approx(np.sum(level[:-1] * np.diff(time_s)))


def test_gantt_of_a_small_run_is_whole_and_never_overlaps():
    workload, cluster, schedule = pool_run([0, 0, 0, 0], [0, 0, 2, 4], [4, 2, 9, 2], [2, 1, 1, 2], 4)
    chart = policy_charts(workload, cluster, schedule).gantt
    assert chart.whole
    assert chart.device_names == ("4 processors",)
    area = np.bincount(chart.task, weights=(chart.high - chart.low) * 4 * (chart.end_s - chart.start_s))
    assert area == pytest.approx([8, 2, 9, 4])
    for i in range(len(chart.row)):
        for j in range(i):
            apart = (
                chart.end_s[i] <= chart.start_s[j]
                or chart.end_s[j] <= chart.start_s[i]
                or chart.high[i] <= chart.low[j]
                or chart.high[j] <= chart.low[i]
            )
            assert apart


def test_curves_of_a_long_run_are_short_and_end_at_one():
    n = 20_000
    arrival = np.arange(n) * 10.0
    wait = np.random.default_rng(0).exponential(5.0, n)
    workload, cluster, schedule = pool_run(arrival, arrival + wait, np.full(n, 30.0), np.ones(n, dtype=np.int64), 10_000)
    charts = policy_charts(workload, cluster, schedule)
    seconds, share = charts.wait_cdf
    assert len(seconds) < 600
    assert (share[-1], seconds[-1]) == pytest.approx((1.0, wait.max()))
    middle = np.searchsorted(share, 0.5)
    assert seconds[middle] == pytest.approx(np.quantile(wait, 0.5), rel=0.02)
    edges, queue = charts.queue
    assert np.sum(queue * np.diff(edges)) == pytest.approx(wait.sum())
    wide, used = charts.utilization["cpu"]
    assert np.sum(used * np.diff(wide)) * 10_000 == pytest.approx(30.0 * n)
    assert not charts.gantt.whole
    assert 0 < len(charts.gantt.row) <= GANTT_BARS
    assert 0 < charts.gantt.from_s < charts.gantt.to_s < edges[-1]
    assert np.all((charts.gantt.start_s >= charts.gantt.from_s) & (charts.gantt.end_s <= charts.gantt.to_s))
