"""What a lane writes down is exact."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybrid_ml_scheduler.live.lanes import FEW_ROWS, spelled_features
from hybrid_ml_scheduler.storage.chunk import features_array

SHAPES = st.tuples(st.sampled_from([1, 5, FEW_ROWS, FEW_ROWS + 1, 60]), st.integers(1, 17))


@given(arrays(np.float64, SHAPES, elements=st.floats(allow_infinity=False)))
def test_features_are_spelled_exactly(rows: np.ndarray) -> None:
    np.testing.assert_array_equal(features_array(pl.Series(spelled_features(rows))), rows)
