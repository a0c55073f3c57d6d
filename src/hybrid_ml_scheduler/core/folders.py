"""Where this program keeps what must last."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path | None:
    """Return the folder for models, journal and the embedded database.

    Returns
    -------
    Path or None
        ``$HMS_DATA_DIR``, else ``hybrid-ml-scheduler`` below ``$XDG_DATA_HOME`` or ``~/.local/share``; None where nothing says where that is, as in
        some containers.
    """
    if chosen := os.environ.get("HMS_DATA_DIR"):
        return Path(chosen)
    home = os.environ.get("HOME")
    data = os.environ.get("XDG_DATA_HOME") or (Path(home) / ".local" / "share" if home else None)
    return None if data is None else Path(data) / "hybrid-ml-scheduler"


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone, as the XDG base directory specification asks.

    One that is there stays as it is.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)
