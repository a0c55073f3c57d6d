from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybrid_ml_scheduler.cli import testing
from hybrid_ml_scheduler.cli.main import app

COUNTS = '<?xml version="1.0"?><testsuites name="pytest"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="20" time="1.5">'


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Stand-ins for the tools: which of them fail, what pytest reports, and what was called."""
    world: dict[str, object] = {"failing": set(), "counts": None, "calls": []}

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        name = command[2] if command[1] == "-m" else Path(command[1]).name
        world["calls"].append((name, command, options))
        if name == "pytest" and world["counts"]:
            target = next(part for part in command if part.startswith("--junitxml=")).removeprefix("--junitxml=")
            Path(target).write_text(str(world["counts"]))
        failed = name in world["failing"]
        return subprocess.CompletedProcess(command, int(failed), stdout=f"{name} complains\n" if failed else "fine\n", stderr="")

    monkeypatch.setattr(testing.subprocess, "run", run)
    return world


def last_line(arguments: list[str]) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["test", *arguments])
    return result.exit_code, result.output.splitlines()[-1], result.output


def test_counts_include_errors_and_every_linter_is_one_check(tools: dict[str, object]) -> None:
    tools["counts"] = COUNTS
    tools["failing"] = {"pytest"}
    assert last_line([])[:2] == (1, "18 passed, 3 failed, 3 skipped")


def test_all_well_ends_with_zero(tools: dict[str, object]) -> None:
    tools["counts"] = COUNTS.replace('errors="1" failures="2"', 'errors="0" failures="0"')
    code, line, output = last_line(["--fast", "-k", "easy"])
    assert (code, line) == (0, "21 passed, 0 failed, 3 skipped")
    assert "fine" not in output
    name, command, options = tools["calls"][-1]
    assert name == "pytest"
    assert command[-2:] == ["-k", "easy"]
    assert {"--ignore=tests/conformance", "--ignore=tests/faults"} <= set(command)
    assert options["env"]["HYPOTHESIS_PROFILE"] == "fast"


def test_a_linter_that_complains_is_shown_and_fails_the_run(tools: dict[str, object]) -> None:
    tools["counts"] = COUNTS.replace('errors="1" failures="2"', 'errors="0" failures="0"')
    tools["failing"] = {"mypy"}
    code, line, output = last_line([])
    assert (code, line) == (1, "20 passed, 1 failed, 3 skipped")
    assert "mypy complains" in output
    # The remaining steps still run, so that one run shows everything.
    assert [name for name, _, _ in tools["calls"]] == ["ruff", "ruff", "mypy", "lint-imports", "pytest"]


def test_pytest_that_gives_up_without_counting_is_a_failure(tools: dict[str, object]) -> None:
    tools["failing"] = {"pytest"}
    assert last_line([])[:2] == (1, "4 passed, 1 failed, 0 skipped")


def test_long_tests_run_only_when_asked_for(tools: dict[str, object]) -> None:
    last_line([])
    assert "not e2e and not long" in tools["calls"][-1][1]
    last_line(["--long"])
    assert "not long" not in tools["calls"][-1][1]


def test_coverage_is_measured_only_when_asked_for(tools: dict[str, object]) -> None:
    last_line([])
    assert "--cov" not in tools["calls"][-1][1]
    last_line(["--coverage"])
    assert "--cov" in tools["calls"][-1][1]


def test_a_real_pytest_is_counted(tmp_path: Path) -> None:
    (tmp_path / "test_three.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('no')\n@pytest.fixture\ndef bad(): raise OSError\n"
        "def test_d(bad): pass\n"
    )
    outcome = testing._run_pytest(tmp_path, ["-p", "no:cacheprovider"], fast=True, long=True, coverage=False)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 2, 1)


def test_outside_a_checkout_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(testing.hybrid_ml_scheduler, "__file__", str(tmp_path / "lib" / "python" / "hybrid_ml_scheduler" / "__init__.py"))
    result = CliRunner().invoke(app, ["test"])
    assert isinstance(result.exception, Exception)
    assert "needs a checkout" in str(result.exception)


def test_the_page_in_a_browser_is_tested_only_when_asked_for(tools: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    tools["counts"] = COUNTS.replace('errors="1" failures="2"', 'errors="0" failures="0"')
    last_line([])
    (without,) = [command for name, command, _ in tools["calls"] if name == "pytest"]
    assert "not e2e and not long" in without
    monkeypatch.setenv("HMS_CHROMIUM", "/usr/bin/chromium")
    assert last_line(["--e2e", "--long"])[:2] == (0, "38 passed, 0 failed, 6 skipped")
    everything, browser = [command for name, command, _ in tools["calls"] if name == "pytest"][1:]
    assert "not e2e" in everything
    assert browser[-3:] == ["-m", "e2e", "tests/e2e"]


def test_without_a_browser_it_says_what_is_missing(tools: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HMS_CHROMIUM", raising=False)
    monkeypatch.setattr(testing.shutil, "which", lambda name: None)
    result = CliRunner().invoke(app, ["test", "--e2e"])
    assert "expected apt-get install chromium" in str(result.exception)
    assert tools["calls"] == []
