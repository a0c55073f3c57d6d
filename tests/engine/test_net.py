from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.engine.net import (
    build_net,
    n_net_params,
    net_arrays,
    net_forward,
    net_forward_rows,
    net_from_arrays,
    net_outputs,
    net_scratch,
)
from hybrid_ml_scheduler.learning.arrays import decode_arrays, encode_arrays

SHAPES = [(1, 1), (3, 1), (5, 2), (4, 7, 1), (7, 64, 64, 1), (2, 3, 5, 6, 4), (9, 1, 8, 1)]


def reference(sizes: tuple[int, ...], params: NDArray[np.float64], activation: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    values, place = rows, 0
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        weights = params[place : place + inputs * outputs].reshape(inputs, outputs)
        place += inputs * outputs
        values = values @ weights + params[place : place + outputs]
        place += outputs
        if layer < len(sizes) - 2:
            values = np.tanh(values) if activation == "tanh" else np.maximum(values, 0.0)
    assert place == len(params)
    return values


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", SHAPES)
def test_the_forward_pass_is_that_of_numpy(sizes: tuple[int, ...], activation: str) -> None:
    random = np.random.default_rng(len(sizes))
    for spread in (0.01, 0.3, 5.0):
        params = random.normal(size=n_net_params(sizes)) * spread
        net = build_net(sizes, params, activation)
        rows = random.normal(size=(200, sizes[0])) * random.choice([0.0, 1e-3, 1.0, 30.0], size=(200, 1))
        expected = reference(sizes, params, activation, rows)
        result, scratch = np.empty(len(rows)), net_scratch(net)
        net_forward_rows(net, rows, scratch, result)
        np.testing.assert_allclose(result, expected[:, 0], rtol=1e-11, atol=1e-11)
        assert net_forward(net, rows[0], scratch) == result[0]
        place = net_outputs(net, rows[0], scratch)
        np.testing.assert_allclose(scratch[place : place + sizes[-1]], expected[0], rtol=1e-11, atol=1e-11)


def test_the_tangent_is_that_of_numpy() -> None:
    # One input, one hidden value, one output: what comes out is the tangent of what goes in.
    net = build_net((1, 1, 1), np.array([1.0, 0.0, 1.0, 0.0]))
    tiny = np.geomspace(1e-310, 1e-3, 500)
    rows = np.concatenate([np.linspace(-25.0, 25.0, 20_001), tiny, -tiny, [0.0, -0.0, np.inf, -np.inf, 1e300]])
    result = np.empty(len(rows))
    net_forward_rows(net, rows[:, None], net_scratch(net), result)
    np.testing.assert_allclose(result, np.tanh(rows), rtol=2e-15, atol=1e-300)


def test_scratch_memory_leaves_no_trace_and_longer_rows_do_no_harm() -> None:
    random = np.random.default_rng(1)
    net = build_net((3, 8, 1), random.normal(size=n_net_params((3, 8, 1))))
    row = random.normal(size=5)
    clean = net_forward(net, row[:3].copy(), net_scratch(net))
    assert net_forward(net, row, np.full(40, np.nan)) == clean


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_missing_input_is_no_number_afterwards(activation: str) -> None:
    net = build_net((2, 6, 1), np.ones(n_net_params((2, 6, 1))), activation)
    assert np.isnan(net_forward(net, np.array([np.nan, 1.0]), net_scratch(net)))


def test_a_stored_net_comes_back_the_same() -> None:
    sizes = (4, 7, 1)
    net = build_net(sizes, np.random.default_rng(0).normal(size=n_net_params(sizes)), "relu")
    again = net_from_arrays(decode_arrays(encode_arrays(net_arrays(net, "actor"), "test"), "test"), "actor")
    for one, other in zip(net, again, strict=True):
        np.testing.assert_array_equal(one, other)


ARRAYS: dict[str, NDArray[Any]] = net_arrays(build_net((2, 3, 1), np.zeros(13)), "m")
DAMAGED: dict[str, dict[str, NDArray[Any]]] = {
    "m_params is missing": {name: array for name, array in ARRAYS.items() if name != "m_params"},
    "m_params: 12 numbers; expected 13": ARRAYS | {"m_params": np.zeros(12)},
    "m_params: float32 in 1 dimensions": ARRAYS | {"m_params": np.zeros(13, dtype=np.float32)},
    "number 5 is not finite": ARRAYS | {"m_params": np.where(np.arange(13) == 5, np.nan, 0.0)},
    r"m_sizes: \[2\]": ARRAYS | {"m_sizes": np.array([2])},
    r"m_sizes: \[2, 0, 1\]": ARRAYS | {"m_sizes": np.array([2, 0, 1])},
    r"m_sizes: \[2, 5000, 1\]": ARRAYS | {"m_sizes": np.array([2, 5000, 1])},
    "expected 2 to 17 numbers": ARRAYS | {"m_sizes": np.ones(18, dtype=np.int64)},
    r"m_activation: \[2\]": ARRAYS | {"m_activation": np.array([2])},
    r"m_activation: \[\]": ARRAYS | {"m_activation": np.zeros(0, dtype=np.int64)},
}


@pytest.mark.parametrize("message", DAMAGED)
def test_damaged_arrays_are_refused(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        net_from_arrays(DAMAGED[message], "m")


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ModelError, match="expected one of tanh, relu"):
        build_net((1, 1), np.zeros(2), "gelu")
