from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.engine.divisible import N_PARAMS
from hybrid_ml_scheduler.experiments.tune import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, START, arena, main, tune
from hybrid_ml_scheduler.policies import compile_policy

TINY = {"evaluations": 20, "seeds": 1, "n_tasks": 120}


@pytest.mark.parametrize("name", ["priced", "oracle"])
def test_tuning_improves_or_keeps_and_repeats_itself(name: str) -> None:
    params, before_s, after_s = tune(name, **TINY, seed=3)
    assert params.shape == (N_PARAMS,)
    assert (params > 0).all()
    assert 0 < after_s <= before_s
    again = tune(name, **TINY, seed=3)
    assert again[0].tobytes() == params.tobytes()
    assert again[1:] == (before_s, after_s)
    # What it says of the parameters is what they do on the validation workloads.
    judge = arena(FIRST_VALIDATION_SEED, 1, 120)
    policy = compile_policy(name, judge.workloads[0], judge.cluster)
    assert np.exp(judge.score(policy, params)) == pytest.approx(after_s, rel=1e-12)
    assert np.exp(judge.score(policy, np.array(START))) == pytest.approx(before_s, rel=1e-12)


def test_another_search_seed_goes_another_way() -> None:
    assert tune("priced", **TINY, seed=3)[0].tobytes() != tune("priced", **TINY, seed=4)[0].tobytes()


def test_training_and_validation_share_no_workload() -> None:
    training, validation = arena(FIRST_TRAINING_SEED, 2, 120), arena(FIRST_VALIDATION_SEED, 2, 120)
    arrivals = [workload.tasks.arrival_s.tobytes() for workload in (*training.workloads, *validation.workloads)]
    assert len(set(arrivals)) == len(arrivals) == 12


@pytest.mark.parametrize(
    "arguments", [{"name": "mct"}, {"evaluations": 9}, {"seeds": 0}, {"n_tasks": 99}, {"seed": 0}], ids=lambda arguments: next(iter(arguments))
)
def test_what_cannot_be_tuned(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError, match="expected"):
        tune(**({"name": "priced"} | TINY | arguments))


def test_the_command_prints_parameters_ready_to_copy(capsys: pytest.CaptureFixture[str]) -> None:
    main(["priced", "--evaluations", "10", "--seeds", "1", "--tasks", "100", "--seed", "2"])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("priced: validation ")
    values = second.removeprefix("[").removesuffix("]").split(", ")
    assert len([float(value) for value in values]) == N_PARAMS
