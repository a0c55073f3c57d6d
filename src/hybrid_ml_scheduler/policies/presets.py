"""Names of the contract and of the literature that stand for compositions, planners, or more than parts can say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.workload import WorkloadKind
from hybrid_ml_scheduler.policies.composition import parse
from hybrid_ml_scheduler.policies.priced import oracle_params


@dataclass(frozen=True, slots=True)
class Preset:
    """A name that stands for a whole policy.

    Attributes
    ----------
    name, summary, reference : str
        As in `PolicySpec`.
    kinds : tuple of (WorkloadKind, ClusterKind)
        What it runs.
    build : callable
        ``build(name, workload_kind, cluster_kind, seed) -> CompiledPolicy``.
    """

    name: str
    summary: str
    reference: str
    kinds: tuple[tuple[WorkloadKind, ClusterKind], ...]
    build: Callable[[str, WorkloadKind, ClusterKind, int], CompiledPolicy]


_DIVISIBLE = ((WorkloadKind.DIVISIBLE, ClusterKind.NODES), (WorkloadKind.DIVISIBLE, ClusterKind.POOL))
_MACHINES = ((WorkloadKind.MACHINES, ClusterKind.MACHINES),)


def _composed(spelling: str) -> Callable[[str, WorkloadKind, ClusterKind, int], CompiledPolicy]:
    def build(name: str, workload_kind: WorkloadKind, cluster_kind: ClusterKind, seed: int) -> CompiledPolicy:
        return parse(spelling).compile(name, workload_kind, cluster_kind, seed)

    return build


def _planner(code: int) -> Callable[[str, WorkloadKind, ClusterKind, int], CompiledPolicy]:
    def build(name: str, workload_kind: WorkloadKind, cluster_kind: ClusterKind, seed: int) -> CompiledPolicy:
        del workload_kind, cluster_kind
        return CompiledPolicy(name, Mechanism.PLAN, {"planner": code}, seed=seed)

    return build


def _oracle(name: str, workload_kind: WorkloadKind, cluster_kind: ClusterKind, seed: int) -> CompiledPolicy:
    nominal = parse("place_priced+split_any").compile(name, workload_kind, cluster_kind, seed)
    return replace(nominal, params=oracle_params(), clairvoyant=True)


PRESETS = (
    Preset(
        "round_robin",
        "GPU fraction 0.5 for even ids, 0 for odd; GPU = id modulo the number of GPUs (fcfs+place_round_robin+split_alternate)",
        "the original system",
        _DIVISIBLE,
        _composed("fcfs+place_round_robin+split_alternate"),
    ),
    Preset(
        "random",
        "Uniformly random GPU fraction on a random GPU (fcfs+place_random+split_uniform)",
        "the original system",
        _DIVISIBLE,
        _composed("fcfs+place_random+split_uniform"),
    ),
    Preset(
        "greedy",
        "GPU fraction = compute intensity on the least loaded GPU (fcfs+least_loaded+split_intensity)",
        "the original system",
        _DIVISIBLE,
        _composed("fcfs+least_loaded+split_intensity"),
    ),
    Preset("cpu_only", "CPU alone (fcfs+least_loaded+split_cpu)", "baseline", _DIVISIBLE, _composed("fcfs+least_loaded+split_cpu")),
    Preset("gpu_only", "Least loaded GPU alone (fcfs+least_loaded+split_gpu)", "baseline", _DIVISIBLE, _composed("fcfs+least_loaded+split_gpu")),
    Preset(
        "priced",
        "CPU, GPU or both by finish plus price of the device time held, nominal times, tuned (place_priced+split_any)",
        "docs/policies.md",
        _DIVISIBLE,
        _composed("place_priced+split_any"),
    ),
    Preset("oracle", "priced with the true times of the tasks that have arrived, tuned for itself", "docs/policies.md", _DIVISIBLE, _oracle),
    Preset("heft", "Heterogeneous earliest finish time, a static plan", "Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002", _MACHINES, _planner(0)),
    Preset("cpop", "Critical path on a processor, a static plan", "Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002", _MACHINES, _planner(1)),
    Preset("peft", "Predict earliest finish time, a static plan", "Arabnejad, Barbosa, IEEE TPDS 25(3), 2014", _MACHINES, _planner(2)),
)
