"""Batch traces, GPU clusters and task graphs as continuous runs: rows are those of a simulation, through deaths and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.stream import TaskStream
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.gpu_cluster import generate_gpu_cluster
from hybrid_ml_scheduler.workloads.kernel_graphs import generate_kernel_graph
from live_cases import abandon, ended, finite, journal_rows, open_controller, until

pytestmark = pytest.mark.anyio
SEED = 20_501
POOL = RunRequest("lublin:processors=64,load=1.1", policies=("fcfs", "sjf+easy", "hybrid_ml+easy"), seed=SEED, load=1.0, max_tasks=900)


register()


def stream_of(request: RunRequest) -> TaskStream:
    return TaskStream(request.workload, request.cluster, SEED, request.load, 128, request.max_tasks)


def same_as_simulated(folder: Path, run_id: int, request: RunRequest) -> None:
    stream = stream_of(request)
    results = journal_rows(folder, run_id, Stream.RESULTS)
    for name in request.policies:
        policy = compile_policy(name, stream.template, stream.cluster, seed=SEED)
        assert isinstance(policy, CompiledPolicy)
        schedule = simulate(stream.template, stream.cluster, policy)
        mine = results.filter(scheduler=name).sort(results.filter(scheduler=name)["task_id"].cast(int))
        order = np.argsort(stream.template.tasks.task_id)
        assert mine["task_id"].cast(int).to_list() == stream.template.tasks.task_id[order].tolist()
        for column, expected in (("start_s", schedule.start_s), ("finish_s", schedule.finish_s), ("node", schedule.node)):
            np.testing.assert_array_equal(finite(mine[column].cast(float).to_list()), expected[order], err_msg=f"{name} {column}")


def on_nodes(folder: Path) -> RunRequest:
    trace, nodes = folder / "jobs.csv", folder / "nodes.yaml"
    write_workload(generate_gpu_cluster(20_502, n_tasks=400)[0], trace)
    nodes.write_text("nodes: [{name: n, count: 5, cores: 96, memory_gb: 800, gpus: [{model: A10, count: 8}]}]\n")
    return RunRequest(str(trace), str(nodes), ("fcfs+fgd", "sjf+best_fit", "hybrid_ml"), SEED, load=1.0)


def on_machines(folder: Path) -> RunRequest:
    graph, _ = generate_kernel_graph(20_503)
    tasks = graph.tasks
    owner = np.repeat(np.arange(len(graph)), np.diff(tasks.parent_ptr))
    edges = [[int(parent), int(child), float(edge)] for parent, child, edge in zip(tasks.parent_idx, owner, tasks.edge_s, strict=True)]
    assert tasks.cost_s is not None
    path = folder / "graph.json"
    path.write_text(json.dumps({"cost": tasks.cost_s.tolist(), "edges": edges}))
    return RunRequest(str(path), None, ("heft", "dmda", "hybrid_ml"), SEED, load=1.0)


@pytest.mark.parametrize("kind", ["pool", "nodes", "machines"])
async def test_a_trace_is_run_as_it_is_simulated_through_a_death(data_folder: Path, tmp_path: Path, kind: str) -> None:
    request = {"pool": lambda _: POOL, "nodes": on_nodes, "machines": on_machines}[kind](tmp_path)
    async with open_controller(data_folder, queue_limit=1_000_000, step_tasks=20) as controller:
        # A little of it, then as a process that dies.
        stream = stream_of(request)
        policy = compile_policy(request.policies[0], stream.template, stream.cluster, seed=SEED)
        length_s = float(np.nanmax(simulate(stream.template, stream.cluster, policy).finish_s) - stream.template.tasks.arrival_s[0])
        started = await controller.start(replace(request, speed=length_s / 20.0))
        assert started.retraining.state == "off"
        await until(controller, lambda status: status.tasks_processed > 10 or ended(status))
        (busy, *_) = controller.status().lanes
        assert 0.0 <= (busy.utilization_cpu or 0.0) <= 1.0
        assert busy.devices
        await abandon(controller)
    async with open_controller(data_folder, queue_limit=1_000_000) as controller:
        recovered = await controller.recover()
        assert recovered.tasks_processed > 10
        await controller.set_speed(None)
        status = await until(controller, ended)
        assert status.message is None
        assert status.tasks_processed == status.tasks_arrived == len(stream_of(request).template)
        assert status.run_id is not None
        await controller._service.drainer.drain_all()
        assert (await controller._service.check()).differences == 0
        rows = journal_rows(data_folder, status.run_id, Stream.RESULTS)
        # Of rules on nodes and machines no explanation is known.
        for name in request.policies if kind == "pool" else request.policies[-1:]:
            row = rows.filter(scheduler=name).row(7, named=True)
            found = await controller.explain(status.run_id, int(row["task_id"]), name)
            assert (found.task, found.time_s, found.chosen.node) == (int(row["task_id"]), float(row["start_s"]), int(row["node"]))
            assert found.decided_by.name.lower() == row["decided_by"]
    same_as_simulated(data_folder, status.run_id, request)


async def test_a_saturated_pool_refuses_the_same_jobs_after_a_death(data_folder: Path, tmp_path: Path) -> None:
    request = replace(POOL, workload="lublin:processors=64,load=3", policies=("fcfs", "sjf+easy"), max_tasks=600)
    rows = []
    for folder, dies in ((data_folder, False), (tmp_path / "second", True)):
        async with open_controller(folder, queue_limit=30, step_tasks=20) as controller:
            status = await controller.start(request)
            if dies:
                await until(controller, lambda status: status.tasks_processed > 200)
                await abandon(controller)
            else:
                await until(controller, ended)
        if dies:
            async with open_controller(folder, queue_limit=30) as controller:
                await controller.recover()
                status = await until(controller, ended)
                assert status.message is None
        assert status.run_id is not None
        rows.append(journal_rows(folder, status.run_id, Stream.RESULTS))
    assert rows[0].filter(status="refused").height > 20
    assert rows[0].equals(rows[1])


async def test_what_does_not_go_with_a_trace_is_refused(data_folder: Path) -> None:
    async with open_controller(data_folder) as controller:
        for policies in (("greedy",), ("fcfs", "heft"), ("hybrid_ml:nothing",)):
            with pytest.raises(InputError):
                await controller.start(replace(POOL, policies=policies))
