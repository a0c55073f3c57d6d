"""Reads an uploaded workload in a process of its own, with little memory, time and nothing it may write: ``python -m ... FILE MEMORY_MB TIME_S``.

Writes one line of JSON: what the workload is, or why it cannot be used.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

REFUSED = 3
"""Exit code if the file is no workload."""


def confine(memory_mb: float, time_s: float) -> None:
    """Bound what this process may take from now on."""
    memory_bytes, seconds = int(memory_mb * 1e6), max(1, int(time_s))
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most, most) if hard == resource.RLIM_INFINITY else (min(most, hard), hard))


def describe(path: str) -> dict[str, Any]:
    """Return what a workload file is."""
    from hybrid_ml_scheduler.workloads.open import open_workload

    found = open_workload(path)
    return {"kind": str(found.kind), "tasks": len(found), "format": found.report.format}


def main(path: str, memory_mb: str, time_s: str) -> int:
    """Read a file, and say what it is."""
    from hybrid_ml_scheduler.core.errors import InputError

    confine(float(memory_mb), float(time_s))
    try:
        answer, code = describe(path), 0
    except InputError as error:
        answer, code = {"problem": str(error).replace(path, "the upload")}, REFUSED
    except (MemoryError, RecursionError):
        answer, code = {"problem": "the upload takes more memory than it may; expected a smaller one (HMS_UPLOAD_MEMORY_MB)"}, REFUSED
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
