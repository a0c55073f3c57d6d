"""The kernels of ``hms profile``, and what it takes to run one of them on CPU cores.

Every kernel works on ``size * size`` numbers in single precision, drawn from a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hybrid_ml_scheduler.engine.compiled import compiled_entry

Run = Callable[[], Any]
"""One run of a kernel: when it returns, the work is done. Returns the result as the device holds it."""

_SEED = 0
_SINGLE = 4
_COMPLEX = 8
STENCIL_WEIGHT = np.float32(0.2)
"""Each inner point becomes the mean of itself and its four neighbours; the border stays."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel.

    Attributes
    ----------
    name, meaning : str
        As ``--kernels`` spells it, and one line for people.
    bytes_per_number : int
        Memory that all arrays of a run take at most, input, result and workspace, per number of the ``size * size``: on GPUs a sort may carry
        indices along, and the stencil has temporary arrays.
    output_bytes_per_number : int
        Of the result; 0 stands for a single number.
    work : callable
        Operations for a size, up to a constant factor: how long a larger size will take is told from this.
    """

    name: str
    meaning: str
    bytes_per_number: int
    output_bytes_per_number: int
    work: Callable[[int], float]

    def input_array(self, size: int) -> NDArray[Any]:
        """Return ``(size, size)`` random numbers between 0 and 1: ``float32``, for the FFT ``complex64``."""
        real = np.random.default_rng(_SEED).random((size, size), dtype=np.float32)
        return real.astype(np.complex64) if self.name == "fft" else real

    def output_bytes(self, size: int) -> int:
        """Return the bytes of the result."""
        return max(self.output_bytes_per_number * size * size, _SINGLE)


def _times_log(size: int) -> float:
    return size * size * math.log2(size * size + 1)


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("matmul", "product of two size x size matrices", 3 * _SINGLE, _SINGLE, lambda size: float(size) ** 3),
        Kernel("fft", "complex Fourier transform in two dimensions", 4 * _COMPLEX, _COMPLEX, _times_log),
        Kernel("sort", "sort of size x size numbers", 7 * _SINGLE, _SINGLE, _times_log),
        Kernel("stencil", "mean over five points, one sweep", 7 * _SINGLE, _SINGLE, lambda size: float(size) ** 2),
        Kernel("reduction", "sum of size x size numbers", 2 * _SINGLE, 0, lambda size: float(size) ** 2),
    )
}
"""All kernels by name."""


class Device(Protocol):
    """Something that kernels are measured on: CPU cores, or one GPU.

    Attributes
    ----------
    name : str
        ``cpu``, or the name of a GPU.
    cores : int
        CPU cores used; 0 on a GPU.
    memory_bytes : float
        What the arrays of a run may take; ``inf`` where unknown.
    """

    name: str
    cores: int
    memory_bytes: float

    def __enter__(self) -> Self:
        """Take what a run needs: kernels are prepared and run inside the block."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give it back."""
        ...

    def prepare(self, kernel: Kernel, size: int) -> Run:
        """Put the input where the device works on it, and return the run."""
        ...


@compiled_entry
def stencil_rows(source: NDArray[np.float32], target: NDArray[np.float32], first: int, last: int) -> None:
    """Write the five-point mean of rows `first` to `last - 1` and of all inner columns to `target`."""
    weight = np.float32(0.2)
    for row in range(first, last):
        for column in range(1, source.shape[1] - 1):
            around = source[row - 1, column] + source[row + 1, column] + source[row, column - 1] + source[row, column + 1]
            target[row, column] = weight * (source[row, column] + around)


class CpuDevice:
    """CPU cores: NumPy, SciPy and numba, in as many threads as cores. A context manager, which holds the threads and limits those of the BLAS.

    With more than one core, sort partitions the numbers in one thread (NumPy's introselect) and sorts one part per thread; stencil and reduction give
    one part to each thread.

    Parameters
    ----------
    cores : int
        At least 1.
    memory_bytes : float
        What the arrays of a run may take.
    """

    name = "cpu"

    def __init__(self, cores: int, memory_bytes: float = math.inf) -> None:
        self.cores = cores
        self.memory_bytes = memory_bytes
        self._held = ExitStack()
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._held.enter_context(threadpool_limits(limits=self.cores))
        if self.cores > 1:
            self._threads = self._held.enter_context(ThreadPoolExecutor(self.cores))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.close()
        self._threads = None

    def prepare(self, kernel: Kernel, size: int) -> Run:
        """Return a run of the kernel on this many cores."""
        values = kernel.input_array(size)
        make: dict[str, Callable[[NDArray[Any]], Run]] = {
            "matmul": self._matmul,
            "fft": self._fft,
            "sort": self._sort,
            "stencil": self._stencil,
            "reduction": self._reduction,
        }
        return make[kernel.name](values)

    def _matmul(self, values: NDArray[Any]) -> Run:
        other, result = values.T.copy(), np.empty_like(values)
        return lambda: np.matmul(values, other, out=result)

    def _fft(self, values: NDArray[Any]) -> Run:
        return lambda: scipy.fft.fft2(values, workers=self.cores)

    def _sort(self, values: NDArray[Any]) -> Run:
        flat = values.ravel()

        def one() -> NDArray[Any]:
            return np.sort(flat)

        def several() -> NDArray[Any]:
            ends = [len(flat) * part // self.cores for part in range(1, self.cores)]
            work = np.partition(flat, ends)
            self._in_parts(len(work), 0, lambda first, last: work[first:last].sort())
            return work

        return one if self._threads is None else several

    def _stencil(self, values: NDArray[Any]) -> Run:
        result = values.copy()
        stencil_rows(values[:3, :3], result[:3, :3].copy(), 0, 0)  # compiles, and does nothing

        def run() -> NDArray[Any]:
            self._in_parts(len(values) - 2, 1, lambda first, last: stencil_rows(values, result, first, last))
            return result

        return run

    def _reduction(self, values: NDArray[Any]) -> Run:
        flat = values.ravel()
        return lambda: np.float32(sum(self._in_parts(len(flat), 0, lambda first, last: flat[first:last].sum())))

    def _in_parts(self, count: int, offset: int, work: Callable[[int, int], Any]) -> list[Any]:
        """Do `work` on `offset` to `offset + count`, cut into one part per core; parts may be empty."""
        if self._threads is None:
            return [work(offset, offset + count)]
        ends = [offset + count * part // self.cores for part in range(self.cores + 1)]
        return list(self._threads.map(lambda part: work(*part), pairwise(ends)))
