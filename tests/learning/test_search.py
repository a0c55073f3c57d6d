from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import DataFileError, InputError
from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.learning.search import TRAINING, VALIDATION, WORST, CurvePoint, SearchProblem, search


class Bowl:
    """A quadratic bowl; validation has its minimum elsewhere, and training moves a little from one generation to the next."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift
        self.asked: list[tuple[str, int]] = []

    def score(self, vector: FloatArray, split: str, generation: int) -> float:
        self.asked.append((split, generation))
        target = np.arange(1.0, len(vector) + 1.0) + (self.shift if split == VALIDATION else 0.01 * (generation % 3))
        return float(np.sum((vector - target) ** 2))


def bowl(shift: float = 0.0) -> SearchProblem:
    return Bowl(shift)


def test_it_finds_the_minimum() -> None:
    result = search(bowl, np.zeros(4), np.array([1.0, 2.0, 0.5, 1.0]), seed=3, generations=80)
    assert result.vector == pytest.approx([1.0, 2.0, 3.0, 4.0], abs=0.05)
    assert (result.ended, result.generations) == ("generations", 80)
    assert result.validation == min(point.validation for point in result.curve)


def test_the_best_is_chosen_on_validation_and_the_start_counts() -> None:
    kept = search(functools.partial(bowl, -1.0), np.arange(0.0, 3.0), 0.3, seed=1, generations=25)
    assert kept.vector == pytest.approx([0.0, 1.0, 2.0])
    assert kept.curve[0].best == kept.validation == 0.0


def test_the_same_seed_gives_the_same_result_for_any_number_of_processes() -> None:
    runs = [search(bowl, np.zeros(3), 1.0, seed=5, generations=6, jobs=jobs) for jobs in (1, 2)]
    assert np.array_equal(runs[0].vector, runs[1].vector)
    assert [(point.training, point.validation) for point in runs[0].curve] == [(point.training, point.validation) for point in runs[1].curve]
    assert not np.array_equal(search(bowl, np.zeros(3), 1.0, seed=6, generations=6).vector, runs[0].vector)


def test_a_search_goes_on_from_its_checkpoint_without_scoring_anything_again(tmp_path: Path) -> None:
    whole = search(bowl, np.zeros(3), 1.0, seed=5, generations=9)
    path = tmp_path / "checkpoint.json"
    search(bowl, np.zeros(3), 1.0, seed=5, generations=4, checkpoint=path)
    problem = Bowl()
    told: list[CurvePoint] = []
    rest = search(lambda: problem, np.zeros(3), 1.0, seed=5, generations=9, checkpoint=path, tell=told.append)
    assert np.array_equal(rest.vector, whole.vector)
    assert [point.best for point in told] == [point.best for point in whole.curve]
    assert min(generation for split, generation in problem.asked if split == TRAINING) == 4
    # What has been searched to its end is not searched at all.
    problem.asked.clear()
    again = search(lambda: problem, np.zeros(3), 1.0, seed=5, generations=9, checkpoint=path)
    assert np.array_equal(again.vector, whole.vector)
    assert problem.asked == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[:40], "not readable as a checkpoint"),
        (lambda text: "[]", "not readable as a checkpoint"),
        (lambda text: json.dumps(json.loads(text) | {"key": "0"}), "belongs to another search"),
        (lambda text: json.dumps(json.loads(text) | {"generations": [{"training": ["x"]}]}), "not readable as a checkpoint"),
    ],
)
def test_a_spoiled_checkpoint_is_refused(tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "checkpoint.json"
    search(bowl, np.zeros(2), 1.0, seed=5, generations=2, checkpoint=path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(DataFileError, match=message):
        search(bowl, np.zeros(2), 1.0, seed=5, generations=2, checkpoint=path)


def test_it_ends_when_validation_improves_no_more() -> None:
    result = search(functools.partial(bowl, 5.0), np.array([6.0, 7.0]), 0.1, seed=2, generations=200, patience=7)
    assert (result.ended, result.generations) == ("patience", 7)


def test_a_budget_ends_it_after_a_generation() -> None:
    assert search(bowl, np.zeros(2), 1.0, seed=1, budget_s=1e-9).generations == 0


def test_no_number_is_the_worst_score() -> None:
    class Broken(Bowl):
        def score(self, vector: FloatArray, split: str, generation: int) -> float:
            return float("nan") if vector[0] > 0.5 else super().score(vector, split, generation)

    result = search(Broken, np.zeros(2), 1.0, seed=4, generations=30)
    assert result.vector[0] <= 0.5
    assert max(point.training for point in result.curve) < WORST


@pytest.mark.parametrize(
    "wrong",
    [{"seed": 0}, {"jobs": 0}, {"generations": -1}, {"population": 2}, {"patience": 0}, {"budget_s": 0.0}, {"generations": None}, {"sigma": 0.0}],
)
def test_numbers_out_of_range(wrong: dict[str, float | None]) -> None:
    settings = {"sigma": 1.0, "seed": 1, "generations": 1} | wrong
    sigma = settings.pop("sigma")
    with pytest.raises(InputError, match="expected"):
        search(bowl, np.zeros(2), sigma, **settings)  # type: ignore[arg-type]
