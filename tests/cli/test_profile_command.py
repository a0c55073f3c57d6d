"""``hms profile`` from the prompt to a comparison that uses its files."""

from __future__ import annotations

import importlib
import json
import os
import re
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli import progress
from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.cli.options import seconds
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.workloads.measured import read_measured_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "profile.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "QUIET_S", 3600.0)
    return tmp_path


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_from_the_machine_to_a_comparison(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("profile", "--out", "p/q", "--kernels", "sort,matmul", "--sizes", "8,4", "--budget", "60s", "--cores", "1", "--json", "p.json")
    code, out, err = outcome(capsys, *asked)
    assert (code, err) == (0, "")
    table = read_measured_table("p/q/kernels.csv")
    assert {(row.kernel, row.size) for row in table.rows} == {(name, size) for name in ("sort", "matmul") for size in (4, 8)}
    assert table.facts["command"] == "hms profile --out p/q --budget 60s --kernels sort,matmul --sizes 8,4 --cores 1"
    assert len(json.loads(Path("p.json").read_text())["rows"]) == len(table.rows)
    cluster = re.search(r"--cluster (kernels:\S+)", out)
    assert cluster is not None
    Path("g.dot").write_text("digraph g { a [kernel=sort_8]; b [kernel=matmul_8]; c [kernel=matmul_4]; a -> b -> c; }")
    code, _, err = outcome(capsys, "compare", "g.dot", "--cluster", cluster[1], "--policies", "dmda", "--json", "r.json")
    assert (code, err) == (0, "")
    result = json.loads(Path("r.json").read_text())["results"][0]
    on_one_core = [table.time_s("sort", 8), table.time_s("matmul", 8), table.time_s("matmul", 4)]
    assert result["metrics"]["makespan_s"] == pytest.approx(sum(time for time in on_one_core if time is not None))
    # The example of the documentation, on the other file.
    code_text = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code_text is not None
    Path("documented_stream.py").write_text(code_text[1])
    monkeypatch.syspath_prepend(".")
    importlib.import_module("documented_stream").write_stream("p/q/kernels.csv", "stream.csv", 50, 1e-5, 0)
    code, out, err = outcome(capsys, "compare", "stream.csv", "--cluster", "p/q/cluster.yaml", "--policies", "fcfs,sjf")
    assert (code, err) == (0, "")
    assert "50 tasks" in out


def test_json_on_standard_output_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome(capsys, "profile", "--out", ".", "--kernels", "reduction", "--sizes", "4", "--budget", "60", "--cores", "1", "--json", "-")
    assert code == 0
    assert json.loads(out)["rows"][0]["kernel"] == "reduction"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kernels", "sort,magic"), "no kernel 'magic'"),
        (("--kernels", "sort,"), "empty name"),
        (("--sizes", ""), "empty name"),
        (("--sizes", "0"), "size 0 is not usable"),
        (("--sizes", "8,x"), "'x' is no whole number"),
        (("--sizes", "8,08"), "size 8 stands there twice"),
        (("--budget", "-5s"), "'-5s' is not usable"),
        (("--budget", "0"), "'0' is not usable"),
        (("--budget", "soon"), "expected a time above 0"),
        (("--cores", "0"), "0 cores"),
        (("--json", "-", "--out", "file/below"), "cannot be made"),
        (("--json", "missing/p.json"), "does not exist"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    Path("file").write_text("")
    code, out, err = outcome(capsys, "profile", "--out", "made", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shut").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    code, out, err = outcome(capsys, "profile", "--out", "shut")
    assert (code, out) == (2, "")
    assert err == "hms: --out: folder 'shut' cannot be written\n"


@pytest.mark.parametrize(("text", "value"), [("90", 90.0), ("10s", 10.0), ("2m", 120.0), ("1h", 3600.0), (" .5s ", 0.5), ("1.5m", 90.0)])
def test_lengths_of_time(text: str, value: float) -> None:
    assert seconds("--budget", text) == value


@pytest.mark.parametrize("text", ["", "s", "1d", "1 s", "nan", "inf", "1e3", "-1", "0s", "9" * 400])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(InputError, match="--budget"):
        seconds("--budget", text)
