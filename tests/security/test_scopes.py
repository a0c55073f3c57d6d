"""Every route needs what the table says, and the table holds every route."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid_ml_scheduler.service.app import create_app
from hybrid_ml_scheduler.service.security.describe import scope_table
from hybrid_ml_scheduler.service.security.scopes import ADMIN, IMPLIED, ROUTES, Needs, Scope, expand, routes_of
from security_fixtures import Guarded, routes
from service_fixtures import problem, settings_in

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


def test_every_route_stands_in_the_table_and_nothing_else_does(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path))
    there = {f"{method} {path}" for method, path, _ in routes_of(app.routes) if method != "HEAD"}
    assert there - set(ROUTES) == set(), "a new route needs a line in service/security/scopes.py"
    assert set(ROUTES) - there == set(), "the table names routes that there are not"


def test_the_documented_table_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert scope_table() in text


def test_a_route_that_is_not_in_the_table_needs_everything(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path))

    @app.get("/api/v1/new/{thing}")
    async def new(thing: str) -> None:
        raise AssertionError(thing)

    needs = Needs(app.routes)
    assert needs.of("GET", "/api/v1/new/x") == ("/api/v1/new/{thing}", ADMIN)
    assert needs.of("GET", "/api/v1/none") is None


def test_scopes_come_with_others_but_never_with_more() -> None:
    assert expand(["control"]) == {Scope.CONTROL, Scope.READ}
    assert expand(["decide"]) == {Scope.DECIDE, Scope.READ}
    assert expand(["admin"]) == set(Scope)
    assert expand(["bogus"]) == set()
    assert all(scope in implied for scope, implied in IMPLIED.items())


async def test_each_scope_opens_exactly_its_routes(guarded: Guarded) -> None:
    counts = {"opened": 0, "refused": 0}
    for method, path, need in routes(guarded.app):
        if path == "/api/v1/session/refresh":
            continue  # asks for its cookie, not for a key
        for scope in Scope:
            answer = await guarded.ask(method, path, guarded.keys[scope])
            may = need.scope is None or need.scope in IMPLIED[scope]
            assert (answer.status_code not in {401, 403}) is may, f"{scope}: {method} {path} gave {answer.status_code}"
            counts["opened" if may else "refused"] += 1
            if not may:
                problem(answer, 403, "forbidden")
    print(counts)
    assert min(counts.values()) > 20
