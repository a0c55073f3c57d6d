"""Signing in: tokens, the cookie, passwords, and every way to forge one."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.service.security import passwords, tokens
from hybrid_ml_scheduler.service.security.access import new_signing_key
from hybrid_ml_scheduler.service.security.passwords import hash_password
from hybrid_ml_scheduler.service.security.tokens import AUDIENCE, ISSUER
from hybrid_ml_scheduler.storage.access import AccessRepository
from security_fixtures import Guarded, routes, with_keys
from service_fixtures import Running, problem

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse battery staple"  # noqa: S105 - of users of these tests
COOKIE = "hms_session"


async def add_user(guarded: Guarded, name: str, scopes: list[str], password: str = PASSWORD) -> None:
    async with guarded.access.database.write() as session:
        await AccessRepository(session, guarded.access.database.dialect).save_user(name, hash_password(password), scopes)
    await guarded.access.refresh(force=True)


async def sign_in(guarded: Guarded, **body: str) -> dict[str, Any]:
    answer = await guarded.client.post("/api/v1/session", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_user_signs_in_renews_and_signs_out(guarded: Guarded) -> None:
    await add_user(guarded, "anna", ["control"])
    problem(await guarded.client.get("/api/status"), 401, "unauthenticated")
    answer = await guarded.client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
    first = answer.json()
    assert first["scopes"] == ["read", "control"]
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/api/v1/session" in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert (await guarded.ask("GET", "/api/status", first["token"])).status_code == 200
    problem(await guarded.ask("GET", "/api/v1/keys", first["token"]), 403, "forbidden")
    who = (await guarded.ask("GET", "/api/v1/session", first["token"])).json()
    assert (who["subject"], who["signed_in"], who["auth"]) == ("user:anna", True, "keys")
    renewed = await guarded.client.post("/api/v1/session/refresh")
    second = renewed.json()["token"]
    assert (await guarded.ask("GET", "/api/status", second)).status_code == 200
    gone = await guarded.client.delete("/api/v1/session")
    assert gone.json() == {"ended": True}
    for token in (first["token"], second):
        problem(await guarded.ask("GET", "/api/status", token), 401, "unauthenticated")
    problem(await guarded.client.post("/api/v1/session/refresh"), 401, "unauthenticated")
    assert (await guarded.client.delete("/api/v1/session")).json() == {"ended": False}


async def test_a_key_signs_in_and_takes_its_sign_ins_with_it(guarded: Guarded) -> None:
    key, row = await guarded.access.create_key("page", ["read"])
    token = (await sign_in(guarded, key=key))["token"]
    assert (await guarded.ask("GET", "/api/status", token)).status_code == 200
    await guarded.access.revoke_key(row.id)
    problem(await guarded.ask("GET", "/api/status", token), 401, "unauthenticated")
    problem(await guarded.client.post("/api/v1/session/refresh"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "anna", "password": "wrong horse battery staple"}, 401),
        ({"name": "nobody", "password": PASSWORD}, 401),
        ({"name": "anna' OR '1'='1", "password": PASSWORD}, 401),
        ({"key": "hms_0123456789ab_" + "A" * 43}, 401),
        ({"name": "anna"}, 422),
        ({"key": "x", "name": "anna"}, 422),
        ({}, 422),
        ({"name": "anna", "password": PASSWORD, "admin": True}, 422),
        ({"name": ["anna"], "password": PASSWORD}, 422),
    ],
)
async def test_who_is_not_let_in(guarded: Guarded, body: dict[str, Any], status: int) -> None:
    await add_user(guarded, "anna", ["read"])
    answer = await guarded.client.post("/api/v1/session", json=body)
    assert answer.status_code == status, answer.text
    assert "set-cookie" not in answer.headers


async def test_guessing_passwords_is_slowed_down_for_an_address_and_for_a_name(tmp_path: Path) -> None:
    async with with_keys(tmp_path, rate_login="3/hour", limits="off", trusted_proxies="127.0.0.1") as guarded:

        async def guess(name: str, address: str) -> httpx.Response:
            body = {"name": name, "password": "x" * 12}
            return await guarded.client.post("/api/v1/session", json=body, headers={"x-forwarded-for": address})

        by_address = [(await guess(f"user{index}", "203.0.113.1")).status_code for index in range(5)]
        assert by_address == [401, 401, 401, 429, 429]
        by_name = [await guess("anna", f"198.51.100.{index}") for index in range(5)]
        assert [answer.status_code for answer in by_name] == [401, 401, 401, 429, 429]
        assert int(by_name[-1].headers["retry-after"]) > 0


async def test_a_name_that_there_is_not_takes_as_much_work_and_none_of_it_holds_others_up(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_user(guarded, "anna", ["read"])
    threads: list[int] = []
    verify = passwords._verify

    def watched(password: str, stored: str | None) -> bool:
        threads.append(threading.get_ident())
        return verify(password, stored)

    monkeypatch.setattr(passwords, "_verify", watched)
    for name in ("anna", "nobody"):
        answer = await guarded.client.post("/api/v1/session", json={"name": name, "password": "not this one"})
        problem(answer, 401, "unauthenticated")
    assert len(threads) == 2
    assert threading.get_ident() not in threads


def forged(guarded: Guarded, token: str) -> dict[str, str]:
    """Tokens that somebody might try; the second half needs what only we have, and still must not work."""
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    signing = guarded.access.verifying_key(kid)
    assert signing is not None
    head, body, signature = token.split(".")

    def encoded(values: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()

    def signed(**changes: Any) -> str:
        wanted = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(wanted, signing.secret, "HS256", {"kid": kid})

    longer = encoded({**claims, "exp": claims["exp"] + 10_000})
    other = encoded({**claims, "sub": "user:root"})
    return {
        "alg none": f"{encoded({'alg': 'none', 'typ': 'JWT', 'kid': kid})}.{body}.",
        "alg none, signed": f"{encoded({'alg': 'none', 'kid': kid})}.{body}.{signature}",
        "alg None": f"{encoded({'alg': 'None', 'kid': kid})}.{body}.",
        "longer life": f"{head}.{longer}.{signature}",
        "another subject": f"{head}.{other}.{signature}",
        "no signature": f"{head}.{body}.",
        "cut": token[:-2],
        "two parts": f"{head}.{body}",
        "key confusion: signed with the identifier": jwt.encode(claims, kid.ljust(32, "0"), "HS256", {"kid": kid}),
        "key confusion: another algorithm": jwt.encode(claims, signing.secret * 2, "HS512", {"kid": kid}),
        "key confusion: empty key": f"{head}.{body}.{base64.urlsafe_b64encode(b'').decode()}",
        "an unknown key": jwt.encode(claims, secrets.token_bytes(32), "HS256", {"kid": "0123456789ab"}),
        "a path as key": jwt.encode(claims, b"0" * 32, "HS256", {"kid": "../../../../dev/null"}),
        "sql as key": jwt.encode(claims, b"0" * 32, "HS256", {"kid": "x' UNION SELECT 'a"}),
        "no key": jwt.encode(claims, secrets.token_bytes(32), "HS256"),
        "an url as key": jwt.encode(claims, b"0" * 32, "HS256", {"kid": kid, "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"}),
        "expired": signed(exp=int(time.time()) - 1),
        "not yet": signed(iat=int(time.time()) + 3_600),
        "never expires": signed(exp=None),
        "another audience": signed(aud="somebody else"),
        "another issuer": signed(iss="somebody else"),
        "nobody": signed(sub=None),
        "an unknown user": signed(sub="user:root"),
        "an unknown key as user": signed(sub="key:0123456789ab"),
        "no session": signed(sid=None),
        "long": token + "A" * 5_000,
    }


async def test_forged_tokens_open_no_route(guarded: Guarded) -> None:
    token = (await sign_in(guarded, key=guarded.keys["admin"]))["token"]
    assert (await guarded.ask("GET", "/api/v1/keys", token)).status_code == 200
    count = 0
    for method, path, need in routes(guarded.app):
        if need.scope is None:
            continue
        for kind, credential in forged(guarded, token).items():
            answer = await guarded.ask(method, path, credential)
            assert answer.status_code == 401, f"{kind}: {method} {path} gave {answer.status_code}"
            count += 1
    print(f"{count} forged tokens refused")
    assert count > 500
    assert guarded.running.run.now.run_id is None


async def test_a_token_of_a_machine_whose_clock_is_ahead_is_good_at_once(guarded: Guarded) -> None:
    token = (await sign_in(guarded, key=guarded.keys["read"]))["token"]
    key = guarded.access.verifying_key(jwt.get_unverified_header(token)["kid"])
    assert key is not None
    claims = jwt.decode(token, options={"verify_signature": False})
    ahead = jwt.encode({**claims, "iat": claims["iat"] + 30}, key.secret, "HS256", {"kid": key.id})
    assert (await guarded.ask("GET", "/api/status", ahead)).status_code == 200


async def test_a_cookie_that_was_replaced_ends_the_sign_in(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    await sign_in(guarded, key=guarded.keys["read"])
    old = guarded.client.cookies[COOKIE]
    token = (await guarded.client.post("/api/v1/session/refresh")).json()["token"]
    guarded.client.cookies.clear()
    # Two pages of one browser at the same moment: no new cookie, but a token.
    again = await guarded.client.post("/api/v1/session/refresh", headers={"cookie": f"{COOKIE}={old}"})
    assert again.status_code == 200
    assert "set-cookie" not in again.headers
    monkeypatch.setattr(tokens, "_TWICE_S", -1.0)
    copied = await guarded.client.post("/api/v1/session/refresh", headers={"cookie": f"{COOKIE}={old}"})
    assert "somebody may have copied it" in problem(copied, 401, "unauthenticated")["detail"]
    problem(await guarded.ask("GET", "/api/status", token), 401, "unauthenticated")


async def test_a_cookie_that_was_replaced_long_ago_ends_the_sign_in(guarded: Guarded) -> None:
    """As when a thief has renewed a copy twice, before its owner does so: neither stays."""
    await sign_in(guarded, key=guarded.keys["read"])
    owners = guarded.client.cookies[COOKIE]
    for _ in range(2):
        renewed = await guarded.client.post("/api/v1/session/refresh")
    thiefs = guarded.client.cookies[COOKIE]
    guarded.client.cookies.clear()
    problem(await guarded.client.post("/api/v1/session/refresh", headers={"cookie": f"{COOKIE}={owners}"}), 401, "unauthenticated")
    problem(await guarded.client.post("/api/v1/session/refresh", headers={"cookie": f"{COOKIE}={thiefs}"}), 401, "unauthenticated")
    problem(await guarded.ask("GET", "/api/status", renewed.json()["token"]), 401, "unauthenticated")


@pytest.mark.parametrize("cookie", ["", "x", ".", "a.b", "0123456789abcdef." + "A" * 43, "' OR 1=1.x", "x" * 4_000])
async def test_cookies_that_are_none(guarded: Guarded, cookie: str) -> None:
    for method, path in (("POST", "/api/v1/session/refresh"), ("DELETE", "/api/v1/session")):
        answer = await guarded.client.request(method, path, headers={"cookie": f"{COOKIE}={cookie}"})
        assert answer.status_code == (401 if method == "POST" else 200), answer.text


async def test_where_nobody_has_signed_in_there_is_nothing_to_renew(service: Running) -> None:
    answer = await service.client.post("/api/v1/session/refresh", headers={"cookie": f"{COOKIE}=0123456789abcdef.x"})
    problem(answer, 401, "unauthenticated")


async def test_tokens_outlive_one_change_of_signing_key_and_end_with_a_rotation(guarded: Guarded) -> None:
    token = (await sign_in(guarded, key=guarded.keys["read"]))["token"]
    database = guarded.access.database
    for forget_before, status in ((new_signing_key().created_at.replace(year=2000), 200), (None, 401)):
        async with database.write() as session:
            await AccessRepository(session, database.dialect).add_signing_key(new_signing_key(), forget_before=forget_before)
        await guarded.access.refresh(force=True)
        assert (await guarded.ask("GET", "/api/status", token)).status_code == status
    renewed = (await guarded.client.post("/api/v1/session/refresh")).json()["token"]
    assert (await guarded.ask("GET", "/api/status", renewed)).status_code == 200


async def test_an_old_signing_key_is_replaced(tmp_path: Path) -> None:
    async with with_keys(tmp_path, signing_key_days=1e-7) as guarded:
        await sign_in(guarded, key=guarded.keys["read"])
        first = guarded.access.signing_key()
        await guarded.access.refresh(force=True)
        await guarded.access.refresh(force=True)
        newest = guarded.access._known.signing_keys[0]
        assert first is not None
        assert newest.id != first.id
        assert ISSUER == AUDIENCE == "hybrid-ml-scheduler"


async def test_a_token_ends_by_itself(tmp_path: Path) -> None:
    async with with_keys(tmp_path, token_ttl_s=1) as guarded:
        token = (await sign_in(guarded, key=guarded.keys["read"]))["token"]
        ends_s = jwt.decode(token, options={"verify_signature": False})["exp"]
        while time.time() <= ends_s:
            assert (await guarded.ask("GET", "/health/live", token)).status_code == 200
        assert "has expired" in problem(await guarded.ask("GET", "/api/status", token), 401, "unauthenticated")["detail"]


def test_the_command_for_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import io

    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert run(["users", "create", "anna", "--scope", "read"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert run(["users", "create", "berta", "--scope", "read"]) == 2
    assert "expected 12 to 200" in capsys.readouterr().err
    assert run(["users", "list"]) == 0
    listed = capsys.readouterr().out
    assert "anna" in listed
    assert "berta" not in listed
    assert run(["users", "revoke", "anna"]) == 0
    assert run(["users", "revoke", "anna"]) == 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
