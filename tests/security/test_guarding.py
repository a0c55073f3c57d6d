"""For whom a request was meant and where it comes from, what answers tell browsers, and how large and deep a body may be."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import httpx
import pytest

from hybrid_ml_scheduler.service.guarding_settings import SecuritySettings
from hybrid_ml_scheduler.service.security.hosts import Hosts, network_of, plain_address
from hybrid_ml_scheduler.service.security.install import refuse_if_open_to_others
from security_fixtures import PATIENT, Guarded, bearer, with_keys
from service_fixtures import Running, problem, running, settings_in

pytestmark = pytest.mark.anyio
PROXY = "127.0.0.1"  # where the tests' client comes from


async def test_names_that_are_not_ours_are_refused(service: Running) -> None:
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "0.0.0.0",
        "169.254.169.254",
        "",
        "localhost@evil.example",
        "localhost:80@evil.example",
        "localhost:http",
        "localhost:",
        "[::1]evil.example",
        "[::1",
        "[::2]",
    ):
        for path in ("/api/status", "/", "/docs", "/health/live", "/none"):
            answer = await service.client.get(path, headers={"host": host})
            problem(answer, 421, "wrong-host")
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"):
        assert (await service.client.get("/api/status", headers={"host": host})).status_code == 200
    twice = await service.client.get("/api/status", headers=[("host", "localhost"), ("host", "evil.example")])
    problem(twice, 400, "unreadable-request")


async def test_pages_of_others_cannot_change_anything(service: Running) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:9999", "https://localhost", "http://localhost.evil.example", "file://", ""):
        for method, path in (("POST", "/api/start"), ("POST", "/api/stop"), ("DELETE", "/api/history?all=true"), ("POST", "/api/v1/keys")):
            problem(await service.client.request(method, path, headers={"origin": origin}), 403, "foreign-origin")
    assert service.run.now.run_id is None
    assert (await service.client.post("/api/start", headers={"origin": "http://localhost"})).status_code == 200
    assert (await service.client.get("/api/status", headers={"origin": "http://evil.example"})).status_code == 200
    # What a form or a plain script of another page could send without asking first.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await service.client.post("/api/speed", content=b'{"speed": 1}', headers={"content-type": kind})
        assert answer.status_code == 422


async def test_other_origins_may_read_nothing_unless_configured(service: Running, tmp_path: Path) -> None:
    asked = {"origin": "https://page.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    assert (await service.client.options("/api/start", headers=asked)).status_code == 405
    assert "access-control-allow-origin" not in (await service.client.get("/api/status", headers={"origin": "https://page.example"})).headers
    async with running(settings_in(tmp_path / "cors", cors_origins="https://page.example")) as found:
        answer = await found.client.options("/api/start", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert "access-control-allow-credentials" not in answer.headers
        assert (await found.client.post("/api/start", headers={"origin": "https://page.example"})).status_code == 200
        other = await found.client.options("/api/start", headers={**asked, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_answers_tell_browsers_what_they_may_not_do(service: Running) -> None:
    answers = {path: await service.client.get(path) for path in ("/", "/status", "/docs", "/api/status", "/static/docs.js", "/none", "/openapi.json")}
    service.run.fails_with = RuntimeError("a defect")
    answers["/api/pause"] = await service.client.post("/api/pause")
    assert answers["/api/pause"].status_code == 500
    for path, answer in answers.items():
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert headers.get_list("content-security-policy") == [policy]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in headers
    assert (await service.client.get("/api/status")).headers["cache-control"] == "private, no-cache"


async def test_pages_hold_nothing_inline_and_fetch_nothing_from_elsewhere(service: Running) -> None:
    for path in ("/", "/status", "/docs"):
        text = (await service.client.get(path)).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path
        assert "<style" not in text
        assert not re.search(r"\s(style|on\w+)=", text), path
        sources = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
        assert sources
        for source in sources:
            assert not re.match(r"(https?:)?//", source), source
            if source.startswith(("data:", "#", "health")):
                continue
            assert (await service.client.get(f"/{source.lstrip('./')}")).status_code == 200, source


async def test_under_a_path_behind_a_proxy_with_tls(tmp_path: Path) -> None:
    given = {"root_path": "/scheduler", "trusted_proxies": PROXY, "allowed_hosts": "hms.example.org"}
    async with with_keys(tmp_path, **given) as guarded:
        await refuse_if_open_to_others(guarded.settings, insecure=False)
        came = {"host": "hms.example.org", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9", "origin": "https://hms.example.org"}
        # Whether the proxy cuts its path off or not.
        for prefix in ("", "/scheduler"):
            answer = await guarded.client.get(f"{prefix}/api/status", headers={**came, **bearer(guarded.keys["read"])})
            assert answer.status_code == 200
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            problem(await guarded.client.get(f"{prefix}/api/status", headers=came), 401, "unauthenticated")
            signed_in = await guarded.client.post(f"{prefix}/api/v1/session", json={"key": guarded.keys["admin"]}, headers=came)
            cookie = signed_in.headers["set-cookie"]
            assert "Secure" in cookie
            assert "Path=/scheduler/api/v1/session" in cookie
            assert (await guarded.client.get(f"{prefix}/docs", headers=came)).status_code == 200
            described = (await guarded.client.get(f"{prefix}/openapi.json", headers=came)).json()
            assert "/api/status" in described["paths"]
        # Over the network in the clear: another origin than the page's.
        plain = {**came, "x-forwarded-proto": "http"}
        problem(await guarded.client.post("/api/v1/session", json={"key": guarded.keys["admin"]}, headers=plain), 403, "foreign-origin")
        assert guarded.security.limiter is not None


async def test_addresses_in_headers_are_believed_from_trusted_proxies_only(tmp_path: Path) -> None:
    """Who pretends to be many is still one."""
    async with with_keys(tmp_path / "a", rate_anonymous="5/hour") as guarded:
        statuses = []
        for index in range(12):
            headers = {"x-forwarded-for": f"203.0.113.{index}", "x-real-ip": f"203.0.113.{index}", "forwarded": f"for=203.0.113.{index}"}
            statuses.append((await guarded.client.get("/api/status", headers=headers)).status_code)
        assert statuses == [401] * 5 + [429] * 7
    async with with_keys(tmp_path / "b", rate_anonymous="5/hour", trusted_proxies=PROXY) as guarded:
        for index in range(12):
            # What the client writes itself stands left of what the proxy adds.
            headers = {"x-forwarded-for": f"198.51.100.{index}, 203.0.113.7"}
            answer = await guarded.client.get("/api/status", headers=headers)
            assert answer.status_code == (401 if index < 5 else 429)
        assert (await guarded.client.get("/api/status", headers={"x-forwarded-for": "203.0.113.8"})).status_code == 401


def test_who_a_client_is() -> None:
    hosts = Hosts(SecuritySettings(trusted_proxies="10.0.0.0/8, fd00::/8", _env_file=None), "0.0.0.0")  # type: ignore[call-arg]
    assert hosts.client("10.0.0.1", "1.2.3.4") == "1.2.3.4"
    assert hosts.client("10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.2") == "1.2.3.4"
    assert hosts.client("10.0.0.1", "[2001:db8::1]:443") == "2001:db8::1"
    assert hosts.client("10.0.0.1", "1.2.3.4:5678") == "1.2.3.4"
    assert hosts.client("10.0.0.1", "nonsense\r\nx") == "10.0.0.1"
    assert hosts.client("10.0.0.1", "") == "10.0.0.1"
    assert hosts.client("1.1.1.1", "1.2.3.4") == "1.1.1.1"
    assert hosts.allows_host("192.168.1.5:8000")
    assert not hosts.allows_host("evil.example")
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1")
    assert network_of("1.2.3.4") == "1.2.3.4"
    # Who listens on :: sees clients with IPv4 addresses under another name.
    assert plain_address("::FFFF:1.2.3.4") == "1.2.3.4"
    assert plain_address("::ffff:102:304") == "1.2.3.4"
    assert plain_address("::1") == "::1"
    assert hosts.client("10.0.0.1", "::ffff:1.2.3.4") == "1.2.3.4"


async def test_a_client_is_the_same_whatever_its_address_looks_like(tmp_path: Path) -> None:
    """As a socket that listens on :: shows clients with IPv4 addresses, proxies among them."""
    async with with_keys(tmp_path, rate_anonymous="5/hour", trusted_proxies="10.0.0.1") as guarded:
        statuses = []
        for peer in ("::ffff:10.0.0.1", "10.0.0.1"):
            for _ in range(3):
                transport = httpx.ASGITransport(guarded.app, client=(peer, 5))
                async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                    statuses.append((await client.get("/api/status", headers={"x-forwarded-for": "::ffff:203.0.113.7"})).status_code)
        assert statuses == [401] * 5 + [429]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000 + b"]" * 1_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"workload": ' + b"[" * 60 + b"]" * 60 + b"}",
    ],
)
async def test_deep_json_is_refused_before_it_is_read(service: Running, body: bytes) -> None:
    answer = await service.client.post("/api/start", content=body, headers={"content-type": "application/json"})
    assert "nested more than 32 levels" in problem(answer, 400, "unreadable-request")["detail"]


async def test_brackets_in_texts_are_no_depth(service: Running) -> None:
    body = json.dumps({"workload": "[" * 100 + '\\"{'})
    problem(await service.client.post("/api/start", content=body, headers={"content-type": "application/json"}), 422, "unusable-input")


async def test_compressed_bodies_are_refused_however_small(service: Running) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 20_000
    for coding in ("gzip", "deflate", "br", "gzip, gzip", "x"):
        answer = await service.client.post("/api/start", content=bomb, headers={"content-type": "application/json", "content-encoding": coding})
        problem(answer, 415, "unsupported-media")


@pytest.mark.parametrize(
    "body",
    [b'{"speed": 60, "speed": "max"}', b'{"speed": {"a": 1, "\\u0061": 2}}', b'{"x": [{"\\ud800": 1, "\\ud800": 2}]}', b'{"a\\n": 1, "a\\n": 2}'],
)
async def test_a_name_stands_once_in_an_object(service: Running, body: bytes) -> None:
    answer = await service.client.post("/api/speed", content=body, headers={"content-type": "application/json"})
    assert "stands twice in one object" in problem(answer, 400, "unreadable-request")["detail"]


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "99999999999999999999", "1, 1"])
async def test_lengths_that_are_none(service: Running, length: str) -> None:
    answer = await service.client.post("/api/start", content=b"{}", headers={"content-type": "application/json", "content-length": length})
    assert answer.status_code in {400, 413}


async def test_strict_input_everywhere(guarded: Guarded) -> None:
    """Every body of the description refuses fields that it does not know, and numbers that are none."""
    described = (await guarded.ask("GET", "/openapi.json")).json()
    count = 0
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            for body in (
                b'{"no_such_field": 1}',
                b'{"no_such_field": NaN}',
                b"NaN",
                b"Infinity",
                b'{"speed": Infinity, "load": NaN, "days": -Infinity}',
            ):
                filled = re.sub(r"\{\w+\}", "1", path)
                answer = await guarded.ask(method.upper(), filled, guarded.keys["admin"], content=body, headers={"content-type": "application/json"})
                assert answer.status_code in {400, 404, 422}, f"{method} {path} {body!r} gave {answer.status_code}"
                count += 1
    assert count >= 20


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    for name, value in (
        ("allowed_hosts", "a b"),
        ("allowed_hosts", "http://a"),
        ("cors_origins", "*"),
        ("cors_origins", "page.example"),
        ("trusted_proxies", "everybody"),
        ("trusted_proxies", "10.0.0.0/99"),
        ("root_path", "scheduler"),
        ("root_path", "/scheduler/"),
        ("rate_read", "fast"),
        ("rate_control", "0/second"),
        ("auth", "none"),
    ):
        with pytest.raises(Exception, match=f"HMS_{name.upper()}: "):
            settings_in(tmp_path, **{name: value})


async def test_the_client_of_these_tests_is_no_exception(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, auth="keys", **PATIENT)) as found:
        assert isinstance(found.client, httpx.AsyncClient)
        problem(await found.client.get("/api/status"), 401, "unauthenticated")
