"""Timelines, and the details of a task: what the page shows is what the API says, also of a run that is over."""

from __future__ import annotations

from typing import Any

import pytest
from browser import Service, number, table

pytestmark = pytest.mark.e2e
ROUNDED = 0.006
TASK = 7


def wait_for_bars(page: Any) -> None:
    """Wait until the first timeline has pixels in the colours of tasks."""
    page.wait_for_function(
        """() => {
            const style = getComputedStyle(document.documentElement);
            const wanted = ["--on-cpu", "--on-gpu", "--on-both"].map((name) => style.getPropertyValue(name).trim().toLowerCase());
            const canvas = document.querySelector("canvas.gantt");
            if (!canvas || !canvas.width) return false;
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            for (let at = 0; at < data.length; at += 4) {
                const hex = "#" + [0, 1, 2].map((each) => data[at + each].toString(16).padStart(2, "0")).join("");
                if (data[at + 3] === 255 && wanted.includes(hex)) return true;
            }
            return false;
        }"""
    )


def test_a_task_is_shown_as_the_api_tells_it_and_explained(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, _ = finished
    found = service.get(f"/api/v1/runs/{first}/tasks/{TASK}")
    policy = found["results"][0]["scheduler"]
    why = service.get(f"/api/v1/runs/{first}/tasks/{TASK}/explanation", policy=policy)
    page = open_page(service, f"cluster?run={first}&a={policy}&task={TASK}")
    page.wait_for_selector("text=in truth")
    shown = table(page, f"Results for task {TASK}")
    assert set(shown) == {row["scheduler"] for row in found["results"]}
    for row in found["results"]:
        response = row["finish_s"] - row["arrival_s"]
        assert number(shown[row["scheduler"]]["Response"]) == pytest.approx(response, rel=ROUNDED)
        assert number(shown[row["scheduler"]]["Wait"]) == pytest.approx(row["start_s"] - row["arrival_s"], rel=ROUNDED, abs=1e-9)
        assert number(shown[row["scheduler"]]["Energy"]) == pytest.approx(row["energy_j"], rel=ROUNDED)
    if why["predictions"]:
        predicted = table(page, "Predicted run times")
        for entry in why["predictions"]:
            assert number(predicted[entry["device"]]["Expected"]) == pytest.approx(entry["expected_s"], rel=ROUNDED)
    wait_for_bars(page)


def test_the_first_divergence_is_jumped_to_and_stands_in_the_address(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, _ = finished
    policies = service.get(f"/api/v1/runs/{first}")["policies"]
    a, b = next(
        (one, other)
        for one in policies
        for other in policies
        if one != other and service.get(f"/api/v1/runs/{first}/divergence", first=one, second=other)["task_id"] is not None
    )
    task = service.get(f"/api/v1/runs/{first}/divergence", first=a, second=b)["task_id"]
    page = open_page(service, f"cluster?run={first}&a={a}&b={b}")
    page.get_by_role("button", name="First divergence").click()
    page.wait_for_selector(f"role=heading[name='Task {task}']")
    assert f"task={task}" in page.evaluate("location.hash")
    page.get_by_role("application").first.focus()
    page.keyboard.press("n")
    page.wait_for_function(
        "task => { const found = /[?&]task=(\\d+)/.exec(location.hash); return found !== null && Number(found[1]) !== task; }", arg=task
    )
    page.keyboard.press("Escape")
    page.wait_for_function("() => !location.hash.includes('task=')")


def test_a_running_lane_is_followed_and_held(fresh: Service, open_page: Any) -> None:
    fresh.post("/api/start", {"policies": ["greedy", "round_robin"], "seed": 7, "load": 0.5, "speed": 20, "retrain_every": None})
    page = open_page(fresh, "cluster?a=greedy")
    newest: dict[str, Any] = {}

    def finished_after_the_page_was_opened() -> bool:
        newest.update(fresh.get("/api/v1/run/timeline", policy="greedy"))
        return len(newest["columns"]["task_id"]) > 60

    page.get_by_role("application").wait_for()
    fresh.until(finished_after_the_page_was_opened)
    fresh.post("/api/pause")
    # Everything that has finished since the page was opened is drawn: the newest bars reach the edge, and the queue is the lane's.
    page.wait_for_function("() => document.querySelector('canvas.gantt')?.dataset.bars >= 60")
    page.get_by_role("button", name="Hold").click()
    page.get_by_role("button", name="Held: go on").wait_for()
    assert "hold=1" in page.evaluate("location.hash")
    wait_for_bars(page)
