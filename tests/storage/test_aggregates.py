"""Aggregates: equal to what plain Python counts, however the rows are cut into batches; quantiles within their stated error."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.engine.metrics import BOUNDED_SLOWDOWN_FLOOR_S
from hybrid_ml_scheduler.storage.aggregates import SLOWDOWN_BOUND_S, Key, Pending, Totals, merge, totals_of
from hybrid_ml_scheduler.storage.chunk import Chunk, encode, header_line
from hybrid_ml_scheduler.storage.schema import TOTAL_WINDOW
from hybrid_ml_scheduler.storage.sketch import LARGEST, RELATIVE_ERROR, SMALLEST, Sketch, bin_of
from storage_cases import SCHEDULERS, make_batch

WINDOW_S = 20.0


def results_frame(tasks: int, schedulers: tuple[str, ...] = SCHEDULERS, seed: int = 0) -> pl.DataFrame:
    data = encode(Stream.RESULTS, 1, 0, make_batch(0, tasks, schedulers, seed=seed).results)
    return Chunk(Stream.RESULTS, tuple(header_line(Stream.RESULTS).decode().strip().split(",")), data, 0, data.count(b"\n")).frame


def in_batches(frame: pl.DataFrame, cuts: list[int]) -> tuple[dict[Key, Totals], Pending]:
    found: dict[Key, Totals] = {}
    pending = Pending()
    edges = [0, *sorted(cut % (frame.height + 1) for cut in cuts), frame.height]
    for start, end in pairwise(edges):
        part = frame.slice(start, end - start)
        pending, compared = pending.after(part, WINDOW_S)
        merge(found, merge(totals_of(part, WINDOW_S), compared))
    return found, pending


def by_hand(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Count over the whole run, one row after the other."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    responses: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows:
        one = found[row["scheduler"]]
        one["results"] += 1
        one[row["status"]] += 1
        responses[row["task_id"]][row["scheduler"]] = math.inf
        one["energy_j"] += row["energy_j"] or 0.0
        if row["status"] == "finished":
            response, run = row["finish_s"] - row["arrival_s"], row["finish_s"] - row["start_s"]
            responses[row["task_id"]][row["scheduler"]] = response
            one["response_sum_s"] += response
            one["response_max_s"] = max(one["response_max_s"], response)
            one["wait_sum_s"] += row["start_s"] - row["arrival_s"]
            one["slowdown_sum"] += max(1.0, response / max(run, SLOWDOWN_BOUND_S))
            one["by_fallback"] += (row["decided_by"] or "").startswith("fallback")
            one["by_model"] += row["decided_by"] == "model"
    for lanes in responses.values():
        for name, response in lanes.items():
            one = found[name]
            one["compared"] += 1
            one["wins"] += math.isfinite(response) and response == min(lanes.values())
            if math.isfinite(response) and math.isfinite(lanes.get("oracle", math.inf)):
                one["regret_n"] += 1
                one["regret_sum_s"] += response - lanes["oracle"]
            for other, against in lanes.items():
                one[f"against {other}"] += response < against
    return found


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10_000), max_size=6), st.integers(0, 5))
def test_batches_add_up_to_what_is_counted_by_hand(cuts: list[int], seed: int) -> None:
    frame = results_frame(40, seed=seed)
    found, pending = in_batches(frame, cuts)
    assert len(pending) == 0
    for name, expected in by_hand(frame.rows(named=True)).items():
        totals = found[name, TOTAL_WINDOW]
        for field, value in expected.items():
            if field.startswith("against "):
                other = field.removeprefix("against ")
                assert totals.wins_against.get(other, 0) == value
            else:
                assert getattr(totals, field) == pytest.approx(value, rel=1e-12), field


def test_windows_are_by_arrival_and_add_up_to_the_run() -> None:
    frame = results_frame(100)
    found, _ = in_batches(frame, [150])
    for name in SCHEDULERS:
        windows = {window: totals for (scheduler, window), totals in found.items() if scheduler == name and window != TOTAL_WINDOW}
        assert sum(totals.results for totals in windows.values()) == 100
        assert sum(totals.wins for totals in windows.values()) == found[name, TOTAL_WINDOW].wins
        arrivals = frame.filter(scheduler=name)["arrival_s"].to_numpy()
        assert {window: totals.results for window, totals in windows.items()} == {
            int(window): int((arrivals // WINDOW_S == window).sum()) for window in np.unique(arrivals // WINDOW_S)
        }


def test_a_task_waits_for_its_last_result() -> None:
    frame = results_frame(2, ("greedy", "oracle")).sort("task_id")
    pending, compared = Pending().after(frame.head(3), WINDOW_S)
    assert compared["greedy", TOTAL_WINDOW].compared == 1
    assert pending.first_seq == frame["seq"][2]
    pending, compared = pending.after(frame.tail(1), WINDOW_S)
    assert compared["oracle", TOTAL_WINDOW].compared == 1
    assert pending.first_seq is None


def test_a_scheduler_that_was_not_given_a_task_does_not_lose_it() -> None:
    both, one = results_frame(3, ("greedy", "oracle")), results_frame(3, ("greedy",))
    one = one.with_columns(pl.col("task_id") + 100)
    compared = Pending().after(pl.concat([both, one]), WINDOW_S)[1]
    assert compared["oracle", TOTAL_WINDOW].compared == 3
    assert compared["greedy", TOTAL_WINDOW].compared == 6


def test_a_task_that_nobody_finished_has_no_regret() -> None:
    """As every run that is stopped leaves some behind; warnings of NumPy are errors here."""
    frame = results_frame(3, ("greedy", "oracle"))
    nobody = pl.col("task_id") == 1
    unfinished = [pl.when(nobody).then(None).otherwise(pl.col(name)).alias(name) for name in ("start_s", "finish_s")]
    status = pl.when(nobody).then(pl.lit("withdrawn")).otherwise(pl.col("status")).alias("status")
    compared = Pending().after(frame.with_columns(status, *unfinished), WINDOW_S)[1]
    assert compared["greedy", TOTAL_WINDOW].compared == compared["oracle", TOTAL_WINDOW].compared == 3
    # Two of the three were finished by somebody, and won.
    assert compared["greedy", TOTAL_WINDOW].wins + compared["oracle", TOTAL_WINDOW].wins == 2
    assert compared["oracle", TOTAL_WINDOW].regret_n == int((frame.filter(scheduler="oracle", status="finished")["task_id"] != 1).sum())
    assert compared["oracle", TOTAL_WINDOW].regret_sum_s == 0.0


def test_rows_survive_the_table() -> None:
    found, _ = in_batches(results_frame(20), [])
    totals = found["greedy", TOTAL_WINDOW]

    class Row:
        def __init__(self, values: dict[str, Any]) -> None:
            self.__dict__.update(values)

    back = Totals.from_row(Row(totals.to_row()))
    assert back.to_row() == totals.to_row()


def test_the_slowdown_is_bounded_as_in_the_engine() -> None:
    assert SLOWDOWN_BOUND_S == BOUNDED_SLOWDOWN_FLOOR_S


@given(st.lists(st.floats(SMALLEST, LARGEST), min_size=1, max_size=200), st.integers(0, 200), st.sampled_from([0.0, 0.01, 0.5, 0.95, 0.99, 1.0]))
def test_quantiles_are_within_their_error(values: list[float], cut: int, share: float) -> None:
    array = np.array(values)
    sketch = Sketch.of(array[:cut]).merged(Sketch.of(array[cut:]))
    exact = float(np.quantile(array, share, method="inverted_cdf"))
    found = Sketch.from_bytes(sketch.to_bytes()).quantile(share)
    assert found is not None
    assert abs(found - exact) <= RELATIVE_ERROR * exact * (1 + 1e-6)
    assert sketch.count == len(values)
    counted = Sketch.of_counts(Counter(bin_of(value) for value in values))
    assert (counted.bins.tolist(), counted.counts.tolist()) == (sketch.bins.tolist(), sketch.counts.tolist())


def test_an_empty_sketch_knows_nothing() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch().merged(Sketch()).count == 0
    assert Sketch.from_bytes(b"").count == 0
    with pytest.raises(ValueError, match="are no sketch"):
        Sketch.from_bytes(b"123")


def test_values_beyond_the_range_count_as_its_ends() -> None:
    sketch = Sketch.of(np.array([0.0, 1e30]))
    assert sketch.quantile(0.0) == pytest.approx(SMALLEST, rel=0.02)
    assert sketch.quantile(1.0) == pytest.approx(LARGEST, rel=0.02)
