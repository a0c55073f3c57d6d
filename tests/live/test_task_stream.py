"""Pieces of an endless stream go on where the one before ended: the day of ``diurnal``, the change of ``drift``."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.live.stream import StreamPosition, TaskStream
from hybrid_ml_scheduler.workloads.synthetic import DAY_S, generate

PIECE = 1_024


def pieces(preset: str, seed: int, load: float, count: int) -> list:
    stream = TaskStream(preset, None, seed, load, PIECE, None)
    position, found = StreamPosition(), []
    for _ in range(count):
        piece = stream.piece(position)
        assert piece is not None
        found.append(piece[0])
        position = piece[1]
    return found


@pytest.mark.parametrize("preset", ["steady", "bursty", "diurnal", "heavy", "drift", "graphs", "serial"])
def test_the_first_piece_is_what_is_simulated(preset: str) -> None:
    (first,) = pieces(preset, 20_010, 0.5, 1)
    from hybrid_ml_scheduler.workloads.synthetic import PRESETS

    whole = generate(preset, seed=20_010, n_tasks=PIECE, load=0.5 / PRESETS[preset].load)
    np.testing.assert_array_equal(first.tasks.arrival_s, whole.tasks.arrival_s)
    np.testing.assert_array_equal(first.truth.regime_start_s, whole.truth.regime_start_s)
    np.testing.assert_array_equal(first.truth.work_s, whole.truth.work_s)


def test_the_day_goes_on_over_the_pieces() -> None:
    # A piece is a little more than half a day long, so days that began anew with each would be seen.
    arrivals = np.concatenate([piece.tasks.arrival_s for piece in pieces("diurnal", 20_011, 0.55, 40)])
    assert np.all(np.diff(arrivals) > 0)
    phase = 2.0 * np.pi * arrivals / DAY_S
    # Of a rate m + s sin(p) over whole days, the mean of sin(p) over the arrivals is s / 2m.
    whole = arrivals < arrivals[-1] // DAY_S * DAY_S
    assert np.sin(phase[whole]).mean() == pytest.approx(0.25 / (2 * 0.55), abs=0.02)
    assert np.cos(phase[whole]).mean() == pytest.approx(0.0, abs=0.02)


def test_the_world_changes_once() -> None:
    first, *others = pieces("drift", 20_012, 0.45, 3)
    assert first.truth.regime_start_s[1] == first.tasks.arrival_s[-1] / 2.0
    for piece in others:
        np.testing.assert_array_equal(piece.truth.regime_start_s, first.truth.regime_start_s)
        np.testing.assert_array_equal(piece.truth.slowdown, first.truth.slowdown)
