"""Where the reference data lies that is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared(path: str) -> Path:
    """Return a file or folder of the shared reference data, or skip the calling test where that data is absent.

    The folder is named by the environment variable ``HMS_SHARED``, or else is the folder ``shared`` beside the checkout.
    """
    named = os.environ.get("HMS_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"the shared reference data is not at {folder}; set HMS_SHARED to its folder")
    return folder / path
