"""Metrics by hand, and identities on random schedules."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node, Power
from hybrid_ml_scheduler.core.decision import DecidedBy, Schedule, TaskStatus
from hybrid_ml_scheduler.core.errors import NothingToReportError
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, edge_columns, no_edges
from hybrid_ml_scheduler.engine import metrics as m
from hybrid_ml_scheduler.engine.power import device_energy_j, horizon_s
from hybrid_ml_scheduler.engine.usage import devices_of, holdings

CORE = Power(idle_w=2.0, busy_w=10.0, usd_per_hour=0.36)
BIG = Gpu("big", 24000.0, 20.0, 12.0, 0.02, Power(50.0, 300.0, 3.6))
SMALL = Gpu("small", 8000.0, 8.0, 12.0, 0.02, Power(20.0, 100.0, 1.8))
POOL = Cluster("pool:4", ClusterKind.POOL, (Node("pool", 4000),))
STATION = Cluster("station", ClusterKind.NODES, (Node("a", 4000, gpus=(BIG, SMALL), core_power=CORE),))
TWO_NODES = Cluster("two", ClusterKind.NODES, (Node("a", 4000, gpus=(BIG, SMALL), core_power=CORE), Node("b", 8000, gpus=(BIG,), core_power=CORE)))


def make_workload(arrival, *, kind=WorkloadKind.RIGID, cores=1, gpus=0, share=0, warmup=0.0, **columns):
    n = len(arrival)
    edges = {name: columns.pop(name) for name in ("parent_ptr", "parent_idx", "edge_s", "edge_mb") if name in columns} or no_edges(n)
    tasks = Tasks(
        task_id=np.arange(n),
        arrival_s=np.array(arrival, dtype=float),
        cores_milli=np.broadcast_to(np.array(cores) * 1000, n).astype(np.int64),
        gpus=np.broadcast_to(gpus, n).astype(np.int64),
        gpu_share_milli=np.broadcast_to(share, n).astype(np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=np.ones(n),
        **edges,
        **columns,
    )
    return Workload("hand", kind, tasks, Truth(np.ones(n)), ReadReport("generated", n), warmup=warmup)


def make_schedule(workload, start, finish, *, ready=None, cpu_end=None, gpu_end=None, node=0, gpu_mask=0, fraction=np.nan, status=None):
    n = len(workload)
    start, finish = np.array(start, dtype=float), np.array(finish, dtype=float)
    nan = np.full(n, np.nan)
    ran = ~np.isnan(finish)
    return Schedule(
        status=np.where(ran, TaskStatus.FINISHED, TaskStatus.REJECTED).astype(np.int8) if status is None else np.array(status, dtype=np.int8),
        ready_s=np.where(ran, workload.tasks.arrival_s, np.nan) if ready is None else np.array(ready, dtype=float),
        start_s=start,
        finish_s=finish,
        cpu_end_s=finish if cpu_end is None else np.array(cpu_end, dtype=float),
        gpu_end_s=nan if gpu_end is None else np.array(gpu_end, dtype=float),
        node=np.where(ran, np.broadcast_to(node, n), -1).astype(np.int64),
        gpu_mask=np.where(ran, np.broadcast_to(gpu_mask, n), 0).astype(np.int64),
        fraction=np.broadcast_to(fraction, n).astype(float),
        decision_order=np.flatnonzero(ran),
        engine_s=0.0,
        policy="hand",
        decided_by=np.zeros(n, dtype=np.int8),
    )


def test_batch_metrics_by_hand():
    workload = make_workload([0, 0, 10, 20], cores=[4, 2, 2, 1], user=np.array([0, 1, 1, -1]))
    schedule = make_schedule(workload, [0, 100, 100, 120], [100, 104, 120, 120])
    got = m.measure(workload, POOL, schedule)
    # Waits 0, 100, 90, 100; runs 100, 4, 20, 0; responses 100, 104, 110, 100.
    assert got["mean_wait_s"] == 72.5
    assert got["median_wait_s"] == 95.0
    assert got["p95_wait_s"] == pytest.approx(100.0)
    assert got["max_wait_s"] == 100.0
    assert got["mean_response_s"] == pytest.approx(103.5)
    assert got["max_response_s"] == 110.0
    assert got["p99_response_s"] == pytest.approx(110 - 0.03 * 6)  # between the two largest of four, at rank 0.99 * 3
    assert got["mean_slowdown"] == pytest.approx((1 + 26 + 5.5) / 3)  # the task of run time 0 has none
    assert got["mean_bounded_slowdown"] == pytest.approx((1 + 10.4 + 5.5 + 10) / 4)
    assert got["makespan_s"] == 120.0
    assert got["throughput_per_s"] == pytest.approx(4 / 120)
    assert got["utilization"] == pytest.approx((400 + 8 + 40) / (4 * 120))
    served = [1.0, (1 / 10.4 + 1 / 5.5) / 2]
    assert got["fairness_jain"] == pytest.approx(sum(served) ** 2 / (2 * sum(x * x for x in served)))
    assert (got["rejected"], got["orphaned"]) == (0.0, 0.0)
    absent = {"energy_j", "cost_usd", "deadline_misses", "mean_gpu_fraction", "utilization_cpu", "utilization_gpu", "fragmentation_gpu"}
    assert not absent & set(got)


def test_divisible_metrics_by_hand():
    workload = make_workload([0, 0], kind=WorkloadKind.DIVISIBLE, cores=[2, 1])
    # The first task is split: two cores for 30 s, the big GPU for 36 s. The second takes the small GPU alone for 72 s.
    schedule = make_schedule(workload, [0, 0], [36, 72], cpu_end=[30, np.nan], gpu_end=[36, 72], gpu_mask=[0b01, 0b10], fraction=[0.5, 1.0])
    got = m.measure(workload, STATION, schedule)
    assert got["utilization_cpu"] == pytest.approx(60 / (4 * 72))
    assert got["utilization_gpu[big]"] == pytest.approx(0.5)
    assert got["utilization_gpu[small]"] == pytest.approx(1.0)
    assert got["utilization_gpu"] == pytest.approx(0.75)
    assert got["utilization"] == pytest.approx((60 + 36 + 72) / (6 * 72))
    busy = 60 * 10 + 36 * 300 + 72 * 100
    idle = (4 * 72 - 60) * 2 + 36 * 50
    assert got["energy_j"] == pytest.approx(busy + idle)
    assert got["energy_per_task_j"] == pytest.approx((busy + idle) / 2)
    assert got["cost_usd"] == pytest.approx((60 * 0.36 + 36 * 3.6 + 72 * 1.8) / 3600)
    assert got["mean_gpu_fraction"] == 0.75
    assert got["split_share"] == 0.5
    assert m.task_energy_j(workload, STATION, schedule) == pytest.approx([60 * 10 + 36 * 300, 72 * 100])
    assert m.task_cost_usd(workload, STATION, schedule) == pytest.approx([(60 * 0.36 + 36 * 3.6) / 3600, 72 * 1.8 / 3600])
    assert "fairness_jain" not in got


def test_shares_of_gpus_and_fragmentation():
    workload = make_workload([0, 0, 0], gpus=[1, 1, 2], share=[300, 500, 1000], cores=0)
    schedule = make_schedule(workload, [0, 5, 20], [10, 20, 30], cpu_end=[np.nan] * 3, gpu_end=[10, 20, 30], gpu_mask=[1, 1, 3])
    got = m.measure(workload, STATION, schedule)
    assert got["utilization_gpu[big]"] == pytest.approx((3 + 7.5 + 10) / 30)
    assert got["utilization_gpu[small]"] == pytest.approx(10 / 30)
    # The big GPU leaves 0.7 for 5 s, 0.2 for 5 s and 0.5 for 10 s; nothing is left on a GPU that is idle or full.
    assert got["fragmentation_gpu"] == pytest.approx((3.5 + 1 + 5) / 60)
    time_s, used = m.device_timeline(workload, STATION, schedule).of(1)
    assert time_s.tolist() == [0, 5, 10, 20, 30]
    assert used.tolist() == [300, 800, 500, 1000, 0]
    share_time, share = m.class_timeline(workload, STATION, schedule)["gpu[small]"]
    assert (share_time.tolist(), share.tolist()) == ([20, 30], [1.0, 0.0])


def test_unrelated_machines_are_held_whole():
    machines = Cluster("machines", ClusterKind.MACHINES, (Node("m0", 1000), Node("m1", 1000, gpus=(BIG,)), Node("m2", 0, gpus=(SMALL,))))
    workload = make_workload([0, 0], kind=WorkloadKind.MACHINES, cores=0)
    schedule = make_schedule(workload, [0, 0], [10, 40], node=[1, 2])
    assert m.measure(workload, machines, schedule)["utilization"] == pytest.approx((0 + 10 / 40 + 1) / 3)
    timeline = m.device_timeline(workload, machines, schedule)
    assert [timeline.of(device)[0].tolist() for device in range(5)] == [[], [0, 10], [], [0, 10], [0, 40]]


def test_waiting_counts_from_the_parents_data():
    edges = edge_columns(2, [0], [1], [0.0], [0.0])
    workload = make_workload([0, 0], **edges)
    schedule = make_schedule(workload, [0, 60], [50, 80], ready=[0, 50])
    got = m.measure(workload, POOL, schedule)
    assert got["max_wait_s"] == 10.0
    assert got["max_response_s"] == 80.0
    assert got["max_slowdown"] == pytest.approx(1.5)


def test_warm_up_is_left_out_of_task_metrics_only():
    workload = make_workload([0, 0, 100, 100, 100, 100, 100, 100, 100, 100], warmup=0.2)
    schedule = make_schedule(workload, [0, 50] + [100] * 8, [50, 100] + [150] * 8)
    got = m.measure(workload, Cluster("pool:10", ClusterKind.POOL, (Node("pool", 10_000),)), schedule)
    assert got["max_wait_s"] == 0.0
    assert got["makespan_s"] == 150.0
    assert got["utilization"] == pytest.approx(500 / 1500)
    assert np.isnan(m.response_s(workload, schedule)[:2]).all()


@pytest.mark.parametrize(("n", "share", "first"), [(5000, 0.1, 500), (10, 0.3, 3), (7, 0.1, 0), (3, 1.0, 3)])
def test_number_of_warm_up_tasks(n, share, first):
    assert np.count_nonzero(~m.measured_rows(make_workload([0] * n, warmup=share))) == first


def test_deadlines_missed_by_late_and_by_rejected_tasks():
    workload = make_workload([0, 0, 0, 0], deadline_s=np.array([5.0, 20.0, np.nan, 9.0]))
    schedule = make_schedule(workload, [0, 0, 0, np.nan], [10, 10, 10, np.nan])
    got = m.measure(workload, POOL, schedule)
    assert got["deadline_misses"] == 2.0
    assert got["rejected"] == 1.0


def test_shares_of_who_decided_sum_to_one_and_leave_the_warm_up_out():
    workload = make_workload(np.arange(10.0), warmup=0.2)
    schedule = make_schedule(workload, np.arange(10.0), np.arange(1.0, 11.0))
    by = [DecidedBy.FALLBACK_COLD] * 2 + [DecidedBy.MODEL] * 5 + [DecidedBy.EXPLORATION, DecidedBy.FALLBACK_ERROR, DecidedBy.FALLBACK_LOSING]
    measured = m.measure(workload, POOL, replace(schedule, decided_by=np.array(by, dtype=np.int8)))
    assert (measured["model_share"], measured["exploration_share"], measured["fallback_share"]) == (0.625, 0.125, 0.25)
    assert "model_share" not in m.measure(workload, POOL, schedule)


def test_nothing_measured_is_an_error():
    workload = make_workload([0, 0])
    nothing = make_schedule(workload, [np.nan, np.nan], [np.nan, np.nan])
    with pytest.raises(NothingToReportError, match=r"'hand' on workload 'hand'.*2 can never fit"):
        m.measure(workload, POOL, nothing)
    with pytest.raises(NothingToReportError, match="warm-up share of 1"):
        m.measure(replace(workload, warmup=1.0), POOL, make_schedule(workload, [0, 0], [1, 1]))


def test_run_of_no_length_has_no_rates():
    workload = make_workload([5.0])
    got = m.measure(workload, STATION, make_schedule(workload, [5], [5]))
    assert got["makespan_s"] == 0.0
    assert got["energy_j"] == 0.0
    assert not {"throughput_per_s", "utilization", "mean_slowdown"} & set(got)
    assert got["mean_bounded_slowdown"] == 1.0


def test_energy_is_absent_where_one_device_is_unknown():
    unknown = replace(STATION, nodes=(replace(STATION.nodes[0], gpus=(BIG, replace(SMALL, power=Power(20.0, None, None)))),))
    workload = make_workload([0])
    schedule = make_schedule(workload, [0], [10])
    got = m.measure(workload, unknown, schedule)
    assert not {"energy_j", "energy_per_task_j", "cost_usd"} & set(got)
    assert m.task_energy_j(workload, unknown, schedule).tolist() == [100.0]  # the task itself held known devices only
    no_cores = replace(STATION, nodes=(Node("a", 0, gpus=(BIG,)),))
    gpu_task = make_workload([0], cores=0, gpus=1, share=1000)
    assert "energy_j" in m.measure(gpu_task, no_cores, make_schedule(gpu_task, [0], [10], cpu_end=[np.nan], gpu_end=[10], gpu_mask=1))


def test_wins_and_regret():
    workload = make_workload([0, 0, 0, 0])
    first = make_schedule(workload, [0, 0, 0, np.nan], [1, 5, 3, np.nan])
    second = make_schedule(workload, [0, 0, 0, 0], [2, 5, 4, 1])
    assert m.wins(workload, [first, second]).tolist() == [[0.0, 2 / 3], [0.0, 0.0]]
    assert m.regret(3.0, 2.0) == 0.5
    assert m.regret(3.0, 0.0) is None


def queue_of_one_server(load, n, seed):
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1.0, n))
    service = rng.exponential(load, n)
    start, free = np.empty(n), 0.0
    for row in range(n):
        start[row] = max(arrival[row], free)
        free = start[row] + service[row]
    workload = make_workload(arrival, warmup=0.1)
    return workload, make_schedule(workload, start, start + service)


@pytest.mark.parametrize("load", [1.1, 1.3, 3.0])
def test_overloaded_queues_are_saturated(load):
    assert all(m.is_saturated(*queue_of_one_server(load, 5000, seed)) for seed in range(8))


@pytest.mark.parametrize("load", [0.3, 0.8, 0.95])
def test_steady_queues_are_not_saturated(load):
    assert not any(m.is_saturated(*queue_of_one_server(load, 5000, seed)) for seed in range(8))


def test_one_batch_or_one_late_burst_is_not_saturation():
    together = make_workload([0.0] * 1000)
    assert not m.is_saturated(together, make_schedule(together, np.arange(1000), np.arange(1000) + 1))
    burst = make_workload(np.concatenate((np.arange(5000.0), np.full(500, 4999.5))))
    start = np.concatenate((np.arange(5000.0), 5000.0 + np.arange(500)))
    assert not m.is_saturated(burst, make_schedule(burst, start, start + 1))


@st.composite
def feasible_runs(draw):
    """Random rigid tasks started as early as they fit, in order, on two nodes with three GPUs."""
    n = draw(st.integers(1, 8))
    times = st.integers(0, 6).map(lambda value: value / 2)
    arrival = sorted(draw(st.lists(times, min_size=n, max_size=n)))
    asked = []
    for _ in range(n):
        node = draw(st.integers(0, 1))
        gpus = draw(st.integers(0, len(TWO_NODES.nodes[node].gpus)))
        share = draw(st.sampled_from([100, 300, 500, 1000])) if gpus == 1 else 1000 * (gpus > 0)
        mask = draw(st.sampled_from([1, 2] if node == 0 else [1])) if gpus == 1 else (1 << gpus) - 1
        asked.append((node, draw(st.integers(0, 4)), gpus, share, mask, draw(times)))
    node, cores, gpus, share, mask, run = (np.array(column) for column in zip(*asked, strict=True))
    workload = make_workload(arrival, cores=cores, gpus=gpus, share=share)
    starts: list[float] = []

    def fits(row, begin):
        for instant in [begin, *(other for other in starts if begin <= other < begin + run[row])]:
            at = [i for i in range(len(starts)) if starts[i] <= instant < starts[i] + run[i] and node[i] == node[row]] + [row]
            if sum(cores[i] for i in at) * 1000 > TWO_NODES.nodes[node[row]].cores_milli:
                return False
            if any(sum(share[i] for i in at if mask[i] >> bit & 1) > 1000 for bit in range(2)):
                return False
        return True

    for row in range(n):
        candidates = sorted({arrival[row], *(starts[i] + run[i] for i in range(row))})
        starts.append(next(begin for begin in candidates if begin >= arrival[row] and fits(row, begin)))
    finish = np.array(starts) + run
    gpu_end = np.where(gpus > 0, finish, np.nan)
    return workload, make_schedule(workload, starts, finish, cpu_end=np.where(cores > 0, finish, np.nan), gpu_end=gpu_end, node=node, gpu_mask=mask)


@given(feasible_runs())
@settings(max_examples=200, deadline=None)
def test_identities(run):
    workload, schedule = run
    got = m.measure(workload, TWO_NODES, schedule)
    assert all(np.isfinite(value) for value in got.values())
    for name in (name for name in got if name.startswith(("utilization", "fragmentation"))):
        assert 0 <= got[name] <= 1 + 1e-12

    devices, held = devices_of(TWO_NODES), holdings(workload, TWO_NODES, schedule)
    run_s = horizon_s(workload, schedule)
    unused = devices.capacity_milli / 1000 * run_s - np.bincount(held.device, weights=held.unit_s, minlength=len(devices.names))
    busy_j, idle_j = m.task_energy_j(workload, TWO_NODES, schedule).sum(), np.sum(unused * devices.idle_w)
    assert got["energy_j"] == pytest.approx(busy_j + idle_j)
    assert got["energy_j"] == pytest.approx(device_energy_j(devices, held, run_s).sum())
    assert got["cost_usd"] == pytest.approx(m.task_cost_usd(workload, TWO_NODES, schedule).sum())

    timeline = m.device_timeline(workload, TWO_NODES, schedule)
    for device, capacity in enumerate(devices.capacity_milli):
        time_s, used = timeline.of(device)
        assert np.all(np.diff(time_s) > 0)
        assert np.all((used >= 0) & (used <= capacity))
        mine = held.device == device
        assert np.sum(used[:-1] * np.diff(time_s)) == pytest.approx(np.sum(held.milli[mine] * (held.end_s - held.start_s)[mine]))

    time_s, length = m.queue_length(schedule)
    # Little: the integral of the queue is the sum of all waits.
    assert np.sum(length[:-1] * np.diff(time_s)) == pytest.approx(np.sum(schedule.start_s - schedule.ready_s))
    assert got["mean_wait_s"] * len(workload) == pytest.approx(np.sum(schedule.start_s - schedule.ready_s), abs=1e-9)
    assert got["mean_wait_s"] <= got["mean_response_s"]
    if "mean_slowdown" in got:
        assert got["max_slowdown"] >= got["median_slowdown"] >= 1


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_jain_is_one_when_all_users_are_served_alike(waits):
    n = len(waits)
    arrival = np.zeros(2 * n)
    start = np.array(waits + waits)
    workload = make_workload(arrival, user=np.repeat([3, 5], n))
    assert m.measure(workload, POOL, make_schedule(workload, start, start + 20))["fairness_jain"] == pytest.approx(1.0)
