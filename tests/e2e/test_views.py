"""Every view shows the numbers that the API gives, without barriers, light and dark, wide and narrow."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import VIEWS, Service, number, settled, table
from PIL import Image

from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore

pytestmark = pytest.mark.e2e
ROUNDED = 0.006
"""Three digits are shown."""


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=ROUNDED, abs=1e-9)


def test_live_shows_what_the_api_says(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, _, second = finished
    page = open_page(service, "live")
    settled(page, "live")
    page.wait_for_selector("text=/Means over the newest/")
    shown = table(page, "Policies by response time")
    pairs = {entry["scheduler"]: entry["metrics"]["response_s"] for entry in service.get(f"/api/v1/runs/{second}/differences")["schedulers"]}
    wins = {entry["scheduler"]: entry["wins"] for entry in service.get("/api/history/comparative", run_id=second)["schedulers"]}
    assert set(shown) == set(pairs)
    for policy, row in shown.items():
        assert number(row["Response"]) == near(pairs[policy]["second"])
        assert number(row["Wins"]) == wins[policy]
        if policy != "oracle":
            share = pairs[policy]["difference"] / pairs[policy]["first"]
            # From eleven times on it is shown as a factor.
            expected = share + 1 if share >= 9.995 else share
            assert number(row["vs oracle"].split(",")[0]) == pytest.approx(expected, rel=ROUNDED, abs=0.0006)
    status = service.get("/api/status")
    bar = page.inner_text(".topbar-facts")
    assert str(second) in bar
    assert number(bar.split("Tasks")[1].split("\n")[1 if bar.split("Tasks")[1].startswith("\n") else 0]) == status["tasks_processed"]


def test_history_shows_what_the_api_says(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, second = finished
    page = open_page(service, f"history?run={first}&with={second}")
    settled(page, "history")
    page.wait_for_selector(f"text=Run {second} against run {first}")
    shown = table(page, f"Schedulers of run {first}")
    statistics = service.get(f"/api/v1/runs/{first}/statistics")
    assert set(shown) == {found["scheduler"] for found in statistics}
    for found in statistics:
        row = shown[found["scheduler"]]
        assert number(row["Finished"]) == found["finished"]
        for head, name in (("Response", "mean_response_s"), ("p99", "p99_response_s"), ("Wait", "mean_wait_s"), ("Regret", "mean_regret_s")):
            assert number(row[head]) == near(found[name]), (found["scheduler"], head)
        assert number(row["Energy"]) == near(found["energy_j"] / found["finished"])
        assert number(row["Wins"]) == pytest.approx(found["wins"] / found["compared"], abs=0.001)
    runs = table(page, "Runs")
    assert {str(run["id"]) for run in service.get("/api/v1/runs")["runs"]} == set(runs)
    compared = table(page, "Comparison of two runs")
    for found in service.get("/api/v1/compare/paired", first=first, second=second)["schedulers"]:
        row, metric = compared[found["scheduler"]], found["metrics"]["response_s"]
        assert number(row["Tasks"]) == found["tasks"]
        assert number(row[f"Run {first}"]) == near(metric["first"])
        assert number(row[f"Run {second}"]) == near(metric["second"])


def test_runs_are_filtered_and_links_bring_the_view_back(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, second = finished
    page = open_page(service, "history")
    settled(page, "history")
    page.get_by_label("State").select_option("failed")
    page.wait_for_selector("text=No run is like that")
    assert "state=failed" in page.url
    page.get_by_label("State").select_option("")
    page.get_by_role("button", name="compare", exact=True).click()
    page.get_by_role("radio", name="Energy").last.check(force=True)
    page.wait_for_selector(f"text=Run {first} against run {second}")
    again = open_page(service, page.url.split("#/")[1])
    again.wait_for_selector(f"text=Run {first} against run {second}")
    assert again.get_by_role("radio", name="Energy").last.is_checked()
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = saved.value.path().read_text().splitlines()
    assert len(lines) == 1 + sum(found["results"] for found in service.get(f"/api/v1/runs/{second}/statistics"))


def test_scheduler_shows_what_the_api_says(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, first, _ = finished
    page = open_page(service, f"scheduler?run={first}&policy=hybrid_ml")
    settled(page, "scheduler")
    (found,) = service.get(f"/api/v1/runs/{first}/statistics", scheduler="hybrid_ml")
    pairs = {entry["scheduler"]: entry for entry in service.get(f"/api/v1/runs/{first}/differences", reference="hybrid_ml")["schedulers"]}
    page.wait_for_selector("text=fallback")
    stats = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".stat")].map(each =>
            [each.querySelector("dt").firstChild.textContent, [...each.querySelector("dd").children].map(part => part.textContent).join(" ")]))"""
    )
    for name, value in (("Finished", found["finished"]), ("Mean response", found["mean_response_s"]), ("p95", found["p95_response_s"])):
        assert number(stats[name]) == near(value), name
    page.wait_for_selector("td:has-text('[')")
    against = table(page, "Wins, losses and differences")
    assert set(against) == set(pairs) - {"hybrid_ml"}
    for other, row in against.items():
        assert number(row["Won"]) == found["wins_against"][other]
        assert number(row["Difference of response [95 %]"].split(" [")[0]) == near(-pairs[other]["metrics"]["response_s"]["difference"])
    placed = service.get(f"/api/v1/runs/{first}/distribution", scheduler="hybrid_ml")["placements"]
    shares = page.evaluate("() => [...document.querySelectorAll('.share-value .muted')].map(each => each.textContent)")
    assert [number(text.strip("()")) for text in shares[:3]] == [placed["cpu_only"], placed["split"], placed["gpu_only"]]
    assert [number(text.strip("()")) for text in shares[3:5]] == [near(placed["cpu_s"]), near(placed["gpu_s"])]


@pytest.mark.parametrize(
    "view", ["live", "cluster?run={first}&a=greedy&b=priced", "scheduler?run={first}", "learning", "history?run={first}&with={second}", "operations"]
)
def test_every_chart_is_saved_as_a_picture(finished: tuple[Service, int, int], open_page: Any, view: str) -> None:
    service, first, second = finished
    page = open_page(service, view.format(first=first, second=second))
    settled(page, view.partition("?")[0])
    for drawn in page.locator("figure.chart:visible, .panel:has(.matrix), .panel:has(.interval), .panel:has(.interval-bar)").all():
        button = drawn.get_by_role("button", name="as PNG")
        assert button.count() == 1, drawn.inner_text()[:200]
        title = re.fullmatch("Save “(.*)” as PNG", button.get_attribute("aria-label"))
        assert title is not None
        with page.expect_download() as saved:
            button.click()
        assert saved.value.suggested_filename == f"{re.sub('[^a-z0-9]+', '-', title[1].lower()).strip('-')}.png"
        picture = np.asarray(Image.open(saved.value.path()).convert("L"), int)
        assert picture.shape[1] >= 320
        # Below the title there is something that is not the page's background.
        assert (np.abs(picture[40:] - picture[2, 2]) > 40).sum() > 100, title[1]


def test_learning_shows_models_and_promotes_them(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, _, _ = finished
    store_of_run = ModelStore([PRETRAINED, service.folder / "data" / "models"])
    shipped = store_of_run.get("hybrid_ml-divisible", 1)
    store_of_run.promote("hybrid_ml-divisible", 1)
    store_of_run.add(replace(shipped, card=replace(shipped.card, command="hms train again")))
    page = open_page(service, "learning?versions=all")
    settled(page, "learning")
    store = service.get("/api/v1/models/store")["models"]
    shown = table(page, "Model store")
    assert {name: row["Use"] == "in use" for name, row in shown.items()} == {f"{row['name']}@{row['version']}": row["in_use"] for row in store}

    def has_what_was_trained() -> bool:
        trained = table(page, "Models that retraining made")
        return {key for key in trained if key.isdigit()} == {str(row["id"]) for row in service.get("/api/v1/models")["models"]}

    # A training that the end of the run had left under way is there with the next answer.
    service.until(has_what_was_trained)
    other = next(row for row in store if row["name"] == "hybrid_ml-divisible" and not row["in_use"])
    page.get_by_role("row", name=f"hybrid_ml-divisible@{other['version']}", exact=False).get_by_role("button", name="Promote").click()
    page.wait_for_selector("text=for runs that begin from now on")
    in_use = {row["version"] for row in service.get("/api/v1/models/store")["models"] if row["name"] == other["name"] and row["in_use"]}
    assert in_use == {other["version"]}
    page.get_by_role("row", name=f"hybrid_ml-divisible@{other['version']}", exact=False).get_by_role("button", name="Roll back").click()
    page.wait_for_selector("text=back to the version before")
    in_use = {row["version"] for row in service.get("/api/v1/models/store")["models"] if row["name"] == other["name"] and row["in_use"]}
    assert in_use == {1}


def test_operations_shows_what_the_api_says(finished: tuple[Service, int, int], open_page: Any) -> None:
    service, _, _ = finished
    page = open_page(service, "operations")
    settled(page, "operations")
    found = service.get("/api/v1/operations")
    page.wait_for_selector(f"text={found['database']['dialect']}")
    routes = table(page, "Response times per route")
    assert number(routes["POST /api/start"]["In all"]) == 2
    assert all(number(row["Failed"]) == 0 for row in routes.values())
    page.wait_for_selector("text=open: whoever is on this machine may do everything")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_barriers(finished: tuple[Service, int, int], open_page: Any, view: str, theme: str) -> None:
    page = open_page(finished[0], view, theme=theme)
    settled(page, view)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}})
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [360, 390])
def test_narrow_pages_do_not_scroll_sideways(finished: tuple[Service, int, int], open_page: Any, view: str, width: int) -> None:
    # Two runs side by side have the longest headings.
    where = f"history?run={finished[1]}&with={finished[2]}" if view == "history" else view
    page = open_page(finished[0], where, width=width)
    settled(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # Nothing sticks out of its panel either, but what scrolls by itself.
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".main *")]
            .filter(each => !each.closest(".table-scroll") && each.getBoundingClientRect().right > innerWidth + 1)
            .map(each => each.outerHTML.slice(0, 200))"""
    )
    assert outside == []
