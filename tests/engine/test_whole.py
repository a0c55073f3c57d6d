"""A run over a whole trace in steps, saved and restored on the way, does bit for bit what one run to the end does, for every other mechanism."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.whole import WholeRun
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads import lublin
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.gpu_cluster import generate_gpu_cluster
from hybrid_ml_scheduler.workloads.kernel_graphs import Misjudged, generate_kernel_graph, misjudge

COLUMNS = ("status", "ready", "start", "finish", "node", "gpu_mask", "decided_by")
POOL = ("fcfs", "sjf+easy", "fcfs+conservative", "wfp3+easy", "unicep+conservative", "lexp", "fcfs+easypp", "hybrid_ml+easy", "rl_agent")
NODES = ("fcfs+fgd", "sjf+best_fit", "wfp3+place_round_robin", "fcfs+place_random", "hybrid_ml", "rl_agent")
MACHINES = ("heft", "peft", "dmda", "hybrid_ml", "rl_agent")


@cache
def case(kind: str) -> tuple[Workload, Cluster]:
    if kind == "pool":
        workload = lublin.generate("lublin:processors=64,load=1.0", seed=20_020, n_tasks=1_500)
        return workload, default_cluster(workload)
    if kind == "nodes":
        return generate_gpu_cluster(20_021, n_tasks=700)
    workload, cluster = generate_kernel_graph(7)
    return misjudge(workload, Misjudged(0.3, 0.4, 0.05), 7), cluster


def compiled(policy: str, workload: Workload, cluster: Cluster) -> CompiledPolicy:
    register()
    made = compile_policy(policy, workload, cluster, seed=5)
    assert isinstance(made, CompiledPolicy)
    return made


def saved_and_restored(run: WholeRun) -> WholeRun:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **run.arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        return WholeRun.restored(run.policy, run.cluster, run.workload, dict(saved))


@pytest.mark.parametrize(
    ("kind", "policy"), [(kind, policy) for kind, policies in (("pool", POOL), ("nodes", NODES), ("machines", MACHINES)) for policy in policies]
)
def test_steps_are_the_whole_bit_for_bit(kind: str, policy: str) -> None:
    workload, cluster = case(kind)
    made = compiled(policy, workload, cluster)
    expected = simulate(workload, cluster, made)
    run = WholeRun(made, cluster, workload)
    stops = np.linspace(workload.tasks.arrival_s[0], np.nanmax(expected.finish_s), 9)
    kept = {name: np.full(len(workload), -7.0) for name in COLUMNS}
    seen = 0
    for number, stop in enumerate([*stops, np.inf]):
        run.advance(float(stop))
        over = run.finished[seen:]
        seen += len(over)
        for name in COLUMNS:
            kept[name][over] = getattr(run.state, name)[over]
        if number % 2:
            run = saved_and_restored(run)
    whole = {"ready": "ready_s", "start": "start_s", "finish": "finish_s"}
    for name in COLUMNS:
        np.testing.assert_array_equal(kept[name], getattr(expected, whole.get(name, name)), err_msg=name)
    if policy in ("hybrid_ml", "hybrid_ml+easy"):
        assert (expected.decided_by == DecidedBy.MODEL).any()


def test_what_is_over_takes_no_room_in_a_checkpoint() -> None:
    workload, cluster = case("pool")
    run = WholeRun(compiled("sjf+easy", workload, cluster), cluster, workload)
    run.advance(float(workload.tasks.arrival_s[-1]))
    size = sum(array.nbytes for array in run.arrays().values())
    assert size < 0.35 * sum(array.nbytes for array in run.state)
