"""Controlling the run: every endpoint with good and bad input."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hybrid_ml_scheduler.core.errors import StorageBusyError, StorageFencedError, StorageUnavailableError
from hybrid_ml_scheduler.live.contract import CONTRACT_POLICIES, RunRequest, RunState
from hybrid_ml_scheduler.service.schemas import StartRequest, Status
from service_fixtures import Running, problem, running, settings_in
from service_stand_in import DISK_FULL

pytestmark = pytest.mark.anyio


async def test_a_run_has_the_six_schedulers_of_the_contract_unless_asked_otherwise(service: Running) -> None:
    found = await service.post("/api/start")
    assert found["state"] == "running"
    assert found["is_running"] is True
    assert found["is_paused"] is False
    assert tuple(found["request"]["policies"]) == CONTRACT_POLICIES
    assert found["speed"] == 20.0
    assert [lane["policy"] for lane in found["lanes"]] == list(CONTRACT_POLICIES)
    assert found["lanes"][0]["devices"][0]["tasks"] == [3, 4]
    assert found["storage"]["lag_rows"] == 0
    assert found["run_id"] == service.run.now.run_id


async def test_every_answer_about_the_run_is_as_described(service: Running) -> None:
    Status.model_validate(await service.get("/api/status"))
    Status.model_validate(await service.post("/api/start", {"speed": "max"}))
    Status.model_validate(await service.get("/api/status"))


async def test_what_is_asked_for_is_what_is_run(service: Running) -> None:
    body = {
        "workload": "steady",
        "cluster": "workstation",
        "policies": ["greedy", "oracle"],
        "seed": 7,
        "load": 1,
        "speed": "max",
        "max_tasks": 9,
        "objective": "mean_response",
        "retrain_every": None,
    }
    found = await service.post("/api/start", body)
    assert found["request"] == {**body, "load": 1.0}
    assert found["speed"] == "max"
    assert service.run.now.request is not None
    assert service.run.now.request.speed is None
    assert service.run.now.request.retrain_every is None


async def test_null_means_the_usual(service: Running) -> None:
    found = await service.post("/api/start", {"workload": None, "policies": None, "load": None, "speed": None})
    assert found["request"]["workload"] == "steady"
    assert found["request"]["load"] == 0.3
    assert found["request"]["speed"] == 20.0
    assert tuple(found["request"]["policies"]) == CONTRACT_POLICIES


@pytest.mark.parametrize(
    "body",
    [
        '{"load": -1}',
        '{"load": 0}',
        '{"load": NaN}',
        '{"load": Infinity}',
        '{"load": "0.3"}',
        '{"load": true}',
        '{"speed": 0}',
        '{"speed": -1}',
        '{"speed": NaN}',
        '{"speed": 1e400}',
        '{"speed": "fast"}',
        '{"seed": -1}',
        '{"seed": 1.5}',
        '{"seed": 99999999999999999999999}',
        '{"max_tasks": 0}',
        '{"retrain_every": 0}',
        '{"policies": []}',
        '{"policies": "greedy"}',
        '{"policies": [1]}',
        '{"policies": [""]}',
        '{"policies": ["a\\u0000b"]}',
        '{"workload": ""}',
        '{"workload": 3}',
        '{"workload": "\\ud800"}',
        '{"workloads": "steady"}',
        '{"workload": {"a": 1}}',
        "[]",
        '"steady"',
        "3",
    ],
)
async def test_a_body_that_makes_no_sense_starts_nothing(service: Running, body: str) -> None:
    answer = await service.client.post("/api/start", content=body, headers={"content-type": "application/json"})
    found = problem(answer, 422, "invalid-request")
    assert found["errors"]
    assert found["instance"] == "/api/start"
    assert service.run.now.state is RunState.STOPPED


@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff\xfe", b"[" * 30_000, b'{"seed": ' + b"9" * 5_000 + b"}"])
async def test_a_body_that_is_no_json_starts_nothing(service: Running, body: bytes) -> None:
    answer = await service.client.post("/api/start", content=body, headers={"content-type": "application/json"})
    problem(answer, 400, "unreadable-request")
    assert service.run.now.state is RunState.STOPPED


async def test_a_body_that_is_too_long_is_refused_with_and_without_its_length(service: Running) -> None:
    body = b'{"workload": "' + b"x" * 70_000 + b'"}'
    headers = {"content-type": "application/json"}
    problem(await service.client.post("/api/start", content=body, headers=headers), 413, "request-too-large")

    async def pieces() -> Any:
        yield body[:40_000]
        yield body[40_000:]

    problem(await service.client.post("/api/start", content=pieces(), headers=headers), 413, "request-too-large")
    assert service.run.now.state is RunState.STOPPED


async def test_what_is_no_workload_is_said_in_one_line(service: Running) -> None:
    answer = await service.client.post("/api/start", json={"workload": "no such"})
    assert problem(answer, 422, "unusable-input")["detail"] == "there is no workload 'no such'; expected steady"


@pytest.mark.parametrize(
    ("body", "load"), [({}, 0.3), ({"workload": "bursty"}, 0.3), ({"workload": "lublin"}, 1.0), ({"workload": "lublin", "load": 0.5}, 0.5)]
)
def test_a_trace_is_taken_as_it_is(body: dict[str, Any], load: float) -> None:
    assert StartRequest.model_validate(body).to_run_request(RunRequest()).load == load


async def test_a_second_start_leaves_the_run_alone(service: Running) -> None:
    first = await service.post("/api/start", {"seed": 3})
    problem(await service.client.post("/api/start", json={"seed": 4}), 409, "already-running")
    found = await service.get("/api/status")
    assert (found["run_id"], found["request"]["seed"]) == (first["run_id"], 3)


async def test_pause_resume_and_stop_twice_are_no_errors(service: Running) -> None:
    await service.post("/api/start")
    for path, state in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "running"),
        ("resume", "running"),
        ("stop", "stopped"),
        ("stop", "stopped"),
    ]:
        found = await service.post(f"/api/{path}")
        assert (found["state"], found["is_paused"]) == (state, state == "paused")


@pytest.mark.parametrize("path", ["/api/pause", "/api/resume", "/api/speed", "/api/v1/run/policies"])
async def test_what_needs_a_run_says_so(service: Running, path: str) -> None:
    body = {"/api/speed": {"speed": 1}, "/api/v1/run/policies": {"policy": "greedy"}}.get(path)
    problem(await service.client.post(path, json=body), 409, "not-running")


async def test_stop_then_start_under_concurrent_callers(service: Running) -> None:
    for _ in range(20):
        answers = await asyncio.gather(*(service.client.post("/api/start") for _ in range(3)), service.client.post("/api/stop"))
        assert {answer.status_code for answer in answers} <= {200, 409}
    await service.post("/api/stop")
    await service.post("/api/start")


async def test_speed(service: Running) -> None:
    await service.post("/api/start")
    assert (await service.post("/api/speed", {"speed": 5}))["speed"] == 5
    assert (await service.post("/api/speed", {"speed": "max"}))["speed"] == "max"
    for body in ({}, {"speed": None}, {"speed": "slow"}, {"speed": -1}, {"speed": 1, "more": 2}, {"speed": True}):
        problem(await service.client.post("/api/speed", json=body), 422, "invalid-request")
    problem(await service.client.post("/api/speed"), 422, "invalid-request")
    assert (await service.get("/api/status"))["speed"] == "max"


async def test_policies_come_and_go(service: Running) -> None:
    await service.post("/api/start")
    found = await service.post("/api/v1/run/policies", {"policy": "sjf+mct"})
    assert "sjf+mct" in found["request"]["policies"]
    answer = await service.client.delete("/api/v1/run/policies/sjf%2Bmct")
    assert "sjf+mct" not in answer.json()["request"]["policies"]
    problem(await service.client.delete("/api/v1/run/policies/sjf%2Bmct"), 422, "unusable-input")
    problem(await service.client.post("/api/v1/run/policies", json={"policy": "bogus"}), 422, "unusable-input")
    problem(await service.client.post("/api/v1/run/policies", json={"policy": 3}), 422, "invalid-request")
    problem(await service.client.delete("/api/v1/run/policies/" + "x" * 300), 422, "invalid-request")


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (StorageUnavailableError("the database is away"), 503, "storage-away"),
        (StorageBusyError("all connections are in use"), 503, "storage-busy"),
        (StorageFencedError("a newer leader"), 503, "not-leading"),
        (DISK_FULL, 503, "disk-full"),
        (ZeroDivisionError("secret"), 500, "defect"),
    ],
)
async def test_every_error_has_its_status(service: Running, error: BaseException, status: int, name: str) -> None:
    service.run.fails_with = error
    answer = await service.client.post("/api/start")
    found = problem(answer, status, name)
    assert "secret" not in str(found)
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_paths_and_methods_that_are_not_there(service: Running) -> None:
    problem(await service.client.get("/api/nothing"), 404, "not-found")
    problem(await service.client.get("/api/status/"), 404, "not-found")
    answer = await service.client.get("/api/start")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


async def test_the_run_is_taken_up_or_started_before_anything_is_answered(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, speed="max"), start=True) as service:
        assert service.run.recovered
        found = await service.get("/api/status")
        assert found["state"] == "running"
        assert found["speed"] == "max"
        run = service.run
    assert run.ended


async def test_no_start_means_no_run(service: Running) -> None:
    assert service.run.recovered
    found = await service.get("/api/status")
    assert (found["state"], found["run_id"], found["speed"]) == ("stopped", None, None)
