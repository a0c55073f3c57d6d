"""Small dense networks as flat arrays, and their compiled forward pass: how trained nets decide inside the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_entry, compiled_inner

TANH, RELU = 0, 1
ACTIVATIONS = {"tanh": TANH, "relu": RELU}
"""Of the hidden layers; the last layer is linear."""

MAX_WIDTH = 4_096
MAX_LAYERS = 16

_STORED = {"sizes": np.int64, "params": np.float64, "activation": np.int64}


class Net(NamedTuple):
    """A dense network, ready for `net_forward`.

    Attributes
    ----------
    sizes : ndarray of int64, shape (n_layers + 1,)
        Inputs, outputs of each layer.
    params : ndarray of float64
        Per layer its weights, shape (inputs, outputs) row by row, then its biases, shape (outputs,).
    activation : ndarray of int64, shape (1,)
        Code of `ACTIVATIONS`.
    """

    sizes: IntArray
    params: FloatArray
    activation: IntArray


def n_net_params(sizes: Sequence[int]) -> int:
    """Return how many numbers a network of these sizes has."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def build_net(sizes: Sequence[int], params: FloatArray, activation: str = "tanh") -> Net:
    """Make a network from one vector of numbers, as direct policy search has it.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, outputs of each layer, such as ``(12, 64, 64, 1)``.
    params : ndarray of float64, shape (n_net_params(sizes),)
        In the order of `Net.params`; copied.
    activation : str
        ``tanh`` or ``relu``.

    Raises
    ------
    ModelError
        If the lengths do not agree or a number is not finite.
    """
    if activation not in ACTIVATIONS:
        raise ModelError(f"activation {activation!r}; expected one of {', '.join(ACTIVATIONS)}")
    arrays = {
        "net_sizes": np.array(sizes, dtype=np.int64),
        "net_params": np.asarray(params, dtype=np.float64),
        "net_activation": np.array([ACTIVATIONS[activation]], dtype=np.int64),
    }
    return net_from_arrays(arrays, "net")


def net_arrays(net: Net, prefix: str) -> dict[str, NDArray[Any]]:
    """Return a network as the arrays of a model file, named ``PREFIX_sizes`` and so on; `net_from_arrays` reads them."""
    return {f"{prefix}_{name}": getattr(net, name) for name in _STORED}


def net_from_arrays(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Net:
    """Make a network from the arrays of a model file, which may come from anyone.

    Raises
    ------
    ModelError
        If an array is missing, of another type or length, or holds what is not finite.
    """
    sizes, params, activation = (_stored(arrays, prefix, name) for name in _STORED)
    if not 2 <= len(sizes) <= MAX_LAYERS + 1 or (sizes < 1).any() or (sizes > MAX_WIDTH).any():
        raise ModelError(f"array {prefix}_sizes: {sizes[: MAX_LAYERS + 2].tolist()}; expected 2 to {MAX_LAYERS + 1} numbers from 1 to {MAX_WIDTH}")
    expected = n_net_params(sizes.tolist())
    if len(params) != expected:
        raise ModelError(f"array {prefix}_params: {len(params)} numbers; expected {expected} for a network of sizes {sizes.tolist()}")
    if not np.isfinite(params).all():
        raise ModelError(f"array {prefix}_params: number {np.isfinite(params).argmin()} is not finite; expected finite weights and biases")
    if len(activation) != 1 or activation[0] not in ACTIVATIONS.values():
        raise ModelError(f"array {prefix}_activation: {activation[:4].tolist()}; expected one of {sorted(ACTIVATIONS.values())}")
    return Net(sizes.copy(), params.copy(), activation.copy())


def _stored(arrays: Mapping[str, NDArray[Any]], prefix: str, name: str) -> NDArray[Any]:
    full = f"{prefix}_{name}"
    array = arrays.get(full)
    if array is None:
        raise ModelError(f"array {full} is missing; expected the network {prefix} to be whole")
    if array.dtype != _STORED[name] or array.ndim != 1:
        raise ModelError(f"array {full}: {array.dtype} in {array.ndim} dimensions; expected {np.dtype(_STORED[name])} in one")
    return array


def net_scratch(net: Net) -> FloatArray:
    """Return working memory for `net_forward`: room for two layers."""
    return np.zeros(2 * int(net.sizes.max()))


@compiled_inner
def _dense(weights: FloatArray, biases: FloatArray, source: FloatArray, target: FloatArray) -> None:
    """Multiply and add in the order of the inputs, for all outputs of a layer abreast: so the compiler can use vectors without changing a sum."""
    inputs, outputs = len(source), len(target)
    for out in range(outputs):
        target[out] = biases[out]
    begin = 0
    for first in range(0, inputs - 3, 4):
        one, two, three, four = source[first], source[first + 1], source[first + 2], source[first + 3]
        row = weights[begin : begin + outputs]
        row_two = weights[begin + outputs : begin + 2 * outputs]
        row_three = weights[begin + 2 * outputs : begin + 3 * outputs]
        row_four = weights[begin + 3 * outputs : begin + 4 * outputs]
        for out in range(outputs):
            target[out] = (((target[out] + one * row[out]) + two * row_two[out]) + three * row_three[out]) + four * row_four[out]
        begin += 4 * outputs
    for last in range(inputs - inputs % 4, inputs):
        one = source[last]
        row = weights[begin : begin + outputs]
        for out in range(outputs):
            target[out] += one * row[out]
        begin += outputs


@compiled_inner
def _tanh(x: float) -> float:
    """Return the hyperbolic tangent to within 1e-15, without a branch or call, so that the compiler can work on several values at once.

    ``tanh x = E / (E + 2)`` with ``E = exp(2 x) - 1``. E of the 64th part is its Taylor polynomial; ``E(2 z) = E(z) (E(z) + 2)`` leads back, and
    nothing is lost near 0. Beyond 20 the tangent is 1 in double precision.
    """
    z = min(max(x, -20.0), 20.0) / 32.0
    e = 1.0 / 39916800.0 + z * (1.0 / 479001600.0)
    e = 1.0 / 362880.0 + z * (1.0 / 3628800.0 + z * e)
    e = 1.0 / 5040.0 + z * (1.0 / 40320.0 + z * e)
    e = 1.0 / 120.0 + z * (1.0 / 720.0 + z * e)
    e = 1.0 / 6.0 + z * (1.0 / 24.0 + z * e)
    e = z * (1.0 + z * (0.5 + z * e))
    e = e * (e + 2.0)
    e = e * (e + 2.0)
    e = e * (e + 2.0)
    e = e * (e + 2.0)
    e = e * (e + 2.0)
    e = e * (e + 2.0)
    return e / (e + 2.0) if x == x else x  # noqa: PLR0124 - NaN stays NaN, whatever min and max made of it


@compiled_inner
def _activate(values: FloatArray, activation: int) -> None:
    if activation == TANH:
        for place in range(len(values)):
            values[place] = _tanh(values[place])
    else:
        for place in range(len(values)):
            values[place] = max(values[place], 0.0)


@compiled_entry
def net_outputs(net: Net, x: FloatArray, scratch: FloatArray) -> int:
    """Run a network and say where in ``scratch`` its outputs begin.

    Parameters
    ----------
    net : Net
    x : ndarray of float64, shape (at least sizes[0],)
        Inputs, as the network was trained on; a shorter row is not noticed and reads foreign memory.
    scratch : ndarray of float64, shape (at least 2 * max(sizes),)
        From `net_scratch`; overwritten.

    Returns
    -------
    int
        ``scratch[place : place + sizes[-1]]`` are the outputs.
    """
    sizes, params = net.sizes, net.params
    half = len(scratch) >> 1
    source = x[: sizes[0]]
    begin = place = 0
    last = len(sizes) - 2
    for layer in range(last + 1):
        inputs, outputs = sizes[layer], sizes[layer + 1]
        place = half if layer & 1 else 0
        target = scratch[place : place + outputs]
        biases = begin + inputs * outputs
        _dense(params[begin:biases], params[biases : biases + outputs], source, target)
        if layer < last:
            _activate(target, net.activation[0])
        begin = biases + outputs
        source = target
    return place


@compiled_entry
def net_forward(net: Net, x: FloatArray, scratch: FloatArray) -> float:
    """Return the first output of a network; see `net_outputs`. NaN among the inputs gives NaN."""
    return float(scratch[net_outputs(net, x, scratch)])


@compiled_entry
def net_forward_rows(net: Net, rows: FloatArray, scratch: FloatArray, result: FloatArray) -> None:
    """Write `net_forward` of every row of a table, shape (m, at least sizes[0]), into ``result``, shape (m,)."""
    for row in range(len(rows)):
        result[row] = net_forward(net, rows[row], scratch)
