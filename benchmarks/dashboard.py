"""Measure the page as its users feel it, in Chromium, by the browser's own performance API: a server of its own, twelve policies at full speed.

``python benchmarks/dashboard.py [--seconds 20] [--wear-minutes 4] [--chromium /usr/bin/chromium]``; nothing else should be running, for run, service
and browser share the machine. Frames are those that the page was called for (requestAnimationFrame); the browser draws in software, without a GPU.

A task of the page's main thread is long if it takes more than 50 ms. By the clock it is so too when the thread had to wait for a core, so each view
is watched twice: by the performance API, and in a trace, which has the thread's own processor time. A page that only counts frames shows what the
machine leaves.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from scipy import stats

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
LONG_MS = 50.0
EMPTY = "<!doctype html><title>empty</title><p>Nothing but a counter of frames."
WORN_VIEWS = ("cluster?a=hybrid_ml&b=greedy", "scheduler?policy=hybrid_ml", "learning", "history", "operations")
RESULT = "() => ({...measured, seconds: (performance.now() - measured.began) / 1000})"


def first_paint(browser: Browser, address: str) -> list[float]:
    """Milliseconds to the first contentful paint, of five visits with empty caches."""
    found = []
    for _ in range(5):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(address)
        page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0", timeout=PATIENCE_S * 1000)
        found.append(float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
        context.close()
    return sorted(found)


def drawn(page: Page, seconds: float) -> dict[str, Any]:
    """Frames and long tasks while the page is left alone; then, as long again, what its main thread did."""
    page.evaluate(RESET)
    page.wait_for_timeout(seconds * 1000)
    found = page.evaluate(RESULT)
    return {
        "frames_per_s": round(found["frames"] / found["seconds"], 1),
        "longest_frame_ms": round(found["longest"], 1),
        "long_tasks": len(found["long"]),
        "longest_task_ms": round(max(found["long"], default=0.0), 1),
        "traced": traced(page, seconds),
    }


def traced(page: Page, seconds: float) -> dict[str, float]:
    """Tasks of the page's main thread: by the clock, and by its own processor time."""
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=["toplevel"])
    page.wait_for_timeout(seconds * 1000)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    renderers = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"}
    # Those that were under way at the ends of the trace are not whole ("X").
    whole = [event for event in events if event["ph"] == "X" and event["name"] == "ThreadControllerImpl::RunTask"]
    tasks = [event for event in whole if (event["pid"], event["tid"]) in renderers]
    # The one with the most tasks is that of the page; a browser keeps a spare one.
    (main, _), *_ = Counter((task["pid"], task["tid"]) for task in tasks).most_common(1)
    clock_ms = np.array([task["dur"] / 1e3 for task in tasks if (task["pid"], task["tid"]) == main])
    own_ms = np.array([task.get("tdur", 0) / 1e3 for task in tasks if (task["pid"], task["tid"]) == main])
    return {
        "long_by_clock": int((clock_ms > LONG_MS).sum()),
        "longest_by_clock_ms": round(float(clock_ms.max()), 1),
        "long_by_processor_time": int((own_ms > LONG_MS).sum()),
        "longest_by_processor_time_ms": round(float(own_ms.max()), 1),
        "busy_by_clock": round(float(clock_ms.sum()) / seconds / 1e3, 3),
        "busy_by_processor_time": round(float(own_ms.sum()) / seconds / 1e3, 3),
    }


def held(session: CDPSession) -> dict[str, float]:
    """What the page holds after a collection: its heap in MB, nodes of all documents, listeners."""
    session.send("HeapProfiler.collectGarbage")
    found = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
    return {"heap_mb": found["JSHeapUsedSize"] / 1e6, "nodes": found["Nodes"], "listeners": found["JSEventListeners"]}


def slope(minutes: list[float], values: list[float]) -> dict[str, Any]:
    """Growth per minute with its 95 % interval, and the first and the last value."""
    fitted = stats.linregress(minutes, values)
    half = float(fitted.stderr * stats.t.ppf(0.975, len(values) - 2))
    return {
        "first": round(values[0], 2),
        "last": round(values[-1], 2),
        "most": round(max(values), 2),
        "per_minute": round(float(fitted.slope), 3),
        "interval": [round(float(fitted.slope) - half, 3), round(float(fitted.slope) + half, 3)],
    }


def wear(page: Page, client: httpx.Client, address: str, minutes: float) -> dict[str, Any]:
    """Go through all views again and again while the run is at full speed; what is held is looked at on the Live view, once in each round."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    at_min: list[float] = []
    found: list[dict[str, float]] = []
    began_s, simulated_s = time.monotonic(), client.get("/api/status").json()["time_s"]
    while not at_min or at_min[-1] < minutes or len(at_min) < 5:
        for view in WORN_VIEWS:
            page.goto(f"{address}/#/{view}")
            page.wait_for_timeout(1500)
        page.goto(f"{address}/#/live")
        page.get_by_role("table").first.wait_for(timeout=PATIENCE_S * 1000)
        page.wait_for_timeout(4000)
        found.append(held(session))
        at_min.append((time.monotonic() - began_s) / 60)
    status = client.get("/api/status").json()
    assert status["state"] == "running", status["message"]
    return {
        "rounds": len(found),
        "minutes": round(at_min[-1], 1),
        "simulated_minutes": round((status["time_s"] - simulated_s) / 60),
        # The first round loads views and fills what is bounded.
        **{name: slope(at_min[1:], [entry[name] for entry in found[1:]]) for name in found[0]},
    }


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
    parser.add_argument("--wear-minutes", type=float, default=0.0, help="go through all views for so long instead, and see what the page holds")
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
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                context.add_init_script(WATCH)
                page = context.new_page()
                if given.wear_minutes:
                    found["wear"] = wear(page, client, address, given.wear_minutes)
                else:
                    found |= looked_at(browser, page, client, address, given.seconds)
                browser.close()
            print(json.dumps(found, indent=2))
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def looked_at(browser: Browser, page: Page, client: httpx.Client, address: str, seconds: float) -> dict[str, Any]:
    """First paint, then frames and tasks on an empty page, on Live and on Cluster."""
    found: dict[str, Any] = {"first_paint_ms": first_paint(browser, address)}
    page.route("**/empty", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
    page.goto(f"{address}/empty")
    found["empty"] = drawn(page, seconds / 2)
    page.goto(f"{address}/#/live")
    page.get_by_role("table").first.wait_for(timeout=PATIENCE_S * 1000)
    page.wait_for_timeout(5000)
    before, began_s = client.get("/api/status").json()["tasks_processed"], time.monotonic()
    found["live"] = drawn(page, seconds)
    done = client.get("/api/status").json()["tasks_processed"] - before
    found["tasks_per_s"] = round(done / (time.monotonic() - began_s), 1)
    page.goto(f"{address}/#/cluster?a=hybrid_ml&b=greedy")
    page.get_by_role("application").first.wait_for(timeout=PATIENCE_S * 1000)
    page.wait_for_timeout(2000)
    found["cluster"] = drawn(page, seconds / 2)
    return found


if __name__ == "__main__":
    main()
