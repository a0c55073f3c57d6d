"""Answers that need not be sent, or not in full size: conditional requests, compression, and what caches on the way are told."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hybrid_ml_scheduler.service.conditional import matches
from hybrid_ml_scheduler.service.observability.compression import Compression, takes_gzip
from service_fixtures import Running, listening, running, settings_in

pytestmark = pytest.mark.anyio


async def raw(client: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return an answer, and its body as it came over the wire."""
    async with client.stream("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


async def test_who_has_an_answer_is_not_sent_it_again(service: Running) -> None:
    run_id = await service.tasks(5)
    paths = [
        "/api/history/comparative",
        "/api/full_history",
        "/api/full_history?limit=3",
        "/api/full_history?format=csv",
        "/api/full_history?format=ndjson",
        "/api/full_history?format=csv&scheduler=greedy",
        f"/api/v1/runs/{run_id}/statistics",
        f"/api/v1/runs/{run_id}",
        "/api/v1/runs",
        "/api/v1/policies",
    ]
    tags = {}
    for path in paths:
        first, body = await raw(service.client, path)
        tags[path] = first.headers["etag"]
        assert tags[path].startswith('W/"')
        assert body
        for condition in (tags[path], f'"other", {tags[path]}', tags[path].removeprefix("W/"), "*"):
            second, nothing = await raw(service.client, path, if_none_match=condition)
            assert (second.status_code, nothing, second.headers["etag"]) == (304, b"", tags[path])
            assert second.headers["vary"] == "Accept-Encoding"
            assert "content-length" not in second.headers
        third, whole = await raw(service.client, path, if_none_match='W/"other"')
        assert (third.status_code, whole) == (200, body)
    # Another form of the same rows is another answer.
    assert len(set(tags.values())) == len(paths)
    await service.tasks(1)
    changed = [path for path in paths if (await raw(service.client, path, if_none_match=tags[path]))[0].status_code == 200]
    assert changed == paths[:7]


async def test_a_tag_does_not_survive_what_it_stands_for(service: Running) -> None:
    run_id = await service.tasks(5)
    path = f"/api/full_history?format=csv&run_id={run_id}"
    before, _ = await raw(service.client, path)
    await service.post("/api/stop")
    assert (await service.client.delete("/api/history", params={"run_id": run_id})).status_code == 200
    after, _ = await raw(service.client, path, if_none_match=before.headers["etag"])
    assert after.status_code == 404


def test_lists_of_tags() -> None:
    assert matches('W/"abc"', "abc")
    assert matches('"x,y", W/"abc" , "z"', "abc")
    for header in ('"abcd"', "abc", '"x", "y"', "", '"ab', 'w/"ab'):
        assert not matches(header, "abc")


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        (b"gzip", True),
        (b"deflate, GZIP;q=0.5, br", True),
        (b"*", True),
        (b"x-gzip", True),
        (b"", False),
        (b"identity", False),
        (b"gzip;q=0", False),
        (b"gzip; q=0.0, *", False),
        (b"*;q=0", False),
        (b"br;q=1, gzipped", False),
        (b"gzip;q=nonsense", False),
    ],
)
def test_who_takes_gzip(header: bytes, takes: bool) -> None:
    assert takes_gzip(header) is takes


async def test_large_answers_are_compressed_and_tiny_ones_are_not(service: Running) -> None:
    await service.tasks(100)
    for path in ("/api/full_history", "/api/full_history?format=csv", "/api/full_history?format=ndjson"):
        plain, body = await raw(service.client, path, accept_encoding="identity")
        small, packed = await raw(service.client, path, accept_encoding="gzip")
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed) == body
        assert len(packed) < len(body) / 2
        assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
        # One weak tag stands for both, so a client may come back with either.
        assert plain.headers["etag"] == small.headers["etag"]
        again, nothing = await raw(service.client, path, accept_encoding="gzip", if_none_match=plain.headers["etag"])
        assert (again.status_code, nothing) == (304, b"")
        assert "content-encoding" not in again.headers
    for path in ("/health/live", "/api/full_history?limit=1"):
        tiny, _ = await raw(service.client, path, accept_encoding="gzip")
        assert "content-encoding" not in tiny.headers


async def test_the_least_size_is_a_setting(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, gzip_min_kb=1_000)) as service:
        await service.tasks(100)
        answer, _ = await raw(service.client, "/api/full_history", accept_encoding="gzip")
        assert "content-encoding" not in answer.headers


def _application(chunks: int = 0) -> Starlette:
    # Numbers: text that repeats itself would come out in bursts.
    text = "\n".join(map(str, np.random.default_rng(0).integers(10**9, 10**10, 9_000)))

    async def lines() -> AsyncIterator[str]:
        for _ in range(chunks):
            yield text

    async def answer(request: Request) -> Response:
        headers = dict(request.query_params)
        if chunks:
            return StreamingResponse(lines(), media_type="text/csv")
        return JSONResponse({"text": text}, headers=headers, status_code=206 if "content-range" in headers else 200)

    app = Starlette(routes=[Route("/", answer)])
    app.add_middleware(Compression, least_bytes=1_000)
    return app


@pytest.mark.parametrize(
    "headers", [{"set-cookie": "a=b"}, {"cache-control": "no-store"}, {"content-encoding": "br"}, {"content-range": "bytes 0-1/2"}]
)
async def test_what_must_stay_as_it_is(headers: dict[str, str]) -> None:
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(_application()), base_url="http://test") as client,
        client.stream("GET", "/", params=headers, headers={"accept-encoding": "gzip"}) as answer,
    ):
        assert answer.headers.get("content-encoding") == headers.get("content-encoding")
        assert int(answer.headers["content-length"]) > 90_000


async def test_caches_on_the_way_are_told_that_there_are_two_forms() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_application()), base_url="http://test") as client:
        for coding in ("identity", "gzip"):
            answer = await client.get("/", params={"vary": "Origin"}, headers={"accept-encoding": coding})
            assert answer.headers["vary"] == "Origin, Accept-Encoding"


async def test_a_strong_tag_becomes_a_weak_one() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_application()), base_url="http://test") as client:
        assert (await client.get("/", params={"etag": '"abc"'})).headers["etag"] == 'W/"abc"'


async def test_a_stream_is_compressed_in_constant_memory() -> None:
    chunks = 200
    size, sent = 0, 0
    unpack = zlib.decompressobj(31)

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()  # the client stays
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        nonlocal size, sent
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        sent += len(body)
        size += len(unpack.decompress(body))

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [(b"accept-encoding", b"gzip")]}
    application = _application(chunks)
    tracemalloc.start()
    try:
        await application(scope, receive, send)  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (unpack.eof, size) == (True, chunks * 98_999)
    assert sent < size / 2
    # All of it has 19.8 MB.
    assert peak < 3_000_000


async def test_head_is_get_without_the_body(tmp_path: Path) -> None:
    """Of everything that can be read, exports included, over a real connection: the next answer comes right behind."""
    settings = settings_in(tmp_path)
    async with running(settings) as service, listening(service, settings) as address:
        run_id = await service.tasks(5)
        paths = ["/", "/docs", "/health/live", "/health/ready", "/metrics", "/api/status", "/api/v1/policies", "/none"]
        paths += ["/api/full_history", "/api/full_history?format=csv", f"/api/v1/runs/{run_id}/statistics"]
        async with httpx.AsyncClient(base_url=address, headers={"accept-encoding": "gzip"}) as client:
            for path in paths:
                got, head = await client.get(path), await client.head(path)
                assert (head.status_code, head.content) == (got.status_code, b""), path
                for name in ("content-type", "content-encoding", "content-security-policy", "etag", "vary", "cache-control", "x-frame-options"):
                    assert head.headers.get(name) == got.headers.get(name), f"{path}: {name}"
                if path not in {"/metrics", "/health/ready"}:  # what is measured changes
                    assert head.headers.get("content-length") == got.headers.get("content-length"), path
            tag = (await client.get("/api/full_history")).headers["etag"]
            assert (await client.head("/api/full_history", headers={"if-none-match": tag})).status_code == 304
            assert (await client.head("/api/start")).status_code == 405
            counted = (await client.get("/metrics")).text
        assert 'hms_http_requests_total{method="HEAD",route="/api/status",status="200"} 1.0' in counted
