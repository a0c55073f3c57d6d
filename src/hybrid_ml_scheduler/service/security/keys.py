"""API keys: what they look like, and how one is known again."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.service.security.scopes import SCOPES
from hybrid_ml_scheduler.storage.schema import ApiKeyRow

PREFIX = "hms_"
NAME_MAX = 100
_KEY = re.compile(r"hms_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_SECRET_BYTES = 32


def checked_scopes(scopes: Sequence[str]) -> list[str]:
    """Return scopes in their order, each once.

    Raises
    ------
    InputError
        If there are none, or one is unknown.
    """
    unknown = [name for name in scopes if name not in SCOPES]
    if unknown or not scopes:
        raise InputError(f"{'no scope' if not scopes else f'unknown scope {unknown[0]!r}'}; expected some of {', '.join(SCOPES)}")
    return [scope.value for scope in SCOPES if scope in scopes]


def checked_name(name: str) -> str:
    """Return a name that people give.

    Raises
    ------
    InputError
        If it is empty, long, or holds what cannot be printed.
    """
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable() or not name.strip():
        raise InputError(f"the name {name[:NAME_MAX]!r} cannot be used; expected 1 to {NAME_MAX} printable characters")
    return name


def new_key(name: str, scopes: Sequence[str], days: float | None = None) -> tuple[str, ApiKeyRow]:
    """Return a new key, which nobody will ever see again, and what is stored of it.

    Parameters
    ----------
    name : str
        What it is for.
    scopes : sequence of str
    days : float, optional
        After which it ends.

    Raises
    ------
    InputError
    """
    if days is not None and not 0 < days <= 36_500:
        raise InputError(f"the key shall be good for {days:g} days; expected more than 0, at most 36500")
    key_id = secrets.token_hex(6)
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    now = datetime.now(UTC)
    row = ApiKeyRow(
        id=key_id,
        name=checked_name(name),
        sha256=digest(key),
        scopes=checked_scopes(scopes),
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
        revoked_at=None,
    )
    return key, row


def digest(secret: str) -> str:
    """Return what is stored of a secret of 256 random bits: nothing slower is needed, there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(secret: str, sha256: str) -> bool:
    """Whether a secret is the one that a digest was made of, in a time that says nothing about how much of it was right."""
    return hmac.compare_digest(digest(secret), sha256)


def id_of(key: str) -> str | None:
    """Return the identifier in a key; None if it is none."""
    found = _KEY.fullmatch(key)
    return None if found is None else found.group(1)
