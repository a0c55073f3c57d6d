"""Workloads that were uploaded: kept by the hash of their content, and named by it."""

from __future__ import annotations

import re
from pathlib import Path

from hybrid_ml_scheduler.core.errors import UnknownNameError

PREFIX = "upload:"
FOLDER = "workloads"
"""In the data folder."""
_NAME = re.compile(r"upload:([0-9a-f]{64})")


def is_upload(workload: str) -> bool:
    """Whether a workload's name is one of an upload, whether or not there is such a one."""
    return workload.startswith(PREFIX)


def uploaded_file(workload: str, folder: Path) -> Path | None:
    """Return the file of an uploaded workload; None for a workload that is none.

    Parameters
    ----------
    workload : str
        ``upload:SHA256``, or the name of another workload.
    folder : Path
        The data folder.

    Raises
    ------
    UnknownNameError
        If nothing with this content was uploaded.
    """
    if not is_upload(workload):
        return None
    found = _NAME.fullmatch(workload)
    file = None if found is None else folder / FOLDER / found.group(1)
    if file is None or not file.is_file():
        raise UnknownNameError(f"there is no uploaded workload {workload[:80]!r}; expected one that GET /api/v1/workloads/uploads shows")
    return file
