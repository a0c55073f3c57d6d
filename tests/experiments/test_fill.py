from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.errors import ClusterError, IncompatiblePolicyError, InputError, UnknownNameError, WorkloadError
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.experiments.fill import FILL_POLICIES, fill

GPU = Gpu("A10", float("inf"), 20.0, 12.0, 0.0)


def workload(requests: list[tuple[int, float, int, int]], kind: WorkloadKind = WorkloadKind.RIGID) -> Workload:
    n = len(requests)
    cores, memory, gpus, share = (np.array(column) for column in zip(*requests, strict=True))
    tasks = Tasks(
        task_id=np.arange(n),
        arrival_s=np.zeros(n),
        cores_milli=cores,
        gpus=gpus,
        gpu_share_milli=share,
        memory_mb=memory.astype(np.float64),
        requested_time_s=np.ones(n),
        **no_edges(n),
    )
    return Workload("made-up", kind, tasks, Truth(work_s=np.ones(n)), ReadReport("made-up", n))


def cluster(*nodes: tuple[int, int]) -> Cluster:
    return Cluster("small", ClusterKind.NODES, tuple(Node(f"n{i}", cores, gpus=(GPU,) * gpus) for i, (cores, gpus) in enumerate(nodes)))


MIXED = workload([(1000, 10.0, 1, 300), (4000, 10.0, 1, 1000), (2000, 0.0, 1, 500), (8000, 5.0, 2, 1000), (500, 1.0, 0, 0)] * 4)
NODES = cluster((16000, 2), (8000, 4), (32000, 0), (16000, 1), (16000, 2))


def test_curves_of_half_gpu_tasks_follow_demand_until_the_gpus_are_full() -> None:
    result = fill(workload([(0, 0.0, 1, 500)] * 3), cluster((0, 1)), ["fgd"], demand_percent=160, seeds=1)
    curve = result["results"][0]["allocated_gpu_percent"]
    assert curve[49:51] == [0.0, 50.0]
    assert curve[99:101] == [50.0, 100.0]
    assert curve[160] == 100.0
    assert result["results"][0]["placed_tasks"] == 2


def test_what_no_task_can_use_is_fragmented() -> None:
    # Two GPUs, tasks of 0.6: after one task each, 0.4 of both is of no use to anybody.
    result = fill(workload([(0, 0.0, 1, 600)] * 2), cluster((0, 2)), ["bestfit"], demand_percent=130, seeds=1)
    assert result["mean"]["bestfit"]["allocated_gpu_percent"][130] == pytest.approx(60.0)
    assert result["mean"]["bestfit"]["fragmented_gpu_percent"][29] == 0.0
    assert result["mean"]["bestfit"]["fragmented_gpu_percent"][30] == pytest.approx(20.0)
    assert result["mean"]["bestfit"]["fragmented_gpu_percent"][130] == pytest.approx(40.0)


def test_every_rule_keeps_below_demand_and_never_loses_what_it_gave() -> None:
    result = fill(MIXED, NODES, FILL_POLICIES, demand_percent=130, seeds=3)
    assert [(entry["policy"], entry["seed"]) for entry in result["results"]] == [(name, seed) for name in FILL_POLICIES for seed in range(3)]
    for entry in result["results"]:
        allocated, fragmented = np.array(entry["allocated_gpu_percent"]), np.array(entry["fragmented_gpu_percent"])
        assert len(allocated) == len(fragmented) == 131
        assert np.all(allocated <= np.arange(131) + 1e-9)
        assert np.all(np.diff(allocated) >= 0)
        assert np.all((fragmented >= 0) & (allocated + fragmented <= 100 + 1e-9))
    for name, curves in result["mean"].items():
        runs = [entry for entry in result["results"] if entry["policy"] == name]
        for key, curve in curves.items():
            assert curve == pytest.approx(np.mean([run[key] for run in runs], axis=0))
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_same_seed_gives_the_same_curves_whichever_rules_run_along() -> None:
    def curves(*names: str) -> list[float]:
        return next(e["allocated_gpu_percent"] for e in fill(MIXED, NODES, names, seeds=2)["results"] if (e["policy"], e["seed"]) == ("random", 1))

    assert curves("random") == curves("fgd", "random", "bestfit")


def test_every_run_is_reported_for_the_progress_bar() -> None:
    calls: list[int] = []
    fill(MIXED, NODES, ["fgd", "random"], demand_percent=50, seeds=3, on_run=lambda: calls.append(1))
    assert len(calls) == 6


def test_rules_may_be_spelled_as_elsewhere() -> None:
    result = fill(MIXED, NODES, ["dot_product", "best_fit"], demand_percent=50, seeds=1)
    assert list(result["mean"]) == ["dotprod", "bestfit"]
    assert result["mean"] == fill(MIXED, NODES, ["dotprod", "bestfit"], demand_percent=50, seeds=1)["mean"]


def test_host_memory_is_a_limit() -> None:
    small = Cluster("small", ClusterKind.NODES, (Node("n", 64000, memory_mb=100.0, gpus=(GPU,)),))
    result = fill(workload([(0, 60.0, 1, 100)] * 4), small, ["first_fit"], demand_percent=100, seeds=1)
    assert result["results"][0]["allocated_gpu_percent"][100] == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"policies": ["fgd", "bestfitt"]}, UnknownNameError, "bestfitt"),
        ({"policies": []}, InputError, "at least one"),
        ({"policies": ["fgd", "fgd"]}, InputError, "each once"),
        ({"demand_percent": 0}, InputError, "1 to 1000"),
        ({"seeds": 0}, InputError, "at least 1"),
        ({"cluster": cluster((8000, 0))}, ClusterError, "no GPU"),
        ({"workload": workload([(1000, 0.0, 0, 0)] * 3)}, WorkloadError, "no task of workload 'made-up' asks for a GPU"),
        ({"workload": workload([(1000, 0.0, 1, 1)] + [(1000, 0.0, 0, 0)] * 2000)}, WorkloadError, "too few"),
        ({"policies": ["bestfit", "best_fit"]}, InputError, "each once"),
        ({"workload": replace(MIXED, kind=WorkloadKind.DIVISIBLE)}, IncompatiblePolicyError, "rigid"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fill(**({"workload": MIXED, "cluster": NODES, "policies": ["fgd"]} | arguments))
