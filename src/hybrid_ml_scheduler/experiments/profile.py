"""Measure this machine: ``hms profile``.

Every kernel of every size on every device gets an equal share of what is left of the budget (`profile_timing`). What is expected to fit neither into
the budget nor into the memory is left out, and named.
"""

from __future__ import annotations

import math
import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

from threadpoolctl import threadpool_info

from hybrid_ml_scheduler.core.cluster import MB
from hybrid_ml_scheduler.core.constants import GPU_MODELS, MB_PER_GB
from hybrid_ml_scheduler.core.errors import InputError, NothingToReportError
from hybrid_ml_scheduler.experiments.machine import machine, others_busy_s
from hybrid_ml_scheduler.experiments.profile_gpus import GPU_ERRORS, GpuDevice, Link, find_gpus, measure_link
from hybrid_ml_scheduler.experiments.profile_kernels import KERNELS, CpuDevice, Device, Kernel
from hybrid_ml_scheduler.experiments.profile_timing import Budget, Clock, LeftOut, first_line, measure
from hybrid_ml_scheduler.workloads.measured import CPU, MeasuredRow, MeasuredTable

MIN_SIZE, MAX_SIZE = 4, 65_536
"""From the smallest stencil with more than one inner row, to 4 * 10**9 numbers."""
SIZES = (128, 256, 512, 1024, 2048)

Progress = Callable[[int, int, str], None]
"""Called with the number of measurements done, of all, and what is being measured."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured.

    Attributes
    ----------
    table : MeasuredTable
        The times, and on what they were measured.
    gpus : tuple of (GpuDevice, Link)
        The GPUs that were measured.
    memory_gb : float or None
        Host memory; None where the system does not say.
    left_out : tuple of str
        What was asked for and not measured, each with the reason.
    notes : tuple of str
        Why there is no GPU, where there is none.
    """

    table: MeasuredTable
    gpus: tuple[tuple[GpuDevice, Link], ...]
    memory_gb: float | None
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        rows = [{name: getattr(row, name) for name in MeasuredRow.__dataclass_fields__} for row in self.table.rows]
        return {**self.table.facts, "rows": rows, "left_out": list(self.left_out), "notes": list(self.notes)}

    def speed(self, gpu: str) -> float | None:
        """Return the speed-up of a GPU over one CPU core: geometric mean over the kernels, each at the largest size measured on both."""
        largest: dict[str, tuple[int, float, float]] = {}
        for row in self.table.rows:
            cpu_s = self.table.time_s(row.kernel, row.size)
            if row.device == gpu and cpu_s is not None:
                largest[row.kernel] = max(largest.get(row.kernel, (0, 0.0, 0.0)), (row.size, cpu_s, row.median_s))
        if not largest:
            return None
        return math.exp(sum(math.log(cpu_s / gpu_s) for _, cpu_s, gpu_s in largest.values()) / len(largest))

    def cluster_yaml(self) -> str:
        """Return the cluster file (docs/clusters.md): measured values only, everything else at the format's defaults."""
        facts = self.table.facts
        lines = [
            f"# Measured by hms profile on {facts['date']}: {facts['processor']}, {facts['system']}.",
            f"# Command: {facts['command']}",
            "# One core of this machine is the reference CPU here (cpu_speed 1). Watts and prices were not measured: they are unknown.",
            f"name: {_quoted(facts['host'])}",
            "nodes:",
            f"  - name: {_quoted(facts['host'])}",
            f"    cores: {facts['cores']}",
        ]
        if self.memory_gb is not None:
            lines.append(f"    memory_gb: {self.memory_gb:.1f}")
        known = [(gpu, link, self.speed(gpu.name)) for gpu, link in self.gpus]
        usable = [(gpu, link, speed) for gpu, link, speed in known if speed is not None]
        lines += [f"    # {gpu.name} is left out: no kernel was measured both there and on one core" for gpu, _, speed in known if speed is None]
        if usable:
            lines.append("    # speed: over one core, geometric mean over the kernels, each at the largest size measured on both")
            lines.append("    gpus:")
        for gpu, link, speed in usable:
            lines += [
                f"      - model: {_quoted(gpu.module.model)}",
                f"        memory_gb: {gpu.memory_bytes / MB / MB_PER_GB:.3f}",
                f"        speed: {speed:.6g}",
                f"        link_gb_s: {link.link_gb_s:.6g}",
                f"        launch_s: {link.launch_s:.9f}",
            ]
            if gpu.module.model in GPU_MODELS:  # what the catalogue knows of the model was not measured here
                lines += ["        idle_w: null", "        busy_w: null", "        usd_per_hour: null"]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as a YAML scalar between single quotes."""
    return "'" + text.replace("'", "''") + "'"


def available_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_profile(
    *,
    kernels: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    budget_s: float = 60.0,
    cores: int | None = None,
    command: str = "",
    progress: Progress | None = None,
    clock: Clock = time.perf_counter,
    gpus: Sequence[GpuDevice] | None = None,
) -> Profile:
    """Measure kernels on one core, on all cores asked for, and on every GPU.

    Parameters
    ----------
    kernels : sequence of str, optional
        Names in `KERNELS`; all by default.
    sizes : sequence of int, optional
        4 to 65,536; `SIZES` by default. A kernel of size n works on n * n numbers.
    budget_s : float
        Seconds for the measurements together; > 0.
    cores : int, optional
        All that this process may use by default.
    command : str
        Is kept in the table: how these figures can be had again.
    progress : callable, optional
        Is told how many measurements are done, of how many, and what is being measured.
    clock : callable
        Returns seconds.
    gpus : sequence of GpuDevice, optional
        What to measure instead of the GPUs that CuPy or PyTorch see.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        If an argument is unknown or out of range.
    NothingToReportError
        If the budget was too short for a single measurement.
    """
    chosen, wanted, most = _checked(kernels, sizes, budget_s, cores)
    found, notes = find_gpus() if gpus is None else (list(gpus), [])
    host = machine()
    host_bytes = math.inf if host["memory_gib"] is None else host["memory_gib"] * 1024**3
    CpuDevice(1).prepare(KERNELS["stencil"], MIN_SIZE)  # compiles before the budget begins to run
    devices: list[Device] = [CpuDevice(number, host_bytes) for number in sorted({1, most})]
    left_out: list[str] = []
    linked: list[tuple[GpuDevice, Link]] = []
    for gpu in found:
        try:
            linked.append((gpu, measure_link(gpu.module, clock)))
            devices.append(gpu)
        except (*GPU_ERRORS, MemoryError) as error:
            left_out.append(f"{gpu.name} ({gpu.module.model}): {first_line(error)}")
    # Sizes go up in the outermost loop: what large sizes lack is then missing on all devices alike.
    steps = list(product(wanted, chosen, devices))
    budget = Budget(budget_s, len(steps), clock)
    others_s, began_s = others_busy_s(), time.monotonic()
    rows: list[MeasuredRow] = []
    s_per_work: dict[tuple[str, str, int], float] = {}
    for size, kernel, device in steps:
        what = f"{kernel.name} of size {size} on " + (_count(device.cores, "core") if device.name == CPU else device.name)
        if progress is not None:
            progress(budget.done, len(steps), what)
        key = (kernel.name, device.name, device.cores)
        try:
            row = measure(device, kernel, size, budget, s_per_work.get(key))
        except LeftOut as reason:
            left_out.append(f"{what}: {reason}")
        else:
            rows.append(row)
            s_per_work[key] = row.median_s / kernel.work(size)
    others = _busy_cores(others_s, others_busy_s(), time.monotonic() - began_s)
    if not rows:
        raise NothingToReportError(f"a budget of {budget_s:g} s is too short to measure anything here; expected a longer budget or smaller sizes")
    memory_gb = None if host["memory_gib"] is None else host_bytes / MB / MB_PER_GB
    return Profile(
        MeasuredTable(_facts(host, most, linked, budget_s, command, others), tuple(rows)), tuple(linked), memory_gb, tuple(left_out), tuple(notes)
    )


def _checked(kernels: Sequence[str] | None, sizes: Sequence[int] | None, budget_s: float, cores: int | None) -> tuple[list[Kernel], list[int], int]:
    """Return kernels, ascending sizes, and the number of cores, or raise `InputError`."""
    names = list(KERNELS) if kernels is None else list(kernels)
    unknown = [name for name in names if name not in KERNELS]
    if unknown or not names:
        raise InputError(f"there is no kernel {unknown[0] if unknown else ''!r}; expected some of {', '.join(KERNELS)}")
    wanted = list(SIZES if sizes is None else sizes)
    if not wanted:
        raise InputError("there are no sizes; expected at least one")
    for what, values in (("kernel", names), ("size", [str(size) for size in wanted])):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise InputError(f"{what} {twice} stands there twice; expected each {what} once")
    wrong = next((size for size in wanted if not MIN_SIZE <= size <= MAX_SIZE), None)
    if wrong is not None:
        raise InputError(f"size {wrong} is not usable; expected whole numbers from {MIN_SIZE} to {MAX_SIZE}")
    if not 0 < budget_s < math.inf:
        raise InputError(f"a budget of {budget_s:g} s is not usable; expected a finite number of seconds above 0")
    most = available_cores()
    if cores is not None and not 1 <= cores <= most:
        raise InputError(f"{cores} cores are not usable; expected 1 to {most}, which this process may use")
    return [KERNELS[name] for name in names], sorted(wanted), most if cores is None else cores


def _facts(
    host: dict[str, Any], cores: int, gpus: Sequence[tuple[GpuDevice, Link]], budget_s: float, command: str, others: float | None
) -> dict[str, Any]:
    """Return the first line of the table."""
    blas = sorted({f"{entry['internal_api']} {entry['version']}" for entry in threadpool_info() if entry["user_api"] == "blas"})
    return {
        # The name stands in kernels:PATH@HOST, where @, # and / mean something.
        "host": re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()) or "localhost",
        "cores": cores,
        "gpus": [
            {
                "name": gpu.name,
                "model": gpu.module.model,
                "library": gpu.module.library,
                "memory_mb": gpu.memory_bytes / MB,
                "link_gb_s": link.link_gb_s,
                "copy_latency_s": link.copy_latency_s,
                "launch_s": link.launch_s,
            }
            for gpu, link in gpus
        ],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "budget_s": budget_s,
        "numbers": "float32 (fft: complex64), size x size",
        "times": "seconds, median over repeats after one run to warm up; data stays on its device",
        "others_busy_cores": others,
        "processor": host["processor"],
        "machine_cores": host["cores"],
        "memory_gib": host["memory_gib"],
        "system": host["system"],
        "versions": {name: host[name] for name in ("hybrid-ml-scheduler", "python", "numpy", "scipy", "numba")},
        "blas": blas,
    }


def _busy_cores(before_s: float | None, after_s: float | None, wall_s: float) -> float | None:
    """Return how many cores others kept busy on average, or None where the system does not say."""
    if before_s is None or after_s is None or wall_s <= 0:
        return None
    return max(round((after_s - before_s) / wall_s, 3), 0.0)  # ticks are coarse: a short run may give a little less than nothing


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
