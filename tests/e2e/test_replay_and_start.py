"""A replay goes on without a break and ends; a start suggests what fits the workload; what was counted before a page was opened is there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser import Service

from hybrid_ml_scheduler.live.contract import SUGGESTED_POLICIES

pytestmark = pytest.mark.e2e
RULES = {"policies": ["greedy", "round_robin"], "seed": 7, "load": 0.5, "speed": "max", "max_tasks": 2_000, "retrain_every": None}
BUSY = '{"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "The database is busy."}'


def checked(dialog: Any) -> set[str]:
    """Return the policies that a start would have."""
    dialog.locator(".check").first.wait_for()
    return {box.inner_text().strip() for box in dialog.locator(".check").all() if box.locator("input").is_checked()}


def test_a_replay_goes_on_over_its_parts_without_a_break_and_ends(fresh: Service, open_page: Any) -> None:
    run_id = fresh.run(**RULES)
    page = open_page(fresh, f"cluster?run={run_id}&a=greedy&b=round_robin")
    page.wait_for_function("() => document.querySelector('canvas.gantt')?.dataset.bars >= 1500")
    # A timeline that made way for a notice, even for a moment, would be another element.
    page.evaluate("() => { document.querySelector('canvas.gantt').dataset.stays = '1'; }")
    begun = page.input_value("#scrub")
    page.get_by_role("button", name="Replay", exact=True).click()
    page.wait_for_function("begun => Number(document.querySelector('#scrub').value) > Number(begun)", arg=begun)
    page.get_by_role("button", name="Pause replay").click()
    page.wait_for_function("() => /t=\\d/.test(location.hash)")
    at = re.search(r"[?&]t=([0-9.]+)", page.evaluate("location.hash"))
    assert at is not None
    assert float(at[1]) > float(begun)
    # Slow while something is to be done before its end, however slow the browser is.
    page.get_by_role("radio", name="600\u00d7").check()
    page.get_by_role("button", name="Replay", exact=True).click()
    # At its end it stops by itself.
    page.get_by_role("button", name="Replay", exact=True).wait_for()
    page.wait_for_function(
        "() => { const [shown, last] = document.querySelector('.scrub .muted').textContent.split(' of '); return shown === last; }"
    )
    assert page.evaluate("() => document.querySelector('canvas.gantt').dataset.stays") == "1"
    page.wait_for_function("() => document.querySelector('canvas.gantt').dataset.bars === '2000'")
    # From there it can begin anew.
    page.get_by_role("radio", name="10\u00d7", exact=True).check()
    page.get_by_role("button", name="Replay", exact=True).click()
    page.wait_for_function("last => Number(document.querySelector('#scrub').value) < last / 2", arg=float(page.get_attribute("#scrub", "max")))


def test_a_replay_held_while_one_of_two_policies_is_still_read_goes_on_to_its_end(fresh: Service, open_page: Any) -> None:
    run_id = fresh.run(**RULES)
    page = open_page(fresh, "history")
    held: list[Any] = []
    second_part = re.compile(r"/schedule\?.*round_robin.*from_task=1500")
    page.route(second_part, lambda route: held.append(route) if not held else route.continue_())
    page.goto(f"{fresh.address}/#/cluster?run={run_id}&a=greedy&b=round_robin&rate=600")
    shown = "place => Number(document.querySelectorAll('canvas.gantt')[place]?.dataset.bars)"
    page.wait_for_function(f"() => ({shown})(0) >= 1500 && ({shown})(1) >= 1500")
    page.get_by_role("button", name="Replay", exact=True).click()
    # The first policy is there to its end, the second is not.
    page.wait_for_function(f"() => ({shown})(0) === 2000")
    assert page.evaluate(shown, 1) == 1_500
    page.get_by_role("button", name="Pause replay").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    page.wait_for_function(f"() => ({shown})(1) === 2000")
    page.get_by_role("button", name="Replay", exact=True).wait_for()


def test_a_replay_whose_next_part_fails_says_so_and_goes_on_when_asked_again(fresh: Service, open_page: Any) -> None:
    run_id = fresh.run(**RULES)
    page = open_page(fresh, "history", quiet=False)
    failures = iter([True])
    page.route(
        re.compile(r"/schedule\?.*from_task=1500"),
        lambda route: route.fulfill(status=503, content_type="application/problem+json", body=BUSY) if next(failures, False) else route.continue_(),
    )
    page.goto(f"{fresh.address}/#/cluster?run={run_id}&a=greedy&rate=600")
    page.wait_for_function("() => document.querySelector('canvas.gantt')?.dataset.bars >= 1500")
    page.get_by_role("button", name="Replay", exact=True).click()
    page.get_by_role("status").get_by_text("The database is busy.").wait_for()
    page.get_by_role("button", name="Replay", exact=True).click()
    page.wait_for_function("() => document.querySelector('canvas.gantt').dataset.bars === '2000'")
    page.get_by_role("button", name="Replay", exact=True).wait_for()


def test_a_start_suggests_policies_that_fit_the_workload(fresh: Service, open_page: Any) -> None:
    page = open_page(fresh, "live")
    page.get_by_role("button", name="Start a run…").click()
    dialog = page.get_by_role("dialog")
    assert checked(dialog) == set(SUGGESTED_POLICIES["divisible/nodes"][0])
    dialog.get_by_label("Workload").select_option("lublin")
    dialog.get_by_label("sjf+easy", exact=True).wait_for()
    assert checked(dialog) == set(SUGGESTED_POLICIES["rigid/pool"][0])
    for name in SUGGESTED_POLICIES["rigid/pool"][0][1:]:
        dialog.get_by_label(name, exact=True).uncheck()
    dialog.get_by_role("button", name="Start", exact=True).click()
    fresh.until(lambda: fresh.get("/api/status")["run_id"] is not None)
    request = fresh.get("/api/status")["request"]
    assert (request["workload"], request["policies"]) == ("lublin", ["fcfs+easy"])
    # What was started last is offered again.
    page.get_by_role("button", name="New run…").click()
    assert checked(dialog) == {"fcfs+easy"}


def test_what_was_counted_before_a_page_was_opened_is_there(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, _, _ = finished
    service.until(lambda: len(service.get("/api/v1/operations")["over_time"]) > 1)
    page = open_page(service, "operations")
    for title in ("Requests over time", "Errors over time"):
        page.locator(f"[role=img][aria-label='{title}'] canvas").wait_for()
    trail = service.get("/api/v1/run/trail", policy="hybrid_ml")
    assert set(trail["lanes"]) == {"hybrid_ml"}
    known = [error for error in trail["lanes"]["hybrid_ml"]["log_error"] if error is not None]
    page.goto(f"{service.address}/#/learning?policy=hybrid_ml")
    if len(known) > 1:
        page.locator("[role=img][aria-label='Typical error of hybrid_ml'] canvas").wait_for()
    else:
        page.wait_for_selector("text=No outcome has been compared yet")
