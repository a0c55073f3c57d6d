"""``hms explain``: what it prints of an explanation, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli import progress
from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.core.decision import Candidate, DecidedBy, Explanation, Prediction
from hybrid_ml_scheduler.learning import explain

NAN = float("nan")


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "QUIET_S", 3600.0)


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Explanation:
    options = tuple(Candidate(0, (gpu,) if share else (), share, 5.0 + gpu + share) for gpu in range(15) for share in (0.5, 1.0))
    explanation = Explanation(
        task=9,
        time_s=1e3,
        decided_by=DecidedBy.FALLBACK_ERROR,
        chosen=options[3],
        candidates=options,
        predictions=(Prediction("cpu", 4.0, 3.25, 5.5, 6.0), Prediction("A10", 0.5, NAN, NAN, 0.25)),
        order_score=NAN,
        queue_length=3,
        ahead=(4, 2),
        notes=("the working set does not fit P4",),
    )
    monkeypatch.setattr(explain, "explain", lambda *_: explanation)
    return explanation


def test_everything_that_was_considered_is_shown(capsys: pytest.CaptureFixture[str], found: Explanation) -> None:
    code, out, err = outcome(capsys, "explain", "steady", "--policy", "priced", "--task", "9", "--json", "e.json")
    assert (code, err) == (0, "")
    for text in (
        "fallback rule: error",
        "3 tasks waiting, before it: 4, 2",
        "GPU 1, GPU fraction 1",
        "the working set does not fit P4",
        "and 10 candidates more",
    ):
        assert text in out
    assert out.count("chosen") == 1
    device = next(line for line in out.splitlines() if line.startswith("A10"))
    assert device.split() == ["A10", "0.5000", "-", "-", "0.2500"]
    content = json.loads(Path("e.json").read_text())
    assert len(content["candidates"]) == len(found.candidates)
    assert content["chosen"] in content["candidates"]
    assert content["order_score"] is None
    assert content["predictions"][1] == {"device": "A10", "expected_s": 0.5, "p10_s": None, "p90_s": None, "nominal_s": 0.25}
    assert content["decided_by"] == "fallback_error"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "priced", "--task", "70000"), "has no task 70000; expected an id from 0 to 4999"),
        (("--policy", "nothing", "--task", "7"), "'nothing' is no part of a policy"),
        (("--policy", "priced", "--task", "x"), "Invalid value for '--task'"),
        (("--policy", "priced", "--task", "7", "--model", "none@1"), "there is no model 'none'"),
    ],
)
def test_what_cannot_be_explained(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    code, out, err = outcome(capsys, "explain", "steady", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_policies_are_ranked_by_the_objective(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("compare", "steady", "--first", "300", "--policies", "greedy,mct")
    code, out, _ = outcome(capsys, *arguments)
    assert code == 0
    assert "\nmct *" in out
    code, out, _ = outcome(capsys, *arguments, "--objective", "energy")
    assert code == 0
    assert "\ngreedy *" in out
    assert "* best by energy_per_task_j" in out
    code, out, _ = outcome(capsys, *arguments, "--objective", "mean_response=1,cost=3", "--json", "-")
    assert code == 0
    content = json.loads(out)
    assert content["workload"]["primary_metric"] == "objective"
    metrics = content["results"][0]["metrics"]
    assert metrics["objective"] == pytest.approx(metrics["mean_response_s"] + 3.0 * metrics["cost_usd"])
