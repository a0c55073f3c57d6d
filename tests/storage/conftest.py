"""Fixtures of tests that store."""

from storage_fixtures import _no_settings_from_outside, anyio_backend, make_settings, migrated, own_valkey, postgres, valkey

__all__ = ["_no_settings_from_outside", "anyio_backend", "make_settings", "migrated", "own_valkey", "postgres", "valkey"]
