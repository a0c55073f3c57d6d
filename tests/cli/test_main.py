from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.cli import main
from hybrid_ml_scheduler.core.errors import DecisionError, UnknownNameError

HEAVY = {"numpy", "numba", "llvmlite", "polars", "pyarrow", "scipy", "matplotlib", "rich", "yaml", "ortools", "cma"}
HMS = [sys.executable, "-c", "from hybrid_ml_scheduler.cli.main import main; main()"]


def hms(*arguments: str, folder: Path | None = None, code: str = HMS[2]) -> subprocess.CompletedProcess[str]:
    source = str(Path(main.__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": source, "COLUMNS": "100"}
    return subprocess.run([*HMS[:2], code, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment)


def replace_command(monkeypatch: pytest.MonkeyPatch, body: Callable[[], object]) -> None:
    """Let the whole application be one call, as if a command had done it."""

    def app(**_: object) -> object:
        return body()

    monkeypatch.setattr(main, "app", app)


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom hybrid_ml_scheduler.cli.main import run\ncode = run(sys.argv[1:])\n"
        f"print('heavy:', sorted(set(sys.modules) & {HEAVY!r}))\nsys.exit(code)"
    )
    for arguments in (["--help"], ["--version"], ["compare", "--help"], ["workload"], []):
        done = hms(*arguments, code=code)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert done.stdout.endswith("heavy: []\n"), arguments


def test_version() -> None:
    assert hms("--version").stdout == f"hms {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cmpare"], "No such command 'cmpare'"),
        (["compare"], "Missing argument 'WORKLOAD'"),
        (["compare", "steady", "--bogus"], "No such option: --bogus"),
        (["compare", "steady", "--seeds", "0"], "'--seeds': 0 is not usable; expected a whole number from 1 to 10000"),
        (["compare", "steady", "--seeds", "two"], "'--seeds'"),
        (["compare", "steady", "--seeds", "99999999999999999999"], "'--seeds': 99999999999999999999 is not usable"),
        (["compare", "steady", "--first", "0"], "'--first': 0 is not usable"),
        (["compare", "steady", "--first", "-3"], "'--first': -3 is not usable"),
        (["compare", "steady", "--jobs", "0"], "'--jobs' / '-j': 0 is not usable"),
        (["compare", "steady", "--load", "-1"], "'--load': -1.0 is not usable; expected a finite number above 0"),
        (["compare", "steady", "--load", "0"], "'--load': 0.0 is not usable"),
        (["compare", "steady", "--load", "nan"], "'--load': nan is not usable"),
        (["compare", "steady", "--load", "inf"], "'--load': inf is not usable"),
        (["compare", "steady", "--policies", "fcfs,,sjf"], "holds an empty name"),
        (["compare", "steady", "--policies", "fcfs,fcfs"], "'fcfs' stands there twice"),
        (["compare", "steady", "--json", "-", "--csv", "-"], "--json and --csv both write to standard output"),
        (["compare", "steady", "--json", "no/such/folder/out.json"], "folder 'no/such/folder' does not exist"),
        (["simulate", "steady"], "Missing option '--policy'"),
        (["simulate", "steady", "--policy", "fcfs", "--seed", "-1"], "'--seed': -1 is not usable"),
        (["fill", "pods.csv"], "Missing option '--nodes'"),
        (["workload", "generate", "steady", "out.csv", "--tasks", "0"], "'--tasks': 0 is not usable"),
        (["bench", "--repeats", "0"], "'--repeats': 0 is not usable"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("hms: ")
    assert says in err


@pytest.mark.parametrize(("error", "code"), [(UnknownNameError("no such thing"), 2), (DecisionError("does not fit"), 1)])
def test_an_error_of_ours_is_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    replace_command(monkeypatch, raising(error))
    assert main.run([]) == code
    assert capsys.readouterr().err == f"hms: {error}\n"


def test_control_characters_out_of_files_do_not_reach_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    replace_command(monkeypatch, raising(UnknownNameError("name 'a\x1b[31m\nb\x00' é")))
    main.run([])
    assert capsys.readouterr().err == "hms: name 'a\\x1b[31m b\\x00' é\n"


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_command(monkeypatch, raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main.run([])


@pytest.mark.parametrize("body", [raising(KeyboardInterrupt()), lambda: 130], ids=["raised", "returned by typer"])
def test_an_interruption_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: Callable[[], object]) -> None:
    replace_command(monkeypatch, body)
    assert main.run([]) == 130
    assert capsys.readouterr().err == "hms: interrupted\n"


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    code = (
        "import sys\nfrom hybrid_ml_scheduler.cli import main\n"
        "def app(**_):\n    for _ in range(100_000):\n        print('line')\n"
        "main.app = app\nsys.exit(main.run([]))"
    )
    source = str(Path(main.__file__).resolve().parents[2])
    with subprocess.Popen([*HMS[:2], code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": source}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("workload", ["nofile.swf", "no_such_preset"])
def test_a_missing_workload_is_one_line_and_exit_code_2(workload: str, tmp_path: Path) -> None:
    done = hms("workload", "describe", workload, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert workload in done.stderr
