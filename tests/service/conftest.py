"""Fixtures of tests of the service."""

from service_fixtures import _no_settings_from_outside, killable, service
from storage_fixtures import anyio_backend, migrated, postgres, valkey

__all__ = ["_no_settings_from_outside", "anyio_backend", "killable", "migrated", "postgres", "service", "valkey"]
