"""What measured figures depend on: the machine and the versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hybrid_ml_scheduler import __version__

PACKAGES = ("numba", "numpy", "polars", "scipy")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, system, and versions."""
    processors = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory_kib = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "processor": processors[0] if processors else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory_kib[0] / 1024**2, 1) if memory_kib else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "hybrid-ml-scheduler": __version__,
        **{package: version(package) for package in PACKAGES},
    }


def others_busy_s() -> float | None:
    """Return the CPU time that others have used on this machine since it started, in seconds: the hypervisor's included, ours left out.

    None where the system does not say. Differences between two calls are what counts.
    """
    total = next((line.split()[1:] for line in _lines("/proc/stat") if line.startswith("cpu ")), None)
    if total is None:
        return None
    user, nice, system, _idle, _io_wait, irq, soft_irq, steal = map(int, total[:8])
    ours = os.times()
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK") - ours.user - ours.system


def _lines(path: str) -> list[str]:
    """Return the lines of a file of the system, none where it does not have it."""
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).is_file() else []
