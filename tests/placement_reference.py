"""Plain-Python definitions of the placement rules, written from the FGD paper and its published code, without any of the engine's shortcuts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from hybrid_ml_scheduler.engine.codes_placement import PlacementCode


@dataclass(frozen=True)
class Ask:
    cores: int
    memory: int
    gpus: int
    share: int

    @property
    def shape(self) -> str:
        return "share" if self.share < 1000 else f"{self.gpus}-gpu"


@dataclass
class Machine:
    cores: int
    memory: int
    gpus: list[int]
    running: list[Ask] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.all_cores, self.all_gpu = self.cores, sum(self.gpus)

    def fits(self, ask: Ask) -> bool:
        roomy = sum(left >= ask.share for left in self.gpus)
        return self.cores >= ask.cores and self.memory >= ask.memory and (ask.gpus == 0 or roomy >= ask.gpus)

    def add(self, ask: Ask, gpus: list[int]) -> None:
        self.cores -= ask.cores
        self.memory -= ask.memory
        for gpu in gpus:
            self.gpus[gpu] -= ask.share
        self.running.append(ask)

    def remove(self, ask: Ask, gpus: list[int]) -> None:
        self.cores += ask.cores
        self.memory += ask.memory
        for gpu in gpus:
            self.gpus[gpu] += ask.share
        self.running.remove(ask)


def fragment(cores: int, gpus: list[int], typical: list[tuple[Ask, int]]) -> Fraction:
    """F_n(M): the mean over typical tasks of the free GPU milli that they cannot use on this node."""
    total = sum(count for _, count in typical)
    expected = Fraction(0)
    for ask, count in typical:
        cannot = ask.gpus == 0 or cores < ask.cores or sum(left >= ask.share for left in gpus) < ask.gpus
        expected += Fraction(count, total) * sum(left for left in gpus if cannot or left < ask.share)
    return expected


def _fgd(machine: Machine, ask: Ask, typical: list[tuple[Ask, int]]) -> tuple[int, list[int]]:
    before = fragment(machine.cores, machine.gpus, typical)
    options = [[gpu] for gpu, left in enumerate(machine.gpus) if left >= ask.share] if 0 < ask.share < 1000 else [_whole(machine, ask)]
    scored = []
    for option in options:
        left = [milli - ask.share * (gpu in option) for gpu, milli in enumerate(machine.gpus)]
        saved = float(before - fragment(machine.cores - ask.cores, left, typical)) / 1000
        scored.append((int(1 / (1 + math.exp(-saved)) * 100), option))
    return max(scored, key=lambda pair: pair[0])


def _whole(machine: Machine, ask: Ask) -> list[int]:
    return [gpu for gpu, left in enumerate(machine.gpus) if left == 1000][: ask.gpus]


def _packing(machine: Machine, ask: Ask) -> int:
    if ask.gpus == 0:
        return 0
    idle = machine.gpus.count(1000)
    if idle == len(machine.gpus):
        return max(33 - idle, idle)
    used = sorted(left for left in machine.gpus if left >= ask.share)[: ask.gpus]
    if used.count(1000):
        return max(50 - used.count(1000), 33)
    return max(100 - sum(left * 100 // 1000 for left in used) // 10, 50)


def _clustering(machine: Machine, ask: Ask, most_gpu: int) -> int:
    if ask.gpus == 0:
        return 0
    shapes = {task.shape for task in machine.running if task.gpus}
    base = (75 if shapes == {ask.shape} else 50) if ask.shape in shapes else (0 if shapes else 25)
    return base + 25 * (most_gpu - sum(machine.gpus)) // most_gpu


def score(code: PlacementCode, machine: Machine, ask: Ask, machines: list[Machine], typical: list[tuple[Ask, int]]) -> int:
    most_cores = max(other.all_cores for other in machines)
    most_gpu = max(other.all_gpu for other in machines)
    free, asked = (machine.cores, sum(machine.gpus)), (ask.cores, ask.gpus * ask.share)

    def parts(amounts: tuple[int, int], wholes: tuple[int, int]) -> list[float]:
        return [amount / whole if whole else 0.0 for amount, whole in zip(amounts, wholes, strict=True)]

    left = (free[0] - asked[0], free[1] - asked[1])
    most = (most_cores, most_gpu)
    match code:
        case PlacementCode.BEST_FIT:
            return int((1.0 - sum(part * 0.5 for part in parts(left, most))) * 100)
        case PlacementCode.WORST_FIT:
            return int(sum(part * 0.5 for part in parts(left, most)) * 100)
        case PlacementCode.LEAST_LOADED:
            own = parts(left, (machine.all_cores, machine.all_gpu))
            return int(100 * sum(own) / 2) if machine.all_gpu else int(100 * own[0])
        case PlacementCode.DOT_PRODUCT:
            return int(100 * (1 - sum(a * b for a, b in zip(parts(free, most), parts(asked, most), strict=True)) / 2))
        case PlacementCode.GPU_PACKING:
            return _packing(machine, ask)
        case PlacementCode.GPU_CLUSTERING:
            return _clustering(machine, ask, most_gpu)
        case PlacementCode.FGD:
            return _fgd(machine, ask, typical)[0]
        case _:
            return 0


def choose_gpus(code: PlacementCode, machine: Machine, ask: Ask, typical: list[tuple[Ask, int]]) -> list[int]:
    if ask.gpus == 0 or ask.share == 1000:
        return _whole(machine, ask)
    if code is PlacementCode.FGD:
        return _fgd(machine, ask, typical)[1]
    roomy = [gpu for gpu, left in enumerate(machine.gpus) if left >= ask.share]
    if code in {PlacementCode.WORST_FIT, PlacementCode.LEAST_LOADED}:
        return [max(roomy, key=lambda gpu: machine.gpus[gpu])]
    return [min(roomy, key=lambda gpu: machine.gpus[gpu])]


def choose(code: PlacementCode, ask: Ask, machines: list[Machine], typical: list[tuple[Ask, int]], cursor: int = 0) -> tuple[int, list[int]] | None:
    """Node and GPUs: among those that fit the first of the largest score; round robin starts at the cursor."""
    order = [*range(cursor, len(machines)), *range(cursor)] if code is PlacementCode.ROUND_ROBIN else list(range(len(machines)))
    candidates = [node for node in order if machines[node].fits(ask)]
    if not candidates:
        return None
    node = max(candidates, key=lambda index: score(code, machines[index], ask, machines, typical))
    return node, choose_gpus(code, machines[node], ask, typical)
