"""From a policy's name to its parts: the only place that takes names apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import PolicyError, UnknownNameError
from hybrid_ml_scheduler.core.workload import Tasks, WorkloadKind
from hybrid_ml_scheduler.engine.divisible import Placement, Split
from hybrid_ml_scheduler.engine.orders import DYNAMIC_ORDERS, Order
from hybrid_ml_scheduler.engine.pool import Backfill
from hybrid_ml_scheduler.policies.parts import PARTS, Part, Slot
from hybrid_ml_scheduler.policies.priced import priced_params

_SLOTS = tuple(Slot)
_COMMITTING = (Placement.ROUND_ROBIN, Placement.RANDOM, Placement.LEAST_LOADED)


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of one policy; ``None`` where the name leaves a slot open.

    Attributes
    ----------
    order, backfill, placement, split : Part or None
        Its parts.
    """

    order: Part | None = None
    backfill: Part | None = None
    placement: Part | None = None
    split: Part | None = None

    @property
    def name(self) -> str:
        """Canonical spelling; ``none`` is left out."""
        parts = (self.order, self.backfill, self.placement, self.split)
        return "+".join(part.name for part in parts if part is not None and part.name != "none") or "fcfs"

    @property
    def summary(self) -> str:
        """One line made of the parts' lines."""
        first, *others = [part.summary for part in (self.order, self.backfill, self.placement, self.split) if part is not None] or [""]
        # "CPU alone" and "GPU fraction" keep their capitals.
        return "; ".join([first, *(text if text[1:2].isupper() else text[:1].lower() + text[1:] for text in others)])

    @property
    def reference(self) -> str:
        """References of the parts."""
        references = dict.fromkeys(part.reference for part in (self.order, self.backfill, self.placement, self.split) if part is not None)
        return "; ".join(references)

    def why_not(self, workload_kind: WorkloadKind, cluster_kind: ClusterKind) -> str | None:
        """Return why this policy cannot run such tasks on such a cluster; ``None`` if it can."""
        backfills = self.backfill is not None and self.backfill.code != Backfill.NONE
        if workload_kind is WorkloadKind.RIGID and cluster_kind is ClusterKind.POOL:
            if self.placement is not None or self.split is not None:
                return "a pool of processors has nothing to place or split"
            if (
                backfills
                and self.backfill is not None
                and self.backfill.code == Backfill.EASYPP
                and self.order is not None
                and self.order.code in DYNAMIC_ORDERS
            ):
                return "EASY++ goes with orders that do not change while a job waits"
            return None
        if backfills:
            return "backfilling is for batch jobs on a pool of processors"
        placement = self.placement
        if workload_kind is WorkloadKind.RIGID:
            if self.split is not None:
                return "rigid tasks are not split"
            if placement is not None and placement.nodes is None:
                return f"{placement.name} does not place rigid tasks on nodes"
            return None
        dynamic = self.order is not None and self.order.code in DYNAMIC_ORDERS
        if workload_kind is WorkloadKind.DIVISIBLE:
            if dynamic:
                return "orders that change with the waiting time are for rigid tasks"
            if placement is not None and placement.divisible is None:
                return f"{placement.name} does not place divisible tasks"
            return None
        if self.order is not None and self.order.code != Order.FCFS:
            return "unrelated machines work off their lists first come, first served"
        if self.split is not None:
            return "tasks on unrelated machines are not split"
        if placement is None or placement.machines is None:
            return "it names no rule that chooses among unrelated machines"
        return None

    def missing_column(self, tasks: Tasks) -> str | None:
        """Return a column that the policy needs and the workload does not have; ``None`` if there is none."""
        column = None if self.order is None else self.order.column
        return column if column is not None and getattr(tasks, column) is None else None

    def compile(self, name: str, workload_kind: WorkloadKind, cluster_kind: ClusterKind, seed: int) -> CompiledPolicy:
        """Return the compiled policy for such tasks on such a cluster; `why_not` must be ``None``."""
        order = int(Order.FCFS) if self.order is None else int(self.order.code or 0)
        if workload_kind is WorkloadKind.MACHINES and self.placement is not None and self.placement.machines is not None:
            return CompiledPolicy(name, Mechanism.MACHINES, {"placement": int(self.placement.machines)}, seed=seed)
        if workload_kind is WorkloadKind.DIVISIBLE:
            return self._compile_divisible(name, order, seed)
        if cluster_kind is ClusterKind.POOL:
            backfill = int(Backfill.NONE) if self.backfill is None else int(self.backfill.code or 0)
            return CompiledPolicy(name, Mechanism.POOL, {"order": order, "backfill": backfill}, seed=seed)
        placement = 0 if self.placement is None or self.placement.nodes is None else int(self.placement.nodes)
        return CompiledPolicy(name, Mechanism.NODES, {"order": order, "placement": placement}, seed=seed)

    def _compile_divisible(self, name: str, order: int, seed: int) -> CompiledPolicy:
        placement = Placement.MCT if self.placement is None or self.placement.divisible is None else self.placement.divisible
        if self.split is not None:
            split = Split(self.split.code or 0)
        elif placement is Placement.PRICED:
            split = Split.ANY
        else:
            split = Split.GPU_ONLY if placement in _COMMITTING else Split.WHOLE
        codes = {
            "order": order,
            "placement": int(placement),
            "split": int(split),
            "commit": int(placement in _COMMITTING),
            "priced_order": int(placement is Placement.PRICED and self.order is None),
        }
        params = priced_params()
        return CompiledPolicy(name, Mechanism.DIVISIBLE, codes, params=params, seed=seed)


def parse(name: str, *, whole: Iterable[str] = ()) -> Composition:
    """Take a name of the form ``order[+backfill][+placement][+split]`` apart; every slot may be left out.

    Parameters
    ----------
    name : str
        As the user wrote it.
    whole : iterable of str
        Names of whole policies, which the user may have meant.

    Raises
    ------
    UnknownNameError
        If a part is unknown; the message names the nearest known ones.
    PolicyError
        If parts stand twice or in the wrong order.
    """
    chosen: dict[Slot, Part] = {}
    last = -1
    for word in name.strip().lower().split("+"):
        part = PARTS.get(word)
        if part is None:
            near = get_close_matches(word, [*PARTS, *whole])
            raise UnknownNameError(f"policy {name!r}: {word!r} is no part of a policy; expected {' or '.join(near) or 'what hms policies lists'}")
        position = _SLOTS.index(part.slot)
        if position <= last:
            raise PolicyError(
                f"policy {name!r}: {word!r} stands in the wrong place; expected order[+backfill][+placement][+split], each at most once"
            )
        last = position
        chosen[part.slot] = part
    return Composition(chosen.get(Slot.ORDER), chosen.get(Slot.BACKFILL), chosen.get(Slot.PLACEMENT), chosen.get(Slot.SPLIT))
