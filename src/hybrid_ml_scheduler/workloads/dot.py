"""Reader of task graphs in graphviz DOT with a ``kernel`` attribute per node, and their binding to measured kernel times.

Read is the DOT language without subgraphs and HTML strings: ``[strict] digraph [name] { node [kernel=potrf]; a -> b -> c [...]; ... }``, with
quoted or plain names and values, statements over several lines, comments, ``node [kernel=...]`` as the default of the nodes that follow, and
ports (ignored). Other attributes are ignored. An edge that stands twice counts once.

A graph says which kernel each node runs, not how long it takes: `read_dot` gives a workload without times, `bind_kernels` adds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from hybrid_ml_scheduler.core.cluster import MB
from hybrid_ml_scheduler.core.errors import GraphOrderError, InputError
from hybrid_ml_scheduler.core.workload import MILLI, ReadReport, Tasks, Truth, Workload, WorkloadKind, edge_columns
from hybrid_ml_scheduler.workloads.rows import name_codes, shown
from hybrid_ml_scheduler.workloads.source import Source

UNBOUND = "times unknown: a cluster with kernel times gives them"
"""Note of a workload that `bind_kernels` has not seen yet."""

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r\n\f\v]+|//[^\n]*|/\*.*?\*/|^\#[^\n]*)
    |(?P<quoted>"(?:[^"\\]++|\\.)*+")
    |(?P<name>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*|-?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?))
    |(?P<sign>->|--|[{}\[\]=;,:])""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_KEYWORDS = {"graph", "digraph", "node", "edge", "subgraph", "strict"}
_END = "end of file"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def _tokens(source: Source) -> Iterator[_Token]:
    text = source.text()
    at = 0
    line = 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            source.fail(f"unexpected {shown(text[at : at + 20])}", "DOT: names, quoted strings, ->, brackets", line)
        kind = str(match.lastgroup)
        if kind == "quoted":
            yield _Token("name", re.sub(r"\\\r?\n", "", match[0][1:-1]).replace('\\"', '"'), line)
        elif kind == "name":
            yield _Token("keyword" if match[0].lower() in _KEYWORDS else "name", match[0], line)
        elif kind == "sign":
            yield _Token("sign", match[0], line)
        line += match[0].count("\n")
        at = match.end()
    while True:
        yield _Token("sign", _END, line)


@dataclass(slots=True)
class _Parser:
    """Recursive descent over the statements of one graph."""

    source: Source
    tokens: Iterator[_Token] = field(init=False)
    token: _Token = field(init=False)
    kernel: dict[str, str] = field(default_factory=dict)
    line: dict[str, int] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    repeated_edges: int = 0
    default_kernel: str = ""

    def __post_init__(self) -> None:
        self.tokens = _tokens(self.source)
        self.token = next(self.tokens)

    def take(self) -> _Token:
        token = self.token
        self.token = next(self.tokens)
        return token

    def expect(self, *texts: str) -> _Token:
        if self.token.kind == "name" or self.token.text.lower() not in texts:
            self.source.fail(f"found {shown(self.token.text)}", " or ".join(repr(text) for text in texts), self.token.line)
        return self.take()

    def at(self, text: str) -> bool:
        return self.token.kind != "name" and self.token.text.lower() == text

    def name(self, what: str) -> _Token:
        if self.token.kind != "name":
            self.source.fail(f"found {shown(self.token.text)}", what, self.token.line)
        return self.take()

    def graph(self) -> None:
        if self.at("strict"):
            self.take()
        self.expect("digraph")
        if self.token.kind == "name":
            self.take()
        self.expect("{")
        while not self.at("}"):
            self.statement()
            if self.at(";"):
                self.take()
        self.take()
        self.expect(_END)

    def statement(self) -> None:
        if self.at("node"):
            self.take()
            self.default_kernel = self.attributes().get("kernel", self.default_kernel)
            return
        if self.at("graph") or self.at("edge"):
            self.take()
            self.attributes()
            return
        first = self.name("a node, an edge, 'node', 'edge', 'graph' or '}' (subgraphs cannot be read)")
        if self.at("="):
            self.take()
            self.name("the value of an attribute of the graph")
            return
        ends = [self.node(first)]
        while self.at("->"):
            self.take()
            ends.append(self.node(self.name("the node at the end of an edge")))
        if len(ends) == 1:
            kernel = self.attributes().get("kernel")
            if kernel is not None:
                self.kernel[first.text] = kernel
            return
        self.attributes()
        for edge in pairwise(ends):
            self.repeated_edges += edge in self.edges
            self.edges[edge] = None

    def node(self, token: _Token) -> str:
        for _ in range(2):  # port and compass point
            if self.at(":"):
                self.take()
                self.name("a port")
        self.line.setdefault(token.text, token.line)
        self.kernel.setdefault(token.text, self.default_kernel)
        return token.text

    def attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while self.at("["):
            self.take()
            while not self.at("]"):
                key = self.name("the name of an attribute")
                self.expect("=")
                found[key.text] = self.name("the value of an attribute").text
                if self.at(",") or self.at(";"):
                    self.take()
            self.take()
        return found


def read_dot(source: Source) -> Workload:
    """Read a task graph without times.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    Workload
        Of kind ``MACHINES`` with ``kind`` and ``kind_names`` the kernels and ``cost_s`` ``None``: `bind_kernels` makes it runnable.
        ``task_id`` is the node's name where all names are whole numbers, else the position of its first mention.

    Raises
    ------
    DataFileError
        If it is not DOT, a node has no kernel, or the edges contain a cycle; with the line.
    """
    parser = _Parser(source)
    parser.graph()
    names = list(parser.kernel)
    if not names:
        source.fail("the graph has no node", "nodes with a kernel attribute")
    bare = next((name for name in names if not parser.kernel[name]), None)
    if bare is not None:
        source.fail(f"node {shown(bare)} has no kernel", f"{bare[:40]} [kernel=...]", parser.line[bare])
    row = {name: index for index, name in enumerate(names)}
    n = len(names)
    numbered = all(re.fullmatch(r"0|[1-9][0-9]{0,17}", name) for name in names)
    parents = [row[parent] for parent, _ in parser.edges]
    children = [row[child] for _, child in parser.edges]
    zeros = [0.0] * len(parents)
    try:
        columns = edge_columns(n, parents, children, zeros, zeros)
    except GraphOrderError as error:
        source.fail(error.problem, error.expected)
    kind, kind_names = name_codes([parser.kernel[name] for name in names])
    tasks = Tasks(
        task_id=np.array([int(name) for name in names] if numbered else range(n), dtype=np.int64),
        arrival_s=np.zeros(n),
        cores_milli=np.full(n, MILLI, dtype=np.int64),
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=np.zeros(n),
        parent_ptr=columns["parent_ptr"],
        parent_idx=columns["parent_idx"],
        edge_s=columns["edge_s"],
        edge_mb=columns["edge_mb"],
        kind=kind,
        kind_names=kind_names,
    )
    report = ReadReport(
        format="dot",
        rows=n,
        substitutions={"edge stood more than once": parser.repeated_edges} if parser.repeated_edges else {},
        sha256=source.sha256,
        notes=(UNBOUND,),
    )
    return Workload(source.name, WorkloadKind.MACHINES, tasks, Truth(work_s=np.zeros(n)), report, meta={"edges": len(parents)})


def bind_kernels(workload: Workload, kernel_cost_s: Mapping[str, Sequence[float]], *, bytes_per_edge: float) -> Workload:
    """Give every task of a graph the run times of its kernel.

    Parameters
    ----------
    workload : Workload
        From `read_dot`.
    kernel_cost_s : mapping of str to sequence of float, shape (n_machines,)
        Seconds on each machine, by kernel; finite, > 0, the same machines for all.
    bytes_per_edge : float
        Data along each edge, in bytes (the size of one tile); >= 0.

    Returns
    -------
    Workload
        With ``cost_s`` (visible and true), ``edge_mb``, and the mean over the machines as ``requested_time_s`` and ``work_s``.

    Raises
    ------
    InputError
        If a kernel of the graph has no times, or times make no sense.
    """
    tasks = workload.tasks
    if tasks.kind is None or not tasks.kind_names:
        raise InputError(f"workload {workload.name!r} names no kernels; expected a task graph with a kernel per node")
    missing = [name for name in tasks.kind_names if name not in kernel_cost_s]
    if missing:
        raise InputError(
            f"workload {workload.name!r} uses the kernels {', '.join(missing)}, which were not measured; known are {', '.join(sorted(kernel_cost_s))}"
        )
    table = [np.asarray(kernel_cost_s[name], dtype=np.float64) for name in tasks.kind_names]
    if any(row.shape != table[0].shape or row.ndim != 1 or not len(row) or not np.all((row > 0) & np.isfinite(row)) for row in table):
        raise InputError(f"kernel times for workload {workload.name!r}: expected finite seconds above 0 for the same machines, for every kernel")
    if not 0 <= bytes_per_edge < np.inf:
        raise InputError(f"{bytes_per_edge} bytes per edge; expected a finite number of at least 0")
    cost_s = np.array(table)[tasks.kind]
    mean_s = cost_s.mean(axis=1)
    report = workload.report
    notes = tuple(note for note in report.notes if note != UNBOUND)
    return replace(
        workload,
        tasks=replace(tasks, cost_s=cost_s, requested_time_s=mean_s, edge_mb=np.full(len(tasks.parent_idx), bytes_per_edge / MB)),
        truth=Truth(work_s=mean_s.copy(), cost_s=cost_s.copy()),
        report=replace(report, estimates="exact", notes=(*notes, "costs are visible and true; the requested time is their mean over the machines")),
        meta={**workload.meta, "machines": int(cost_s.shape[1])},
    )
