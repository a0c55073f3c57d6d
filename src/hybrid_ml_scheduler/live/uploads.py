"""Workloads that were uploaded: kept by the hash of their content, and named by it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from hybrid_ml_scheduler.core.errors import UnknownNameError

PREFIX = "upload:"
FOLDER = "workloads"
"""In the data folder."""
_NAME = re.compile(r"upload:([0-9a-f]{64})")


def is_upload(workload: str) -> bool:
    """Whether a workload's name is one of an upload, whether or not there is such a one."""
    return workload.startswith(PREFIX)


def keep_upload(workload: str, folder: Path, files: Path) -> None:
    """Put an uploaded workload with the files of a run, or out of them into the data folder, wherever it is missing.

    Parameters
    ----------
    workload : str
        Nothing is done for one that was not uploaded.
    folder : Path
        The data folder.
    files : Path
        Files of the run.
    """
    found = _NAME.fullmatch(workload)
    if found is None:
        return
    places = (folder / FOLDER / found.group(1), files / FOLDER / found.group(1))
    for source, missing in (places, places[::-1]):
        if source.is_file() and not missing.is_file():
            missing.parent.mkdir(parents=True, exist_ok=True)
            temporary = missing.with_name(f".{missing.name}")
            shutil.copyfile(source, temporary)
            temporary.replace(missing)


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
