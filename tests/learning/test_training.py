from __future__ import annotations

from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, plan_training
from hybrid_ml_scheduler.workloads import synthetic

TRACE = "; MaxProcs: 4\n" + "".join(f"{job} {job * 10} -1 20 1 -1 -1 1 100 -1 1 1 -1 -1 -1 -1 -1 -1\n" for job in range(1, 5))


def test_a_kind_stands_for_the_packages_own_workloads() -> None:
    kind, workloads, objective = plan_training(["batch"], None)
    assert (kind, workloads, objective.text) == ("batch", (), "mean_bounded_slowdown")


def test_workloads_say_what_kind_of_model_they_ask_for(tmp_path: Path) -> None:
    trace = tmp_path / "jobs.swf"
    trace.write_text(TRACE)
    assert plan_training([str(trace)], None)[:2] == ("batch", (str(trace),))
    kind, workloads, objective = plan_training(["steady", "heavy"], "energy")
    assert (kind, workloads, objective.text) == ("divisible", ("steady", "heavy"), "energy")
    with pytest.raises(InputError, match=r"'steady' is of kind divisible, .*jobs.swf' of kind batch; expected one kind"):
        plan_training([str(trace), "steady"], None)


@pytest.mark.parametrize(
    ("workloads", "objective", "message"), [(["nothing"], None, "neither a file nor a preset"), (["steady"], "joy", "no metric")]
)
def test_what_cannot_be_trained(workloads: list[str], objective: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_training(workloads, objective)


def test_no_seed_of_a_comparison_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 10_000 <= FIRST_TRAINING_SEED < FIRST_VALIDATION_SEED
    seeds = []
    generate = synthetic.generate

    def recording(preset: str, *, seed: int, **rest: object) -> object:
        seeds.append(seed)
        return generate(preset, seed=seed, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(synthetic, "generate", recording)
    plan_training(["steady"], None)
    assert seeds
    assert min(seeds) >= FIRST_TRAINING_SEED
