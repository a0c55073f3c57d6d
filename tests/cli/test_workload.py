from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli.main import run

TRACE = """; MaxProcs: 16
1 0 -1 100 4 -1 -1 4 200 -1 1 7 -1 -1 -1 -1 -1 -1
3 20 -1 0 1 -1 -1 1 10 -1 1 8 -1 -1 -1 -1 -1 -1
2 10 -1 -5 2 -1 -1 2 50 -1 1 7 -1 -1 -1 -1 -1 -1
"""


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A trace in the current folder: commands take paths relative to it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three.swf").write_text(TRACE)
    return "three.swf"


def test_describe_names_what_was_changed(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workload", "describe", trace]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for fact in (
        "three.swf",
        "swf, rigid tasks, 3 rows",
        "3 (1 with run time 0)",
        "pool:16",
        "16 in the header",
        "arrivals were not ascending",
        "1: ",
    ):
        assert fact in out


@pytest.mark.parametrize(
    ("last", "span"), [(30, "30 s"), (90, "90 s (1.5 minutes)"), (9_000, "9,000 s (2.5 hours)"), (216_000, "216,000 s (2.5 days)")]
)
def test_the_span_is_told_in_a_unit_that_people_can_picture(last: int, span: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.csv").write_text(f"arrival_s,run_time_s\n0,5\n{last},5\n")
    run(["workload", "describe", str(tmp_path / "own.csv"), "--cluster", "pool:2"])
    assert f"span          {span}\n" in capsys.readouterr().out


def test_describe_as_json_keeps_standard_output_to_itself(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workload", "describe", trace, "--json", "-", "--cluster", "pool:2"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["tasks"] == 3
    # 4 x 100 s, 2 x 10 s (a negative run time becomes 10 s) and 1 x 0 s, on two processors, in the 20 s between first and last arrival.
    assert result["offered_load"] == {"cores": pytest.approx(420 / (2 * 20))}


def test_a_workload_without_a_machine_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.csv").write_text("arrival_s,run_time_s\n0,5\n1,5\n")
    assert run(["workload", "describe", str(tmp_path / "own.csv")]) == 0
    out, err = capsys.readouterr()
    assert "tasks         2" in out
    assert err.startswith("note: ")


def test_generated_tasks_survive_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["workload", "generate", "heavy", "tasks.csv", "--tasks", "30", "--seed", "7"]) == 0
    assert run(["workload", "convert", "tasks.csv", "tasks.parquet"]) == 0
    assert run(["workload", "convert", "tasks.parquet", "again.csv", "--first", "30"]) == 0
    assert capsys.readouterr().out.splitlines() == ["tasks.csv: 30 tasks", "tasks.parquet: 30 tasks", "again.csv: 30 tasks"]
    assert Path("again.csv").read_bytes() == Path("tasks.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.csv", "tasks.csv", "tasks.parquet"]


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a.csv", "1"), ("b.csv", "1"), ("c.csv", "2")):
        assert run(["workload", "generate", "steady", name, "--tasks", "20", "--seed", seed]) == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes() != Path("c.csv").read_bytes()


def test_load_scales_the_arrival_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    rates = []
    for load in ("1", "2"):
        run(["workload", "generate", "steady", "t.csv", "--tasks", "200", "--load", load])
        capsys.readouterr()
        run(["workload", "describe", "t.csv", "--json", "-"])
        rates.append(json.loads(capsys.readouterr().out)["arrivals_per_s"])
    assert rates[1] == pytest.approx(2 * rates[0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["convert", "three.swf", "out.txt"], "out.txt"),
        (["convert", "three.swf", "no/out.csv"], "folder 'no' does not exist"),
        (["convert", "missing.swf", "out.csv"], "missing.swf"),
        (["generate", "stedy", "out.csv"], "no preset 'stedy'"),
        (["generate", "steady", "out.swf", "--tasks", "5"], "expected rigid tasks"),
        (["generate", "steady", "out.csv", "--tasks", "99999999999"], "tasks"),
    ],
)
def test_what_cannot_be_written_leaves_nothing_behind(trace: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workload", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert ".hms-" not in err
    assert [path.name for path in Path().iterdir()] == ["three.swf"]
