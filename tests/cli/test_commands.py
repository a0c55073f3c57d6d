"""The commands end to end, on inputs so small that compiling dominates."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest

from hybrid_ml_scheduler.cli import progress
from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.experiments import bench, bench_traces

TRACE = "; MaxProcs: 4\n" + "".join(
    f"{job} {job * 10} -1 {20 + 7 * job % 50} {1 + job % 4} -1 -1 {1 + job % 4} 100 -1 1 {job % 3} -1 -1 -1 -1 -1 -1\n" for job in range(1, 41)
)
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
    "a,1000,100,1,500,,LS,Running,0,100,0\nb,1000,100,1,1000,,LS,Running,1,100,1\nc,1000,100,1,250,,LS,Running,2,100,2\n"
)
NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,10000,2,V100M16\nn1,8000,10000,2,V100M16\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Compiling may take long; what is said meanwhile is tested elsewhere.
    monkeypatch.setattr(progress, "QUIET_S", 3600.0)
    Path("jobs.swf").write_text(TRACE)
    Path("pods.csv").write_text(PODS)
    Path("nodes.csv").write_text(NODES)
    return tmp_path


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_compare_prints_a_table_in_the_order_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, "compare", "jobs.swf", "--policies", "saf+easy,fcfs,sjf")
    assert (code, err) == (0, "")
    positions = [out.index(f"\n{name}") for name in ("saf+easy", "fcfs", "sjf")]
    assert positions == sorted(positions)
    assert "40 tasks" in out
    assert "pool:4" in out


def test_compare_writes_all_its_files_and_they_agree(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--json", "r.json", "--csv", "r.csv", "--html", "r.html", "--plots", "pictures/deep"]
    code, out, _ = outcome(capsys, "compare", "jobs.swf", "--policies", "fcfs,sjf", *arguments)
    assert code == 0
    assert "fcfs" in out
    result = json.loads(Path("r.json").read_text())
    assert set(result) == {"workload", "cluster", "results", "bound"}
    assert {"name", "format", "tasks", "rejected", "sha256"} <= set(result["workload"])
    rows = list(csv.DictReader(io.StringIO(Path("r.csv").read_text())))
    waits = {entry["policy"]: entry["metrics"]["mean_wait_s"] for entry in result["results"]}
    assert {row["policy"]: float(row["mean_wait_s"]) for row in rows} == waits
    page = Path("r.html").read_text()
    assert "</html>" in page
    assert "sjf" in page
    assert list(Path("pictures/deep").glob("*.png"))
    assert [path.name for path in Path().glob(".*")] == []


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_dash_keeps_standard_output_to_the_result(capsys: pytest.CaptureFixture[str], option: str) -> None:
    code, out, err = outcome(capsys, "compare", "jobs.swf", "--policies", "fcfs", option, "-")
    assert (code, err) == (0, "")
    if option == "--json":
        assert json.loads(out)["results"][0]["policy"] == "fcfs"
    else:
        assert len(list(csv.DictReader(io.StringIO(out)))) == 1


def test_results_do_not_depend_on_the_number_of_processes(capsys: pytest.CaptureFixture[str]) -> None:
    def metrics(jobs: str) -> list[object]:
        arguments = ["--policies", "fcfs,sjf+easy,saf", "--windows", "0:20,10:20", "--jobs", jobs, "--json", "-"]
        _, out, _ = outcome(capsys, "compare", "jobs.swf", *arguments)
        return [(entry["policy"], entry["metrics"], entry["runs"]) for entry in json.loads(out)["results"]]

    assert metrics("1") == metrics("2")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "jobs.swf", "--policies", "fgd"], ["fgd", "jobs.swf"]),
        (["compare", "jobs.swf", "--policies", "fcfs,nonsense"], ["nonsense"]),
        (["compare", "jobs.swf", "--cluster", "pool:0"], ["pool:0"]),
        (["compare", "jobs.swf", "--cluster", "nowhere"], ["nowhere"]),
        (["compare", "jobs.swf", "--windows", "0:0"], ["0"]),
        (["compare", "jobs.swf", "--windows", "nonsense"], ["nonsense"]),
        (["compare", "jobs.swf", "--windows", "39:1000"], ["39:1000"]),
        (["compare", "jobs.swf", "--format", "nonsense"], ["nonsense"]),
        (["compare", "missing.swf"], ["missing.swf"]),
        (["compare", "nodes.csv"], ["nodes.csv"]),
        (["simulate", "jobs.swf", "--policy", "nonsense"], ["nonsense"]),
        (["simulate", "jobs.swf", "--policy", "fcfs", "--schedule", "s.xlsx"], ["s.xlsx", ".parquet"]),
        (["fill", "pods.csv", "--nodes", "missing.csv"], ["missing.csv"]),
        (["fill", "pods.csv", "--nodes", "nodes.csv", "--demand", "0"], ["0"]),
        (["fill", "pods.csv", "--nodes", "nodes.csv", "--policies", "nonsense"], ["nonsense"]),
        (["bench", "--pods", "pods.csv"], ["pods"]),
    ],
)
def test_what_cannot_be_done_is_one_line_that_names_it(arguments: list[str], says: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert all(word in err for word in says), err


def test_all_tasks_too_large_is_an_error_and_some_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "compare", "jobs.swf", "--policies", "fcfs", "--cluster", "pool:3")[0] == 0
    wide = TRACE.replace(" -1 20 1 ", " -1 20 4 ")
    Path("wide.swf").write_text("".join(line for line in wide.splitlines(keepends=True) if line.startswith(";") or line.split()[4] == "4"))
    code, out, err = outcome(capsys, "compare", "wide.swf", "--policies", "fcfs", "--cluster", "pool:3")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
def test_simulate_writes_one_row_per_task(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, err = outcome(capsys, "simulate", "jobs.swf", "--policy", "sjf+easy", "--schedule", name)
    assert (code, err) == (0, "")
    assert "mean_wait_s" in out
    table = pl.read_csv(name) if name.endswith(".csv") else pl.read_parquet(name)
    assert len(table) == 40
    assert (table["start_s"] >= table["arrival_s"]).all()


def test_simulate_and_compare_agree(capsys: pytest.CaptureFixture[str]) -> None:
    _, single, _ = outcome(capsys, "simulate", "jobs.swf", "--policy", "saf+easy", "--json", "-")
    _, both, _ = outcome(capsys, "compare", "jobs.swf", "--policies", "fcfs,saf+easy", "--json", "-")
    assert json.loads(single)["results"][0]["metrics"] == json.loads(both)["results"][1]["metrics"]


def test_fill_has_a_value_at_every_percent(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fill", "pods.csv", "--nodes", "nodes.csv", "--policies", "fgd,random", "--demand", "120", "--seeds", "2"]
    code, out, err = outcome(capsys, *arguments, "--json", "-")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert [(entry["policy"], entry["seed"]) for entry in result["results"]] == [("fgd", 0), ("fgd", 1), ("random", 0), ("random", 1)]
    for entry in result["results"]:
        curve = entry["allocated_gpu_percent"]
        assert len(curve) == len(entry["fragmented_gpu_percent"]) == 121
        assert curve[0] == 0
        assert curve == sorted(curve)
    assert set(result["mean"]) == {"fgd", "random"}
    code, out, _ = outcome(capsys, *arguments)
    assert code == 0
    assert "at 120 %" in out


def test_policies_are_listed_with_a_reference_each(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome(capsys, "policies")
    lines = out.splitlines()
    listed = lines[: lines.index("")]
    assert code == 0
    assert len(listed) >= 40
    assert all(line.endswith("]") and "[" in line for line in listed)
    names = [line.split()[0] for line in listed]
    assert len(set(names)) == len(names)
    assert {"fcfs+easy", "fgd", "heft", "greedy", "oracle", "min_min"} <= set(names)


def test_bench_prints_figures_next_to_targets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_traces, "HPC2N_JOBS", 200)
    monkeypatch.setattr(bench, "MEASUREMENTS", (bench.measure_engine, bench.measure_graphs))
    code, out, _ = outcome(capsys, "bench", "--repeats", "1", "--json", "bench.json")
    assert code == 0
    assert "at least 2,000,000" in out
    assert "240 processors: fcfs; saf+easy\n" in out
    assert {"date", "machine", "figures"} == set(json.loads(Path("bench.json").read_text()))
