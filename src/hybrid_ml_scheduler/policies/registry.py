"""All policies by name: compositions, presets, learned ones through providers, and the user's own through entry points."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Policy
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, PolicyError
from hybrid_ml_scheduler.core.workload import Tasks, Workload, WorkloadKind
from hybrid_ml_scheduler.policies.composition import parse
from hybrid_ml_scheduler.policies.parts import ORDERS
from hybrid_ml_scheduler.policies.presets import PRESETS

ENTRY_POINTS = "hybrid_ml_scheduler.policies"
"""Entry point group of policies of the user's own: each names a callable ``(tasks: Tasks, cluster: Cluster, seed: int) -> Policy``."""

Provider = Callable[[str, Workload, Cluster, int], CompiledPolicy]
"""Makes a compiled policy of a whole spelling (``name[:MODEL@VERSION][+part...]``) for a workload, a cluster and a seed."""

_KINDS = (
    (WorkloadKind.RIGID, ClusterKind.POOL),
    (WorkloadKind.RIGID, ClusterKind.NODES),
    (WorkloadKind.DIVISIBLE, ClusterKind.NODES),
    (WorkloadKind.DIVISIBLE, ClusterKind.POOL),
    (WorkloadKind.MACHINES, ClusterKind.MACHINES),
)
_TASKS = {WorkloadKind.RIGID: "rigid tasks", WorkloadKind.DIVISIBLE: "divisible tasks", WorkloadKind.MACHINES: "a task graph"}
_MACHINES = {ClusterKind.POOL: "a pool of processors", ClusterKind.NODES: "nodes", ClusterKind.MACHINES: "unrelated machines"}
_PRESETS = {preset.name: preset for preset in PRESETS}
_PROVIDERS: dict[str, tuple[PolicySpec, Provider]] = {}

_NODE_RULES = "first_fit place_round_robin place_random best_fit worst_fit least_loaded dot_product gpu_packing gpu_clustering fgd"
_CPU_NODE_RULES = "fcfs sjf ljf saf laf wfp3 best_fit worst_fit least_loaded"
_DIVISIBLE_RULES = (
    "met mct sjf+mct ljf+mct saf+mct energy_aware min_min max_min sufferage sjf+energy_aware mct+split_any sjf+mct+split_any mct+split_exact "
    "mct+split_qilin sjf+mct+split_gpu first_fit+split_any place_random+split_exact least_loaded+split_qilin least_loaded+split_exact"
)
_MACHINE_RULES = "dmda least_loaded"


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One usable policy.

    Attributes
    ----------
    name : str
        Spelling.
    summary : str
        One line.
    reference : str
        Where it comes from.
    kinds : tuple of (WorkloadKind, ClusterKind)
        What it runs.
    """

    name: str
    summary: str
    reference: str
    kinds: tuple[tuple[WorkloadKind, ClusterKind], ...]

    def supports(self, workload_kind: WorkloadKind, cluster_kind: ClusterKind) -> bool:
        """Whether it runs such tasks on such a cluster."""
        return (workload_kind, cluster_kind) in self.kinds


def register_provider(spec: PolicySpec, provider: Provider) -> None:
    """Add a policy that is made by a function, such as a learned one.

    Raises
    ------
    PolicyError
        If the name is taken.
    """
    if spec.name in _PRESETS or spec.name in _PROVIDERS:
        raise PolicyError(f"policy {spec.name!r} is registered already; expected a new name")
    _PROVIDERS[spec.name] = (spec, provider)


def _provided(spelling: str) -> str | None:
    """Return the provider's name with which a spelling begins, if it does."""
    first = re.split("[+:]", spelling, maxsplit=1)[0]
    return first if first in _PROVIDERS else None


@cache
def _composition_spec(name: str) -> PolicySpec:
    composition = parse(name)
    kinds = tuple(kind for kind in _KINDS if composition.why_not(*kind) is None)
    return PolicySpec(composition.name, composition.summary, composition.reference, kinds)


def list_policies() -> list[PolicySpec]:
    """Return the registered policies and the usual compositions: batch orders with each backfilling, placements, presets, the user's own."""
    names = [f"{order.name}{backfill}" for order in ORDERS for backfill in ("", "+easy", "+conservative")]
    names.append("fcfs+easypp")
    names += [*_NODE_RULES.split(), *_DIVISIBLE_RULES.split(), *_MACHINE_RULES.split()]
    specs = [_composition_spec(name) for name in dict.fromkeys(names)]
    specs += [PolicySpec(preset.name, preset.summary, preset.reference, preset.kinds) for preset in PRESETS]
    specs += [spec for spec, _ in _PROVIDERS.values()]
    specs += [PolicySpec(point.name, f"A policy of your own ({point.value})", point.value, _KINDS) for point in _own_policies().values()]
    return specs


@cache
def _own_policies() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def compile_policy(name: str, workload: Workload, cluster: Cluster, seed: int = 0) -> CompiledPolicy | Policy:
    """Make the policy of a name ready to run.

    Parameters
    ----------
    name : str
        A preset, ``order[+backfill][+placement][+split]``, a learned policy, or one of the user's own.
    workload : Workload
        What it will run; visible columns only are used.
    cluster : Cluster
        Where it will run.
    seed : int
        Of its own random choices; >= 0.

    Returns
    -------
    CompiledPolicy or Policy
        The latter for a policy of the user's own.

    Raises
    ------
    UnknownNameError, PolicyError
        If there is no such policy.
    IncompatiblePolicyError
        If it cannot run this kind of workload on this kind of cluster; the message names both.
    """
    key = name.strip().lower()
    kind = (workload.kind, cluster.kind)
    if key in _PRESETS:
        preset = _PRESETS[key]
        if kind not in preset.kinds:
            raise IncompatiblePolicyError(
                key, workload.name, f"it is for {_wanted(preset.kinds)}, not for {_TASKS[workload.kind]} on {_MACHINES[cluster.kind]}"
            )
        return preset.build(key, workload.kind, cluster.kind, seed)
    provided = _provided(key)
    if provided is not None:
        return _PROVIDERS[provided][1](key, workload, cluster, seed)
    if key in _own_policies():
        return _make_own(key, workload.tasks, cluster, seed)
    composition = parse(key, whole=[*_PRESETS, *_PROVIDERS, *_own_policies()])
    reason = composition.why_not(*kind)
    missing = composition.missing_column(workload.tasks)
    if reason is None and missing is not None:
        reason = f"it needs the column {missing}, which the workload does not have"
    if reason is not None:
        raise IncompatiblePolicyError(composition.name, workload.name, reason)
    return composition.compile(composition.name, workload.kind, cluster.kind, seed)


def _wanted(kinds: tuple[tuple[WorkloadKind, ClusterKind], ...]) -> str:
    return " or ".join(dict.fromkeys(f"{_TASKS[tasks]} on {_MACHINES[cluster]}" for tasks, cluster in kinds))


def _make_own(name: str, tasks: Tasks, cluster: Cluster, seed: int) -> Policy:
    point = _own_policies()[name]
    policy = point.load()(tasks, cluster, seed)
    if not isinstance(policy, Policy):
        raise PolicyError(f"policy {name!r}: its entry point made a {type(policy).__name__}; expected an object with a name and decide(view)")
    return policy


def default_policies(workload: Workload, cluster: Cluster) -> list[str]:
    """Return a sensible set of policies for this kind of workload and cluster."""
    if workload.kind is WorkloadKind.DIVISIBLE:
        return ["round_robin", "random", "greedy", "cpu_only", "gpu_only", "mct", "sjf+mct", "priced", "oracle"]
    if workload.kind is WorkloadKind.MACHINES:
        return ["heft", "cpop", "peft", "dmda", "mct", "met", "min_min", "max_min", "sufferage"]
    if cluster.kind is ClusterKind.POOL:
        return ["fcfs", "fcfs+easy", "fcfs+conservative", "sjf+easy", "saf+easy", "f1+easy", "f2+easy", "wfp3+easy", "unicep+easy"]
    # Without GPUs in demand the placements of GPU clusters are all alike, and what differs is the order.
    return (_NODE_RULES if workload.tasks.gpus.any() and cluster.n_gpus else _CPU_NODE_RULES).split()
