"""What only several requests together can show: what was made is there at once, what was deleted is gone, and nobody reaches what is another's.

schemathesis has checks for this, which follow links from answer to answer; they need a service that stands still between two tries, and this one
never does.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from test_uploads import send, trace

from security_fixtures import EXAMPLES, Guarded, bearer
from service_fixtures import problem

pytestmark = pytest.mark.anyio
COOKIE = "hms_session"


def places(guarded: Guarded, run_id: int) -> list[str]:
    """Return every address at which something of a run can be had."""
    found = []
    for path, operations in guarded.app.openapi()["paths"].items():
        asked = [each for each in operations.get("get", {}).get("parameters", ()) if each["in"] == "query"]
        in_query = path != "/api/v1/models" and any(each["name"] == "run_id" for each in asked)  # models outlive their run
        if "get" not in operations or not ("{run_id}" in path or in_query):
            continue
        filled = re.sub(r"\{(\w+)\}", lambda name: str(run_id) if name[1] == "run_id" else EXAMPLES[name[1]], path)
        query = {each["name"]: "oracle" for each in asked if each.get("required")} | ({"run_id": str(run_id)} if in_query else {})
        found.append(f"{filled}?{urlencode(query)}")
    return found


async def test_a_run_is_there_at_once_and_gone_everywhere_when_it_was_deleted(guarded: Guarded) -> None:
    key = guarded.keys["control"]
    both = bearer(guarded.keys["admin"])
    started = (await guarded.ask("POST", "/api/start", key, json={"seed": 3})).json()["run_id"]
    assert (await guarded.ask("GET", f"/api/v1/runs/{started}", key)).status_code == 200
    run_id = await guarded.running.tasks(50)
    assert run_id == started
    assert (await guarded.ask("POST", "/api/stop", key)).status_code == 200
    tags = {}
    for path in places(guarded, run_id):
        # Twice: what is kept for the next one must go, too.
        answers = [await guarded.client.get(path, headers=both) for _ in range(2)]
        tags[path] = answers[0].headers.get("etag")
        assert {answer.status_code for answer in answers} <= {200, 404}, f"{path}: {answers[0].text}"
    assert len(tags) > 12
    deleted = await guarded.ask("DELETE", f"/api/history?run_id={run_id}", key)
    assert deleted.status_code == 200, deleted.text
    for path, tag in tags.items():
        for headers in (both, both | {"if-none-match": tag or '"none"'}, both | {"if-none-match": "*"}):
            answer = await guarded.client.get(path, headers=headers)
            assert answer.status_code == 404, f"{path}: {answer.status_code} {answer.text[:200]}"
    runs = (await guarded.ask("GET", "/api/v1/runs", key)).json()["runs"]
    assert run_id not in [each.get("run_id", each.get("id")) for each in runs]


async def test_an_upload_is_there_at_once_and_gone_when_it_was_deleted(guarded: Guarded, tmp_path: Path) -> None:
    key = guarded.keys["control"]
    workload = (await send(guarded, trace(tmp_path))).json()["workload"]
    listed = (await guarded.ask("GET", "/api/v1/workloads/uploads", key)).json()["uploads"]
    assert [each["workload"] for each in listed] == [workload]
    path = f"/api/v1/workloads/{workload.partition(':')[2]}"
    assert (await guarded.ask("DELETE", path, key)).status_code == 200
    problem(await guarded.ask("DELETE", path, key), 404, "not-found")
    assert (await guarded.ask("GET", "/api/v1/workloads/uploads", key)).json()["uploads"] == []
    problem(await guarded.ask("POST", "/api/start", key, json={"workload": workload}), 422, "unusable-input")


async def test_nobody_reaches_the_sign_in_of_another(guarded: Guarded) -> None:
    cookies, tokens = [], []
    for scope in ("read", "control"):
        answer = await guarded.client.post("/api/v1/session", json={"key": guarded.keys[scope]})
        tokens.append(answer.json()["token"])
        cookies.append(answer.cookies[COOKIE])
    guarded.client.cookies.clear()
    mixed = f"{cookies[1].partition('.')[0]}.{cookies[0].partition('.')[2]}"
    for method, path, status in (("POST", "/api/v1/session/refresh", 401), ("DELETE", "/api/v1/session", 200)):
        answer = await guarded.client.request(method, path, headers={"cookie": f"{COOKIE}={mixed}"})
        assert answer.status_code == status
        assert answer.json().get("ended") in {None, False}
    # Whose token comes with it does not matter: the cookie says whose sign-in it is.
    ended = await guarded.client.delete("/api/v1/session", headers={"cookie": f"{COOKIE}={cookies[0]}", **bearer(tokens[1])})
    assert ended.json() == {"ended": True}
    problem(await guarded.ask("GET", "/api/status", tokens[0]), 401, "unauthenticated")
    assert (await guarded.ask("GET", "/api/status", tokens[1])).status_code == 200
    renewed = await guarded.client.post("/api/v1/session/refresh", headers={"cookie": f"{COOKIE}={cookies[1]}", **bearer(guarded.keys["admin"])})
    assert renewed.json()["subject"] == (await guarded.ask("GET", "/api/v1/session", tokens[1])).json()["subject"]
    assert "admin" not in renewed.json()["scopes"]
