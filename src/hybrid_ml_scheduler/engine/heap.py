"""A binary heap of (key, item) pairs in two arrays, smallest key first, for compiled functions.

Equal keys leave in the order of their items, so that what comes out never depends on what went in earlier. Written out because the generic version
of ``heapq`` costs seconds to compile.
"""

from __future__ import annotations

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled


@compiled
def heap_push(keys: FloatArray, items: IntArray, size: int, key: float, item: int) -> None:
    """Add a pair to a heap of ``size`` pairs; the arrays must have room, and the caller counts."""
    hole = size
    while hole > 0:
        above = (hole - 1) >> 1
        if keys[above] < key or (keys[above] == key and items[above] < item):
            break
        keys[hole] = keys[above]
        items[hole] = items[above]
        hole = above
    keys[hole] = key
    items[hole] = item


@compiled
def heap_pop(keys: FloatArray, items: IntArray, size: int) -> int:
    """Remove the smallest pair from a heap of ``size >= 1`` pairs and return its item; the caller counts."""
    least = items[0]
    last = size - 1
    key, item = keys[last], items[last]
    hole = 0
    while 2 * hole + 1 < last:
        below = 2 * hole + 1
        other = below + 1
        if other < last and (keys[other] < keys[below] or (keys[other] == keys[below] and items[other] < items[below])):
            below = other
        if key < keys[below] or (key == keys[below] and item < items[below]):
            break
        keys[hole] = keys[below]
        items[hole] = items[below]
        hole = below
    keys[hole] = key
    items[hole] = item
    return int(least)
