"""Make the virtual environment that ./hms runs in: ``install.py ROOT VENV run|dev``. Standard library only.

Safe to interrupt at any point, and safe to start twice at once: the second start waits for the first. The stamp that ./hms looks for is written last.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

NEWS_EVERY_S = 5.0
LOG_LINES_SHOWN = 15


class InstallError(Exception):
    """The environment cannot be made; the message says why."""


def say(text: str, end: str = "\n") -> None:
    """Write a line to standard error: standard output belongs to the command."""
    sys.stderr.write(text + end)
    sys.stderr.flush()


def stamp_of(root: Path, pins: str) -> bytes:
    """Return what the installation depends on. ./hms builds the same bytes."""
    return f"{root}\n".encode() + (root / "pyproject.toml").read_bytes() + (root / "requirements" / f"{pins}.txt").read_bytes()


def is_current(root: Path, venv: Path, pins: str) -> bool:
    """Whether these pins are installed completely."""
    stamp = venv / f"hms-{pins}.stamp"
    return (venv / "bin" / "python").exists() and stamp.is_file() and stamp.read_bytes() == stamp_of(root, pins)


@contextmanager
def only_one(venv: Path) -> Iterator[TextIO]:
    """Hold a lock that the system frees when this process ends, however it ends. Text in its file means: an installation has not come to its end."""
    lock_path = venv.parent / f"{venv.name}.lock"
    try:
        lock = lock_path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InstallError(f"cannot write {lock_path}: {error.strerror}; name another place: HMS_VENV=/path/to/folder ./hms ...") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"hms: another start is making {venv}; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def run_logged(command: list[str], log_path: Path, total: int, title: str, lock: TextIO) -> None:
    """Run pip, keep its output in a file, and show where it is.

    Raises
    ------
    InstallError
        If it fails; the message holds the end of its output.
    """
    # Settings of the user's own that would put the packages elsewhere.
    environment = {name: value for name, value in os.environ.items() if name not in {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}} | {"PIP_USER": "0"}
    on_terminal = sys.stderr.isatty()
    say(title, end="" if on_terminal else "\n")
    started_s = shown_s = time.monotonic()
    seen = 0
    remarks = []
    # pip inherits the lock: should we be killed, nobody else starts before it has ended as well.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, errors="replace", pass_fds=(lock.fileno(),)
    )
    with log_path.open("a", encoding="utf-8") as log, process:
        for line in process.stdout or ():
            log.write(line)
            news = line.strip()
            if news.startswith("Collecting "):
                seen += 1
            elif news.startswith("page: not built"):
                remarks.append(news)
            elif not re.match(r"Downloading |Installing |Preparing |Building |page: ", news):
                continue
            news = news.partition(" (from ")[0]
            news = news if len(news) < 60 else news[:57] + "..."
            if on_terminal:
                say(f"\r\033[K{title} {seen}/{total} {news}", end="")
            elif time.monotonic() - shown_s > NEWS_EVERY_S:
                shown_s = time.monotonic()
                say(f"      {seen}/{total} {news}")
    if on_terminal:
        say(f"\r\033[K{title} {time.monotonic() - started_s:.0f} s")
    for remark in remarks:
        say(f"      {remark}")
    if process.returncode != 0:
        tail = "\n".join("  " + line for line in log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:])
        raise InstallError(f"pip failed; the end of its output ({log_path} has all of it):\n{tail}")


def make_venv(venv: Path) -> list[str]:
    """Make an empty environment, over whatever stands there, and return the command that starts its pip.

    Raises
    ------
    InstallError
        If the folder cannot be written, or there is no pip.
    """
    base = sys.executable
    target = str(venv / "bin" / "python")
    made = subprocess.run([base, "-I", "-m", "venv", "--clear", str(venv)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return [target, "-u", "-I", "-m", "pip"]
    bare = subprocess.run([base, "-I", "-m", "venv", "--clear", "--without-pip", str(venv)], capture_output=True, text=True, check=False)
    has_pip = subprocess.run([base, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    if bare.returncode == 0 and has_pip:
        return [base, "-u", "-I", "-m", "pip", "--python", target]
    raise InstallError(f"{base} cannot make {venv}:\n{(made.stdout + made.stderr).strip()}")


def pip_of(venv: Path) -> list[str] | None:
    """Return the command that starts pip for a finished environment, or None if there is no such command."""
    for pip in (
        [str(venv / "bin" / "python"), "-u", "-I", "-m", "pip"],
        [sys.executable, "-u", "-I", "-m", "pip", "--python", str(venv / "bin" / "python")],
    ):
        if Path(pip[0]).exists() and subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0:
            return pip
    return None


def install(root: Path, venv: Path, pins: str, lock: TextIO) -> None:
    """Install the pinned packages and the checkout itself, and leave the stamp.

    Raises
    ------
    InstallError
        If anything on the way fails.
    """
    started_s = time.monotonic()
    interrupted = os.fstat(lock.fileno()).st_size > 0
    if not interrupted and venv.is_dir() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").is_file():
        raise InstallError(f"{venv} exists and is no virtual environment; move it away, or set HMS_VENV")
    # Half-installed packages look installed to pip: whatever was interrupted is made again from nothing (pip keeps its downloads).
    finished = not interrupted and any((venv / f"hms-{name}.stamp").is_file() for name in ("run", "dev"))
    pip = pip_of(venv) if finished else None
    lock.write("busy\n")
    lock.flush()
    say(f"hms: updating {venv}" if pip else f"hms: making {venv} (once; needs the network and about 1 GB of disk)")
    if pip is None:
        say(f"[1/3] virtual environment with {sys.executable} ({'.'.join(map(str, sys.version_info[:3]))})")
        pip = make_venv(venv)
    for name in ("run", "dev"):
        (venv / f"hms-{name}.stamp").unlink(missing_ok=True)
    log_path = venv / "hms-install.log"
    log_path.unlink(missing_ok=True)
    requirements = root / "requirements" / f"{pins}.txt"
    total = len(re.findall(r"(?m)^[\w.-]+==", requirements.read_text(encoding="utf-8")))
    pip_install = [*pip, "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-deps"]
    from_pins = [*pip_install, "--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)]
    run_logged(from_pins, log_path, total, f"[2/3] {total} packages, pinned in requirements/{pins}.txt ...", lock)
    run_logged(
        [*pip_install, "--no-build-isolation", "--verbose", "--editable", str(root)], log_path, 1, "[3/3] the package itself, with its page ...", lock
    )
    # What the tests need includes what running needs, in the same versions.
    for name in ("run", "dev") if pins == "dev" else ("run",):
        (venv / f"hms-{name}.stamp").write_bytes(stamp_of(root, name))
    lock.truncate(0)
    say(f"hms: ready after {time.monotonic() - started_s:.0f} s")


def main() -> int:
    """Run the installation; return the exit code."""
    root, venv, pins = Path(sys.argv[1]), Path(sys.argv[2]).absolute(), sys.argv[3]
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        with only_one(venv) as lock:
            if not is_current(root, venv, pins):
                install(root, venv, pins, lock)
    except KeyboardInterrupt:
        say("\nhms: interrupted; the same command starts again from here")
        return 130
    except InstallError as error:
        say(f"\nhms: {error}")
        return 1
    except OSError as error:
        say(f"\nhms: cannot make {venv}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
