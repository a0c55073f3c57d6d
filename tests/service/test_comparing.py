"""Where tasks went, schedulers on the same tasks, and models put into use: what the dashboard asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.service import schemas
from model_cases import example_model
from service_fixtures import Running, problem

pytestmark = pytest.mark.anyio
TASKS = 64
NAME = "hybrid_ml-divisible"


async def test_schedulers_are_compared_with_one_of_them(service: Running) -> None:
    run_id = await service.tasks(TASKS)
    found = await service.get(f"/api/v1/runs/{run_id}/differences")
    schemas.Differences.model_validate(found)
    assert found["reference"] == "oracle"
    by_name = {entry["scheduler"]: entry for entry in found["schedulers"]}
    assert set(by_name) == set(service.run.now.request.policies if service.run.now.request else ())
    assert by_name["oracle"]["metrics"]["response_s"]["difference"] == 0.0
    statistics = {entry["scheduler"]: entry for entry in await service.get(f"/api/v1/runs/{run_id}/statistics")}
    greedy = by_name["greedy"]["metrics"]["response_s"]
    assert greedy["second"] == pytest.approx(statistics["greedy"]["mean_response_s"])
    assert greedy["low"] < greedy["difference"] < greedy["high"]
    against = await service.get(f"/api/v1/runs/{run_id}/differences", reference="greedy")
    mirrored = next(entry for entry in against["schedulers"] if entry["scheduler"] == "oracle")
    assert mirrored["metrics"]["response_s"]["difference"] == pytest.approx(-greedy["difference"])
    assert (await service.get(f"/api/v1/runs/{run_id}/differences", reference="bogus"))["schedulers"] == []
    problem(await service.client.get("/api/v1/runs/1/differences"), 404, "unknown-run")


async def test_two_runs_are_compared_task_by_task(service: Running) -> None:
    first = await service.tasks(TASKS)
    await service.post("/api/stop")
    await service.post("/api/start", {})
    second = await service.tasks(TASKS)
    found = await service.get("/api/v1/compare/paired", first=first, second=second)
    schemas.PairedRuns.model_validate(found)
    # The stand-in's runs have the same tasks with the same results.
    assert {entry["metrics"]["wait_s"]["difference"] for entry in found["schedulers"]} == {0.0}
    assert len(found["schedulers"]) == 6
    problem(await service.client.get("/api/v1/compare/paired", params={"first": first, "second": 1}), 404, "unknown-run")


async def test_how_results_are_spread(service: Running) -> None:
    run_id = await service.tasks(TASKS)
    found = await service.get(f"/api/v1/runs/{run_id}/distribution", scheduler="greedy")
    schemas.DistributionAnswer.model_validate(found)
    assert found["response"][-1][1] == 1.0
    (statistics,) = await service.get(f"/api/v1/runs/{run_id}/statistics", scheduler="greedy")
    assert found["response"][-1][0] == pytest.approx(statistics["max_response_s"], rel=0.01)
    assert found["placements"]["decided_by"] == {"rule": TASKS}
    assert sum(map(sum, found["placements"]["count"])) == TASKS
    problem(await service.client.get(f"/api/v1/runs/{run_id}/distribution", params={"scheduler": "bogus"}), 404, "not-found")
    problem(await service.client.get("/api/v1/runs/1/distribution", params={"scheduler": "greedy"}), 404, "unknown-run")


async def test_versions_are_promoted_and_rolled_back(service: Running) -> None:
    folder = service.resources.settings.folder / "models"
    store = ModelStore([PRETRAINED, folder])
    shipped = store.get(NAME)
    assert store.add(replace(shipped, card=replace(shipped.card, command="hms train again"))) == 2
    before = await service.get("/api/v1/models/store")
    schemas.StoredModelList.model_validate(before)
    assert before["promotions"] == []
    promoted = await service.post(f"/api/v1/models/store/{NAME}/promote", {"version": 1})
    assert promoted == {"name": NAME, "version": 1}
    assert store.current(NAME) == 1
    after = await service.get("/api/v1/models/store")
    assert [(entry["version"], entry["in_use"]) for entry in after["models"] if entry["name"] == NAME] == [(1, True), (2, False)]
    assert [(event["action"], event["version"]) for event in after["promotions"]] == [("in_use", 2), ("promote", 1)]
    assert await service.post(f"/api/v1/models/store/{NAME}/rollback") == {"name": NAME, "version": 2}
    assert store.current(NAME) == 2
    for path, body in (("promote", {"version": 7}), ("rollback", None)):
        answer = await service.client.post(f"/api/v1/models/store/{NAME}/{path}", json=body)
        problem(answer, 422, "unusable-input")
    problem(await service.client.post("/api/v1/models/store/bogus/rollback"), 422, "unusable-input")
    for body in ({}, {"version": 0}, {"version": "1"}, {"version": 1, "more": 1}):
        problem(await service.client.post(f"/api/v1/models/store/{NAME}/promote", json=body), 422, "invalid-request")
    problem(await service.client.post("/api/v1/models/store/..%2F..%2Fetc/rollback"), 404, "not-found")


async def test_what_a_model_asks_about(service: Running) -> None:
    found = await service.get(f"/api/v1/models/store/{NAME}/1/features")
    schemas.FeatureUse.model_validate(found)
    assert "cpu" in {entry["name"] for entry in found["ensembles"]}
    for entry in found["ensembles"]:
        assert sum(entry["share"].values()) == pytest.approx(1.0)
    ModelStore([service.resources.settings.folder / "models"]).add(example_model("hybrid_ml-batch-mine"))
    assert (await service.get("/api/v1/models/store/hybrid_ml-batch-mine/1/features"))["ensembles"] == []
    problem(await service.client.get(f"/api/v1/models/store/{NAME}/9/features"), 422, "unusable-input")


async def test_a_run_is_reported_in_one_file(service: Running) -> None:
    run_id = await service.tasks(TASKS)
    answer = await service.client.get(f"/api/v1/runs/{run_id}/report")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="run-{run_id}.html"'
    for found in await service.get(f"/api/v1/runs/{run_id}/statistics"):
        assert found["scheduler"] in answer.text
        assert f"{found['mean_response_s']:,.4g}" in answer.text
    for found in (await service.get(f"/api/v1/runs/{run_id}/differences"))["schedulers"]:
        metric = found["metrics"]["response_s"]
        if found["scheduler"] != "oracle":
            row = next(part for part in answer.text.split("Against the oracle")[1].split("<tr>") if f">{found['scheduler']}<" in part)
            numbers = f"{metric['difference']:+.4g}", f"{metric['low']:+.4g} to {metric['high']:+.4g}", f"{metric['t_p']:,.4g}"
            assert all(f"<td>{number}</td>" in row for number in numbers)
    assert "http" not in answer.text
    problem(await service.client.get("/api/v1/runs/1/report"), 404, "unknown-run")
    await service.post("/api/stop")
    empty = (await service.post("/api/start", {"policies": ["greedy"]}))["run_id"]
    assert "No results of this run are stored" in (await service.client.get(f"/api/v1/runs/{empty}/report")).text
