"""Fixtures of tests in a browser."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import ARGUMENTS, COUNT_REQUESTS, MISSING, PATIENCE_S, SOURCE, Service, chromium
from playwright.sync_api import Browser, sync_playwright

RUN = {"policies": ["oracle", "hybrid_ml", "greedy", "priced"], "seed": 7, "load": 0.5, "speed": "max", "max_tasks": 600, "retrain_every": 200}


@pytest.fixture(scope="session")
def built() -> None:
    """The page, built from the present sources."""
    spec = importlib.util.spec_from_file_location("hatch_build", Path(SOURCE).parent / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    hook.ensure_page(Path(SOURCE).parent, print)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def finished(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, int, int]]:
    """A service with two runs over the same tasks that are over; their numbers, the second with another speed of the same thing."""
    service = Service(tmp_path_factory.mktemp("finished"))
    try:
        service.start()
        first = service.run(**RUN)
        second = service.run(**{**RUN, "policies": ["oracle", "hybrid_ml", "greedy"]})
        yield service, first, second
    finally:
        service.close()


@pytest.fixture
def fresh(built: None, tmp_path: Path) -> Iterator[Service]:
    """A service without any run, for tests that change or kill it."""
    service = Service(tmp_path)
    try:
        service.start()
        yield service
    finally:
        service.close()


@pytest.fixture
def open_page(chrome: Browser, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Opens the page in a browser of its own: ``open_page(service, "history?run=1", width=390)``. What it complains about fails the test."""
    contexts, troubles = [], []

    def open_(service: Service, view: str, *, width: int = 1440, theme: str = "light", quiet: bool = True) -> Any:
        context = chrome.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_S * 1000)
        context.add_init_script(COUNT_REQUESTS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if quiet:
            page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.goto(f"{service.address}/#/{view}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []
