from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from graph_cases import GraphCase, graph_case, graph_cases
from hybrid_ml_scheduler.engine.machine_rules import MachineRule, choose_ready


def data_ready(task: int, arrival: np.ndarray, machine: np.ndarray, finish: np.ndarray, case: GraphCase) -> np.ndarray:
    """From when on the data of a task's parents is at each machine."""
    ready = np.full(case.cost_s.shape[1], arrival[task])
    for edge in range(case.parent_ptr[task], case.parent_ptr[task + 1]):
        parent = case.parent_idx[edge]
        transfer = np.where(machine[parent] == np.arange(len(ready)), 0.0, case.edge_s[edge])
        ready = np.maximum(ready, finish[parent] + transfer)
    return ready


def map_all(rule: MachineRule, case: GraphCase) -> tuple[list[int], list[int], list[float]]:
    """Work a graph off level by level with one rule: the sequence of choices, machines and finish times."""
    n_tasks, n_machines = case.cost_s.shape
    arrival, free_at, data = np.zeros(n_tasks), np.zeros(n_machines), np.full((n_tasks, n_machines), np.nan)
    machine, finish = np.full(n_tasks, -1), np.full(n_tasks, np.nan)
    sequence: list[int] = []
    ready: list[int] = []
    while len(sequence) < n_tasks:
        for task in range(n_tasks):
            if task not in ready and machine[task] < 0 and all(machine[p] >= 0 for p, _ in case.parents(task)):
                data[task] = data_ready(task, arrival, machine, finish, case)
                ready.append(task)
        position, chosen, ends = choose_ready(int(rule), np.array(ready), len(ready), 0.0, free_at, case.cost_s, data)
        task = ready.pop(position)
        machine[task], finish[task], free_at[chosen] = chosen, ends, ends
        sequence.append(task)
    return sequence, machine.tolist(), finish.tolist()


def choose_slowly(rule: MachineRule, ready: list[int], free_at: list[float], case: GraphCase, data: np.ndarray) -> tuple[int, int]:
    machines = range(case.cost_s.shape[1])

    def ends(task: int, p: int, *, transfers: bool = True) -> float:
        return max(free_at[p], data[task, p] if transfers else 0.0) + case.cost_s[task, p]

    immediate = {
        MachineRule.DMDA: ends,
        MachineRule.MET: lambda t, p: case.cost_s[t, p],
        MachineRule.MCT: lambda t, p: ends(t, p, transfers=False),
        MachineRule.OLB: lambda _, p: free_at[p],
    }
    if rule in immediate:
        return 0, min(machines, key=lambda p: (immediate[rule](ready[0], p), p))
    best = {t: min(machines, key=lambda p: (ends(t, p), p)) for t in ready}
    least = {t: sorted(ends(t, p) for p in machines) for t in ready}
    key = {
        MachineRule.MIN_MIN: lambda t: least[t][0],
        MachineRule.MAX_MIN: lambda t: -least[t][0],
        MachineRule.SUFFERAGE: lambda t: least[t][0] - least[t][1] if len(least[t]) > 1 else 0.0,
    }[rule]
    task = min(ready, key=lambda t: (key(t), ready.index(t)))
    return ready.index(task), best[task]


@given(case=graph_cases(max_tasks=6))
@settings(max_examples=200, deadline=None, derandomize=True)
@pytest.mark.parametrize("rule", list(MachineRule))
def test_every_choice_equals_the_rule_written_out(rule: MachineRule, case: GraphCase) -> None:
    n_tasks, n_machines = case.cost_s.shape
    generator = np.random.default_rng(n_tasks * 7 + n_machines)
    data = generator.integers(0, 6, (n_tasks, n_machines)).astype(np.float64)
    free_at = generator.integers(0, 6, n_machines).astype(np.float64)
    ready = generator.permutation(n_tasks)
    position, machine, finish = choose_ready(int(rule), ready, n_tasks, 0.0, free_at, case.cost_s, data)
    assert (position, machine) == choose_slowly(rule, ready.tolist(), free_at.tolist(), case, data)
    assert finish == max(free_at[machine], data[ready[position], machine]) + case.cost_s[ready[position], machine]


@given(case=graph_cases())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_finish_times_of_every_rule_respect_data_and_machines(case: GraphCase) -> None:
    for rule in MachineRule:
        sequence, machine, finish = map_all(rule, case)
        assert sorted(sequence) == list(range(len(case.cost_s)))
        for task in sequence:
            begin = finish[task] - case.cost_s[task, machine[task]]
            assert all(begin >= finish[p] + (s if machine[p] != machine[task] else 0.0) for p, s in case.parents(task))


def test_rules_differ_as_their_papers_say() -> None:
    # Two short tasks and a long one on two like machines: min-min leaves the long one to the end, max-min starts it first.
    case = graph_case([[2.0, 2.0], [2.0, 2.0], [4.0, 4.0]], [])
    assert max(map_all(MachineRule.MIN_MIN, case)[2]) == 6.0
    assert max(map_all(MachineRule.MAX_MIN, case)[2]) == 4.0
    # Task 0 is indifferent, task 1 suffers elsewhere: only sufferage lets task 1 have machine 0 before it.
    case = graph_case([[3.0, 3.5], [4.0, 20.0]], [])
    assert map_all(MachineRule.SUFFERAGE, case)[0] == [1, 0]
    assert max(map_all(MachineRule.SUFFERAGE, case)[2]) == 4.0
    assert max(map_all(MachineRule.MIN_MIN, case)[2]) == 7.0
    # MET piles everything on the fastest machine; OLB does not care that machine 1 is slow.
    case = graph_case([[1.0, 9.0], [1.0, 9.0]], [])
    assert map_all(MachineRule.MET, case)[1] == [0, 0]
    assert map_all(MachineRule.OLB, case)[1] == [0, 1]


def test_dmda_counts_transfers_and_mct_does_not() -> None:
    case = graph_case([[1.0, 9.0], [4.0, 3.0]], [(0, 1, 5.0)])
    assert map_all(MachineRule.DMDA, case)[1] == [0, 0]
    # MCT believes machine 1 ends it at 3; in truth the data is there at 6.
    _, machine, finish = map_all(MachineRule.MCT, case)
    assert machine == [0, 1]
    assert finish == [1.0, 9.0]


def test_a_machine_free_in_the_past_starts_now() -> None:
    position, machine, finish = choose_ready(int(MachineRule.DMDA), np.array([0]), 1, 10.0, np.array([2.0]), np.array([[3.0]]), np.zeros((1, 1)))
    assert (position, machine, finish) == (0, 0, 13.0)
