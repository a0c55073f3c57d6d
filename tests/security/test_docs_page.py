"""The description of the API in a real browser: drawn under the content security policy, and out of our own files only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from security_fixtures import served_in_a_thread

PATIENCE_MS = 180_000.0


def test_the_description_is_drawn_with_nothing_from_elsewhere(tmp_path: Path) -> None:
    path = os.environ.get("HMS_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or name one (HMS_CHROMIUM=/path/to/chromium)")
    troubles, asked = [], []
    with served_in_a_thread(tmp_path) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        page = browser.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/docs")
        page.wait_for_selector(".opblock", timeout=PATIENCE_MS)
        assert page.locator(".opblock").count() > 40
        page.get_by_role("button", name="Authorize").first.click()
        assert page.get_by_text("An API key (hms keys create)").first.is_visible()
        browser.close()
    assert troubles == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
