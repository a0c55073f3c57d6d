from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.engine.heap import heap_pop, heap_push


@given(keys=st.lists(st.integers(0, 9).map(float), max_size=40), pops=st.lists(st.booleans(), max_size=40))
def test_the_smallest_pair_always_leaves_first(keys: list[float], pops: list[bool]) -> None:
    heap_keys, heap_items = np.empty(len(keys)), np.empty(len(keys), dtype=np.int64)
    inside: list[tuple[float, int]] = []
    for item, key in enumerate(keys):
        heap_push(heap_keys, heap_items, len(inside), key, item)
        inside.append((key, item))
        if item < len(pops) and pops[item]:
            assert heap_pop(heap_keys, heap_items, len(inside)) == min(inside)[1]
            inside.remove(min(inside))
    while inside:
        assert heap_pop(heap_keys, heap_items, len(inside)) == min(inside)[1]
        inside.remove(min(inside))
