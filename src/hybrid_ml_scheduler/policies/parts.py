"""The parts that policies are composed of: ``order[+backfill][+placement][+split]``, each with a line and a reference."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.divisible import Placement, Split
from hybrid_ml_scheduler.engine.machine_rules import MachineRule
from hybrid_ml_scheduler.engine.orders import Order
from hybrid_ml_scheduler.engine.pool import Backfill


class Slot(StrEnum):
    """The place of a part in a policy's name."""

    ORDER = "order"
    BACKFILL = "backfill"
    PLACEMENT = "placement"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Attributes
    ----------
    name : str
        Unique over all slots.
    slot : Slot
        Where it stands in a name.
    summary : str
        One line.
    reference : str
        Where it comes from.
    code : int or None
        Of an order, backfilling, or split.
    column : str or None
        Optional column of the workload that it cannot do without.
    nodes, divisible, machines : int or None
        Codes of a placement for rigid tasks on nodes, divisible tasks, and unrelated machines; ``None`` where it does not apply.
    """

    name: str
    slot: Slot
    summary: str
    reference: str
    code: int | None = None
    column: str | None = None
    nodes: PlacementCode | None = None
    divisible: Placement | None = None
    machines: MachineRule | None = None


_SC17 = "Carastan-Santos, de Camargo, SC 2017"
_CCGRID19 = "Carastan-Santos et al., CCGRID 2019"
_QUEUEING = "textbook"
_MAHESWARAN = "Maheswaran et al., JPDC 59(2), 1999"
_FGD_PAPER = "Weng et al., USENIX ATC 2023"
_BACKFILL = "Mu'alem, Feitelson, IEEE TPDS 12(6), 2001"
_TANG = "Tang et al., CLUSTER 2009"


def _order(name: str, code: Order, summary: str, reference: str, column: str | None = None) -> Part:
    return Part(name, Slot.ORDER, summary, reference, code=int(code), column=column)


ORDERS = (
    _order("fcfs", Order.FCFS, "First come, first served", _QUEUEING),
    _order("sjf", Order.SJF, "Shortest requested time first", "Smith, Naval Research Logistics Quarterly 3, 1956"),
    _order("ljf", Order.LJF, "Longest requested time first", "Graham, SIAM J. Applied Mathematics 17(2), 1969"),
    _order("saf", Order.SAF, "Smallest area (requested time x processors) first", _CCGRID19),
    _order("laf", Order.LAF, "Largest area first", _CCGRID19),
    _order("wfp3", Order.WFP3, "Largest (wait / requested time)^3 x processors first", _TANG),
    _order("unicep", Order.UNICEP, "Largest wait / (log2(processors) x requested time) first", _TANG),
    _order("sqf", Order.SQF, "Fewest processors first", _CCGRID19),
    _order("lqf", Order.LQF, "Most processors first", _CCGRID19),
    _order("lexp", Order.LEXP, "Largest expansion factor (wait + requested time) / requested time first", _CCGRID19),
    _order("f1", Order.F1, "Smallest log10(r) n + 870 log10(s) first", _SC17),
    _order("f2", Order.F2, "Smallest sqrt(r) n + 25600 log10(s) first", _SC17),
    _order("f3", Order.F3, "Smallest r n + 6860000 log10(s) first", _SC17),
    _order("f4", Order.F4, "Smallest r sqrt(n) + 530000 log10(s) first", _SC17),
    _order("edf", Order.EDF, "Earliest deadline first (needs deadlines)", "Liu, Layland, JACM 20(1), 1973", "deadline_s"),
    _order("priority", Order.PRIORITY, "Highest priority first (needs priorities)", _QUEUEING, "priority"),
)

BACKFILLS = (
    Part("none", Slot.BACKFILL, "The head of the order blocks", _QUEUEING, code=int(Backfill.NONE)),
    Part("easy", Slot.BACKFILL, "Others may overtake if they do not delay the head", "Lifka, JSSPP 1995", code=int(Backfill.EASY)),
    Part(
        "easypp",
        Slot.BACKFILL,
        "EASY++: backfilling by the mean of the user's last two run times, shortest first",
        "Tsafrir, Etsion, Feitelson, IEEE TPDS 18(6), 2007",
        code=int(Backfill.EASYPP),
    ),
    Part("conservative", Slot.BACKFILL, "Others may overtake if they delay nobody ahead", _BACKFILL, code=int(Backfill.CONSERVATIVE)),
)

PLACEMENTS = (
    Part("first_fit", Slot.PLACEMENT, "First node (or option) that is free", _QUEUEING, nodes=PlacementCode.FIRST_FIT, divisible=Placement.FIRST_FIT),
    Part(
        "place_round_robin",
        Slot.PLACEMENT,
        "Next node that fits; GPU = task id modulo the number of GPUs",
        _QUEUEING,
        nodes=PlacementCode.ROUND_ROBIN,
        divisible=Placement.ROUND_ROBIN,
    ),
    Part("place_random", Slot.PLACEMENT, "A random node or GPU that fits", _QUEUEING, nodes=PlacementCode.RANDOM, divisible=Placement.RANDOM),
    Part(
        "least_loaded",
        Slot.PLACEMENT,
        "The node with most free, the GPU with fewest tasks, the machine free first",
        _MAHESWARAN,
        nodes=PlacementCode.LEAST_LOADED,
        divisible=Placement.LEAST_LOADED,
        machines=MachineRule.OLB,
    ),
    Part("met", Slot.PLACEMENT, "Minimum execution time, however busy the device", _MAHESWARAN, divisible=Placement.MET, machines=MachineRule.MET),
    Part("mct", Slot.PLACEMENT, "Minimum completion time", _MAHESWARAN, divisible=Placement.MCT, machines=MachineRule.MCT),
    Part(
        "energy_aware",
        Slot.PLACEMENT,
        "Least energy x response time by nominal times",
        "Gonzalez, Horowitz, IEEE J. Solid-State Circuits 31(9), 1996 (energy-delay product)",
        divisible=Placement.ENERGY_AWARE,
    ),
    Part("place_priced", Slot.PLACEMENT, "Least finish plus price of the device time held", "docs/policies.md", divisible=Placement.PRICED),
    Part("best_fit", Slot.PLACEMENT, "The node with least left over", _FGD_PAPER, nodes=PlacementCode.BEST_FIT),
    Part("worst_fit", Slot.PLACEMENT, "The node with most left over", _QUEUEING, nodes=PlacementCode.WORST_FIT),
    Part("dot_product", Slot.PLACEMENT, "Smallest dot product of request and free capacity", _FGD_PAPER, nodes=PlacementCode.DOT_PRODUCT),
    Part("gpu_packing", Slot.PLACEMENT, "Used GPUs before used nodes before empty nodes", _FGD_PAPER, nodes=PlacementCode.GPU_PACKING),
    Part("gpu_clustering", Slot.PLACEMENT, "Like requests together", _FGD_PAPER, nodes=PlacementCode.GPU_CLUSTERING),
    Part("fgd", Slot.PLACEMENT, "Fragmentation gradient descent", _FGD_PAPER, nodes=PlacementCode.FGD),
    Part("min_min", Slot.PLACEMENT, "Batch: least best completion first", _MAHESWARAN, divisible=Placement.MIN_MIN, machines=MachineRule.MIN_MIN),
    Part("max_min", Slot.PLACEMENT, "Batch: largest best completion first", _MAHESWARAN, divisible=Placement.MAX_MIN, machines=MachineRule.MAX_MIN),
    Part(
        "sufferage",
        Slot.PLACEMENT,
        "Batch: first who loses most by its second choice",
        _MAHESWARAN,
        divisible=Placement.SUFFERAGE,
        machines=MachineRule.SUFFERAGE,
    ),
    Part("dmda", Slot.PLACEMENT, "Earliest finish, transfers included", "Augonnet et al., CCPE 23(2), 2011", machines=MachineRule.DMDA),
)

_SPLIT = "MODEL: run time of a divisible task"
SPLITS = (
    Part("split_whole", Slot.SPLIT, "CPU alone or GPU alone", _QUEUEING, code=int(Split.WHOLE)),
    Part("split_cpu", Slot.SPLIT, "CPU alone", _QUEUEING, code=int(Split.CPU_ONLY)),
    Part("split_gpu", Slot.SPLIT, "GPU alone", _QUEUEING, code=int(Split.GPU_ONLY)),
    Part("split_intensity", Slot.SPLIT, "GPU fraction = compute intensity", "the original system", code=int(Split.INTENSITY)),
    Part("split_alternate", Slot.SPLIT, "GPU fraction one half for even ids, 0 for odd ones", "the original system", code=int(Split.ALTERNATE)),
    Part("split_uniform", Slot.SPLIT, "Uniformly random GPU fraction", "the original system", code=int(Split.UNIFORM)),
    Part("split_qilin", Slot.SPLIT, "Crossing of two lines fitted per kind of task", "Luk, Hong, Kim, MICRO 2009", code=int(Split.QILIN)),
    Part(
        "split_exact",
        Slot.SPLIT,
        "The fraction that ends this task soonest by nominal times",
        "cf. Luk, Hong, Kim, MICRO 2009",
        code=int(Split.EXACT),
    ),
    Part("split_any", Slot.SPLIT, "CPU alone, the exact fraction, or GPU alone", "docs/policies.md", code=int(Split.ANY)),
)

PARTS = {part.name: part for part in (*ORDERS, *BACKFILLS, *PLACEMENTS, *SPLITS)}
