"""What must be set before the heavy libraries are imported."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def set_cache_folders() -> None:
    """Give numba and matplotlib a folder of ours that can be written, unless the user has named one.

    Both fail or warn where neither the installation nor the home folder can be written, and numba would otherwise compile everything again in
    every process.
    """
    missing = [name for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR") if name not in os.environ]
    if not missing:
        return
    cache = _writable_cache()
    for name in missing:
        folder = cache / ("numba" if name == "NUMBA_CACHE_DIR" else "matplotlib")
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)


def nothing_compiled_yet() -> bool:
    """Whether this machine has no compiled code of ours, so that the first simulation takes a minute longer."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return folder is not None and next(Path(folder).rglob("*.nbi"), None) is None


def _writable_cache() -> Path:
    """Return the first of these that can be written: the virtual environment, the user's cache folder, a temporary folder of the user's own."""
    options = []
    if sys.prefix != sys.base_prefix:
        options.append(Path(sys.prefix) / "cache")
    home = os.environ.get("XDG_CACHE_HOME") or (Path(os.environ["HOME"]) / ".cache" if os.environ.get("HOME") else None)
    if home is not None:
        options.append(Path(home) / "hybrid-ml-scheduler")
    for folder in options:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    # Compiled code is loaded from here, so nobody else may have put it there: a fresh folder, at the price of compiling again.
    return Path(tempfile.mkdtemp(prefix="hybrid-ml-scheduler-"))
