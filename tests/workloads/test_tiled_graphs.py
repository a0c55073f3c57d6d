"""Graphs of tiled factorisations: counted, against formulas of the papers, and against the graphs of others."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.tiled_graphs import FACTORISATIONS, TiledGraph, tiled_graph
from shared_data import shared

Edges = set[tuple[str, str]]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_as_many_kernels_as_the_algorithms_have(n: int) -> None:
    pairs, squares = n * (n - 1) // 2, (n - 1) * n * (2 * n - 1) // 6
    assert Counter(tiled_graph("cholesky", n).kernels) == Counter(potrf=n, trsm=pairs, syrk=pairs, gemm=n * (n - 1) * (n - 2) // 6)
    assert Counter(tiled_graph("lu", n).kernels) == Counter(lu=n, fwd=pairs, bdiv=pairs, bmod=squares)
    assert Counter(tiled_graph("qr", n).kernels) == Counter(geqrt=n, unmqr=pairs, tsqrt=pairs, tsmqr=squares)
    assert len(tiled_graph("cholesky", n).kernels) == n * (n + 1) * (n + 2) // 6


@pytest.mark.parametrize("name", FACTORISATIONS)
def test_parents_stand_before_children_and_one_task_begins(name: str) -> None:
    graph = tiled_graph(name, 6)
    assert all(parent < child for parent, child in zip(graph.parent, graph.child, strict=True))
    assert set(graph.child) == set(range(1, len(graph.kernels)))
    assert len(set(zip(graph.parent, graph.child, strict=True))) == len(graph.parent)


def named(graph: TiledGraph, names: list[str]) -> Edges:
    return {(names[parent], names[child]) for parent, child in zip(graph.parent, graph.child, strict=True)}


def test_cholesky_has_the_edges_of_the_formulas() -> None:
    n = 6
    names, edges = [], set()
    for k in range(n):
        names.append(f"potrf {k}")
        if k:
            edges.add((f"syrk {k} {k - 1}", f"potrf {k}"))
        for i in range(k + 1, n):
            names.append(f"trsm {i} {k}")
            edges.add((f"potrf {k}", f"trsm {i} {k}"))
            if k:
                edges.add((f"gemm {i} {k} {k - 1}", f"trsm {i} {k}"))
        for i in range(k + 1, n):
            names.append(f"syrk {i} {k}")
            edges.add((f"trsm {i} {k}", f"syrk {i} {k}"))
            if k:
                edges.add((f"syrk {i} {k - 1}", f"syrk {i} {k}"))
            for j in range(k + 1, i):
                names.append(f"gemm {i} {j} {k}")
                edges |= {(f"trsm {i} {k}", f"gemm {i} {j} {k}"), (f"trsm {j} {k}", f"gemm {i} {j} {k}")}
                if k:
                    edges.add((f"gemm {i} {j} {k - 1}", f"gemm {i} {j} {k}"))
    assert named(tiled_graph("cholesky", n), names) == edges


def test_qr_chains_the_tiles_of_a_column() -> None:
    graph = tiled_graph("qr", 2)
    assert graph.kernels == ["geqrt", "unmqr", "tsqrt", "tsmqr", "geqrt"]
    assert set(zip(graph.parent, graph.child, strict=True)) == {(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)}


def fingerprint(kernels: list[str], parent: list[int], child: list[int]) -> Counter[str]:
    """Weisfeiler-Leman labels after as many rounds as a path can be long."""
    n = len(kernels)
    above: list[list[int]] = [[] for _ in range(n)]
    below: list[list[int]] = [[] for _ in range(n)]
    for a, b in zip(parent, child, strict=True):
        above[b].append(a)
        below[a].append(b)
    label = kernels
    for _ in range(40):
        label = [
            hashlib.sha256(repr((label[i], sorted(label[j] for j in above[i]), sorted(label[j] for j in below[i]))).encode()).hexdigest()
            for i in range(n)
        ]
    return Counter(label)


@pytest.mark.parametrize(("file", "name", "n"), [("cholesky_4", "cholesky", 4), ("cholesky_8", "cholesky", 8), ("denselu_8", "lu", 8)])
def test_the_real_graphs_are_the_same(file: str, name: str, n: int) -> None:
    tasks = open_workload(str(shared(f"data/task-graphs/{file}.txt"))).tasks
    assert tasks.kind is not None
    owner = np.repeat(np.arange(len(tasks)), np.diff(tasks.parent_ptr))
    graph = tiled_graph(name, n)
    real = fingerprint([tasks.kind_names[kind] for kind in tasks.kind], tasks.parent_idx.tolist(), owner.tolist())
    assert fingerprint(graph.kernels, graph.parent, graph.child) == real


@pytest.mark.parametrize(("name", "tiles", "message"), [("svd", 4, "no factorisation"), ("lu", 0, "expected 1 to 100"), ("qr", 101, "expected 1 to")])
def test_what_there_is_not(name: str, tiles: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiled_graph(name, tiles)
