"""The documentation is true: its links lead somewhere, its commands parse, its layers are those of import-linter."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from hybrid_ml_scheduler.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`)\s*(?:\./|\$ (?:\./)?)hms +([^`\n#|>]+)", re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    found = {(match.group(1).strip(), page.relative_to(ROOT).as_posix()) for page in PAGES for match in COMMAND.finditer(page.read_text("utf-8"))}
    return sorted((command, page) for command, page in found if "..." not in command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_exist(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link and not link.startswith("#")]
    missing = [link for link in targets if not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize(("command", "page"), commands())
def test_quoted_commands_parse(command: str, page: str) -> None:
    arguments = shlex.split(command)
    group = get_command(app)
    path = ["hms"]
    while hasattr(group, "commands") and arguments and not arguments[0].startswith("-"):
        assert arguments[0] in group.commands, f"{page}: hms {command}"
        group = group.commands[arguments[0]]
        path.append(arguments.pop(0))
    if arguments and arguments[0] in {"--help", "-h", "--version"}:
        return
    # Raises if an option or argument is unknown, missing or malformed.
    group.make_context(" ".join(path), arguments)


def test_documented_commands_are_found_at_all() -> None:
    assert {"compare", "simulate", "fill", "policies", "workload", "bench", "test"} <= {command.split()[0] for command, _ in commands()}


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in get_command(app).commands if f"./hms {name}" not in text] == []


def test_drawn_layers_are_those_that_import_linter_holds() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(contract["layers"] for contract in settings["tool"]["importlinter"]["contracts"] if contract["type"] == "layers")
    # Layers in brackets belong to later issues and need not be there yet.
    held = [name for layer in layers for name in re.split(r"\s*\|\s*", layer) if not name.startswith("(")]
    drawing = re.search(r"```\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.DOTALL)
    assert drawing is not None
    drawn = re.findall(r"^  (\w+)", drawing.group(1), re.MULTILINE)
    assert drawn == held
    packages = {path.parent.name for path in (ROOT / "src" / "hybrid_ml_scheduler").glob("*/__init__.py")}
    assert packages <= set(held) | {name.strip("()") for layer in layers for name in re.split(r"\s*\|\s*", layer)}


def test_development_pins_repeat_the_runtime_pins() -> None:
    pins = {
        name: set(re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("run", "dev")
    }
    assert pins["run"]
    assert pins["run"] <= pins["dev"]


def test_pins_name_no_address() -> None:
    for name in ("run", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        assert "://" not in text
        assert "index" not in text
