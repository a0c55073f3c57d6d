"""Text for logs: no secret in it, and no character that could forge a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote

from pydantic import SecretStr
from pydantic_settings import BaseSettings

HIDDEN = "***"
_SHORTEST = 4
"""Shorter secrets would blank out words that are none."""

_USER_PART = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s'\"@]+@")
_NAMED = re.compile(
    r"(?P<name>\b(?:proxy-)?authorization|\b(?:set-)?cookie|\bx-api-key|\b[\w-]*(?:password|passwd|secret|token|api[_-]?key|credential)[\w-]*)"
    r"(?P<sign>['\"]?\s*[:=]\s*(?:b?['\"])?)"
    r"(?:(?:bearer|basic)\s+)?[^\s'\",;&]+(?:;\s*[\w-]+=[^\s'\",;&]+)*",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(?P<scheme>bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_KEY = re.compile(r"\bhms_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}")
_QUERY = re.compile(r"(?P<path>(?:[A-Za-z][A-Za-z0-9+.-]*:/|(?<=[\s\"'])|^)/[^\s\"'?]*)\?[^\s\"']+")
_SUSPECT = re.compile(r"://|\?|bearer|basic|eyJ|hms_|authori|cookie|passw|secret|token|api[_-]?key|credential", re.IGNORECASE)
"""What one of the patterns above would need: most text has none of it, and looking once is cheaper than looking for each."""
_SHORT = 200
_REMEMBERED = 2_048


def secrets_of(settings: BaseSettings) -> list[str]:
    """Return the secrets in settings: whole values, and the passwords in addresses, also as they look inside of addresses."""
    found: set[str] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            found.add(text)
            user, at, _ = text.partition("://")[2].rpartition("@")
            password = user.partition(":")[2]
            if at and password:
                found |= {password, unquote(password), quote(unquote(password), safe="")}
    return sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True)


class Cleaner:
    """Takes secrets and control characters out of text.

    Parameters
    ----------
    secrets : iterable of str
        What must not be seen, whatever stands around it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = [re.escape(text) for text in secrets]
        self._known = re.compile("|".join(known)) if known else None
        # Methods, routes and addresses come again and again.
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._line)

    def hide(self, text: str) -> str:
        """Return text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if _SUSPECT.search(text) is None:
            return text
        text = _USER_PART.sub(rf"\g<scheme>{HIDDEN}@", text)
        text = _NAMED.sub(rf"\g<name>\g<sign>{HIDDEN}", text)
        text = _SCHEME.sub(rf"\g<scheme> {HIDDEN}", text)
        text = _KEY.sub(HIDDEN, _JWT.sub(HIDDEN, text))
        return _QUERY.sub(rf"\g<path>?{HIDDEN}", text)

    def line(self, text: str) -> str:
        """Return text as part of one line: without secrets; what cannot be printed is spelled out."""
        return self._remembered(text) if len(text) <= _SHORT else self._line(text)

    def _line(self, text: str) -> str:
        text = self.hide(text)
        return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
