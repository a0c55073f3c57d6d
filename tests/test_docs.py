"""The documentation is true: its links lead somewhere, its commands parse, its layers are those of import-linter."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from hybrid_ml_scheduler.cli.main import app
from hybrid_ml_scheduler.core.decision import Decision, Policy
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.engine import Simulation, features, simulate
from hybrid_ml_scheduler.experiments import bench_traces
from hybrid_ml_scheduler.policies.parts import PARTS
from hybrid_ml_scheduler.policies.presets import PRESETS
from hybrid_ml_scheduler.workloads.clusters import pool

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


def test_every_page_is_in_the_index() -> None:
    listed = set(LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= listed
    decisions = set(LINK.findall((ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in (ROOT / "docs" / "decisions").glob("*.md")} - {"README.md"} == decisions


def test_the_policy_table_holds_all_parts_and_whole_policies_and_no_others() -> None:
    table = re.search(r"\| part \| members \|\n(.*?)\n\n", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert table is not None
    assert set(re.findall(r"`(\w+)`", table.group(1))) == set(PARTS) | {preset.name for preset in PRESETS}


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


def test_the_data_sheet_lists_every_feature_of_every_kind_as_the_code_has_it() -> None:
    text = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    tables = [re.findall(r"^\| (\d+) \| `(\w+)` \| (.*?) \| (.*?) to (.*?) \| (.*) \|$", part, re.MULTILINE) for part in text.split("\n## ")[1:]]
    modules = [importlib.import_module(f"{features.__name__}.{module.name}") for module in pkgutil.iter_modules(features.__path__)]
    sheets = [sheet for module in modules if (sheet := getattr(module, module.__name__.rpartition(".")[2].upper(), None))]
    expected = [
        [(str(row), entry.name, entry.unit, f"{entry.low:g}", f"{entry.high:g}", entry.meaning) for row, entry in enumerate(sheet)]
        for sheet in sheets
    ]
    assert tables == expected
    assert min(map(len, expected)) > 5


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


def test_the_documented_policy_runs_and_starts_the_shortest_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "your-own-policy.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    (tmp_path / "documented_policy.py").write_text(code.group(1), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    documented = importlib.import_module("documented_policy")
    tasks = Tasks(
        task_id=np.arange(4),
        arrival_s=np.array([0.0, 1.0, 1.0, 1.0]),
        cores_milli=np.array([1000, 2000, 1000, 1000]),
        gpus=np.zeros(4, dtype=np.int64),
        gpu_share_milli=np.zeros(4, dtype=np.int64),
        memory_mb=np.zeros(4),
        requested_time_s=np.array([10.0, 1.0, 8.0, 2.0]),
        **no_edges(4),
    )
    workload = Workload("four", WorkloadKind.RIGID, tasks, Truth(work_s=tasks.requested_time_s), ReadReport("test", 4))
    policy = documented.ShortestThatFits(tasks, pool(2), 0)
    assert isinstance(policy, Policy)
    # One processor is free at 1 s: row 1 does not fit, row 3 is the shortest of the others.
    assert simulate(workload, pool(2), policy).start_s.tolist() == [0.0, 11.0, 3.0, 1.0]


def test_the_documented_view_is_what_a_policy_gets() -> None:
    text = (ROOT / "docs" / "your-own-policy.md").read_text(encoding="utf-8")
    view, decision = re.findall(r"\| in the (?:view|decision).*?\n\n", text, re.DOTALL)
    cells = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for table in (view, decision) for row in table.strip().splitlines()[2:]]
    documented = set().union(*cells)
    workload = bench_traces.batch_trace("t", 2, 4, 1.0, seed=0)
    simulation = Simulation(workload, pool(4))
    missing = {name for name in documented if not hasattr(simulation, name)} - {field.name for field in fields(Decision)}
    assert missing == set()
    assert {field.name for field in fields(Decision)} <= documented
