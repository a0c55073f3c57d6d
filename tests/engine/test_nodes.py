from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from engine_cases import gpu, node, nodes, rigid, run
from hybrid_ml_scheduler.core.decision import TaskStatus
from properties.checks import gpus_of
from properties.strategies import Case, node_cases
from reference_simulator import SCORES, Job

EIGHT = [gpu()] * 8


def test_a_large_task_that_waits_lets_tasks_without_gpus_pass_but_no_smaller_ones() -> None:
    # Task 0 holds one of eight GPUs until 10; task 1 wants all; 2 wants one, 3 none, 4 a share.
    workload = rigid([0.0, 1.0, 2.0, 3.0, 4.0], [10.0, 5.0, 1.0, 1.0, 1.0], gpus=[1, 8, 1, 0, 0.5])
    schedule = run("first_fit", workload, nodes(node(16, *EIGHT)))
    assert schedule.start_s.tolist() == [0.0, 10.0, 15.0, 3.0, 15.0]


def test_smaller_tasks_may_have_the_gpus_of_nodes_that_the_large_one_can_never_run_on() -> None:
    workload = rigid([0.0, 1.0, 2.0], [10.0, 5.0, 1.0], gpus=[1, 8, 1])
    schedule = run("first_fit", workload, nodes(node(16, *EIGHT), node(4, gpu())))
    assert schedule.start_s.tolist() == [0.0, 10.0, 2.0]
    assert schedule.node.tolist() == [0, 0, 1]


def test_a_task_that_lacks_cores_holds_back_tasks_with_cores_or_memory_only() -> None:
    workload = rigid([0.0, 1.0, 2.0, 3.0, 4.0], [10.0, 5.0, 1.0, 1.0, 1.0], cores=[3, 2, 1, 0, 0], memory_mb=[0, 0, 0, 0, 10], gpus=[0, 0, 0, 1, 1])
    schedule = run("first_fit", workload, nodes(node(4, gpu(), gpu(), memory_mb=100.0)))
    assert schedule.start_s.tolist() == [0.0, 10.0, 10.0, 3.0, 10.0]


def test_memory_is_taken_and_given_back() -> None:
    workload = rigid([0.0, 0.0, 0.0], [10.0, 5.0, 1.0], cores=1, memory_mb=[60.0, 60.0, 40.0])
    schedule = run("best_fit", workload, nodes(node(9, memory_mb=100.0)))
    assert schedule.start_s.tolist() == [0.0, 10.0, 10.0]


def test_shares_are_counted_per_gpu() -> None:
    """0.6 and 0.6 never fit one GPU, though 1.2 are free on two."""
    workload = rigid([0.0] * 4, [10.0, 10.0, 10.0, 1.0], cores=0, gpus=[0.6, 0.6, 0.6, 0.4])
    schedule = run("first_fit", workload, nodes(node(1, gpu(), gpu())))
    assert schedule.start_s.tolist() == [0.0, 0.0, 10.0, 10.0]
    assert sorted(schedule.gpu_mask[:2].tolist()) == [1, 2]


@pytest.mark.parametrize(
    ("placement", "chosen"),
    [
        ("first_fit", [0, 0, 0]),
        ("place_round_robin", [0, 1, 2]),
        ("best_fit", [1, 1, 0]),
        ("worst_fit", [2, 2, 2]),
    ],
)
def test_placements_choose_their_nodes(placement: str, chosen: list[int]) -> None:
    workload = rigid([0.0, 1.0, 2.0], 50.0, cores=2)
    assert run(placement, workload, nodes(node(8), node(4), node(32))).node.tolist() == chosen


@pytest.mark.parametrize("placement", ["first_fit", "best_fit", "fgd", "gpu_packing"])
@pytest.mark.parametrize(
    ("order", "expected"), [("fcfs", [1, 2, 3]), ("sjf", [2, 3, 1]), ("ljf", [1, 3, 2]), ("saf", [2, 3, 1]), ("laf", [1, 3, 2]), ("wfp3", [2, 3, 1])]
)
def test_every_order_goes_with_every_placement(order: str, expected: list[int], placement: str) -> None:
    # Tasks 1 to 3 wait for the one node until 50.
    workload = rigid([0.0, 1.0, 2.0, 3.0], [50.0, 30.0, 10.0, 20.0], cores=2, gpus=1)
    assert run(f"{order}+{placement}", workload, nodes(node(2, gpu()))).decision_order.tolist() == [0, *expected]


def test_a_dynamic_order_is_sorted_anew_at_every_event() -> None:
    """By WFP3 task 1 (long) is first while it alone has waited long; the short task 2 rises faster and is first at 100."""
    workload = rigid([0.0, 0.0, 90.0], [100.0, 1000.0, 10.0], requested_s=[100.0, 1000.0, 10.0])
    assert run("wfp3+first_fit", workload, nodes(node(1))).decision_order.tolist() == [0, 2, 1]
    early = rigid([0.0, 0.0, 90.0], [90.0, 1000.0, 10.0])
    assert run("wfp3+first_fit", early, nodes(node(1))).decision_order.tolist() == [0, 1, 2]


def test_processors_in_an_order_are_gpus_where_a_task_asks_for_them() -> None:
    # Areas: 1 GPU x 10 s < 4 cores x 5 s < 2 GPUs x 15 s.
    workload = rigid([0.0, 1.0, 1.0, 1.0], [9.0, 15.0, 5.0, 10.0], cores=[4, 4, 4, 4], gpus=[2, 2, 0, 1])
    assert run("saf+first_fit", workload, nodes(node(4, gpu(), gpu()))).decision_order.tolist() == [0, 3, 2, 1]


def test_a_task_starts_where_the_data_of_its_parents_is_first() -> None:
    """4000 MB at 1 GB/s after 0.5 s of latency and 1 s fixed: at 6.5 s on other nodes, at 1 s where the parent ran."""
    edges = [(0, 2, 1.0, 4000.0)]
    # At 1 s node 0 is free.
    free = rigid([0.0, 0.0, 0.0], [1.0, 9.0, 1.0], cores=2, edges=edges)
    cluster = nodes(node(2), node(4), network_gb_s=1.0, network_latency_s=0.5)
    schedule = run("first_fit", free, cluster)
    assert (schedule.start_s[2], schedule.node[2]) == (1.0, 0)
    # Node 0 is too small for the child: it waits for the data, and holds nobody back meanwhile.
    large = rigid([0.0, 0.0, 0.0, 2.0], [1.0, 9.0, 1.0, 1.0], cores=[2, 1, 3, 3], edges=edges)
    schedule = run("first_fit", large, cluster)
    assert (schedule.start_s[2], schedule.node[2]) == (6.5, 1)
    assert schedule.start_s[3] == 2.0


def test_data_from_two_nodes() -> None:
    """Each of three parents on a node of its own: the child goes where its data is complete first, on the node of the slowest sender."""
    edges = [(0, 3, 3.0, 0.0), (1, 3, 8.0, 0.0), (2, 3, 1.0, 0.0)]
    workload = rigid([0.0] * 4, [1.0, 1.0, 2.0, 1.0], cores=1, edges=edges)
    schedule = run("first_fit", workload, nodes(node(1), node(1), node(1)))
    assert schedule.node.tolist() == [0, 1, 2, 1]
    assert schedule.start_s.tolist() == [0.0, 0.0, 0.0, 4.0]
    assert schedule.ready_s[3] == 2.0


class Walk:
    """Order and first fit on nodes once more, in plain Python: at every event the queue is walked, and who waits closes what it lacks.

    Which of several GPUs that would do a task gets is taken over from the engine's schedule, and checked to be free.
    """

    def __init__(self, case: Case, order: str, gpus: list[list[int]]) -> None:
        self.workload, self.cluster = case
        self.order, self.gpus, self.tasks = order, gpus, case.workload.tasks
        self.nodes = range(len(case.cluster.nodes))
        self.free_cores = [one.cores_milli for one in case.cluster.nodes]
        self.free_mb = [one.memory_mb for one in case.cluster.nodes]
        self.free_gpu = [[1000] * len(one.gpus) for one in case.cluster.nodes]
        self.starts: list[float | None] = [None] * len(self.tasks)
        self.places = [-1] * len(self.tasks)

    def could_ever(self, i: int, n: int) -> bool:
        tasks, one = self.tasks, self.cluster.nodes[n]
        return bool(tasks.cores_milli[i] <= one.cores_milli and tasks.memory_mb[i] <= one.memory_mb and tasks.gpus[i] <= len(one.gpus))

    def lacks(self, i: int, n: int) -> set[str]:
        tasks = self.tasks
        short = {"cpu"} if tasks.cores_milli[i] > self.free_cores[n] or tasks.memory_mb[i] > self.free_mb[n] else set()
        return short | ({"gpu"} if sum(free >= tasks.gpu_share_milli[i] for free in self.free_gpu[n]) < tasks.gpus[i] else set())

    def wants(self, i: int) -> set[str]:
        return ({"cpu"} if self.tasks.cores_milli[i] or self.tasks.memory_mb[i] else set()) | ({"gpu"} if self.tasks.gpus[i] else set())

    def take(self, i: int, sign: int) -> None:
        n = self.places[i]
        self.free_cores[n] -= sign * int(self.tasks.cores_milli[i])
        self.free_mb[n] -= sign * float(self.tasks.memory_mb[i])
        for k in self.gpus[i]:
            self.free_gpu[n][k] -= sign * int(self.tasks.gpu_share_milli[i])
            assert self.free_gpu[n][k] >= 0

    def key(self, i: int, now: float) -> tuple[float, int]:
        tasks = self.tasks
        gpus = float(tasks.gpus[i] * tasks.gpu_share_milli[i]) / 1000
        number = gpus if gpus > 0 else float(tasks.cores_milli[i]) / 1000
        job = Job(float(tasks.arrival_s[i]), 0.0, float(tasks.requested_time_s[i]), number)
        return SCORES[self.order](job, now), i

    def play(self) -> tuple[list[float | None], list[int]]:
        queue: list[int] = []
        coming = list(range(len(self.tasks)))
        ends: dict[int, float] = {}
        now = -np.inf
        while ends or coming:
            now = min([*ends.values(), *(float(self.tasks.arrival_s[i]) for i in coming)])
            for i in [i for i, end in ends.items() if end == now]:
                self.take(i, -1)
                del ends[i]
            arrived = [i for i in coming if self.tasks.arrival_s[i] == now]
            coming = [i for i in coming if i not in arrived]
            queue += [i for i in arrived if any(self.could_ever(i, n) for n in self.nodes)]
            closed: list[set[str]] = [set() for _ in self.nodes]
            for i in sorted(queue, key=lambda i: self.key(i, now)):
                possible = [n for n in self.nodes if self.could_ever(i, n)]
                open_ = [n for n in possible if not self.lacks(i, n) and not self.wants(i) & closed[n]]
                if open_:
                    queue.remove(i)
                    self.starts[i], self.places[i] = now, open_[0]
                    self.take(i, 1)
                    ends[i] = now + float(self.workload.truth.work_s[i]) / self.cluster.nodes[open_[0]].cpu_speed
                for n in possible if not open_ else []:
                    closed[n] |= self.lacks(i, n)
        return self.starts, self.places


@pytest.mark.parametrize("order", ["fcfs", "sjf", "laf", "wfp3", "unicep"])
@settings(max_examples=40)
@given(case=node_cases())
def test_every_start_equals_the_walk_written_out(order: str, case: Case) -> None:
    schedule = run(f"{order}+first_fit", *case)
    starts, places = Walk(case, order, [gpus_of(schedule, i) for i in range(len(case.workload))]).play()
    assert [None if np.isnan(start) else start for start in schedule.start_s.tolist()] == starts
    assert schedule.node.tolist() == places
    assert (np.array(places) < 0).tolist() == (schedule.status == TaskStatus.REJECTED).tolist()
