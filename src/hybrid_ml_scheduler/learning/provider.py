"""Learned policies by name: takes a spelling such as ``hybrid_ml:mine@3+easy`` apart, finds its model, and has it compiled.

Nothing here imports a training library; what compiles a policy for a kind of workload is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, ModelError, PolicyError, UnknownNameError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind
from hybrid_ml_scheduler.learning.card import DEFAULT_OBJECTIVES, model_name
from hybrid_ml_scheduler.learning.objective import Objective
from hybrid_ml_scheduler.learning.store import Model, default_store, find_model, split_wanted
from hybrid_ml_scheduler.policies import PolicySpec, list_policies, register_provider

_KINDS = {
    (WorkloadKind.RIGID, ClusterKind.POOL): "batch",
    (WorkloadKind.RIGID, ClusterKind.NODES): "nodes",
    (WorkloadKind.DIVISIBLE, ClusterKind.NODES): "divisible",
    (WorkloadKind.MACHINES, ClusterKind.MACHINES): "kernels",
}
"""Kind of model for each kind of workload and cluster."""

_SPECS = (
    PolicySpec(
        "hybrid_ml",
        "Learned run times decide order, place and share; [:MODEL[@VERSION]][+easy][+unguarded][+offline]",
        "docs/models.md",
        tuple(_KINDS),
    ),
    PolicySpec(
        "rl_agent",
        "A scoring rule found by search over whole runs; [:MODEL[@VERSION]][+easy][+unguarded][+offline]",
        "docs/models.md",
        tuple(_KINDS),
    ),
)
_POLICIES = tuple(spec.name for spec in _SPECS)
_LAST = "oracle"
"""Stands last among the policies of a comparison."""
_BACKFILLS = ("none", "easy")
_FORM = "[:MODEL[@VERSION]][+easy][+unguarded][+offline]"


@dataclass(frozen=True, slots=True)
class Spelling:
    """The parts of a learned policy's name.

    Attributes
    ----------
    policy : str
        ``hybrid_ml`` or ``rl_agent``.
    model : str or None
        Name of the model; None for the usual one of the policy and the kind of workload.
    version : int or None
        Of the model; None for the one in use.
    backfill : str
        ``none`` or ``easy``; only for batch jobs on a pool of processors.
    guarded : bool
        Whether a rule stands behind the model.
    online : bool
        Whether the policy learns from the tasks that finish while it runs.
    text : str
        Canonical spelling.
    """

    policy: str
    model: str | None
    version: int | None
    backfill: str
    guarded: bool
    online: bool
    text: str

    @property
    def wanted(self) -> str | None:
        """The model as `find_model` wants it."""
        return None if self.model is None else self.model if self.version is None else f"{self.model}@{self.version}"


class _Compiler(Protocol):
    """A module of this package that compiles learned policies for one kind of workload."""

    def compile_learned(self, policy: str, options: Spelling, model: Model, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy: ...


def parse_spelling(text: str) -> Spelling:
    """Take the name of a learned policy apart.

    Parameters
    ----------
    text : str
        ``hybrid_ml|rl_agent [:MODEL[@VERSION]] [+easy] [+unguarded] [+offline]``; upper and lower case are the same.

    Raises
    ------
    UnknownNameError
        If a part is unknown; the message names the nearest known ones.
    PolicyError
        If parts stand twice or in the wrong order, or the model is not spelled ``NAME[@VERSION]``.

    Examples
    --------
    >>> parse_spelling("hybrid_ml:mine@3+easy").version
    3
    """
    first, *parts = text.strip().lower().split("+")
    policy, colon, wanted = first.partition(":")
    if policy not in _POLICIES:
        raise UnknownNameError(f"policy {text!r}: {policy!r} is no learned policy; expected {' or '.join(_POLICIES)}")
    model, version = None, None
    if colon:
        try:
            model, version = split_wanted(wanted)
        except ModelError as error:
            raise PolicyError(f"policy {text!r}: {error}") from error
    slots = {**dict.fromkeys(_BACKFILLS, 0), "unguarded": 1, "offline": 2}
    last = -1
    for part in parts:
        if part not in slots:
            near = get_close_matches(part, slots)
            raise UnknownNameError(f"policy {text!r}: {part!r} is no part of a learned policy; expected {' or '.join(near or slots)}")
        if slots[part] <= last:
            raise PolicyError(f"policy {text!r}: {part!r} stands in the wrong place; expected {policy}{_FORM}, each at most once")
        last = slots[part]
    backfill = next((part for part in parts if part in _BACKFILLS), "none")
    name = policy if model is None else f"{policy}:{model}" if version is None else f"{policy}:{model}@{version}"
    named = [name, *(part for part in parts if part != "none")]
    return Spelling(policy, model, version, backfill, "unguarded" not in parts, "offline" not in parts, "+".join(named))


def model_kind(workload: Workload, cluster: Cluster) -> str | None:
    """Return the kind of model (`card.KINDS`) for a workload on a cluster; None if there is none."""
    return _KINDS.get((workload.kind, cluster.kind))


def with_learned(policies: Sequence[str], workload: Workload, cluster: Cluster) -> list[str]:
    """Add the learned policies that have a model for this kind of workload to a list of rules: at its end, but before an oracle.

    Parameters
    ----------
    policies : sequence of str
    workload, cluster
        What they will run.

    Returns
    -------
    list of str
        On a pool of processors learned policies stand there without backfilling and with EASY.
    """
    kind = model_kind(workload, cluster)
    store = default_store()
    there = [policy for policy in _POLICIES if kind is not None and store.versions(model_name(policy, kind))]
    learned = [f"{policy}{backfill}" for policy in there for backfill in (("", "+easy") if kind == "batch" else ("",))]
    place = policies.index(_LAST) if _LAST in policies else len(policies)
    return [*policies[:place], *learned, *policies[place:]]


def with_models(
    policies: Sequence[str], workload: Workload, cluster: Cluster, *, objective: Objective | None = None, models: Sequence[str] = ()
) -> list[str]:
    """Name the model of every learned policy that is spelled without one, where it is not the usual one.

    Parameters
    ----------
    policies : sequence of str
        Any policies; those that are not learned, or name a model, stay as they are.
    workload, cluster
        What they will run.
    objective : Objective, optional
        Take models that were trained for it.
    models : sequence of str
        ``NAME`` or ``NAME@VERSION``: take these instead.

    Returns
    -------
    list of str

    Raises
    ------
    ModelError
        If a model is not there, or no policy takes it.
    """
    kind = model_kind(workload, cluster)
    wanted = {default_store().find(model).card.policy: model for model in models}
    if len(wanted) < len(models):
        raise ModelError(f"models {', '.join(models)}: two are for the same policy; expected one for each of {', '.join(_POLICIES)}")
    chosen, taken = [], set()
    for text in policies:
        policy = text.strip().lower().partition("+")[0]
        if policy not in _POLICIES:
            chosen.append(text)
            continue
        spelling = parse_spelling(text)
        if policy in wanted:
            taken.add(policy)
            spelling = replace(spelling, model=wanted[policy])
        elif objective is not None and kind is not None and objective.text != DEFAULT_OBJECTIVES[kind]:
            spelling = replace(spelling, model=model_name(policy, kind, objective.text))
        chosen.append(text if spelling.model is None else f"{policy}:{spelling.model}{spelling.text.removeprefix(policy)}")
    unused = [model for policy, model in wanted.items() if policy not in taken]
    if unused:
        missing = next(policy for policy in wanted if policy not in taken)
        raise ModelError(f"model {unused[0]!r} has no policy to use it; expected {missing} among the policies, without a model of its own")
    return chosen


def compile_spelling(text: str, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
    """Make a learned policy ready to run; the provider that the registry calls.

    Parameters
    ----------
    text : str
        Its spelling, see `parse_spelling`.
    workload : Workload
        What it will run; visible columns only are used.
    cluster : Cluster
        Where it will run.
    seed : int
        Of its own random choices; >= 0.

    Raises
    ------
    UnknownNameError, PolicyError
        If it is spelled wrongly, or there is no way yet to run it on this kind of workload.
    IncompatiblePolicyError
        If no learned policy runs this kind of workload on this kind of cluster, or it does not go with the backfilling.
    ModelError
        If there is no model for it, or the model cannot be loaded.
    """
    spelling = parse_spelling(text)
    kind = model_kind(workload, cluster)
    if kind is None:
        raise IncompatiblePolicyError(spelling.text, workload.name, f"learned policies do not run {workload.kind} tasks on {cluster.kind}")
    if spelling.backfill != "none" and kind != "batch":
        raise IncompatiblePolicyError(spelling.text, workload.name, "backfilling is for batch jobs on a pool of processors")
    return compile_with(find_model(spelling.policy, kind, wanted=spelling.wanted), spelling, workload, cluster, seed)


def compile_with(model: Model, spelling: Spelling, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
    """Make a learned policy ready to run with a model of the right kind; arguments and errors are those of `compile_spelling`."""
    kind = model.card.kind
    module = f"{__package__}.{kind}"
    if find_spec(module) is None:
        raise PolicyError(f"policy {spelling.text!r}: this version of hms runs no models of kind {kind}; expected another kind of workload")
    compiler = cast("_Compiler", import_module(module))
    return compiler.compile_learned(spelling.policy, spelling, model, workload, cluster, seed)


def register() -> None:
    """Make the learned policies known to the registry; once is enough, more does no harm."""
    known = {spec.name for spec in list_policies()}
    for spec in _SPECS:
        if spec.name not in known:
            register_provider(spec, compile_spelling)
