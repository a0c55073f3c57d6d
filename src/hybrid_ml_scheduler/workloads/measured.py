"""Measured kernel times of one machine, as ``hms profile`` writes them: the table, its reader and writer, its machines, and the binding of graphs.

CSV. The first line says on what was measured, as one JSON object::

    # hms-profile {"host": "lab1", "cores": 8, "gpus": [{"name": "gpu0", ...}], "date": "...", "command": "...", ...}

Then a header and one row per kernel, size and device that was measured; what was not measured has no row:

============== ======================================================================================================================
column         meaning
============== ======================================================================================================================
kernel, size   what ran: every kernel works on ``size * size`` numbers
device         ``cpu``, or the name of a GPU in the first line
cores          CPU cores used; 0 on a GPU
output_bytes   bytes of the result, hence what an edge of a task graph carries
median_s       median over the repeats, in seconds, after one run to warm up
low_s, high_s  25th and 75th percentile
min_s, max_s   shortest and longest
repeats        runs that count, at least 1
============== ======================================================================================================================

A task graph (DOT) names a row as ``kernel=NAME_SIZE``, for example ``matmul_512``. Its machines are the CPU cores, each with the times of one core,
and the GPUs. Rows of several cores are for workloads whose tasks hold several cores; unrelated machines run one task each and do not use them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import MB, Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.constants import MB_PER_GB
from hybrid_ml_scheduler.core.errors import ClusterError, InputError, WorkloadError
from hybrid_ml_scheduler.core.workload import MILLI, Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads.dot import bind_kernels
from hybrid_ml_scheduler.workloads.rows import BadRowError, RowLog, shown
from hybrid_ml_scheduler.workloads.source import Source, read_source
from hybrid_ml_scheduler.workloads.table import Column, Table, csv_rows, read_table

FIRST_LINE = "# hms-profile "
CPU = "cpu"
MAX_CORES = 100_000
MAX_GPUS = 1_000

_HEAD_BYTES = len(FIRST_LINE)
_FILE_LIMIT_BYTES = 16 * 1024**2
_LARGEST = 1e12


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One row of the table, with the columns described above."""

    kernel: str
    size: int
    device: str
    cores: int
    output_bytes: int
    median_s: float
    low_s: float
    high_s: float
    min_s: float
    max_s: float
    repeats: int


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """A table of measured kernel times.

    Attributes
    ----------
    facts : mapping
        The object of the first line: at least ``host`` (str), ``cores`` (int) and ``gpus`` (list of objects with ``name``, ``link_gb_s`` and
        ``copy_latency_s``).
    rows : tuple of MeasuredRow
        In the order of the file.
    """

    facts: Mapping[str, Any]
    rows: tuple[MeasuredRow, ...]

    @property
    def gpu_names(self) -> tuple[str, ...]:
        """Names of the GPUs."""
        return tuple(gpu["name"] for gpu in self.facts["gpus"])

    def time_s(self, kernel: str, size: int, device: str = CPU, cores: int = 1) -> float | None:
        """Return the median time in seconds, or None where it was not measured; `cores` counts on the CPU only."""
        wanted = (kernel, size, device, cores if device == CPU else 0)
        return next((row.median_s for row in self.rows if (row.kernel, row.size, row.device, row.cores) == wanted), None)

    def transfer_s(self, n_bytes: int) -> float:
        """Return the time of a transfer between two machines in seconds.

        CPU cores share their memory, so without GPUs it is 0. With GPUs it is that of the slowest link: an edge has one time for all pairs of
        machines, which is too long for two CPU cores.
        """
        return max((gpu["copy_latency_s"] + n_bytes / MB / (gpu["link_gb_s"] * MB_PER_GB) for gpu in self.facts["gpus"]), default=0.0)

    def text(self) -> str:
        """Return the file's content."""
        names = list(MeasuredRow.__dataclass_fields__)
        lines = [FIRST_LINE + json.dumps(self.facts, allow_nan=False), ",".join(names)]
        lines += [",".join(repr(value) if isinstance(value, float) else str(value) for value in astuple(row)) for row in self.rows]
        return "\n".join(lines) + "\n"


def _check_row(row: Mapping[str, Any]) -> None:
    times_s = [row[name] for name in ("min_s", "low_s", "median_s", "high_s", "max_s")]
    if times_s != sorted(times_s) or times_s[0] <= 0:
        raise BadRowError(
            "times out of order", f"the times are {', '.join(f'{value:g}' for value in times_s)}", "0 < min <= low <= median <= high <= max"
        )


def _unordered(columns: Mapping[str, Any]) -> bool:
    times_s = np.stack([columns[name] for name in ("min_s", "low_s", "median_s", "high_s", "max_s")])
    return bool(np.any(np.diff(times_s, axis=0) < 0) or np.any(times_s[0] <= 0))


_TABLE = Table(
    columns=(
        Column("kernel", "text"),
        Column("size", "whole", 1),
        Column("device", "text"),
        Column("cores", "whole", 0, MAX_CORES),
        Column("output_bytes", "whole", 0),
        *(Column(name, "number", 0) for name in ("median_s", "low_s", "high_s", "min_s", "max_s")),
        Column("repeats", "whole", 1),
    ),
    extra=False,
    check_row=_check_row,
    suspicious=_unordered,
)


def is_measured_table(path: str) -> bool:
    """Whether a file is there and begins like such a table."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_HEAD_BYTES) == FIRST_LINE.encode()
    except (OSError, ValueError):
        return False


def read_measured_table(path: str | Path) -> MeasuredTable:
    """Read a table.

    Parameters
    ----------
    path : str or Path
        What ``hms profile`` wrote.

    Returns
    -------
    MeasuredTable

    Raises
    ------
    DataFileError
        If it is no such table, a value is impossible, or a row stands twice; with the line.
    """
    source = read_source(path, limit_bytes=_FILE_LIMIT_BYTES)
    facts = _facts(source)
    columns, lines = read_table(csv_rows(source, skip_lines=1), _TABLE, RowLog(source, lenient=False))
    names = list(MeasuredRow.__dataclass_fields__)
    values = [column.tolist() if isinstance(column, np.ndarray) else column for column in (columns[name] for name in names)]
    rows = tuple(MeasuredRow(*cells) for cells in zip(*values, strict=True))
    devices = {CPU, *(gpu["name"] for gpu in facts["gpus"])}
    seen: set[tuple[str, int, str, int]] = set()
    for row, line in zip(rows, lines.tolist(), strict=True):
        if row.device not in devices:
            source.fail(f"device is {shown(row.device)}", f"{CPU}, or the name of a GPU in the first line", line)
        if (row.cores == 0) == (row.device == CPU):
            source.fail(f"cores is {row.cores} on device {shown(row.device)}", "at least 1 on the CPU, 0 on a GPU", line)
        key = (row.kernel, row.size, row.device, row.cores)
        if key in seen:
            source.fail(
                f"{shown(row.kernel)} of size {row.size} on {shown(row.device)} stands there twice",
                "each kernel, size, device and number of cores once",
                line,
            )
        seen.add(key)
    return MeasuredTable(facts, rows)


def _facts(source: Source) -> dict[str, Any]:
    expected = f'{FIRST_LINE}{{"host": ..., "cores": ..., "gpus": [...], ...}}, as hms profile writes it'
    line, _, _ = source.data.partition(b"\n")
    if not line.startswith(FIRST_LINE.encode()):
        source.fail("this is no table of hms profile", expected, 1)
    facts = Source(source.path, line[_HEAD_BYTES:], source.sha256).json()
    if not isinstance(facts, dict):
        source.fail("the first line holds no JSON object", expected, 1)
    host, cores, gpus = facts.get("host"), facts.get("cores"), facts.get("gpus")
    if not isinstance(host, str) or not host:
        source.fail("the first line names no host", expected, 1)
    if type(cores) is not int or not 1 <= cores <= MAX_CORES:
        source.fail("the first line has no usable number of cores", f"a whole number from 1 to {MAX_CORES}", 1)
    if not isinstance(gpus, list) or len(gpus) > MAX_GPUS or not all(_is_gpu(gpu) for gpu in gpus):
        source.fail("the first line has no usable list of GPUs", "objects with name, link_gb_s above 0 and copy_latency_s of at least 0", 1)
    names = [gpu["name"] for gpu in gpus]
    if len({CPU, *names}) <= len(names):
        source.fail("the first line names two devices alike", f"unique names other than {CPU!r}", 1)
    return facts


def _is_gpu(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        return False
    link, latency = entry.get("link_gb_s"), entry.get("copy_latency_s")
    if isinstance(link, bool) or isinstance(latency, bool) or not isinstance(link, int | float) or not isinstance(latency, int | float):
        return False
    return 0 < link < _LARGEST and 0 <= latency < _LARGEST


def measured_cluster(path: str, host: str) -> Cluster:
    """Return the machines of a table: every CPU core that was asked for, and every GPU, is a machine of its own.

    Parameters
    ----------
    path : str
        The table.
    host : str
        The host that the table must be of.

    Returns
    -------
    Cluster
        Of kind ``MACHINES``: cpu0, cpu1, ..., and the GPUs; ``meta["measured"]`` says where the times are.

    Raises
    ------
    DataFileError
        If the file is no such table.
    ClusterError
        If it was measured on another host.
    """
    table = read_measured_table(path)
    if host != table.facts["host"]:
        raise ClusterError(f"{path} was measured on another host than {host!r}; expected kernels:{path}@{table.facts['host']}")
    names = [*(f"cpu{number}" for number in range(table.facts["cores"])), *table.gpu_names]
    return Cluster(
        name=f"kernels:{path}@{host}",
        kind=ClusterKind.MACHINES,
        nodes=tuple(Node(name=name, cores_milli=MILLI) for name in names),
        meta={"measured": {"path": path, "cpus": table.facts["cores"], "gpus": list(table.gpu_names)}},
    )


def bind_measured(workload: Workload, cluster: Cluster) -> Workload:
    """Give every task of a graph the measured times of its kernel, and every edge the time of its parent's result.

    Parameters
    ----------
    workload : Workload
        From `dot.read_dot`, with kernels named ``NAME_SIZE``.
    cluster : Cluster
        From `measured_cluster`.

    Returns
    -------
    Workload
        With ``cost_s`` (visible and true: the median), and ``edge_s``.

    Raises
    ------
    WorkloadError
        If the workload is no task graph on unrelated machines.
    InputError
        If it names no kernels, or one that was not measured on every machine.
    """
    if workload.kind is not WorkloadKind.MACHINES:
        raise WorkloadError(f"workload {workload.name!r} names no kernel per task; cluster {cluster.name!r} expects a task graph that does (DOT)")
    place = cluster.meta["measured"]
    table = read_measured_table(place["path"])
    devices = [CPU] * place["cpus"] + list(place["gpus"])
    cost_s, output_bytes = _complete(table.rows, devices)
    if not cost_s:
        raise InputError(f"{place['path']} holds no kernel that was measured on one CPU core and on every GPU; expected at least one")
    bound = bind_kernels(workload, cost_s, bytes_per_edge=0.0)
    of_kernel = np.array([table.transfer_s(output_bytes[name]) for name in bound.tasks.kind_names])
    assert bound.tasks.kind is not None  # noqa: S101 - bind_kernels refuses a graph without kernels
    edge_s = of_kernel[bound.tasks.kind[bound.tasks.parent_idx]]
    return check_workload(replace(bound, tasks=replace(bound.tasks, edge_s=edge_s)))


def _complete(rows: Iterable[MeasuredRow], devices: list[str]) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return times per machine, and bytes of the result, of the kernels that were measured on every machine."""
    times_s: dict[str, dict[str, float]] = {}
    output_bytes: dict[str, int] = {}
    for row in rows:
        if row.cores <= 1:
            name = f"{row.kernel}_{row.size}"
            times_s.setdefault(name, {})[row.device] = row.median_s
            output_bytes[name] = row.output_bytes
    everywhere = {name: [found[device] for device in devices] for name, found in times_s.items() if found.keys() >= set(devices)}
    return everywhere, output_bytes
