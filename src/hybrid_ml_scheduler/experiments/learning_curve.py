"""The learning curve of a training, as a table or a plot."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from hybrid_ml_scheduler.experiments.plots import BLUE, GREY, ORANGE, png
from hybrid_ml_scheduler.learning.card import ModelCard
from hybrid_ml_scheduler.learning.search import CurvePoint

CURVE_SUFFIXES = (".png", ".csv")


def write_learning_curve(points: Sequence[CurvePoint], card: ModelCard, path: Path) -> None:
    """Write the learning curve of a search.

    Parameters
    ----------
    points : sequence of CurvePoint
        Every generation; the first is the starting point.
    card : ModelCard
        Of the model that came of it.
    path : Path
        Ends in ``.png`` for a plot or ``.csv`` for one row per generation.
    """
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [entry.name for entry in fields(CurvePoint)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(point) for point in points)
        return
    generations = [point.generation for point in points]
    with png(path, 8.0, 4.2) as figure:
        axes = figure.subplots()
        axes.plot(generations, [point.training for point in points], color=GREY, linewidth=1.0, label="best of the generation, training runs")
        axes.plot(generations, [point.validation for point in points], color=ORANGE, linewidth=1.0, label="that or the mean, validation runs")
        axes.plot(generations, [point.best for point in points], color=BLUE, label="best so far on validation: the model")
        axes.set_xlabel(f"generation ({points[-1].evaluations:,} parameter sets, {points[-1].elapsed_s:,.0f} s)")
        axes.set_ylabel("score (smaller is better)")
        axes.set_title(f"{card.name}, objective {card.objective}, seed {card.seed}", fontsize="medium")
        axes.legend(fontsize="small")
