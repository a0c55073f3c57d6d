"""Reader of cluster files: YAML, every key known, every error with its line (docs/clusters.md describes the format)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import yaml

from hybrid_ml_scheduler.core.cluster import MAX_GPUS_PER_NODE, Cluster, ClusterKind, Gpu, Node, Power
from hybrid_ml_scheduler.core.constants import GPU_MODELS, LAUNCH_S, LINK_GB_S, MB_PER_GB, REFERENCE_CORE, GpuModel
from hybrid_ml_scheduler.core.workload import MILLI
from hybrid_ml_scheduler.workloads.rows import CORES_LIMIT, MEMORY_LIMIT_MB, shown
from hybrid_ml_scheduler.workloads.source import Source, read_source

FILE_LIMIT_BYTES = 256 * 1024
"""Most bytes of a cluster file: repeated nodes are written with ``count``."""

MAX_NODES = 100_000
"""Most nodes of a cluster file: ten times the largest cluster known to us."""

_LARGEST = 1e12
_CLUSTER_KEYS = ("name", "kind", "network_gb_s", "network_latency_s", "nodes")
_NODE_KEYS = ("name", "count", "cores", "memory_gb", "cpu_speed", "core", "core_idle_w", "core_busy_w", "core_usd_per_hour", "gpus")
_GPU_KEYS = ("model", "count", "memory_gb", "speed", "link_gb_s", "launch_s", "idle_w", "busy_w", "usd_per_hour")
_POWER_EXPECTED = "watts or dollars of at least 0, or null for unknown"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A mapping of the file: its values by key, and where it stands."""

    source: Source
    where: str
    line: int
    values: Mapping[str, yaml.Node]

    def fail(self, problem: str, expected: str, key: str | None = None) -> NoReturn:
        self.source.fail(f"{problem} in {self.where}", expected, self.line if key is None else _line(self.values[key]))

    def has(self, key: str) -> bool:
        return key in self.values

    def is_null(self, key: str) -> bool:
        node = self.values[key]
        return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"

    def text(self, key: str) -> str:
        node = self.values[key]
        if not isinstance(node, yaml.ScalarNode) or self.is_null(key) or not node.value.strip() or not node.value.isprintable():
            self.fail(f"{key} is {_kind(node)}", "a name", key)
        return str(node.value).strip()

    def number(self, key: str, expected: str, low: float = 0.0, *, above: bool = False, most: float = _LARGEST) -> float:
        """Return a number of at least (or, with `above`, more than) `low`."""
        node = self.values[key]
        value = _as_number(node)
        if value is None:
            self.fail(f"{key} is {_kind(node)}", expected, key)
        if not (low < value if above else low <= value) or value > most:
            self.fail(f"{key} is {shown(str(node.value))}", expected, key)
        return value

    def whole(self, key: str, most: int) -> int:
        """Return a whole number from 1 on; 1 if the key is not there."""
        if key not in self.values:
            return 1
        expected = f"a whole number from 1 to {most}"
        value = self.number(key, expected, 1.0, most=float(most))
        if value != int(value):
            self.fail(f"{key} is {value:g}", expected, key)
        return int(value)

    def memory_mb(self, key: str, unknown: float) -> float:
        """Return gigabytes as MB; `unknown` if the key is not there, no limit if it is null."""
        if key not in self.values:
            return unknown
        if self.is_null(key):
            return math.inf
        return self.number(key, "gigabytes of at least 0, or null for no limit", most=MEMORY_LIMIT_MB / MB_PER_GB / 2) * MB_PER_GB

    def power(self, idle: str, busy: str, price: str, known: Power) -> Power:
        """Return what the three keys say, and what is known anyway for those that are not there."""

        def one(key: str, otherwise: float | None) -> float | None:
            if key not in self.values:
                return otherwise
            return None if self.is_null(key) else self.number(key, _POWER_EXPECTED)

        power = Power(one(idle, known.idle_w), one(busy, known.busy_w), one(price, known.usd_per_hour))
        if power.idle_w is not None and power.busy_w is not None and power.busy_w < power.idle_w:
            self.fail(
                f"{busy} is {power.busy_w:g} and {idle} is {power.idle_w:g}", f"{busy} of at least {idle}", busy if busy in self.values else idle
            )
        return power


def read_cluster_file(path: str | Path) -> Cluster:
    """Read a cluster from a YAML file, plain or gzip.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Cluster

    Raises
    ------
    DataFileError
        With the line of the first thing that cannot be used: no YAML, unknown or repeated keys, wrong types, numbers out of range, repeated names.
    """
    source = read_source(path, limit_bytes=FILE_LIMIT_BYTES)
    top = _entry(source, _compose(source), "the cluster", _CLUSTER_KEYS)
    name = top.text("name") if top.has("name") else source.name
    kind = ClusterKind.NODES
    if top.has("kind"):
        kinds = [member.value for member in ClusterKind]
        if top.text("kind") not in kinds:
            top.fail(f"kind is {shown(top.text('kind'))}", f"one of {', '.join(kinds)}", "kind")
        kind = ClusterKind(top.text("kind"))
    nodes = _nodes(source, top, kind)
    return Cluster(
        name=name,
        kind=kind,
        nodes=nodes,
        network_gb_s=top.number("network_gb_s", "GB/s above 0", above=True) if top.has("network_gb_s") else math.inf,
        network_latency_s=top.number("network_latency_s", "seconds of at least 0") if top.has("network_latency_s") else 0.0,
        meta={"file": source.name, "sha256": source.sha256},
    )


def _compose(source: Source) -> yaml.Node:
    try:
        # The composer builds nodes with their lines and constructs no objects, so a file can name no Python type.
        node = yaml.compose(source.text(), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        source.fail(f"not YAML: {error.problem or error.context}", "a YAML mapping", None if mark is None else mark.line + 1)
    except yaml.YAMLError as error:
        source.fail(f"not YAML: {str(error).splitlines()[0]}", "a YAML mapping")
    except RecursionError:
        source.fail("the YAML is nested too deeply", "a cluster, which needs four levels")
    if node is None:
        source.fail("the document is empty", f"a mapping with the keys {', '.join(_CLUSTER_KEYS)}")
    return node


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return shown(str(node.value)) if node.value else "empty"


def _as_number(node: yaml.Node) -> float | None:
    """Return a plain decimal number; YAML's octal, hexadecimal and base-60 numbers are refused, since few would expect 1:30 to be 90."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None or not node.value.isascii() or "_" in node.value:
        return None
    digits = node.value.lstrip("+-")
    if digits.startswith("0") and digits.isdigit() and len(digits) > 1:
        return None
    try:
        value = float(node.value)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _entry(source: Source, node: yaml.Node, where: str, keys: Sequence[str]) -> _Entry:
    """Take a mapping apart, refusing keys that are not in `keys`, not text, or there twice."""
    if not isinstance(node, yaml.MappingNode):
        source.fail(f"{where} is {_kind(node)}", f"a mapping with the keys {', '.join(keys)}", _line(node))
    values: dict[str, yaml.Node] = {}
    for key_node, value in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else _kind(key_node)
        if key not in keys:
            source.fail(f"unknown key {shown(key)} in {where}", f"one of {', '.join(keys)}", _line(key_node))
        if key in values:
            source.fail(f"the key {key} stands twice in {where}", "each key once", _line(key_node))
        values[key] = value
    return _Entry(source, where, _line(node), values)


def _list(entry: _Entry, key: str, most: int) -> list[yaml.Node]:
    node = entry.values[key]
    if not isinstance(node, yaml.SequenceNode):
        entry.fail(f"{key} is {_kind(node)}", "a list", key)
    if len(node.value) > most:
        entry.fail(f"{key} has {len(node.value)} entries", f"at most {most}", key)
    return list(node.value)


def _nodes(source: Source, top: _Entry, kind: ClusterKind) -> tuple[Node, ...]:
    if not top.has("nodes"):
        top.fail("the key nodes is missing", "a list of nodes")
    nodes: list[Node] = []
    names: set[str] = set()
    for position, item in enumerate(_list(top, "nodes", MAX_NODES)):
        entry = _entry(source, item, f"nodes[{position}]", _NODE_KEYS)
        if not entry.has("name"):
            entry.fail("the key name is missing", "a name")
        if not entry.has("cores") and kind is not ClusterKind.MACHINES:
            entry.fail("the key cores is missing", "a number of CPU cores")
        name, count = entry.text("name"), entry.whole("count", MAX_NODES)
        if len(nodes) + count > MAX_NODES:
            entry.fail(f"this is node {len(nodes) + count}", f"at most {MAX_NODES} nodes", "count" if entry.has("count") else "name")
        node = _node(source, entry, name)
        for repeat in range(count):
            full_name = name if count == 1 else f"{name}-{repeat}"
            if full_name in names:
                entry.fail(f"the node name {shown(full_name)} is there already", "unique names", "name")
            names.add(full_name)
            nodes.append(replace(node, name=full_name))
    if not nodes:
        top.fail("the list nodes is empty", "at least one node", "nodes")
    if kind is ClusterKind.POOL and (len(nodes) > 1 or nodes[0].gpus):
        top.fail(f"a pool has {len(nodes)} nodes and {sum(len(node.gpus) for node in nodes)} GPUs", "one node without GPUs", "nodes")
    return tuple(nodes)


def _node(source: Source, entry: _Entry, name: str) -> Node:
    cores_expected = "CPU cores of at least 0, at most three decimals"
    cores = entry.number("cores", cores_expected, most=float(CORES_LIMIT - 1) / MILLI) if entry.has("cores") else 1.0
    if abs(cores * MILLI - round(cores * MILLI)) > 1e-6:
        entry.fail(f"cores is {cores:g}", cores_expected, "cores")
    known = Power()
    if entry.has("core"):
        if entry.text("core") != "reference":
            entry.fail(f"core is {shown(entry.text('core'))}", "'reference', the reference CPU's watts and price", "core")
        known = REFERENCE_CORE
    gpus: list[Gpu] = []
    for position, item in enumerate(_list(entry, "gpus", MAX_GPUS_PER_NODE) if entry.has("gpus") else ()):
        part = _entry(source, item, f"{entry.where}.gpus[{position}]", _GPU_KEYS)
        gpus += [_gpu(part)] * part.whole("count", MAX_GPUS_PER_NODE)
        if len(gpus) > MAX_GPUS_PER_NODE:
            part.fail(f"{len(gpus)} GPUs", f"at most {MAX_GPUS_PER_NODE} in one node")
    return Node(
        name=name,
        cores_milli=round(cores * MILLI),
        memory_mb=entry.memory_mb("memory_gb", math.inf),
        cpu_speed=entry.number("cpu_speed", "a speed above 0, 1 for the reference CPU", above=True) if entry.has("cpu_speed") else 1.0,
        gpus=tuple(gpus),
        core_power=entry.power("core_idle_w", "core_busy_w", "core_usd_per_hour", known),
    )


def _gpu(entry: _Entry) -> Gpu:
    if not entry.has("model"):
        entry.fail("the key model is missing", f"the name of a GPU model ({', '.join(GPU_MODELS)}, or another one)")
    model = entry.text("model")
    known = GPU_MODELS.get(model) or GpuModel(model, None, None, Power(), "not in the catalogue")
    if entry.has("speed"):
        speed = entry.number("speed", "a speed-up above 0", above=True)
    elif known.speed is not None:
        speed = known.speed
    else:
        entry.fail(
            f"the key speed is missing, and the speed of GPU model {shown(model)} is not known",
            "speed: the speed-up over the reference CPU (1 where only rigid tasks run)",
            "model",
        )
    return Gpu(
        model=model,
        memory_mb=entry.memory_mb("memory_gb", math.inf if known.memory_mb is None else known.memory_mb),
        speed=speed,
        link_gb_s=entry.number("link_gb_s", "GB/s above 0", above=True) if entry.has("link_gb_s") else LINK_GB_S,
        launch_s=entry.number("launch_s", "seconds of at least 0") if entry.has("launch_s") else LAUNCH_S,
        power=entry.power("idle_w", "busy_w", "usd_per_hour", known.power),
    )
