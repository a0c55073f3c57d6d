"""Fixtures of tests of what guards the service."""

from security_fixtures import guarded
from service_fixtures import _no_settings_from_outside, killable, service
from storage_fixtures import anyio_backend, migrated, postgres, valkey

__all__ = ["_no_settings_from_outside", "anyio_backend", "guarded", "killable", "migrated", "postgres", "service", "valkey"]
