from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_cases import divisible, gpu, node, nodes, run
from hybrid_ml_scheduler.core.cluster import Node
from hybrid_ml_scheduler.core.decision import Decision, TaskStatus
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine.simulation import Simulation

GRID = np.linspace(0.0, 1.0, 401)


def grid_times(workload: Workload, one: Node) -> np.ndarray:
    """Run time of the first task of a workload at every fraction of the grid, each on a node of its own."""
    many = workload.select(np.zeros(len(GRID), dtype=np.int64))
    simulation = Simulation(many, nodes(*[one] * len(GRID)))
    assert simulation.next_event()
    for row, fraction in enumerate(GRID.tolist()):
        simulation.start(Decision(row, node=row, gpus=(0,) if fraction > 0 else (), fraction=fraction))
    while simulation.next_event():
        pass
    return simulation.schedule("grid").finish_s


SECONDS = st.floats(0.01, 100.0)


@given(
    work_s=SECONDS,
    intensity=st.floats(0.0, 1.0),
    memory_mb=st.floats(0.0, 20_000.0),
    launch_s=st.sampled_from((0.0, 0.02, 5.0)),
    speed=st.floats(0.5, 50.0),
    cpu_speed=st.floats(0.5, 4.0),
)
@settings(max_examples=60)
def test_the_closed_form_split_is_the_minimum(
    work_s: float, intensity: float, memory_mb: float, launch_s: float, speed: float, cpu_speed: float
) -> None:
    workload = divisible([0.0], work_s, intensity=intensity, memory_mb=memory_mb)
    one = node(1, gpu(speed, launch_s=launch_s, link_gb_s=12.0), cpu_speed=cpu_speed)
    schedule = run("mct+split_exact", workload, nodes(one))
    fraction, time_s = float(schedule.fraction[0]), float(schedule.finish_s[0])
    times = grid_times(workload, one)
    assert time_s <= times.min() * (1 + 1e-12)
    # Time is piecewise linear in the fraction with one kink, so a grid point beside it is close.
    assert times.min() <= time_s + (times.max() + work_s) / 100
    if work_s / cpu_speed > launch_s:
        assert 0.0 < fraction < 1.0
        assert schedule.cpu_end_s[0] == pytest.approx(schedule.gpu_end_s[0], rel=1e-9)
    else:
        assert fraction == 0.0


@given(work_s=SECONDS, intensity=st.floats(0.0, 1.0), memory_mb=st.floats(0.0, 20_000.0), launch_s=st.sampled_from((0.0, 0.02, 5.0)))
@settings(max_examples=30)
@pytest.mark.parametrize("law", ["sum", "serial"])
def test_without_overlap_the_better_end_is_the_minimum(law: str, work_s: float, intensity: float, memory_mb: float, launch_s: float) -> None:
    workload = divisible([0.0], work_s, intensity=intensity, memory_mb=memory_mb, law=law)
    one = node(1, gpu(8.0, launch_s=launch_s))
    schedule = run("mct+split_exact", workload, nodes(one))
    times = grid_times(workload, one)
    assert schedule.fraction[0] in (0.0, 1.0)
    assert schedule.finish_s[0] <= times.min() * (1 + 1e-12)


# Below: tasks that are perfectly parallel and send no data, on GPUs of speed 10: a tenth of the size on a GPU.


def test_a_task_that_waits_for_a_gpu_holds_back_only_who_wants_it() -> None:
    # GPU = id modulo 2: tasks 0, 2, 4 on GPU 0, tasks 1, 3 on GPU 1.
    workload = divisible([0.0, 0.0, 1.0, 2.0, 2.0], [100.0, 10.0, 10.0, 10.0, 10.0])
    schedule = run("fcfs+place_round_robin+split_gpu", workload, nodes(node(4, gpu(), gpu())))
    assert schedule.gpu_mask.tolist() == [1, 2, 1, 2, 1]
    assert schedule.start_s.tolist() == [0.0, 0.0, 10.0, 2.0, 11.0]


def test_a_task_that_waits_for_cores_holds_back_smaller_ones_but_no_gpu() -> None:
    # Intensity is the fraction: 0 is the CPU alone. Task 1 waits for two cores; task 2 would fit the free one; task 3 wants the GPU alone.
    workload = divisible([0.0, 1.0, 2.0, 3.0], [10.0, 4.0, 1.0, 10.0], intensity=[0.0, 0.0, 0.0, 1.0], cores=[3, 2, 1, 1])
    schedule = run("greedy", workload, nodes(node(4, gpu())))
    assert schedule.start_s.tolist() == [0.0, 10.0, 10.0, 3.0]


def test_a_split_task_that_waits_for_one_of_its_devices_does_not_hold_the_other() -> None:
    # Task 1 is split and lacks the GPU only: task 2 may have the CPU, task 3 may not have the GPU before it.
    workload = divisible([0.0, 1.0, 2.0, 2.5], [80.0, 4.0, 3.0, 10.0], intensity=[1.0, 0.5, 0.0, 1.0], cores=1)
    schedule = run("greedy", workload, nodes(node(2, gpu())))
    assert schedule.start_s.tolist() == [0.0, 8.0, 2.0, pytest.approx(8.0 + 0.5 * 4.0 * (0.5 + 0.05))]
    # The CPU part ends with its share of the work, later than the GPU part, which has freed the GPU for task 3.
    assert schedule.cpu_end_s[1] == 10.0


def test_a_split_task_holds_each_device_for_as_long_as_it_lacks_it() -> None:
    # The GPU is busy until 10, the core until 20. Task 2 wants both: from 10 on it lacks the core only, so task 3 may have the GPU.
    workload = divisible([0.0, 0.0, 1.0, 2.0, 3.0], [100.0, 20.0, 4.0, 10.0, 1.0], intensity=[1.0, 0.0, 0.5, 1.0, 0.0])
    schedule = run("greedy", workload, nodes(node(1, gpu())))
    assert schedule.start_s.tolist() == [0.0, 0.0, 20.0, 10.0, 22.0]


def test_choices_made_on_arrival_are_kept() -> None:
    """Task 2 finds one task on each GPU and takes the first; that GPU 1 is free again at 1 s does not change its mind."""
    workload = divisible([0.0, 0.0, 0.5], [100.0, 10.0, 10.0])
    cluster = nodes(node(1, gpu(), gpu()))
    assert run("gpu_only", workload, cluster).start_s.tolist() == [0.0, 0.0, 10.0]
    assert run("fcfs+place_round_robin+split_gpu", workload, cluster).start_s.tolist() == [0.0, 0.0, 10.0]


def test_the_least_loaded_gpu_counts_running_and_waiting_tasks() -> None:
    # Tasks 0 to 2 run on the three GPUs, 3 to 5 wait one on each; at 6 s the task on GPU 1 is done, so GPU 1 has the fewest.
    workload = divisible([0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 7.0], [100.0, 50.0, 100.0, 100.0, 100.0, 100.0, 10.0])
    schedule = run("gpu_only", workload, nodes(node(1, gpu(), gpu(), gpu())))
    assert schedule.gpu_mask.tolist() == [1, 2, 4, 1, 2, 4, 2]


def test_choices_of_mct_change_at_the_next_event() -> None:
    """Task 2 waits for GPU 0, expected to be free at 10 s and before GPU 1 (12 s). In truth GPU 1 is free at 1 s and GPU 0 at 50 s."""
    workload = divisible([0.0, 0.0, 0.5], [100.0, 120.0, 50.0], work_s=[500.0, 10.0, 50.0])
    schedule = run("mct+split_gpu", workload, nodes(node(1, gpu(), gpu())))
    assert schedule.start_s.tolist() == [0.0, 0.0, 1.0]
    assert schedule.gpu_mask.tolist() == [1, 2, 2]


def test_mct_counts_what_those_ahead_are_expected_to_take() -> None:
    """Four equal tasks on a fast GPU (10 s each) and a slow one (25 s each): the third waits for the fast one, the fourth takes the slow one."""
    workload = divisible([0.0] * 4, 100.0)
    schedule = run("mct+split_gpu", workload, nodes(node(1, gpu(10.0), gpu(4.0))))
    assert schedule.gpu_mask.tolist() == [1, 1, 2, 1]
    assert schedule.start_s.tolist() == [0.0, 10.0, 0.0, 20.0]


def test_sjf_sorts_by_the_shortest_expected_time_and_ties_by_arrival() -> None:
    workload = divisible([0.0, 1.0, 2.0, 3.0], [100.0, 30.0, 20.0, 20.0])
    schedule = run("sjf+mct+split_gpu", workload, nodes(node(1, gpu())))
    assert schedule.decision_order.tolist() == [0, 2, 3, 1]


def test_the_oracle_reads_the_true_times_and_mct_does_not() -> None:
    """The nominal times say that the long task is the short one."""
    workload = divisible([0.0, 1.0, 1.0], [10.0, 5.0, 40.0], work_s=[10.0, 100.0, 5.0], memory_mb=2000.0)
    cluster = nodes(node(1, memory_mb=1.0, cpu_speed=1.0), node(1, gpu(1.0, link_gb_s=100.0), memory_mb=1.0))
    assert run("sjf+mct", workload, cluster).decision_order.tolist() == [0, 1, 2]
    assert run("oracle", workload, cluster).decision_order.tolist() == [0, 2, 1]


@pytest.mark.parametrize("policy", ["mct", "mct+split_any", "mct+split_exact", "gpu_only", "greedy", "round_robin", "random", "priced", "min_min"])
def test_a_working_set_must_fit_the_gpu_whatever_the_fraction(policy: str) -> None:
    # Task 0 fits both GPUs, task 1 the second only, task 2 none, task 3 a GPU but no host, task 4 nothing.
    workload = divisible([0.0] * 5, 10.0, intensity=0.5, memory_mb=[500.0, 1500.0, 2500.0, 1900.0, 4000.0], cores=[1, 1, 1, 9, 1])
    schedule = run(policy, workload, nodes(node(4, gpu(memory_mb=1000.0), gpu(memory_mb=2000.0), memory_mb=3000.0)))
    assert schedule.status.tolist() == [TaskStatus.FINISHED] * 4 + [TaskStatus.REJECTED]
    assert schedule.gpu_mask[1] in (0, 2)
    assert (schedule.gpu_mask[2], schedule.fraction[2]) == (0, 0.0)
    assert (schedule.gpu_mask[3], schedule.fraction[3]) == (2, 1.0)


def test_host_memory_is_taken_and_given_back() -> None:
    workload = divisible([0.0, 0.0, 0.0, 5.0], [10.0, 20.0, 30.0, 1.0], memory_mb=[600.0, 600.0, 600.0, 300.0])
    schedule = run("cpu_only", workload, nodes(node(8, memory_mb=1000.0)))
    # Task 3 would fit beside any other, but those ahead of it wait for the node.
    assert schedule.start_s.tolist() == [0.0, 10.0, 30.0, 30.0]


def test_the_gpu_alone_takes_no_host_memory_and_a_split_task_takes_it_until_its_cpu_part_ends() -> None:
    workload = divisible([0.0, 1.0, 2.0, 3.0], [40.0, 40.0, 4.0, 10.0], intensity=[1.0, 1.0, 0.0, 0.5], memory_mb=800.0)
    schedule = run("greedy", workload, nodes(node(8, gpu(link_gb_s=1e9), gpu(link_gb_s=1e9), memory_mb=1000.0)))
    # Two tasks on the GPUs alone, one on the CPU (until 6); the split one waits for GPU 0 and the memory.
    assert schedule.start_s.tolist() == [0.0, 1.0, 2.0, 6.0]
    assert schedule.cpu_end_s[3] == 11.0


def test_both_gpus_of_a_node_are_given_back() -> None:
    """Sixty tasks one after the other on two GPUs: were anything not given back, the run would stop."""
    workload = divisible(np.arange(60.0).tolist(), 20.0, intensity=0.5, memory_mb=400.0)
    schedule = run("greedy", workload, nodes(node(2, gpu(memory_mb=500.0), gpu(memory_mb=500.0), memory_mb=1000.0)))
    assert schedule.finished.all()
    assert set(schedule.gpu_mask.tolist()) == {1, 2}


def test_data_of_parents_comes_over_the_host_link_and_the_network() -> None:
    """1000 MB: 1 s over the GPU's link at fraction 1, and 0.5 s + 0.25 s latency + 2 s fixed between nodes."""
    workload = divisible([0.0, 0.0, 0.0], 10.0, edges=[(0, 1, 2.0, 1000.0)], intensity=[1.0, 0.0, 0.0], cores=[1, 2, 2])
    one = run("greedy", workload, nodes(node(2, gpu())))
    assert one.ready_s[1] == 2.0
    assert one.start_s.tolist() == [0.0, 10.0, 0.0]
    two = nodes(node(1, gpu(), cpu_speed=1.0), node(4), network_gb_s=2.0, network_latency_s=0.25)
    assert run("greedy", workload, two).start_s.tolist() == [0.0, 1.0 + 1.0 + 2.0 + 0.25 + 0.5, 0.0]
