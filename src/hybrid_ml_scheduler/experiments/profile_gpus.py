"""GPUs for ``hms profile``: a small interface to array libraries, and CuPy and PyTorch behind it.

Neither library is needed: whoever has one installed, and a GPU that it can use, gets GPU rows. Nobody else does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from types import ModuleType, TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.experiments.profile_kernels import STENCIL_WEIGHT, Kernel, Run

LIBRARIES = ("cupy", "torch")
"""Looked for in this order; the first one that sees a GPU is used."""

LINK_BYTES = 64 * 1024**2
"""Size of the copy that measures the host link."""

GPU_ERRORS = (RuntimeError, ImportError, OSError)
"""What the libraries raise when the GPU, its driver or a library of its vendor fails; the latter are loaded at first use."""

_COPIES = 7


class ArrayModule(Protocol):
    """What measuring a GPU takes of an array library. Calls may return before the work is done; `synchronize` waits for it.

    Attributes
    ----------
    library : str
        Name and version.
    model : str
        Name of the GPU.
    memory_bytes : float
        Its memory.
    """

    library: str
    model: str
    memory_bytes: float

    def to_device(self, host: NDArray[Any]) -> Any:
        """Copy a host array to the GPU."""
        ...

    def to_host(self, array: Any) -> NDArray[Any]:
        """Copy an array to the host."""
        ...

    def synchronize(self) -> None:
        """Wait until the GPU has done all it was given."""
        ...

    def matmul(self, a: Any, b: Any) -> Any:
        """Return the matrix product."""
        ...

    def fft2(self, a: Any) -> Any:
        """Return the Fourier transform in two dimensions."""
        ...

    def sort(self, flat: Any) -> Any:
        """Return a sorted copy of an array of one dimension."""
        ...

    def total(self, a: Any) -> Any:
        """Return the sum over all numbers, on the GPU."""
        ...

    def copy(self, a: Any) -> Any:
        """Return a copy on the GPU."""
        ...


class CupyModule:
    """CuPy on one device.

    Parameters
    ----------
    cupy : module
        CuPy.
    index : int
        Number of the device.
    """

    def __init__(self, cupy: Any, index: int) -> None:
        self._cupy = cupy
        self._device = cupy.cuda.Device(index)
        self._device.use()
        properties = cupy.cuda.runtime.getDeviceProperties(index)
        name = properties["name"]
        self.library = f"cupy {cupy.__version__}"
        self.model = name.decode() if isinstance(name, bytes) else str(name)
        self.memory_bytes = float(properties["totalGlobalMem"])

    def to_device(self, host: NDArray[Any]) -> Any:
        """Copy a host array to the GPU."""
        self._device.use()
        return self._cupy.asarray(host)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Copy an array to the host."""
        return np.asarray(self._cupy.asnumpy(array))

    def synchronize(self) -> None:
        """Wait until the GPU has done all it was given."""
        self._device.synchronize()

    def matmul(self, a: Any, b: Any) -> Any:
        """Return the matrix product."""
        return self._cupy.matmul(a, b)

    def fft2(self, a: Any) -> Any:
        """Return the Fourier transform in two dimensions."""
        return self._cupy.fft.fft2(a)

    def sort(self, flat: Any) -> Any:
        """Return a sorted copy of an array of one dimension."""
        return self._cupy.sort(flat)

    def total(self, a: Any) -> Any:
        """Return the sum over all numbers, on the GPU."""
        return self._cupy.sum(a)

    def copy(self, a: Any) -> Any:
        """Return a copy on the GPU."""
        return a.copy()


class TorchModule:
    """PyTorch on one CUDA (or ROCm) device.

    Parameters
    ----------
    torch : module
        PyTorch.
    index : int
        Number of the device.
    """

    def __init__(self, torch: Any, index: int) -> None:
        self._torch = torch
        self._device = f"cuda:{index}"
        self._index = index
        properties = torch.cuda.get_device_properties(index)
        self.library = f"torch {torch.__version__}"
        self.model = str(properties.name)
        self.memory_bytes = float(properties.total_memory)

    def to_device(self, host: NDArray[Any]) -> Any:
        """Copy a host array to the GPU."""
        return self._torch.from_numpy(host).to(self._device)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Copy an array to the host."""
        return np.asarray(array.cpu().numpy())

    def synchronize(self) -> None:
        """Wait until the GPU has done all it was given."""
        self._torch.cuda.synchronize(self._index)

    def matmul(self, a: Any, b: Any) -> Any:
        """Return the matrix product."""
        return self._torch.matmul(a, b)

    def fft2(self, a: Any) -> Any:
        """Return the Fourier transform in two dimensions."""
        return self._torch.fft.fft2(a)

    def sort(self, flat: Any) -> Any:
        """Return a sorted copy of an array of one dimension."""
        return self._torch.sort(flat).values

    def total(self, a: Any) -> Any:
        """Return the sum over all numbers, on the GPU."""
        return self._torch.sum(a)

    def copy(self, a: Any) -> Any:
        """Return a copy on the GPU."""
        return a.clone()


class GpuDevice:
    """One GPU to measure kernels on. Input and result stay in its memory; a run waits until the GPU is done.

    Parameters
    ----------
    name : str
        ``gpu0``, ``gpu1``, ...
    module : ArrayModule
        The library, on that device.
    """

    cores = 0

    def __init__(self, name: str, module: ArrayModule) -> None:
        self.name = name
        self.module = module
        self.memory_bytes = module.memory_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def prepare(self, kernel: Kernel, size: int) -> Run:
        """Return a run of the kernel on this GPU."""
        module = self.module
        values = module.to_device(kernel.input_array(size))
        make: dict[str, Callable[[], Run]] = {
            "matmul": lambda: self._matmul(values),
            "fft": lambda: lambda: module.fft2(values),
            "sort": lambda: self._sort(values),
            "stencil": lambda: self._stencil(values),
            "reduction": lambda: lambda: module.total(values),
        }
        start = make[kernel.name]()
        module.synchronize()

        def run() -> Any:
            result = start()
            module.synchronize()
            return result

        return run

    def _matmul(self, values: Any) -> Run:
        other = self.module.copy(values.T)
        return lambda: self.module.matmul(values, other)

    def _sort(self, values: Any) -> Run:
        flat = values.reshape(-1)
        return lambda: self.module.sort(flat)

    def _stencil(self, values: Any) -> Run:
        result = self.module.copy(values)
        weight = float(STENCIL_WEIGHT)

        def start() -> Any:
            around = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]
            result[1:-1, 1:-1] = weight * (values[1:-1, 1:-1] + around)
            return result

        return start


@dataclass(frozen=True, slots=True)
class Link:
    """The measured way between host and GPU.

    Attributes
    ----------
    link_gb_s : float
        Bytes per second of a copy of `LINK_BYTES` between pageable host memory and the GPU, in the slower direction, in GB/s; median.
    copy_latency_s : float
        Time to copy 4 bytes there, and wait, in seconds; median.
    launch_s : float
        Time to sum four numbers there, and wait, in seconds; median.
    """

    link_gb_s: float
    copy_latency_s: float
    launch_s: float


def measure_link(module: ArrayModule, clock: Callable[[], float]) -> Link:
    """Measure the host link of a GPU, and what the smallest piece of work takes.

    Parameters
    ----------
    module : ArrayModule
        The library, on the device.
    clock : callable
        Returns seconds.

    Returns
    -------
    Link
    """
    large, small = np.zeros(LINK_BYTES // 4, dtype=np.float32), np.zeros(1, dtype=np.float32)
    there, four = module.to_device(large), module.to_device(np.zeros(4, dtype=np.float32))

    def median_s(work: Callable[[], Any]) -> float:
        taken_s = []
        for _ in range(_COPIES + 1):
            module.synchronize()
            began_s = clock()
            work()
            module.synchronize()
            taken_s.append(clock() - began_s)
        return median(taken_s[1:])  # the first run warms up

    copy_s = max(median_s(lambda: module.to_device(large)), median_s(lambda: module.to_host(there)))
    return Link(
        link_gb_s=LINK_BYTES / copy_s / 1e9,
        copy_latency_s=median_s(lambda: module.to_device(small)),
        launch_s=median_s(lambda: module.total(four)),
    )


def _module_of(library: str) -> ModuleType | None:
    return import_module(library) if find_spec(library) is not None else None


def find_gpus(load: Callable[[str], Any] = _module_of) -> tuple[list[GpuDevice], list[str]]:
    """Find the GPUs that an installed library can use.

    Parameters
    ----------
    load : callable
        Returns a library by its name, None where it is not installed.

    Returns
    -------
    devices : list of GpuDevice
        All GPUs of the first library that sees one; empty where there is none.
    notes : list of str
        Why there are none, for every library.
    """
    notes = []
    for library in LIBRARIES:
        try:
            module = load(library)
            if module is None:
                notes.append(f"{library} is not installed")
                continue
            if library == "cupy":
                found: list[ArrayModule] = [CupyModule(module, index) for index in range(module.cuda.runtime.getDeviceCount())]
            else:
                found = [TorchModule(module, index) for index in range(module.cuda.device_count() if module.cuda.is_available() else 0)]
        except GPU_ERRORS as error:
            notes.append(f"{library} cannot be used: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            continue
        if found:
            return [GpuDevice(f"gpu{index}", gpu) for index, gpu in enumerate(found)], []
        notes.append(f"{library} sees no GPU")
    return [], notes
