"""Reader of WfCommons WfFormat 1.5: one measured run of a workflow, as JSON.

What becomes of it:

================================================= ====================================================================================
in the file                                       becomes
================================================= ====================================================================================
``workflow.specification.tasks[].id``             row order; ``task_id`` is the position, from 0
``...tasks[].parents``, ``.children``             edges (the union of both)
``...tasks[].inputFiles``, ``.outputFiles``,      ``edge_mb``: sizes of the files that the parent writes and the child reads
``workflow.specification.files[].sizeInBytes``
``workflow.execution.tasks[].runtimeInSeconds``   true run time
``...tasks[].coreCount``                          ``cores_milli``; 1 core where absent
``...tasks[].memoryInBytes``                      ``memory_mb``; 0 where absent
``workflow.execution.machines``                   ``meta["machines"]``: list of {"name", "cores", "memory_mb", "speed_mhz"}, absent facts left out
``workflow.execution.makespanInSeconds``          ``meta["measured_makespan_s"]``
``...tasks[].name``                               ``kind``: the name without the number at its end
================================================= ====================================================================================

All tasks arrive at time 0 and wait for their parents. Run times hold for the machines of the run; there are no estimates, so the requested time
is the run time. Files that two tasks share count once per pair.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import MB
from hybrid_ml_scheduler.core.errors import GraphOrderError
from hybrid_ml_scheduler.core.workload import MILLI, Workload, edge_columns
from hybrid_ml_scheduler.workloads.rigid import rigid_workload, with_edges
from hybrid_ml_scheduler.workloads.rows import CORES_LIMIT, INT64_LIMIT, MEMORY_LIMIT_MB, RowLog, name_codes, shown, shown_json
from hybrid_ml_scheduler.workloads.source import Source

_VERSION = "1.5"
_NUMBER_BEHIND_NAME = re.compile(r"[._-]*(?:ID)?[0-9]+$")
_NEEDED: Any = object()


class _Document:
    """Access to the JSON with messages that name the place."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def get(self, holder: dict[str, Any], key: str, kind: type, where: str, default: Any = _NEEDED) -> Any:
        """Return ``holder[key]`` if it is of this kind."""
        value = holder.get(key, default)
        if value is _NEEDED:
            self.source.fail(f"{where} has no {key!r}", f"a WfFormat {_VERSION} document")
        if value is not default and not isinstance(value, kind):
            self.source.fail(f"{where}.{key} is {shown_json(value)}", f"a {kind.__name__}")
        return value

    def objects(self, holder: dict[str, Any], key: str, where: str, default: Any = _NEEDED) -> list[dict[str, Any]]:
        """Return a list of JSON objects."""
        values: list[dict[str, Any]] = self.get(holder, key, list, where, default)
        for position, value in enumerate(values):
            if not isinstance(value, dict):
                self.source.fail(f"{where}.{key}[{position}] is {shown_json(value)}", "a JSON object")
        return values

    def texts(self, holder: dict[str, Any], key: str, where: str) -> list[str]:
        """Return a list of strings, empty if it is absent."""
        values: list[str] = self.get(holder, key, list, where, [])
        for position, value in enumerate(values):
            if not isinstance(value, str):
                self.source.fail(f"{where}.{key}[{position}] is {shown_json(value)}", "a string")
        return values

    def number(self, holder: dict[str, Any], key: str, where: str, high: float = INT64_LIMIT, default: Any = _NEEDED) -> Any:
        """Return a number of at least 0 and below `high`."""
        value = holder.get(key, default)
        if value is _NEEDED:
            self.source.fail(f"{where} has no {key!r}", f"a WfFormat {_VERSION} document")
        if value is not default and (type(value) not in (int, float) or not 0 <= value < high):
            self.source.fail(f"{where}.{key} is {shown_json(value)}", f"a number of at least 0 and below {high:g}")
        return value


def read_wfformat(source: Source) -> Workload:
    """Read a workflow as a graph of rigid tasks.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    Workload
        ``meta``: ``workflow`` (its name), ``machines``, and ``measured_makespan_s`` if the file has one.

    Raises
    ------
    DataFileError
        If it is not WfFormat 1.5, a task lacks its run time, an id stands twice, a parent or file is not there, or the edges contain a cycle.
    """
    document = _Document(source)
    top = source.json()
    if not isinstance(top, dict):
        source.fail(f"found {shown_json(top)}", f"a WfFormat {_VERSION} document")
    version = top.get("schemaVersion")
    if version != _VERSION:
        source.fail(f"schemaVersion is {shown_json(version)}", f"'{_VERSION}'")
    workflow = document.get(top, "workflow", dict, "the document")
    specification = document.get(workflow, "specification", dict, "workflow")
    execution = document.get(workflow, "execution", dict, "workflow")
    specified = document.objects(specification, "tasks", "specification")
    if not specified:
        source.fail("specification.tasks is empty", "at least one task")

    row: dict[str, int] = {}
    names = []
    for position, task in enumerate(specified):
        where = f"specification.tasks[{position}]"
        identifier = document.get(task, "id", str, where)
        if identifier in row:
            source.fail(f"{where}: the id {shown(identifier)} stands twice", "unique ids")
        row[identifier] = position
        names.append(document.get(task, "name", str, where, identifier))
    n = len(row)

    run_s, cores_milli, memory_mb = _executed(document, execution, row)
    size_mb = _file_sizes(document, specification)
    parents, children, edge_mb = _edges(document, specified, row, size_mb)
    try:
        columns = edge_columns(n, parents, children, [0.0] * len(parents), edge_mb)
    except GraphOrderError as error:
        source.fail(error.problem, error.expected)

    kind, kind_names = name_codes([_NUMBER_BEHIND_NAME.sub("", name) or name for name in names])
    meta: dict[str, Any] = {"workflow": document.get(top, "name", str, "the document", source.name), "machines": _machines(document, execution)}
    makespan_s = document.number(execution, "makespanInSeconds", "execution", default=None)
    if makespan_s is not None:
        meta["measured_makespan_s"] = float(makespan_s)
    workload = rigid_workload(
        RowLog(source, lenient=False),
        "wfformat",
        task_id=np.arange(n, dtype=np.int64),
        arrival_s=np.zeros(n),
        run_time_s=run_s,
        cores_milli=cores_milli,
        memory_mb=memory_mb,
        kind=kind,
        kind_names=kind_names,
        notes=("run times are those of the machines of the measured run", "the requested time is the run time"),
        meta=meta,
    )
    return with_edges(workload, columns)


def _executed(document: _Document, execution: dict[str, Any], row: dict[str, int]) -> tuple[Any, Any, Any]:
    source = document.source
    run_s = np.full(len(row), -1.0)
    cores = np.ones(len(row))
    memory_mb = np.zeros(len(row))
    for position, task in enumerate(document.objects(execution, "tasks", "execution")):
        where = f"execution.tasks[{position}]"
        identifier = document.get(task, "id", str, where)
        if identifier not in row:
            source.fail(f"{where}: the id {shown(identifier)} is no task of the specification", "ids of specified tasks")
        index = row[identifier]
        if run_s[index] >= 0:
            source.fail(f"{where}: the id {shown(identifier)} stands twice", "one execution per task")
        run_s[index] = document.number(task, "runtimeInSeconds", where)
        cores[index] = document.number(task, "coreCount", where, CORES_LIMIT, default=1)
        memory_mb[index] = document.number(task, "memoryInBytes", where, MEMORY_LIMIT_MB * MB, default=0) / MB
    missing = [identifier for identifier, index in row.items() if run_s[index] < 0]
    if missing:
        source.fail(f"task {shown(missing[0])} has no execution", "a run time for every specified task")
    return run_s, np.rint(cores * MILLI).astype(np.int64), memory_mb


def _file_sizes(document: _Document, specification: dict[str, Any]) -> dict[str, float]:
    sizes: dict[str, float] = {}
    for position, file in enumerate(document.objects(specification, "files", "specification", [])):
        where = f"specification.files[{position}]"
        identifier = document.get(file, "id", str, where)
        if identifier in sizes:
            document.source.fail(f"{where}: the id {shown(identifier)} stands twice", "unique ids")
        sizes[identifier] = document.number(file, "sizeInBytes", where) / MB
    return sizes


def _edges(
    document: _Document, specified: list[dict[str, Any]], row: dict[str, int], size_mb: dict[str, float]
) -> tuple[list[int], list[int], list[float]]:
    source = document.source
    pairs: dict[tuple[int, int], None] = {}
    reads: list[set[str]] = []
    writes: list[set[str]] = []
    for position, task in enumerate(specified):
        where = f"specification.tasks[{position}]"
        for key in ("parents", "children"):
            for name in document.texts(task, key, where):
                if name not in row:
                    source.fail(f"{where}.{key}: there is no task {shown(name)}", "ids of specified tasks")
                pairs[(row[name], position) if key == "parents" else (position, row[name])] = None
        for key, files in (("inputFiles", reads), ("outputFiles", writes)):
            names = set(document.texts(task, key, where))
            absent = names - size_mb.keys()
            if absent:
                source.fail(f"{where}.{key}: there is no file {shown(min(absent))}", "ids of specification.files")
            files.append(names)
    parents = [parent for parent, _ in pairs]
    children = [child for _, child in pairs]
    edge_mb = [sum(size_mb[name] for name in sorted(writes[parent] & reads[child])) for parent, child in pairs]
    return parents, children, edge_mb


def _machines(document: _Document, execution: dict[str, Any]) -> list[dict[str, Any]]:
    machines = []
    for position, machine in enumerate(document.objects(execution, "machines", "execution", [])):
        where = f"execution.machines[{position}]"
        cpu = document.get(machine, "cpu", dict, where, {})
        memory = document.number(machine, "memoryInBytes", where, default=None)
        facts = {
            "name": document.get(machine, "nodeName", str, where),
            "cores": document.number(cpu, "coreCount", f"{where}.cpu", CORES_LIMIT, default=None),
            "memory_mb": None if memory is None else memory / MB,
            "speed_mhz": document.number(cpu, "speedInMHz", f"{where}.cpu", default=None),
        }
        machines.append({name: value for name, value in facts.items() if value is not None})
    return machines
