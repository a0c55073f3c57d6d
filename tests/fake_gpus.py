"""Stand-ins for CuPy and PyTorch: NumPy behind the names that the adapters of ``hms profile`` use."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class Watch:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class FakeCupy(SimpleNamespace):
    """NumPy as CuPy; counts how often somebody waited."""

    def __init__(self, devices: int = 1, name: bytes = b"Fake C1", memory: int = 8_000_000_000) -> None:
        self.waits = 0

        def synchronize() -> None:
            self.waits += 1

        def device(index: int) -> Any:
            if index >= devices:
                raise RuntimeError("cudaErrorInvalidDevice")
            return SimpleNamespace(use=lambda: None, synchronize=synchronize)

        runtime = SimpleNamespace(
            getDeviceCount=lambda: devices,
            getDeviceProperties=lambda index: {"name": name, "totalGlobalMem": memory},
        )
        super().__init__(
            __version__="0.fake",
            cuda=SimpleNamespace(Device=device, runtime=runtime),
            asarray=np.array,
            asnumpy=np.array,
            matmul=np.matmul,
            fft=SimpleNamespace(fft2=np.fft.fft2),
            sort=np.sort,
            sum=np.sum,
        )


class FakeTensor(np.ndarray):
    """An array with the methods of a tensor that the adapter uses."""

    def to(self, device: str) -> FakeTensor:
        assert device.startswith("cuda:")
        return np.array(self).view(FakeTensor)

    def cpu(self) -> FakeTensor:
        return self

    def numpy(self) -> np.ndarray:
        return np.asarray(self)

    def clone(self) -> FakeTensor:
        return self.copy()


class FakeTorch(SimpleNamespace):
    """NumPy as PyTorch; counts how often somebody waited."""

    def __init__(self, devices: int = 1) -> None:
        self.waits = 0

        def synchronize(index: int) -> None:
            assert index < devices
            self.waits += 1

        super().__init__(
            __version__="0.fake",
            cuda=SimpleNamespace(
                is_available=lambda: devices > 0,
                device_count=lambda: devices,
                synchronize=synchronize,
                get_device_properties=lambda index: SimpleNamespace(name="Fake T1", total_memory=4_000_000_000),
            ),
            from_numpy=lambda array: array.view(FakeTensor),
            matmul=np.matmul,
            fft=SimpleNamespace(fft2=lambda array: np.fft.fft2(array).view(FakeTensor)),
            sort=lambda array: SimpleNamespace(values=np.sort(array)),
            sum=lambda array: np.sum(array, keepdims=True).view(FakeTensor),
        )
