from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import DataFileError, InputError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads.dot import UNBOUND, bind_kernels, read_dot
from hybrid_ml_scheduler.workloads.source import Source, read_source
from reader_cases import DOT
from shared_data import shared


def read(text: str | bytes) -> Workload:
    return check_workload(read_dot(Source("g.txt", text if isinstance(text, bytes) else text.encode(), "00")))


def kernels(workload: Workload) -> list[str]:
    assert workload.tasks.kind is not None
    return [workload.tasks.kind_names[code] for code in workload.tasks.kind]


def edges(workload: Workload) -> set[tuple[int, int]]:
    owner = np.repeat(np.arange(len(workload)), np.diff(workload.tasks.parent_ptr))
    return set(zip(workload.tasks.parent_idx.tolist(), owner.tolist(), strict=True))


def test_defaults_chains_comments_ports_and_attributes_over_lines() -> None:
    workload = read(DOT)
    assert workload.kind is WorkloadKind.MACHINES
    assert kernels(workload) == ["potrf", "trsm", "gemm"]
    assert edges(workload) == {(0, 1), (1, 2)}
    assert dict(workload.report.substitutions) == {"edge stood more than once": 1}
    assert workload.report.notes == (UNBOUND,)
    assert workload.tasks.cost_s is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("strict digraph {a [kernel=x] b [kernel=y]; a->b}", ["x", "y"]),
        ('DIGRAPH "my graph" { "a b" [kernel="x y"]; }', ["x y"]),
        ("digraph { a [shape=box][kernel=x;color=red]\n# c\n}", ["x"]),
        ('digraph { a [kernel="long\\\nname"] }', ["longname"]),
        ("digraph { node [kernel=x]; edge [color=red]; graph [rankdir=LR]; a; node [kernel=y]; b }", ["x", "y"]),
        ("# a comment\n/* another\n one */ digraph { a [kernel=\u00e4] }", ["\u00e4"]),
        ("digraph { a [kernel=x]; a [kernel=y]; }", ["y"]),
    ],
)
def test_spellings(text: str, names: list[str]) -> None:
    assert kernels(read(text)) == names


def test_names_that_are_whole_numbers_are_the_ids() -> None:
    assert read("digraph {node [kernel=x]; 7; 3; 7->3}").tasks.task_id.tolist() == [7, 3]
    assert read("digraph {node [kernel=x]; 07; 7}").tasks.task_id.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("graph {a -- b}", 1, "found 'graph'"),
        ("digraph {\n a -- b\n}", 2, "found '--'"),
        ("digraph {\n a -> b\n}", 2, "node 'a' has no kernel"),
        ("digraph {\n\n subgraph {a} }", 3, "found 'subgraph'"),
        ("digraph {\n a [kernel=x", 2, "found 'end of file'"),
        ("digraph {\n a [kernel]\n}", 2, r"found '\]'"),
        ("digraph {\n a [kernel=x]\n}\n}", 4, "found '}'"),
        ('digraph {\n "a\n', 2, "unexpected"),
        ("digraph {\n /* a\n", 2, "unexpected"),
        ("digraph {\n a [kernel=<b>x</b>]}", 2, "unexpected"),
        ("digraph {}", None, "no node"),
        ("digraph {node [kernel=x]; a -> b -> a}", None, "cycle"),
        ("digraph {node [kernel=x]; a -> a}", None, "cycle"),
        (b"digraph {\n\xff}", 2, "not UTF-8"),
    ],
)
def test_what_is_no_graph(text: str | bytes, line: int | None, problem: str) -> None:
    with pytest.raises(DataFileError, match=problem) as caught:
        read(text)
    assert caught.value.line == line


def test_binding_gives_times_and_data() -> None:
    workload = read(DOT)
    bound = check_workload(bind_kernels(workload, {"gemm": [4, 1], "potrf": [2, 3], "trsm": [5, 6], "other": [1, 1]}, bytes_per_edge=409_600))
    assert bound.tasks.cost_s is not None
    assert bound.truth.cost_s is not None
    assert bound.tasks.cost_s.tolist() == bound.truth.cost_s.tolist() == [[2, 3], [5, 6], [4, 1]]
    assert bound.truth.work_s.tolist() == [2.5, 5.5, 2.5]
    assert bound.tasks.edge_mb.tolist() == pytest.approx([0.4096] * 2)
    assert UNBOUND not in bound.report.notes
    assert bound.report.estimates == "exact"


@pytest.mark.parametrize(
    ("cost_s", "bytes_per_edge", "problem"),
    [
        ({"gemm": [1.0], "potrf": [1.0]}, 1.0, "trsm"),
        ({"gemm": [1.0], "potrf": [1.0], "trsm": [1.0, 2.0]}, 1.0, "same machines"),
        ({"gemm": [1.0], "potrf": [1.0], "trsm": [0.0]}, 1.0, "above 0"),
        ({"gemm": [1.0], "potrf": [1.0], "trsm": [float("nan")]}, 1.0, "finite"),
        ({"gemm": [1.0], "potrf": [1.0], "trsm": [1.0]}, -1.0, "bytes per edge"),
    ],
)
def test_binding_what_does_not_fit(cost_s: dict[str, list[float]], bytes_per_edge: float, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        bind_kernels(read(DOT), cost_s, bytes_per_edge=bytes_per_edge)


@pytest.mark.parametrize(("tiles", "tasks"), [(4, 20), (8, 120), (12, 364)])
def test_cholesky_graphs(tiles: int, tasks: int) -> None:
    workload = check_workload(read_dot(read_source(shared(f"data/task-graphs/cholesky_{tiles}.txt"))))
    counts = {name: kernels(workload).count(name) for name in workload.tasks.kind_names}
    pairs, triples = tiles * (tiles - 1) // 2, tiles * (tiles - 1) * (tiles - 2) // 6
    assert counts == {"potrf": tiles, "trsm": pairs, "syrk": pairs, "gemm": triples}
    assert len(workload) == tasks
