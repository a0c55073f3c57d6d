"""What the service says about itself: OpenAPI, pages, catalogues."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybrid_ml_scheduler.live.contract import CONTRACT_POLICIES
from hybrid_ml_scheduler.service import schemas
from hybrid_ml_scheduler.service.problems import KINDS
from service_fixtures import Running, problem

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
CONTRACT = {
    "/api/start": "post",
    "/api/stop": "post",
    "/api/pause": "post",
    "/api/resume": "post",
    "/api/status": "get",
    "/api/full_history": "get",
    "/api/history/comparative": "get",
    "/api/history": "delete",
    "/health": "get",
    "/health/ready": "get",
    "/health/live": "get",
    "/health/info": "get",
}


async def test_the_description_holds_the_contract(service: Running) -> None:
    found = await service.get("/openapi.json")
    for path, method in CONTRACT.items():
        assert method in found["paths"][path]


async def test_every_operation_is_described_with_its_errors(service: Running) -> None:
    found = await service.get("/openapi.json")
    assert "HTTPValidationError" not in str(found)
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert "200" in operation["responses"], where
            if "requestBody" in operation or operation.get("parameters"):
                assert {"422", "404"} & set(operation["responses"]), where
            for status, answer in operation["responses"].items():
                assert answer["description"], where
                if int(status) >= 400 and not path.startswith("/health"):
                    assert answer["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}, where
            for parameter in operation.get("parameters", []):
                assert parameter["name"] in {"state", "workload", "name"} or parameter.get("description"), f"{where} {parameter['name']}"
    names = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert names <= set(found["components"]["schemas"])


async def test_numbers_in_requests_have_bounds(service: Running) -> None:
    start = (await service.get("/openapi.json"))["components"]["schemas"]["StartRequest"]
    assert start["additionalProperties"] is False
    assert {"minimum", "maximum"} <= set(start["properties"]["seed"]["anyOf"][0])


async def test_the_pages(service: Running) -> None:
    page = await service.client.get("/status")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "api/status" in page.text
    # Everything it shows comes from the service: no number stands in it, and nothing is fetched from elsewhere.
    assert "http" not in page.text
    assert (await service.client.get("/docs")).status_code == 200


async def test_every_kind_of_problem_is_explained(service: Running) -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        answer = await service.client.get(f"/problems/{name}")
        assert kind.meaning in answer.text
        assert f"`{name}`" in text
    problem(await service.client.get("/problems/bogus"), 404, "not-found")


async def test_every_path_is_documented(service: Running) -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [path for path in (await service.get("/openapi.json"))["paths"] if f"{path}`" not in text]
    assert missing == []


async def test_policies_can_be_looked_up(service: Running) -> None:
    found = await service.get("/api/v1/policies")
    schemas.PolicyList.model_validate(found)
    assert set(CONTRACT_POLICIES) <= {policy["name"] for policy in found["policies"]}


async def test_models(service: Running) -> None:
    number = await service.resources.storage.add_model("hybrid_ml-divisible", "failed", rows=3, source="journal", run_id=5, message="too few rows")
    found = await service.get("/api/v1/models")
    schemas.TrainedModelPage.model_validate(found)
    assert [(model["id"], model["state"], model["message"]) for model in found["models"]] == [(number, "failed", "too few rows")]
    assert (await service.get("/api/v1/models", run_id=6))["models"] == []
    page = await service.get("/api/v1/models", limit=1)
    assert page["next"] == number
    assert (await service.get("/api/v1/models", limit=1, before=page["next"]))["models"] == []
    schemas.StoredModelList.model_validate(await service.get("/api/v1/models/store"))
