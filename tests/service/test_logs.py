"""The log: whole lines, whose they are, and no secret in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.service.observability.cleaning import Cleaner, secrets_of
from hybrid_ml_scheduler.service.observability.logs import Log
from hybrid_ml_scheduler.service.settings import ServiceSettings
from service_fixtures import Running, listening, running, settings_in

DATABASE_SECRET, REDIS_SECRET = "planted-pa55/word", "planted-redis-pw"
PLANTED = ("planted-bearer", "planted-cookie", "planted-query", "planted-key", DATABASE_SECRET, "planted-pa55%2Fword", REDIS_SECRET)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logged(settings: ServiceSettings, stream: io.StringIO | None = None) -> Iterator[tuple[Log, io.StringIO]]:
    stream = io.StringIO() if stream is None else stream
    log = Log(settings, stream)
    log.install()
    try:
        yield log, stream
    finally:
        log.remove()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.anyio
async def test_a_line_says_which_run_request_and_trace_it_belongs_to(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, access_log=True, traces="otlp", otlp_endpoint="http://127.0.0.1:1/v1/traces", traces_share=0.0)
    with logged(settings) as (log, stream):
        async with running(settings) as service:
            run_id = await service.tasks(2)
            log.follow(lambda: service.run.now.run_id)
            answer = await service.client.get(f"/api/v1/runs/{run_id}/statistics", headers={"X-Correlation-ID": "abc-1"})
        logging.getLogger("hybrid_ml_scheduler.test").warning("outside of any request")
    found = lines(stream)
    access = next(line for line in found if line.get("request_id") == "abc-1")
    assert access["event"] == f"GET /api/v1/runs/{run_id}/statistics 200"
    assert (access["route"], access["status"], access["run_id"]) == ("/api/v1/runs/{run_id}/statistics", 200, run_id)
    assert access["level"] == "info"
    assert 0 < access["time_s"] < 60
    assert access["trace_id"] == answer.headers["traceresponse"].split("-")[1]
    outside = next(line for line in found if line["event"] == "outside of any request")
    assert not {"request_id", "trace_id"} & set(outside)
    assert all(line["timestamp"].endswith("Z") for line in found)


@pytest.mark.anyio
async def test_requests_are_logged_only_if_wanted(service: Running) -> None:
    with logged(service.resources.settings) as (_, stream):
        await service.get("/health/live")
    assert lines(stream) == []


@pytest.mark.anyio
async def test_slow_requests_and_statements_are_logged(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, slow_request_s=1e-9, slow_query_s=1e-9)
    with logged(settings) as (_, stream):
        async with running(settings) as service:
            run_id = await service.tasks(2)
            await service.get("/api/history/comparative", run_id=run_id)
    found = lines(stream)
    slow = next(line for line in found if line["logger"].endswith("slow") and line["route"] == "/api/history/comparative")
    assert (slow["method"], slow["status"], slow["level"]) == ("GET", 200, "warning")
    statement = next(line for line in found if line.get("request_id") == slow["request_id"] and "statement" in line)
    assert statement["statement"].startswith(("SELECT", "BEGIN"))
    # What was asked with stays out.
    assert str(run_id) not in str([line.get("statement") for line in found])


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["json", "console"])
async def test_planted_secrets_never_appear(tmp_path: Path, form: str) -> None:
    settings = settings_in(
        tmp_path,
        database_url=f"postgresql+asyncpg://someone:{DATABASE_SECRET.replace('/', '%2F')}@127.0.0.1:1/db",
        redis_url=f"redis://someone:{REDIS_SECRET}@127.0.0.1:1/0",
        access_log=True,
        slow_request_s=1e-9,
        slow_query_s=1e-9,
        log_level="debug",
        log_format=form,
        connect_timeout_s=0.5,
    )
    headers = {"Authorization": "Bearer planted-bearer", "Cookie": "session=planted-cookie; other=planted-cookie", "X-API-Key": "planted-key"}
    with logged(settings) as (_, stream):
        async with running(settings, start=True) as service, listening(service, settings) as address:
            async with httpx.AsyncClient(base_url=address, headers=headers) as client:
                for path in ("/api/status", "/api/full_history", "/nothing", "/api/v1/runs/1/tasks/x", "/health/ready"):
                    await client.get(path, params={"token": "planted-query", "q": "planted-query"})
            async with connect(address.replace("http", "ws") + "/ws?token=planted-query", additional_headers=headers) as socket:
                await socket.recv()
            service.run.fails_with = RuntimeError(f"cannot reach {settings.url.render_as_string(hide_password=False)} with {headers}")
            await service.client.post("/api/pause", headers=headers)
            operations = (await service.client.get("/api/v1/operations")).text
        for text in (str(headers), repr(settings.redis_url and settings.redis_url.get_secret_value()), "api_key=planted-key password: planted-key"):
            logging.getLogger("hybrid_ml_scheduler.test").error("careless: %s", text, extra={"detail": text})
            logging.getLogger("uvicorn.error").error("careless", exc_info=ValueError(text))
    said = stream.getvalue()
    assert "careless" in said
    assert "/api/full_history" in said
    for secret in PLANTED:
        assert secret not in said
        assert secret not in operations


def test_secrets_in_settings_are_known_by_their_values(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, redis_url="rediss://u:p%40ss%2Fword@host/0")
    assert {"p%40ss%2Fword", "p@ss/word"} <= set(secrets_of(settings))
    clean = Cleaner(secrets_of(settings)).hide
    assert clean("it was p@ss/word, or p%40ss%2Fword.") == "it was ***, or ***."


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'authorization': 'Basic dXNlcjpwYXNz', 'accept': '*/*'}", "{'authorization': '***', 'accept': '*/*'}"),
        ("Cookie: a=1; b=2", "Cookie: ***"),
        ("refresh_token=abc&x=1", "refresh_token=***&x=1"),
        ("GET /ws?token=abc&x=1 HTTP/1.1", "GET /ws?*** HTTP/1.1"),
        ("amqp://me:word@host/x", "amqp://***@host/x"),
        ("signed eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-_d", "signed ***"),
        (f"key hms_0123456789ab_{'x' * 43} came", "key *** came"),
        ("nothing to hide: 12 tasks/s at 3", "nothing to hide: 12 tasks/s at 3"),
    ],
)
def test_what_looks_like_a_secret_is_one(text: str, clean: str) -> None:
    assert Cleaner().hide(text) == clean


@given(st.text(st.characters(codec=None), max_size=60), st.sampled_from(["json", "console"]))
def test_nobody_can_forge_a_line(text: str, form: str) -> None:
    settings = ServiceSettings.load(data_dir=Path("x"), log_format=form)
    with logged(settings) as (_, stream):
        logger = logging.getLogger("hybrid_ml_scheduler.test")
        logger.warning("first %s", text, extra={"path": text})
        logger.error("second", exc_info=ValueError(text))
    found = stream.getvalue().splitlines()
    if form == "json":
        assert [json.loads(line)["level"] for line in found] == ["warning", "error"]
    else:
        assert ["first" in line or "second" in line for line in found if line and not line.startswith("    | ")] == [True, True]
    assert all(char.isprintable() or char == "\n" for char in stream.getvalue())


def test_for_people_on_a_terminal_and_for_machines_elsewhere(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with logged(settings, Terminal()) as (_, stream):
        logging.getLogger("hybrid_ml_scheduler").warning("hello")
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    with logged(settings) as (_, stream):
        logging.getLogger("hybrid_ml_scheduler").warning("hello")
    assert lines(stream)[0]["event"] == "hello"


def test_the_level_is_a_setting_and_libraries_are_quiet(tmp_path: Path) -> None:
    for level, expected in (("error", []), ("warning", ["w"]), ("info", ["w", "i"]), ("debug", ["w", "i", "library", "d"])):
        with logged(settings_in(tmp_path, log_level=level)) as (_, stream):
            logger = logging.getLogger("hybrid_ml_scheduler.test")
            logger.warning("w")
            logger.info("i")
            logging.getLogger("uvicorn.error").info("library")
            logger.debug("d")
        assert [line["event"] for line in lines(stream)] == expected


def test_a_file_is_begun_anew_when_it_is_large(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, log_file=tmp_path / "logs" / "hms.log", log_file_mb=0.002, log_files=2)
    with logged(settings) as (_, stream):
        for number in range(100):
            logging.getLogger("hybrid_ml_scheduler").warning("line %d", number)
    assert stream.getvalue() == ""
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["hms.log", "hms.log.1", "hms.log.2"]
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert json.loads(files[0].read_text().splitlines()[-1])["event"] == "line 99"


def test_a_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"HMS_LOG_FILE: cannot be written .*; expected a file that can"):
        Log(settings_in(tmp_path, log_file=tmp_path / "file" / "hms.log"))
