"""Fixtures of tests of the continuous run: the storage's, on SQLite, and a PostgreSQL server for what several processes share."""

from pathlib import Path

import pytest

from storage_fixtures import _no_settings_from_outside, anyio_backend, migrated, own_valkey, postgres
from storage_fixtures import make_settings as _any_settings

__all__ = ["_any_settings", "_no_settings_from_outside", "anyio_backend", "data_folder", "migrated", "own_valkey", "postgres"]


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Folder of one service: database, journal, models."""
    return tmp_path / "data"
