"""Passwords: argon2, in threads, a few at a time, so that signing in neither holds the event loop up nor fills the memory."""

from __future__ import annotations

import asyncio
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from hybrid_ml_scheduler.core.errors import InputError

SHORTEST, LONGEST = 12, 200
_AT_ONCE = 2
"""Each takes 64 MiB and a core for a moment."""


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return what is stored of a password.

    Raises
    ------
    InputError
        If it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(f"the password has {len(password)} characters; expected {SHORTEST} to {LONGEST}")
    return _hasher().hash(password)


class PasswordChecker:
    """Compares passwords with their hashes."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def check(self, password: str, stored: str | None) -> bool:
        """Whether a password is the stored one; as much work if there is none, so that nobody learns which users there are."""
        async with self._turn:
            right = await asyncio.to_thread(_verify, password, stored)
        return right and stored is not None


def _verify(password: str, stored: str | None) -> bool:
    return _hasher().verify(password, _nobodys_hash() if stored is None else stored)
