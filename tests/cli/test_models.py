from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.learning.store import save_model
from model_cases import example_model

NAME = "hybrid_ml-batch"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("hybrid_ml_scheduler.learning.store.PRETRAINED", tmp_path / "shipped")
    for version in (1, 2):
        save_model(tmp_path / "shipped", example_model(mark=version, version=version))
    return tmp_path


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["models", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_list(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = outcome(capsys, "list")
    assert (code, err) == (0, "")
    assert f"{NAME}@1 " in out
    assert f"{NAME}@2 *" in out
    (folder / "shipped" / NAME / "1" / "model.json").write_text("{")
    _, out, _ = outcome(capsys, "list")
    assert f"{NAME}@1 !" in out
    assert "! " + str(folder / "shipped" / NAME / "1" / "model.json") in out
    _, out, _ = outcome(capsys, "list", "--json", "-")
    assert [(entry["version"], entry["in_use"], entry["card"] is None) for entry in json.loads(out)] == [(1, False, True), (2, True, False)]


def test_list_of_nothing_says_where_it_looked(capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybrid_ml_scheduler.learning.store.PRETRAINED", folder / "absent")
    code, out, _ = outcome(capsys, "list")
    assert code == 0
    assert f"no models; looked into {folder / 'absent'} and {folder / 'models'}" in out


def test_show(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for model in (f"{NAME}@1", NAME, str(folder / "shipped" / NAME / "2")):
        code, out, err = outcome(capsys, "show", model)
        assert (code, err) == (0, "")
        assert "hms train hybrid_ml steady" in out
        assert "size, wait_s" in out
    _, out, _ = outcome(capsys, "show", f"{NAME}@1", "--json", "-")
    shown = json.loads(out)
    assert (shown["version"], shown["arrays"]["leaf"]) == (1, {"dtype": "int32", "shape": [2, 3]})


def test_promote_and_roll_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "promote", f"{NAME}@1") == (0, f"{NAME}@1 is in use\n", "")
    assert f"{NAME}@1 *" in outcome(capsys, "list")[1]
    assert outcome(capsys, "rollback", NAME) == (0, f"{NAME}@2 is in use\n", "")
    assert f"{NAME}@2 *" in outcome(capsys, "list")[1]


def test_diff(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome(capsys, "diff", f"{NAME}@1", f"{NAME}@2")
    assert code == 0
    assert "1 of 1 values differ, by 1 at most" in out
    assert "are equal" in outcome(capsys, "diff", NAME, f"{NAME}@2")[1]
    _, out, _ = outcome(capsys, "diff", f"{NAME}@1", f"{NAME}@2", "--json", "-")
    assert {"what": "version", "first": 1, "second": 2} in json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "hybrid_ml-bach"], f"expected {NAME}"),
        (["show", f"{NAME}@7"], "expected one of 1, 2"),
        (["show", "./nowhere"], "nowhere/model.json: cannot be read"),
        (["promote", NAME], f"expected NAME@VERSION, such as {NAME}@1"),
        (["promote", f"{NAME}@9"], "expected one of 1, 2"),
        (["rollback", NAME], "expected an earlier promotion"),
        (["rollback", "../x"], "there is no model"),
        (["diff", NAME, "x"], "there is no model 'x'"),
        (["diff", NAME], "Missing argument"),
        (["list", "--json", "no/such/folder"], "--json"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    code, out, err = outcome(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_the_policies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies"]) == 0
    out = capsys.readouterr().out
    assert "\nhybrid_ml " in out
    assert "\nrl_agent " in out


def test_a_comparison_without_a_model_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "steady", "--first", "20", "--policies", "rl_agent"]) == 2
    assert "train one with hms train rl_agent" in capsys.readouterr().err
