"""Every module can be imported on its own, and the lower layers bring nothing heavy along that they need not."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import hybrid_ml_scheduler

SOURCE = str(Path(hybrid_ml_scheduler.__file__).resolve().parents[1])
MODULES = sorted(module.name for module in pkgutil.walk_packages(hybrid_ml_scheduler.__path__, "hybrid_ml_scheduler."))


def imported_by(module: str) -> set[str]:
    """Return the top-level modules that a fresh process holds after importing one module."""
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": SOURCE})
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("layer", ["core", "engine", "workloads", "policies", "experiments", "storage", "service", "cli"])
def test_each_layer_can_be_imported_first(layer: str) -> None:
    # One process per layer: whatever comes first must not depend on what others have imported before.
    names = [name for name in MODULES if name.startswith(f"hybrid_ml_scheduler.{layer}")]
    assert names
    imported_by(", ".join(names))


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("hybrid_ml_scheduler.core.workload", {"numba", "scipy", "polars", "pyarrow", "yaml", "matplotlib", "typer", "rich"}),
        ("hybrid_ml_scheduler.workloads.open", {"numba", "matplotlib", "typer", "rich"}),
        ("hybrid_ml_scheduler.engine", {"polars", "pyarrow", "matplotlib", "typer", "rich"}),
        ("hybrid_ml_scheduler.policies", {"polars", "pyarrow", "matplotlib", "typer", "rich"}),
        ("hybrid_ml_scheduler.storage.service", {"numba", "polars", "pyarrow", "scipy", "matplotlib", "sklearn"}),
        ("hybrid_ml_scheduler.cli.main", {"sqlalchemy", "pydantic", "numpy", "numba", "scipy", "polars", "pyarrow", "yaml", "matplotlib", "rich"}),
    ],
)
def test_nothing_unneeded_comes_along(module: str, unwanted: set[str]) -> None:
    assert imported_by(module) & unwanted == set()


def test_no_two_test_files_have_one_name() -> None:
    # pytest imports them by their names alone: with two it would collect nothing at all.
    names = sorted(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, next_ in pairwise(names) if name == next_] == []
