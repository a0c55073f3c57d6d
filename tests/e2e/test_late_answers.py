"""Answers that come late, or not at all: nothing stands under another's name meanwhile, nobody is moved afterwards, and nothing is done twice."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser import Service, settled, table

pytestmark = pytest.mark.e2e


class Held:
    """Requests that wait until they are let go."""

    def __init__(self, page: Any, address: str) -> None:
        self.routes: list[Any] = []
        self.holding = True
        self.page = page
        self.address = address
        page.route(re.compile(address), self.take)

    def take(self, route: Any) -> None:
        if self.holding:
            self.routes.append(route)
        else:
            route.continue_()

    def wait(self) -> None:
        self.page.wait_for_function("address => [...unanswered].some(each => new RegExp(address).test(each))", arg=self.address)

    def let_go(self) -> None:
        self.holding = False
        for route in self.routes:
            route.continue_()


def test_another_run_has_no_numbers_before_they_are_read(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, second = finished
    page = open_page(service, f"history?run={first}")
    settled(page, "history")
    held = Held(page, rf"/runs/{second}/")
    page.evaluate("hash => { location.hash = hash; }", f"#/history?run={second}")
    page.get_by_role("heading", name=f"Run {second}", exact=True).wait_for()
    held.wait()
    assert page.get_by_text("Reading statistics").is_visible()
    assert page.get_by_text("Reading windows").is_visible()
    assert page.locator("caption", has_text="Schedulers of run").count() == 0
    held.let_go()
    settled(page, "history")
    assert set(table(page, f"Schedulers of run {second}")) == {found["scheduler"] for found in service.get(f"/api/v1/runs/{second}/statistics")}


def test_differences_to_the_policy_before_are_not_shown(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, _ = finished
    page = open_page(service, f"scheduler?run={first}&policy=greedy")
    settled(page, "scheduler")
    held = Held(page, r"/differences\?reference=priced")
    page.evaluate("hash => { location.hash = hash; }", f"#/scheduler?run={first}&policy=priced")
    page.get_by_role("heading", name="priced", exact=True).wait_for()
    held.wait()
    shown = table(page, "Wins, losses and differences")
    assert {row["Difference of response [95 %]"] for row in shown.values()} == {"\u2013"}
    held.let_go()
    settled(page, "scheduler")
    shown = table(page, "Wins, losses and differences")
    assert all("[" in row["Difference of response [95 %]"] for row in shown.values())


def test_a_divergence_found_late_does_not_move_who_has_gone_on(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, _ = finished
    page = open_page(service, f"cluster?run={first}&a=greedy&b=priced")
    settled(page, "cluster")
    held = Held(page, r"/divergence\?")
    page.get_by_role("button", name="First divergence").click()
    held.wait()
    page.get_by_role("link", name="History").click()
    settled(page, "history", but=r"/divergence\?")
    held.let_go()
    settled(page, "history")
    assert page.evaluate("location.hash") == "#/history"


@pytest.mark.parametrize("view", ["cluster", "learning"])
def test_there_is_not_nothing_while_the_page_connects(finished: tuple[Service, int, int], open_page: Any, view: str) -> None:
    page = open_page(finished[0], "history")
    # The stream opens, and says nothing.
    page.route_web_socket(re.compile("/ws"), lambda stream: None)
    page.goto(f"{finished[0].address}/?silent#/{view}")
    page.get_by_text("Connecting", exact=True).wait_for()
    assert page.get_by_text(re.compile("There is no run to show|No policy with a model is running")).count() == 0


def test_a_key_is_made_once_however_often_it_is_asked_for(finished: tuple[Service, int, int], open_page: Any) -> None:
    page = open_page(finished[0], "operations", quiet=False)
    page.get_by_role("button", name="New key…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What it is for").fill("twice")
    made: list[Any] = []
    page.route(re.compile("/api/v1/keys$"), lambda route: made.append(route) if route.request.method == "POST" else route.continue_())
    button = dialog.get_by_role("button", name="Make it")
    with page.expect_request(lambda request: request.method == "POST"):
        button.dblclick(force=True)
    dialog.locator("button[aria-busy]").wait_for()
    made[0].abort()
    page.get_by_text("The service does not answer.").wait_for()
    assert len(made) == 1
    assert button.is_enabled()
