"""Measure the page as its users feel it, in Chromium, by the browser's own performance API: a server of its own, twelve policies at full speed.

``python benchmarks/dashboard.py [--seconds 20] [--chromium /usr/bin/chromium]``; nothing else should be running, for run, service and browser
share the machine. Frames are those that the page was called for (requestAnimationFrame); the browser draws in software, without a GPU.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from service import PATIENCE_S, start

POLICIES = [
    *("oracle", "hybrid_ml", "rl_agent", "greedy", "round_robin", "random", "mct", "sjf+mct", "priced", "least_loaded", "min_min", "energy_aware"),
]
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--enable-precise-memory-info", "--js-flags=--expose-gc"),
]
WATCH = """
window.measured = {frames: 0, long: [], began: 0, longest: 0};
const seen = (at) => {
  if (measured.last) measured.longest = Math.max(measured.longest, at - measured.last);
  measured.last = at;
  measured.frames++;
  requestAnimationFrame(seen);
};
requestAnimationFrame(seen);
new PerformanceObserver((list) => measured.long.push(...list.getEntries().map((entry) => entry.duration))).observe({type: "longtask"});
"""
RESET = "() => {Object.assign(measured, {frames: 0, long: [], began: performance.now(), longest: 0, last: 0})}"
RESULT = "() => ({...measured, seconds: (performance.now() - measured.began) / 1000})"


def first_paint(browser: Browser, address: str) -> list[float]:
    """Milliseconds to the first contentful paint, of five visits with empty caches."""
    found = []
    for _ in range(5):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(address)
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0", timeout=PATIENCE_S * 1000)
        found.append(float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
        context.close()
    return sorted(found)


def drawn(page: Page, seconds: float) -> dict[str, Any]:
    """Frames and long tasks while the page is left alone."""
    page.evaluate(RESET)
    page.wait_for_timeout(seconds * 1000)
    found = page.evaluate(RESULT)
    return {
        "frames_per_s": round(found["frames"] / found["seconds"], 1),
        "longest_frame_ms": round(found["longest"], 1),
        "long_tasks": len(found["long"]),
        "longest_task_ms": round(max(found["long"], default=0.0), 1),
    }


def heap_mb(page: Page) -> float:
    """JavaScript heap after a collection, in MB."""
    page.evaluate("() => window.gc()")
    return round(float(page.evaluate("() => performance.memory.usedJSHeapSize")) / 1e6, 1)


def bundle_kb(address: str) -> dict[str, float]:
    """Size of everything that the page can load, packed, in kB: from the folder that the service serves."""
    from hybrid_ml_scheduler.service.page import FOLDER

    def packed(kind: str) -> float:
        return round(sum(len(gzip.compress(path.read_bytes())) for path in FOLDER.rglob(f"*.{kind}")) / 1e3, 1)

    return {"js_kb": packed("js"), "css_kb": packed("css")}


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, address, _ = start(Path(folder))
        try:
            found: dict[str, Any] = {"bundle": bundle_kb(address)}
            with httpx.Client(base_url=address, timeout=PATIENCE_S) as client, sync_playwright() as playwright:
                client.post("/api/stop").raise_for_status()
                client.post("/api/start", json={"policies": POLICIES, "seed": 7, "speed": "max"}).raise_for_status()
                browser = playwright.chromium.launch(executable_path=given.chromium, args=ARGUMENTS)
                found["first_paint_ms"] = first_paint(browser, address)
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                context.add_init_script(WATCH)
                page = context.new_page()
                page.goto(f"{address}/#/live")
                page.get_by_role("table").wait_for(timeout=PATIENCE_S * 1000)
                page.wait_for_timeout(5000)
                before, tasks = heap_mb(page), client.get("/api/status").json()["tasks_processed"]
                found["live"] = drawn(page, given.seconds)
                done = client.get("/api/status").json()["tasks_processed"] - tasks
                found["tasks_per_s"] = round(done / given.seconds, 1)
                found["heap_mb"] = {"before": before, "after": heap_mb(page)}
                page.goto(f"{address}/#/cluster?a=hybrid_ml&b=greedy")
                page.get_by_role("application").first.wait_for(timeout=PATIENCE_S * 1000)
                page.wait_for_timeout(2000)
                found["cluster"] = drawn(page, given.seconds / 2)
                browser.close()
            print(json.dumps(found, indent=2))
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


if __name__ == "__main__":
    main()
