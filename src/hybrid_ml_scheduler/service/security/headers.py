"""Headers that tell browsers what our answers may not be used for."""

from __future__ import annotations

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For pages: scripts and styles are files of ours, nothing stands inline, nothing comes from elsewhere, and nobody shows us in a frame."""
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""For everything that is no page."""

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_PAGE = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
_DATA = (b"content-security-policy", DATA_POLICY.encode())
_SECURE = (b"strict-transport-security", b"max-age=31536000")
_PRIVATE = (b"cache-control", b"private, no-cache")


def secure(headers: list[tuple[bytes, bytes]], *, https: bool, private: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those of ours; what a route says about caching stays.

    Parameters
    ----------
    headers : list of (bytes, bytes)
    https : bool
        Whether the client came through TLS.
    private : bool
        Whether the answer is for somebody in particular, so that nobody on the way may keep it.
    """
    kind, cached = b"", False
    for name, value in headers:
        if name == b"content-type":
            kind = value
        elif name == b"cache-control":
            cached = True
    found = [each for each in headers if each[0] != b"content-security-policy"]
    found.extend(_ALWAYS)
    if kind:
        # "Not modified" has no content and so no kind: a policy on it would take the place of the one that a browser keeps with the page.
        found.append(_PAGE if kind.startswith(b"text/html") else _DATA)
    if https:
        found.append(_SECURE)
    if private and not cached:
        found.append(_PRIVATE)
    return found
