"""Counting what all lanes are done with, and leaving out what has been written."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.live.ledger import Ledger, Written


def columns(ids: list[int], **others: object) -> dict[str, object]:
    return {"task_id": np.array(ids, dtype=np.int64), **others}


@given(st.data())
def test_a_task_counts_once_all_its_results_are_there(data: st.DataObject) -> None:
    lanes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=30))
    results = data.draw(st.permutations([task for task, count in enumerate(lanes) for _ in range(count)]))
    ledger, left = Ledger(), dict(enumerate(lanes))
    ledger.add(columns(list(left), lanes=np.array(lanes)), {})
    assert ledger.lanes_of(np.array(results), {}).tolist() == [lanes[task] for task in results]
    position = 0
    while position < len(results):
        step = data.draw(st.integers(1, 5))
        part = list(results[position : position + step])
        position += step
        ledger.add({}, columns(part))
        for task in part:
            left[task] -= 1
        if data.draw(st.booleans()):
            other = Ledger()
            other.restore(ledger.arrays())
            ledger = other
        assert ledger.processed == sum(count == 0 for count in left.values())
        assert ledger.open_tasks == sum(count > 0 for count in left.values())
    assert (ledger.processed, ledger.arrived) == (len(lanes), len(lanes))


@given(st.sets(st.tuples(st.integers(0, 20), st.sampled_from("ab"))), st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ab")), unique=True))
def test_what_was_written_is_left_out_once(there: set[tuple[int, str]], again: list[tuple[int, str]]) -> None:
    def rows(keys: list[tuple[int, str]]) -> dict[str, object]:
        return columns([task for task, _ in keys], scheduler=[name for _, name in keys], value=np.array([task * 2.0 for task, _ in keys]))

    written = Written({"results": rows(sorted(there))})  # type: ignore[dict-item]
    kept = written.without("results", rows(again))  # type: ignore[arg-type]
    expected = [key for key in again if key not in there]
    assert list(zip(kept["task_id"], kept["scheduler"], strict=True)) == expected
    assert list(kept["value"]) == [task * 2.0 for task, _ in expected]
    # Seen once, forgotten: what is known must not grow with the run.
    assert len(written.without("results", rows(again))["task_id"]) == len(again)  # type: ignore[arg-type]
