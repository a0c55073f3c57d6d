"""``hms test``: linters, types, layers and tests of a checkout, with one summary."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

import hybrid_ml_scheduler
from hybrid_ml_scheduler.core.errors import InputError

WORKERS = "2"
"""Test processes: continuous integration has two cores."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step went.

    Attributes
    ----------
    name : str
        The step.
    passed, failed, skipped : int
        How many of its checks; a linter is one check.
    time_s : float
        Wall time in seconds.
    remark : str
        Anything else for the summary.
    """

    name: str
    passed: int
    failed: int
    skipped: int
    time_s: float
    remark: str = ""


def run_checks(
    context: typer.Context,
    fast: Annotated[bool, typer.Option("--fast", help="For the inner loop: no conformance or fault tests, fewer random cases.")] = False,
    long: Annotated[bool, typer.Option("--long", help="Also the tests that take minutes.")] = False,
    e2e: Annotated[bool, typer.Option("--e2e", help="Also the page in a real browser; needs Chromium.")] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Also say how much of the code the tests run; takes two thirds more time.")] = False,
) -> None:
    """Run the linters, the type checker, the layer contracts and the tests of this checkout.

    Anything else on the command line is passed on to pytest: hms test --fast tests/engine -k easy
    """
    root = Path(hybrid_ml_scheduler.__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file() or not (root / "tests").is_dir():
        raise InputError(f"hms test needs a checkout with its tests; {root} has none")
    if e2e and find_chromium() is None:
        raise InputError("--e2e needs Chromium, and there is none; expected apt-get install chromium, or HMS_CHROMIUM=/path/to/chromium")
    # Not by the scripts' own first lines: these name the place where the environment was made, and it may have been moved since.
    steps = {
        "ruff check": ["-m", "ruff", "check", "."],
        "ruff format": ["-m", "ruff", "format", "--check", "."],
        "types (mypy)": ["-m", "mypy"],
        "layers (import-linter)": [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
    }
    outcomes = [_run_check(name, [sys.executable, *arguments], root) for name, arguments in steps.items()]
    outcomes.append(_run_pytest(root, context.args, fast=fast, long=long, coverage=coverage))
    if e2e:
        outcomes.append(_run_e2e(root))
    _print_summary(outcomes)
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


def _run_check(name: str, command: list[str], root: Path) -> Outcome:
    """Run a linter; its output is shown only if it complains."""
    typer.echo(f"{name} ...")
    started_s = time.monotonic()
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        typer.echo(done.stdout + done.stderr)
    return Outcome(name, int(done.returncode == 0), int(done.returncode != 0), 0, time.monotonic() - started_s)


def _run_pytest(root: Path, arguments: list[str], *, fast: bool, long: bool, coverage: bool) -> Outcome:
    """Run the tests; their output is shown as it comes."""
    typer.echo("tests (pytest) ...")
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts_path, coverage_path = Path(folder) / "counts.xml", Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "pytest", "--quiet", "--numprocesses", WORKERS, f"--junitxml={counts_path}"]
        if fast:
            command += ["--ignore=tests/conformance", "--ignore=tests/faults"]
        if coverage:
            command += ["--cov", "--cov-report=", f"--cov-report=json:{coverage_path}"]
        command += ["-m", "not e2e" if long else "not e2e and not long"]
        environment = os.environ | {"HYPOTHESIS_PROFILE": "fast" if fast else "ci", "COVERAGE_FILE": str(Path(folder) / "coverage")}
        sys.stdout.flush()
        done = subprocess.run([*command, *arguments], cwd=root, env=environment, check=False)
        passed, failed, skipped = _read_counts(counts_path)
        remark = f"coverage {_read_coverage(coverage_path)}" if coverage_path.is_file() else ""
    if done.returncode and not failed:
        # Nothing was collected, or pytest itself gave up: that is no success.
        failed, remark = 1, f"pytest ended with exit code {done.returncode}"
    return Outcome("tests (pytest)", passed, failed, skipped, time.monotonic() - started_s, remark)


def find_chromium() -> str | None:
    """Return the path of a Chromium that tests can open the page in: the one that ``HMS_CHROMIUM`` names, else what is on PATH."""
    named = os.environ.get("HMS_CHROMIUM")
    return named or next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


def _run_e2e(root: Path) -> Outcome:
    """Run the tests in a browser; its output is shown as it comes."""
    typer.echo("page in a browser (pytest, Chromium) ...")
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts_path = Path(folder) / "counts.xml"
        command = [sys.executable, "-m", "pytest", "--quiet", "--numprocesses", WORKERS, f"--junitxml={counts_path}", "-m", "e2e", "tests/e2e"]
        sys.stdout.flush()
        done = subprocess.run(command, cwd=root, check=False)
        passed, failed, skipped = _read_counts(counts_path)
    remark = ""
    if done.returncode and not failed:
        failed, remark = 1, f"pytest ended with exit code {done.returncode}"
    return Outcome("page in a browser", passed, failed, skipped, time.monotonic() - started_s, remark)


def _read_counts(path: Path) -> tuple[int, int, int]:
    """Return how many tests passed, failed (errors included) and were skipped; zeros if pytest did not get so far."""
    if not path.is_file():
        return 0, 0, 0
    header = re.search(r"<testsuite\s[^>]*>", path.read_text(encoding="utf-8"))
    counts = {name: int(count) for name, count in re.findall(r'(\w+)="(\d+)"', header.group())} if header else {}
    failed, skipped = counts.get("failures", 0) + counts.get("errors", 0), counts.get("skipped", 0)
    return counts.get("tests", 0) - failed - skipped, failed, skipped


def _read_coverage(path: Path) -> str:
    totals = json.loads(path.read_text(encoding="utf-8"))["totals"]
    return f"{totals['percent_covered']:.1f} % of lines and branches outside compiled functions"


def _print_summary(outcomes: list[Outcome]) -> None:
    typer.echo("")
    width = max(len(outcome.name) for outcome in outcomes)
    for outcome in outcomes:
        verdict = "FAILED" if outcome.failed else "ok"
        counts = f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped" if outcome.passed + outcome.failed > 1 else ""
        details = "; ".join(part for part in (counts, outcome.remark) if part)
        typer.echo(f"{outcome.name:<{width}}  {verdict:<6}  {outcome.time_s:7.1f} s  {details}".rstrip())
    typer.echo(f"{'all together':<{width}}  {'':<6}  {sum(outcome.time_s for outcome in outcomes):7.1f} s")
    passed, failed, skipped = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("passed", "failed", "skipped"))
    typer.echo(f"{passed} passed, {failed} failed, {skipped} skipped")
