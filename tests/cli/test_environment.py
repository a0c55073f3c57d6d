from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli.environment import nothing_compiled_yet, set_cache_folders


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    # Whatever the function sets is taken back after the test.
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    return tmp_path


def test_in_a_virtual_environment_compiled_code_lies_in_it(bare: Path) -> None:
    set_cache_folders()
    assert os.environ["NUMBA_CACHE_DIR"] == str(bare / "venv" / "cache" / "numba")
    assert Path(os.environ["MPLCONFIGDIR"]).is_dir()


def test_otherwise_in_the_users_cache_folder(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setenv("HOME", str(bare / "home"))
    set_cache_folders()
    assert os.environ["NUMBA_CACHE_DIR"] == str(bare / "home" / ".cache" / "hybrid-ml-scheduler" / "numba")


def test_without_any_folder_of_ones_own_a_private_one_is_made(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "venv").write_text("not a folder")
    set_cache_folders()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.is_dir()
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_what_the_user_names_stays(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    set_cache_folders()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"
    assert os.environ["MPLCONFIGDIR"] == str(bare / "venv" / "cache" / "matplotlib")


def test_compiled_code_is_seen(bare: Path) -> None:
    assert not nothing_compiled_yet()  # nobody has said where it would be
    set_cache_folders()
    assert nothing_compiled_yet()
    (Path(os.environ["NUMBA_CACHE_DIR"]) / "engine").mkdir()
    (Path(os.environ["NUMBA_CACHE_DIR"]) / "engine" / "pool.run-1.py311.nbi").touch()
    assert not nothing_compiled_yet()
