"""Task graphs of tiled matrix factorisations: Cholesky, LU without pivoting, and QR.

A matrix of n x n tiles is factored tile by tile; a task updates one tile and reads others, and depends on the last tasks that wrote them (Buttari,
Langou, Kurzak, Dongarra, Parallel Computing 35(1), 2009). Cholesky and LU give the graphs that the real task graphs of this project's tests have;
kernels carry the same names (`workloads.kernels`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hybrid_ml_scheduler.core.errors import InputError


class TiledGraph(NamedTuple):
    """A graph of kernels.

    Attributes
    ----------
    kernels : list of str
        Kernel of every task, parents before children.
    parent, child : list of int
        Both ends of every edge, each pair once.
    """

    kernels: list[str]
    parent: list[int]
    child: list[int]


_Step = tuple[str, tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]
"""Kernel, tiles written, tiles read only."""


def _cholesky(n: int) -> Iterator[_Step]:
    for k in range(n):
        yield "potrf", ((k, k),), ()
        for i in range(k + 1, n):
            yield "trsm", ((i, k),), ((k, k),)
        for i in range(k + 1, n):
            yield "syrk", ((i, i),), ((i, k),)
            for j in range(k + 1, i):
                yield "gemm", ((i, j),), ((i, k), (j, k))


def _lu(n: int) -> Iterator[_Step]:
    for k in range(n):
        yield "lu", ((k, k),), ()
        for j in range(k + 1, n):
            yield "fwd", ((k, j),), ((k, k),)
        for i in range(k + 1, n):
            yield "bdiv", ((i, k),), ((k, k),)
        for i in range(k + 1, n):
            for j in range(k + 1, n):
                yield "bmod", ((i, j),), ((i, k), (k, j))


def _qr(n: int) -> Iterator[_Step]:
    for k in range(n):
        yield "geqrt", ((k, k),), ()
        for j in range(k + 1, n):
            yield "unmqr", ((k, j),), ((k, k),)
        for i in range(k + 1, n):
            yield "tsqrt", ((k, k), (i, k)), ()
            for j in range(k + 1, n):
                yield "tsmqr", ((k, j), (i, j)), ((i, k),)


_STEPS = {"cholesky": _cholesky, "lu": _lu, "qr": _qr}
FACTORISATIONS = tuple(_STEPS)
"""Names that `tiled_graph` knows."""


def tiled_graph(name: str, tiles: int) -> TiledGraph:
    """Return the graph of a factorisation.

    Parameters
    ----------
    name : str
        One of `FACTORISATIONS`.
    tiles : int
        Tiles of the matrix in one direction, n; 1 to 100. Cholesky has ``n (n + 1) (n + 2) / 6`` tasks, LU and QR ``n (n + 1) (2 n + 1) / 6``.

    Raises
    ------
    InputError
        If there is no such factorisation, or the size is out of range.

    Examples
    --------
    >>> tiled_graph("cholesky", 2)
    TiledGraph(kernels=['potrf', 'trsm', 'syrk', 'potrf'], parent=[0, 1, 2], child=[1, 2, 3])
    """
    if name not in _STEPS:
        raise InputError(f"there is no factorisation {name!r}; expected one of {', '.join(FACTORISATIONS)}")
    if not 1 <= tiles <= 100:
        raise InputError(f"a matrix of {tiles} x {tiles} tiles; expected 1 to 100")
    graph = TiledGraph([], [], [])
    writer: dict[tuple[int, int], int] = {}
    for task, (kernel, written, read) in enumerate(_STEPS[name](tiles)):
        # No task waits for readers: a tile that was read is not written again, except in QR, where tsqrt writes the upper half of the tile
        # whose lower half unmqr reads.
        parents = sorted({writer[tile] for tile in (*written, *read) if tile in writer})
        graph.kernels.append(kernel)
        graph.parent.extend(parents)
        graph.child.extend([task] * len(parents))
        writer.update(dict.fromkeys(written, task))
    return graph
