from __future__ import annotations

import csv
import io
from pathlib import Path

import matplotlib.image as mpimg

from hybrid_ml_scheduler.experiments.learning_curve import write_learning_curve
from hybrid_ml_scheduler.learning.search import CurvePoint
from model_cases import example_model

POINTS = [CurvePoint(row, 1 + 8 * row, 2.5 * row, 3.0 - 0.1 * row, 3.2 - 0.1 * row, 3.2 - 0.1 * row) for row in range(9)]


def test_every_generation_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    write_learning_curve(POINTS, example_model().card, path)
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [CurvePoint(int(row["generation"]), int(row["evaluations"]), *(float(row[name]) for name in list(row)[2:])) for row in rows] == POINTS


def test_the_plot_is_a_picture_with_something_in_it(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    write_learning_curve(POINTS, example_model().card, path)
    picture = mpimg.imread(path)
    assert picture.shape[0] > 300
    assert picture[..., :3].std() > 0.05
