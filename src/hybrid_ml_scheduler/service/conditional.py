"""Conditional requests (RFC 9110, 13): who has an answer already is not sent it again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from hybrid_ml_scheduler.service.observability.context import REQUEST

TAG_BYTES = 24
"""Length of the tags of answers, as text."""
_TAGS = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Tagged:
    """An answer, and what stands for its content.

    Attributes
    ----------
    content : bytes
    tag : str
        `TAG_BYTES` hexadecimal digits.
    """

    content: bytes
    tag: str

    @classmethod
    def of(cls, content: bytes) -> Tagged:
        """Return an answer with its tag."""
        return cls(content, tag_of(content))

    def packed(self) -> bytes:
        """Return both as bytes."""
        return self.tag.encode() + self.content

    @classmethod
    def unpacked(cls, packed: bytes) -> Tagged:
        """Undo `packed`."""
        return cls(packed[TAG_BYTES:], packed[:TAG_BYTES].decode())


def tag_of(*parts: bytes) -> str:
    """Return what stands for some content."""
    found = hashlib.blake2b(digest_size=TAG_BYTES // 2)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()


def matches(header: str, tag: str) -> bool:
    """Whether a header ``If-None-Match`` names a tag, or any (``*``)."""
    return header.strip() == "*" or tag in _TAGS.findall(header)


def unchanged(tag: str) -> Response | None:
    """Return the answer for a client that has this one already; None if it has not."""
    request = REQUEST.get()
    if request is None or request.if_none_match is None or not matches(request.if_none_match, tag):
        return None
    return Response(status_code=304, headers=headers_of(tag))


def headers_of(tag: str) -> Mapping[str, str]:
    """Return the headers of an answer that has a tag. It is a weak one: compressed or not, the content is the same."""
    return {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}


def tagged_response(found: Tagged, media_type: str) -> Response:
    """Return an answer, or that the client has it already."""
    return unchanged(found.tag) or Response(found.content, media_type=media_type, headers=headers_of(found.tag))
