"""Rows of a run: a page as JSON, or all of them as a stream in constant memory."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.core.errors import InputError, StorageError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.service.answers import raw_json, to_json
from hybrid_ml_scheduler.service.conditional import headers_of, tag_of, unchanged
from hybrid_ml_scheduler.service.resources import Resources
from hybrid_ml_scheduler.storage.repositories import Page
from hybrid_ml_scheduler.storage.schema import STREAM_NAMES

_LOG = logging.getLogger(__name__)

DEFAULT_LIMIT = 1_000


class Format(StrEnum):
    """How rows are sent."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


_MEDIA_TYPES = {Format.NDJSON: "application/x-ndjson", Format.CSV: "text/csv; charset=utf-8"}

CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page as JSON, or all rows in their order, one per line.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}},
    }
}
"""What OpenAPI says about the streams."""


class Rows(StreamingResponse):
    """Rows on their way to a client. If they cannot be read to their end, the connection is broken off: nobody takes a part for the whole."""

    async def stream_response(self, send: Send) -> None:
        """Send them; without an end if the storage fails, whereupon the server closes the connection."""
        try:
            await super().stream_response(send)
        except StorageError as error:
            _LOG.error("an export was broken off before its end: %s", error)


async def rows(
    resources: Resources, stream: Stream, run_id: int | None, *, scheduler: str | None, limit: int | None, before: int | None, form: Format
) -> Response:
    """Return rows of a run.

    Parameters
    ----------
    resources : Resources
    stream : Stream
    run_id : int or None
        None if there has never been a run.
    scheduler : str or None
        Only its rows.
    limit, before : int or None
        Of a JSON page.
    form : Format

    Raises
    ------
    InputError
        If a stream shall be a page.
    UnknownRunError
    """
    if form is not Format.JSON:
        if limit is not None or before is not None:
            raise InputError("limit and before belong to pages; expected them with format=json only: streams hold everything")
        return await _stream(resources, stream, run_id, scheduler, form)
    limit = DEFAULT_LIMIT if limit is None else limit
    if run_id is None:
        return raw_json(to_json({"run_id": None, "rows": [], "next": None}))

    async def ask() -> bytes:
        page = await resources.storage.newest(stream, run_id, limit, before, scheduler)
        if not page.rows:
            await resources.storage.known_run(run_id)
        return to_json({"run_id": run_id, "rows": page.dicts(), "next": page.next_seq})

    return raw_json(await resources.answers.answer(f"rows {stream} {run_id} {limit} {before} {scheduler}", ask))


async def _stream(resources: Resources, stream: Stream, run_id: int | None, scheduler: str | None, form: Format) -> Response:
    newest = Page((), [], None)
    if run_id is not None:
        newest = await resources.storage.newest(stream, run_id, 1, None, scheduler)
        if not newest.rows:
            await resources.storage.known_run(run_id)
    # What arrives from now on is not part of it: a run that is faster than its reader would never end.
    end_seq = newest.rows[0][1] + 1 if newest.rows else 0
    # Rows never change; the oldest may have been deleted.
    oldest = await resources.storage.following(stream, run_id, 0, 1, scheduler) if run_id is not None and end_seq else newest
    ends = f"{oldest.rows[0][1] if oldest.rows else 0} {end_seq}"
    tag = tag_of(*(part.encode(errors="surrogatepass") for part in (__version__, stream, str(run_id), scheduler or "", form, ends)))
    if (known := unchanged(tag)) is not None:
        return known
    name = f"{stream}-{run_id}.{form}" if run_id is not None else f"{stream}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **headers_of(tag)}
    return Rows(_lines(resources, stream, run_id, scheduler, form, end_seq), media_type=_MEDIA_TYPES[form], headers=headers)


async def _lines(resources: Resources, stream: Stream, run_id: int | None, scheduler: str | None, form: Format, end_seq: int) -> AsyncIterator[bytes]:
    names = STREAM_NAMES[stream]
    if form is Format.CSV:
        yield _csv([names])
    if run_id is None or not end_seq:
        return
    write = _csv if form is Format.CSV else lambda found: _ndjson(names, found)
    async for page in resources.storage.history(stream, run_id, scheduler):
        inside = [row for row in page.rows if row[1] < end_seq]
        yield await asyncio.to_thread(write, inside)
        if page.rows[-1][1] >= end_seq - 1:
            return


def _csv(found: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(found)
    return text.getvalue().encode()


def _ndjson(names: Sequence[str], found: Sequence[Sequence[Any]]) -> bytes:
    return b"".join(orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for row in found)
