"""A real browser and a real service for tests of the page."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

import hybrid_ml_scheduler
from storage_servers import free_port

SOURCE = str(Path(hybrid_ml_scheduler.__file__).resolve().parents[1])
PATIENCE_S = 180.0
"""Compiling for the first time takes long where others are busy."""
VIEWS = ("live", "cluster", "scheduler", "learning", "history", "operations")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
MISSING = "there is no Chromium: apt-get install chromium, or name one (HMS_CHROMIUM=/path/to/chromium)"


def chromium() -> str | None:
    """Return the path of a Chromium."""
    named = os.environ.get("HMS_CHROMIUM")
    return named or next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


COUNT_REQUESTS = """
// Addresses that have been asked for and not been answered yet. What a view asks again and again counts once: it has something to show by then.
window.unanswered = new Set();
window.underWay = 0;
{
    const [ask, answered] = [window.fetch, new Set()];
    window.fetch = async (...given) => {
        const what = String(given[0]).replace(/([?&])(since|limit)=\\d+/g, "$1");
        if (!answered.has(what)) unanswered.add(what);
        underWay++;
        try {
            const answer = await ask(...given);
            await answer.clone().arrayBuffer();
            answered.add(what);
            return answer;
        } finally {
            unanswered.delete(what);
            underWay--;
        }
    };
}
"""
_SETTLED = """
async ([title, frames, but]) => {
    const waited = () => [...unanswered].some(each => but === null || !new RegExp(but).test(each));
    const ready = () => document.querySelector("h1")?.textContent === title && !document.querySelector(".state-loading, .spinner") && !waited()
        && document.querySelector(".dot-open") && !document.querySelector(".topbar .chip")?.textContent.startsWith("no run");
    const now = () => JSON.stringify([...document.querySelectorAll(".panel, .chart, .view-head")].map(each => each.getBoundingClientRect()));
    let [before, same] = ["", 0];
    while (same < frames) {
        await new Promise(requestAnimationFrame);
        same = ready() && now() === before ? same + 1 : 0;
        before = now();
    }
    return true;
}
"""


def settled(page: Any, view: str, frames: int = 3, but: str | None = None) -> None:
    """Wait until a view knows the run and has read all that it shows (addresses like `but` left out), and its boxes stay for some frames."""
    page.wait_for_function(_SETTLED, arg=[view.capitalize(), frames, but])


class Service:
    """The service over one data folder, on one port, so that pages find it again after a restart."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HMS_")}
        self.environment |= {"PYTHONPATH": SOURCE, "HMS_DATA_DIR": str(folder / "data"), "HMS_CHECKPOINT_INTERVAL_S": "0.2", **settings}
        # A whole suite of pages asks from one address in a minute.
        self.environment |= {f"HMS_RATE_{name}": "100000/minute" for name in ("READ", "CONTROL", "HEAVY")}
        self.process: subprocess.Popen[str] | None = None
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE_S)

    def start(self) -> None:
        command = [sys.executable, "-m", "hybrid_ml_scheduler", "--port", str(self.port), "--no-start"]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, text=True, cwd=self.folder, env=self.environment)
        self.until(lambda: self.answers("/health/live"))

    def answers(self, path: str) -> bool:
        try:
            return self.client.get(path).status_code == 200
        except httpx.TransportError:
            return False

    def until(self, holds: Callable[[], bool]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, (self.folder / "log").read_text()
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object = None) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, **request: Any) -> int:
        """Do a whole run, and wait until all of it is in the database; its number."""
        run_id = int(self.post("/api/start", request)["run_id"])
        self.until(lambda: self.get("/api/status")["state"] == "stopped")
        self.until(lambda: self.get("/api/status")["storage"]["lag_rows"] == 0)
        return run_id

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.end()
        self.client.close()


_UNITS = {
    "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "mJ": 1e-3, "J": 1.0, "kJ": 1e3, "MJ": 1e6, "GJ": 1e9,
    "m$": 1e-3, "$": 1.0, "%": 1e-2, "\u00d7": 1.0, "/s": 1.0, "k/s": 1e3, "": 1.0, "k": 1e3, "M": 1e6, "MB": 1e6, "GB": 1e9,
}  # fmt: skip


def number(text: str) -> float:
    """Return the number that a text of the page says, in the API's own units."""
    found = re.fullmatch(r"([+\u2212-]?)([0-9][0-9\s]*(?:\.[0-9]+)?)\s*(\D*)", text.strip())
    assert found is not None, f"{text!r} is no number"
    digits = float(re.sub(r"\s", "", found.group(2)))
    return (-1 if found.group(1) in {"\u2212", "-"} else 1) * digits * _UNITS[found.group(3).strip()]


def table(page: Any, caption: str) -> dict[str, dict[str, str]]:
    """Return a table of the page: by the first cell of each row, then by the head of the column."""
    rows = page.evaluate(
        """caption => {
            const table = [...document.querySelectorAll("table")].find(each => each.caption?.textContent === caption);
            const shown = node => !node.classList?.contains("help");
            const text = cell => [...cell.childNodes].filter(shown).map(node => node.textContent).join("").trim();
            const heads = [...table.tHead.rows[0].cells].map(cell => text(cell).replace(/[↑↓]/g, ""));
            return [...table.tBodies[0].rows].map(row => [...row.cells].map((cell, at) => [heads[at], text(cell)]));
        }""",
        caption,
    )
    return {row[0][1]: dict(row[1:]) for row in rows}
