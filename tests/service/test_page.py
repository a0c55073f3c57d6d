"""The built page over HTTP: types, caching, deep links, and what comes in its place where it is not built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_ml_scheduler.service import page as page_module
from hybrid_ml_scheduler.service.page import built_page, read_page
from service_fixtures import Running, problem

pytestmark = pytest.mark.anyio
INDEX = b"<!doctype html><title>Page</title>" + b"<p>words words words</p>" * 100
SCRIPT = b"console.log('words');\n" * 100


@pytest.fixture
def app_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "app"
    monkeypatch.setattr(page_module, "FOLDER", folder)
    built_page.cache_clear()
    yield folder
    built_page.cache_clear()


@pytest.fixture
def built(app_folder: Path) -> Path:
    (app_folder / "assets").mkdir(parents=True)
    (app_folder / "index.html").write_bytes(INDEX)
    (app_folder / "icon.svg").write_bytes(b"<svg/>")
    (app_folder / "assets" / "index-0a1b2c3d.js").write_bytes(SCRIPT)
    (app_folder / "assets" / "dot-0a1b2c3d.png").write_bytes(b"\x89PNG" * 200)
    (app_folder / "sources.sha256").write_text("0" * 64)
    return app_folder


@pytest.mark.usefixtures("built")
async def test_the_page_itself_is_asked_for_anew(service: Running) -> None:
    for path in ("/", "/?theme=dark"):
        answer = await service.client.get(path)
        assert (answer.status_code, answer.content) == (200, INDEX), path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-encoding"] == "gzip"
        again = await service.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        # What a browser keeps of the page is its own policy, and the answer that nothing has changed must not replace it.
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "content-security-policy" not in again.headers
    for path in ("/bogus", "/assets/bogus.js", "/assets/..%2Findex.html", "/sources.sha256", "/live/more"):
        problem(await service.client.get(path), 404, "not-found")


@pytest.mark.usefixtures("built")
async def test_the_icon_is_kept_for_a_while(service: Running) -> None:
    assert (await service.client.get("/icon.svg")).headers["cache-control"] == "public, max-age=3600"


@pytest.mark.usefixtures("built")
async def test_files_with_a_hash_are_kept_for_good(service: Running) -> None:
    script = await service.client.get("/assets/index-0a1b2c3d.js")
    assert script.content == SCRIPT
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["cache-control"]
    plain = await service.client.get("/assets/index-0a1b2c3d.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == SCRIPT
    assert "content-encoding" not in plain.headers
    picture = await service.client.get("/assets/dot-0a1b2c3d.png")
    assert picture.headers["content-type"] == "image/png"
    assert "content-encoding" not in picture.headers
    assert (await service.client.get("/icon.svg")).headers["content-type"].startswith("image/svg+xml")


@pytest.mark.usefixtures("app_folder")
async def test_without_it_there_is_the_status_page(service: Running) -> None:
    answer = await service.client.get("/")
    assert answer.status_code == 200
    assert "api/status" in answer.text
    problem(await service.client.get("/assets/index.js"), 404, "not-found")


@pytest.mark.usefixtures("built")
async def test_the_status_page_stays(service: Running) -> None:
    assert "api/status" in (await service.client.get("/status")).text


def test_half_a_page_is_none(app_folder: Path) -> None:
    app_folder.mkdir()
    (app_folder / "other.js").write_text("1")
    assert read_page(app_folder) == {}
