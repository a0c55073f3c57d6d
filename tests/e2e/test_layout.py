"""Nothing of the page overlaps, is cut off, sticks out or jumps, at any width and in both colours; and a tab that nobody sees draws nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser import VIEWS, Service, settled
from layout import boxes, boxes_by_theme, frames, problems, stains

pytestmark = pytest.mark.e2e
RULES: dict[str, Any] = {"policies": ["greedy", "priced", "oracle", "mct", "sjf+mct"], "seed": 7, "load": 0.5, "speed": "max", "retrain_every": None}
GROWING = {"cluster", "operations"}
"""Views in which panels grow as more is known: tasks side by side, routes. Elsewhere nothing may move at all."""
FIXED = {"brand", "topbar", "view-head", "panel-head", "waiting"}
"""What keeps its height there too."""
WATCH_SHIFTS = """
window.shifts = [];
// Rows of a table change places as the ranking does; that is no jump of the layout.
const jumps = entry => entry.sources.some(({node}) => !(node?.nodeType === 1 ? node : node?.parentElement)?.closest("tbody"));
new PerformanceObserver(list => {
    for (const entry of list.getEntries())
        if (!entry.hadRecentInput && jumps(entry)) shifts.push([entry.value, ...entry.sources.map(({node}) => node?.className || node?.nodeName)]);
}).observe({type: "layout-shift", buffered: true});
"""
HIDE = """
window.unseen = false;
Object.defineProperty(document, "hidden", {get: () => window.unseen});
Object.defineProperty(document, "visibilityState", {get: () => window.unseen ? "hidden" : "visible"});
window.see = seen => { window.unseen = !seen; document.dispatchEvent(new Event("visibilitychange")); };
window.done = {drawn: 0, changed: 0, asked: 0, heard: 0};
for (const name of ["clearRect", "fillRect", "fill", "stroke", "fillText", "drawImage"]) {
    const own = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...given) { done.drawn++; return own.apply(this, given); };
}
const ask = window.fetch;
window.fetch = (...given) => { done.asked++; return ask(...given); };
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
    constructor(...given) { super(...given); this.addEventListener("message", () => done.heard++); }
};
const everything = {subtree: true, childList: true, attributes: true, characterData: true};
document.addEventListener("DOMContentLoaded", () =>
    new MutationObserver(list => done.changed += list.length).observe(document.documentElement, everything));
"""


@pytest.fixture(scope="module")
def moving(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a run that goes on, and that every view has something of already."""
    service = Service(tmp_path_factory.mktemp("moving"))
    try:
        service.start()
        run_id = service.post("/api/start", RULES)["run_id"]
        path = f"/api/v1/runs/{run_id}/windows"
        service.until(lambda: all(len(service.get(path, scheduler=name)["windows"]) > 2 for name in RULES["policies"]))
        service.post("/api/speed", {"speed": 50})
        # Charts of operations have a line from the second stretch on.
        service.until(lambda: len(service.get("/api/v1/operations")["over_time"]) > 1)
        yield service
    finally:
        service.close()


def restyle(page: Any, rule: str) -> None:
    """Add a rule of CSS, as a mistake would."""
    page.evaluate("rule => { const sheet = new CSSStyleSheet(); sheet.replaceSync(rule); document.adoptedStyleSheets = [sheet]; }", rule)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [360, 390, 1440, 3840])
def test_every_view_is_laid_out_well(finished: tuple[Service, int, int], open_page: Any, view: str, width: int) -> None:
    page = open_page(finished[0], view, width=width)
    settled(page, view)
    assert problems(page) == []
    light, dark = boxes_by_theme(page)
    assert light == dark
    assert view.capitalize() in {what for what, *_ in light}
    assert stains(page) == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_jumps_as_the_run_goes_on(moving: Service, open_page: Any, view: str, width: int) -> None:
    page = open_page(moving, "history", width=width)
    page.context.add_init_script(WATCH_SHIFTS)
    page.goto(f"{moving.address}/?{view}#/{view}")
    settled(page, view, frames=20)
    before, seen, frame = boxes(page), moving.get("/api/status")["tasks_processed"], frames(page)
    page.evaluate("() => { shifts.length = 0; }")
    moving.until(lambda: moving.get("/api/status")["tasks_processed"] > seen + 500)
    page.wait_for_function(
        """than => Number([...document.querySelectorAll(".topbar-fact")].find(each => each.textContent.startsWith("Tasks"))
            .lastChild.textContent.replace(/[^0-9]/g, "") || 0) > than""",
        arg=seen + 500,
    )
    after = boxes(page)
    if view in GROWING:
        before, after = ([(kind, left, width, high if kind in FIXED else None) for kind, left, _, width, high in each] for each in (before, after))
        assert after == before
        return
    assert [found for found in page.evaluate("() => shifts") if found[0] > 0.001] == []
    assert after == before
    assert frames(page) == frame


@pytest.mark.parametrize("width", [360, 390, 1440])
def test_nothing_jumps_when_comparisons_come_late(moving: Service, open_page: Any, width: int) -> None:
    page = open_page(moving, "history", width=width)
    held: list[Any] = []
    late = re.compile(r"/differences\?|/comparative\?")
    holding = True
    page.route(late, lambda route: held.append(route) if holding else route.continue_())
    page.goto(f"{moving.address}/?late#/live")
    settled(page, "live", frames=20, but=late.pattern)
    before = boxes(page)
    assert held
    holding = False
    for route in held:
        route.continue_()
    page.get_by_text("Means over the newest").wait_for()
    assert boxes(page) == before


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (".panel { margin-right: -60px; }", "out of the page"),
        (".panel + .panel { margin-top: -80px; }", "one above another"),
        (".stat-value { width: 12px; overflow: hidden; white-space: nowrap; }", "cut off"),
        (".panel-title { white-space: nowrap; margin-left: -90px; }", "runs out"),
        (".button { width: 10px; padding: 0; white-space: nowrap; }", "runs out"),
    ],
)
def test_the_checks_see_what_is_wrong(finished: tuple[Service, int, int], open_page: Any, rule: str, said: str) -> None:
    page = open_page(finished[0], "live")
    settled(page, "live")
    restyle(page, rule)
    assert any(found.startswith(said) for found in problems(page)), problems(page)


@pytest.mark.parametrize(
    "rule", ["html[data-theme=dark] .panel-head { padding-top: 20px; }", "html[data-theme=dark] h1 { font-weight: 900; letter-spacing: 2px; }"]
)
def test_the_comparison_sees_what_one_theme_has_alone(finished: tuple[Service, int, int], open_page: Any, rule: str) -> None:
    page = open_page(finished[0], "live")
    settled(page, "live")
    restyle(page, rule)
    light, dark = boxes_by_theme(page)
    assert light != dark


def test_stains_between_panels_are_seen(finished: tuple[Service, int, int], open_page: Any) -> None:
    page = open_page(finished[0], "live")
    settled(page, "live")
    restyle(page, ".panel { box-shadow: 0 0 12px 6px red; }")
    assert stains(page) != []


@pytest.mark.parametrize("view", ["live", "cluster?a=greedy&b=priced"])
def test_a_hidden_tab_draws_and_asks_nothing_and_catches_up(moving: Service, open_page: Any, view: str) -> None:
    page = open_page(moving, "history")
    page.context.add_init_script(HIDE)
    page.goto(f"{moving.address}/?{view.partition('?')[0]}#/{view}")
    settled(page, view.partition("?")[0])
    page.wait_for_function("() => done.drawn > 0 && done.heard > 2")
    page.evaluate("() => see(false)")
    # What was under way when it was hidden may end.
    page.wait_for_function("() => underWay === 0")
    page.evaluate("async () => { for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame); }")
    page.evaluate("() => Object.assign(done, {drawn: 0, changed: 0, asked: 0, heard: 0})")
    seen = moving.get("/api/status")["tasks_processed"]
    moving.until(lambda: moving.get("/api/status")["tasks_processed"] > seen + 300)
    page.wait_for_function("() => done.heard > 10")
    found = page.evaluate("() => ({...done})")
    assert (found["drawn"], found["changed"], found["asked"]) == (0, 0, 0)
    page.evaluate("() => see(true)")
    page.wait_for_function(
        """than => Number([...document.querySelectorAll(".topbar-fact")].find(each => each.textContent.startsWith("Tasks"))
            .lastChild.textContent.replace(/[^0-9]/g, "") || 0) > than""",
        arg=seen + 300,
    )
    page.wait_for_function("() => done.drawn > 0 && done.changed > 0")
