"""The run is controlled from the page, followed through a restart, and by several at once; with credentials where they are needed."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from browser import Service

pytestmark = pytest.mark.e2e
RULES = {"policies": ["greedy", "priced", "oracle"], "seed": 7, "load": 0.3, "speed": 200, "retrain_every": None}


def state(page: Any, name: str) -> None:
    page.wait_for_function("name => document.querySelector('.topbar .chip')?.textContent === name", arg=name)


def tasks(page: Any) -> int:
    """Return how many tasks the bar at the top says."""
    text: str = page.evaluate(
        "() => [...document.querySelectorAll('.topbar-fact')].find(each => each.textContent.startsWith('Tasks')).lastChild.textContent"
    )
    return int("".join(char for char in text if char.isdigit()) or "0")


def more_tasks(page: Any, than: int) -> None:
    page.wait_for_function(
        """than => Number([...document.querySelectorAll('.topbar-fact')].find(each => each.textContent.startsWith('Tasks'))
            .lastChild.textContent.replace(/[^0-9]/g, '') || 0) > than""",
        arg=than,
    )


def test_pause_resume_speed_and_stop(fresh: Service, open_page: Any) -> None:
    page = open_page(fresh, "live")
    state(page, "no run yet")
    page.get_by_role("button", name="Start a run…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Seed").fill("7")
    # Learned policies compile for a while; rules do for this.
    for policy in ("hybrid_ml", "rl_agent"):
        dialog.get_by_label(policy, exact=True).uncheck()
    dialog.get_by_role("button", name="Start", exact=True).click()
    state(page, "running")
    request = fresh.get("/api/status")["request"]
    assert request["seed"] == 7
    assert set(request["policies"]) == {"round_robin", "random", "greedy", "oracle"}
    more_tasks(page, 0)
    page.get_by_role("button", name="Pause").click()
    state(page, "paused")
    fresh.until(lambda: fresh.get("/api/status")["is_paused"])
    page.get_by_role("button", name="Resume").click()
    state(page, "running")
    more_tasks(page, tasks(page))
    page.get_by_label("Speed", exact=True).first.press("End")
    fresh.until(lambda: fresh.get("/api/status")["speed"] == "max")
    page.wait_for_function("() => document.querySelector('.topbar-facts').textContent.includes('max')")
    page.get_by_label("Speed", exact=True).first.press("Home")
    fresh.until(lambda: fresh.get("/api/status")["speed"] != "max")
    more_tasks(page, tasks(page))
    fresh.post("/api/speed", {"speed": 77})
    page.wait_for_function("() => document.querySelector('.topbar-facts').textContent.includes('77')")
    page.get_by_role("button", name="Stop").click()
    state(page, "stopped")
    assert fresh.get("/api/status")["state"] == "stopped"
    page.wait_for_function(
        "than => document.querySelector('.topbar-facts').textContent.replace(/[^0-9]/g, '').includes(String(than))",
        arg=fresh.get("/api/status")["tasks_processed"],
    )


def test_two_browsers_see_the_same_run(fresh: Service, open_page: Any) -> None:
    first, second = open_page(fresh, "live"), open_page(fresh, "live")
    fresh.post("/api/start", RULES)
    for page in (first, second):
        state(page, "running")
    # One stream each.
    assert "\nhms_ws_clients 2.0\n" in fresh.client.get("/metrics").text
    first.get_by_role("button", name="Pause").click()
    state(second, "paused")
    second.get_by_role("button", name="Stop").click()
    state(first, "stopped")


def test_the_page_outlives_the_service(fresh: Service, open_page: Any) -> None:
    # The browser itself complains about connections that fail.
    page = open_page(fresh, "live", quiet=False)
    run_id = fresh.post("/api/start", RULES)["run_id"]
    more_tasks(page, 20)
    page.evaluate("() => { window.stays = true; }")
    fresh.end(signal.SIGKILL)
    page.wait_for_selector("text=The connection is lost")
    seen = tasks(page)
    # A view that has never been read comes as soon as it can.
    page.evaluate("() => { location.hash = '#/cluster'; }")
    page.wait_for_selector(".state-loading")
    fresh.start()
    page.wait_for_selector("text=The connection is lost", state="detached")
    more_tasks(page, seen)
    page.wait_for_selector(".gantt")
    assert page.evaluate("() => window.stays") is True
    assert fresh.get("/api/status")["run_id"] == run_id


def test_with_keys_the_page_asks_who_is_there(fresh: Service, open_page: Any) -> None:
    key = fresh.post("/api/v1/keys", {"name": "test", "scopes": ["admin"]})["key"]
    answer = fresh.client.post("/api/v1/keys", json={"name": "reader", "scopes": ["read"]}, headers={"Authorization": f"Bearer {key}"})
    reader = answer.json()["key"]
    # Refusals are what this is about.
    page = open_page(fresh, "operations", quiet=False)
    streams: list[str] = []
    page.on("websocket", lambda stream: streams.append(stream.url))
    page.reload()
    page.get_by_role("radio", name="API key").check(force=True)
    page.wait_for_selector("text=signed out")
    page.get_by_label("API key").last.fill("hms_000000000000_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("[role=alert]")
    # Without credentials the stream would be refused: it is not tried.
    assert streams == []
    page.get_by_label("API key").last.fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("text=credentials are needed")
    page.wait_for_selector("text=API keys are shown", state="detached")
    page.wait_for_selector(".dot-open")
    assert len(streams) == 1
    # The cookie brings the sign-in back.
    page.reload()
    page.wait_for_selector("text=credentials are needed")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("text=Name and password")
    # Who may only read is offered nothing that would be refused.
    page.get_by_role("radio", name="API key").check(force=True)
    page.get_by_label("API key").last.fill(reader)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("text=credentials are needed")
    page.get_by_role("link", name="Live").click()
    page.get_by_text("read only", exact=True).wait_for()
    assert page.get_by_role("button", name="Start a run…").is_disabled()
