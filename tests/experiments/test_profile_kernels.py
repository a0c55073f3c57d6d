"""Every device computes what the kernel says, CPU cores and both GPU libraries alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from fake_gpus import FakeCupy, FakeTorch, Watch
from hybrid_ml_scheduler.experiments.profile_gpus import LINK_BYTES, CupyModule, GpuDevice, TorchModule, find_gpus, measure_link
from hybrid_ml_scheduler.experiments.profile_kernels import KERNELS, CpuDevice


def cpu(cores: int) -> Callable[[], CpuDevice]:
    return lambda: CpuDevice(cores)


def expected(name: str, values: np.ndarray) -> np.ndarray:
    """Compute the kernel in double precision, in another way than any device."""
    exact = values.astype(np.complex128 if name == "fft" else np.float64)
    if name == "matmul":
        return np.array([[math.fsum(row * other) for other in exact] for row in exact])
    if name == "fft":
        size = len(exact)
        wave = np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(size)) / size)
        return wave @ exact @ wave
    if name == "sort":
        return np.array(sorted(exact.ravel().tolist()))
    if name == "reduction":
        return np.array(math.fsum(exact.ravel().tolist()))
    result = exact.copy()
    for row in range(1, len(exact) - 1):
        for column in range(1, len(exact) - 1):
            near = [exact[row, column], exact[row - 1, column], exact[row + 1, column], exact[row, column - 1], exact[row, column + 1]]
            result[row, column] = sum(near) / 5
    return result


@pytest.mark.parametrize("size", [4, 5, 19])
@pytest.mark.parametrize("name", sorted(KERNELS))
@pytest.mark.parametrize(
    "device",
    [cpu(1), cpu(2), cpu(7), lambda: GpuDevice("gpu0", CupyModule(FakeCupy(), 0)), lambda: GpuDevice("gpu0", TorchModule(FakeTorch(), 0))],
    ids=["1 core", "2 cores", "7 cores", "cupy", "torch"],
)
def test_all_devices_compute_the_same(device: Callable[[], CpuDevice | GpuDevice], name: str, size: int) -> None:
    kernel = KERNELS[name]
    values = kernel.input_array(size)
    with device() as place:
        run = place.prepare(kernel, size)
        first, second = np.array(run()), np.array(run())
    wanted = expected(name, values)
    np.testing.assert_allclose(first.reshape(wanted.shape), wanted, rtol=2e-5, atol=2e-4)
    np.testing.assert_array_equal(first, second)  # a run leaves its input as it was
    assert kernel.output_bytes(size) == wanted.size * (8 if name == "fft" else 4)


@pytest.mark.parametrize("cores", [1, 2])
def test_the_blas_gets_as_many_threads_as_cores_and_its_own_back(cores: int) -> None:
    def threads() -> list[int]:
        return [entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"]

    before = threads()
    with CpuDevice(cores):
        assert all(number <= cores for number in threads())
    assert threads() == before


@pytest.mark.parametrize("library", [FakeCupy, FakeTorch])
def test_a_run_on_a_gpu_waits_until_it_is_done(library: type) -> None:
    module = library()
    device = GpuDevice("gpu0", (CupyModule if library is FakeCupy else TorchModule)(module, 0))
    run = device.prepare(KERNELS["matmul"], 4)
    before = module.waits
    run()
    assert module.waits == before + 1


def test_the_link_is_the_slower_direction_and_the_first_copy_does_not_count() -> None:
    watch, module = Watch(), CupyModule(FakeCupy(), 0)
    copies = []

    class Slow(CupyModule):
        def __init__(self) -> None:
            pass

        def synchronize(self) -> None:
            pass

        def to_device(self, host: np.ndarray) -> np.ndarray:
            copies.append(host.nbytes)
            large = copies.count(LINK_BYTES)
            # The first large copy only brings the data there; the second warms up and takes longest; then 1, 2, ..., 7 s.
            watch.now_s += (9.0 if large == 2 else large - 2.0) if host.nbytes == LINK_BYTES else 0.001
            return host

        def to_host(self, array: np.ndarray) -> np.ndarray:
            watch.now_s += 0.5
            return array

        def total(self, a: np.ndarray) -> np.ndarray:
            watch.now_s += 0.002
            return module.total(a)

    link = measure_link(Slow(), watch)
    assert link.link_gb_s == pytest.approx(LINK_BYTES / 4.0 / 1e9)
    assert link.copy_latency_s == pytest.approx(0.001)
    assert link.launch_s == pytest.approx(0.002)


def test_the_first_library_that_sees_a_gpu_is_used() -> None:
    libraries = {"cupy": FakeCupy(devices=0), "torch": FakeTorch(devices=2)}
    gpus, notes = find_gpus(libraries.get)
    assert [(gpu.name, gpu.module.model, gpu.module.library, gpu.memory_bytes) for gpu in gpus] == [
        ("gpu0", "Fake T1", "torch 0.fake", 4e9),
        ("gpu1", "Fake T1", "torch 0.fake", 4e9),
    ]
    assert notes == []
    gpus, _ = find_gpus({"cupy": FakeCupy(devices=1), "torch": FakeTorch(devices=2)}.get)
    assert [(gpu.name, gpu.module.model) for gpu in gpus] == [("gpu0", "Fake C1")]


def test_without_a_gpu_every_library_says_why() -> None:
    def broken(name: str) -> FakeTorch | None:
        if name == "cupy":
            raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected\nmore")
        return FakeTorch(devices=0)

    assert find_gpus(broken) == ([], ["cupy cannot be used: cudaErrorNoDevice: no CUDA-capable device is detected", "torch sees no GPU"])
    assert find_gpus(lambda _: None) == ([], ["cupy is not installed", "torch is not installed"])
