"""The built dashboard: its files, read once, with what must be said about each when it is sent."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static" / "app"
"""Where the build hook (hatch_build.py of the checkout) leaves the page."""
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
}
_TEXT = frozenset({".js", ".css", ".html", ".svg", ".json", ".webmanifest", ".txt"})
_LEAST_BYTES = 500
"""Smaller files gain nothing by being compressed."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_AN_HOUR = "public, max-age=3600"
"""For the icon, which browsers look at again whenever the address changes: on this page with every click."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page.

    Attributes
    ----------
    content : bytes
    compressed : bytes or None
        By gzip; None where that gains nothing.
    media_type : str
    caching : str
        Value of Cache-Control: names below ``assets/`` hold a hash of the content, so that what they name never changes.
    tag : str
        Value of ETag.
    """

    content: bytes
    compressed: bytes | None
    media_type: str
    caching: str
    tag: str


def read_page(folder: Path) -> dict[str, PageFile]:
    """Read the built page.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to PageFile
        By path below the folder; empty if there is no page.
    """
    if not (folder / "index.html").is_file():
        return {}
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        packed = gzip.compress(content, 9, mtime=0) if path.suffix in _TEXT and len(content) >= _LEAST_BYTES else None
        media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        found[name] = PageFile(
            content=content,
            compressed=packed if packed is not None and len(packed) < len(content) else None,
            media_type=f"{media_type}; charset=utf-8" if path.suffix in _TEXT else media_type,
            caching=_FOREVER if name.startswith("assets/") else _AN_HOUR if path.suffix == ".svg" else _ASK_FIRST,
            tag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        )
    return found


@lru_cache(maxsize=1)
def built_page() -> dict[str, PageFile]:
    """Return the page of this installation, read once."""
    return read_page(FOLDER)
