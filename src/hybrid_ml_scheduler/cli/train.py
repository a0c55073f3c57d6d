"""``hms train``: make a learned policy's model."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, make_folder, replacing
from hybrid_ml_scheduler.cli.progress import ProgressReporter
from hybrid_ml_scheduler.core.errors import InputError

if TYPE_CHECKING:
    from hybrid_ml_scheduler.learning.files import Model
    from hybrid_ml_scheduler.learning.search import CurvePoint

POLICIES = ("hybrid_ml", "rl_agent")


def train(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="hybrid_ml or rl_agent.", show_default=False)],
    workloads: Annotated[
        list[str],
        typer.Argument(
            metavar="WORKLOAD...",
            help="Trace files and presets of one kind; or batch, nodes, divisible or kernels: what the package's models were trained on.",
            show_default=False,
        ),
    ],
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective",
            metavar="NAME|A=W,B=W",
            help="mean_bounded_slowdown, mean_response, p99_wait, makespan, energy, cost, or weights over them; default: the usual one of the kind.",
        ),
    ] = None,
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="The search ends after this time: 90, 10s, 2m or 1h.")] = "10m",
    generations: Annotated[
        int | None, typer.Option("--generations", metavar="N", min=0, help="The search ends after so many generations; repeats a training exactly.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=1, max=options.MAX_SEED, help="Same seed and generations, same model.")] = 1,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes; default: one per core that may be used.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="FILE", help="Go on from this file if it is there; written after every generation.")
    ] = None,
    curve: Annotated[str | None, typer.Option("--curve", metavar="FILE", help="Write the learning curve: .png or .csv.")] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Store the model below this folder instead of among your models.")] = None,
) -> None:
    """Train a model and store it as the next version of its name."""
    if policy not in POLICIES:
        raise InputError(f"policy {policy!r} cannot be trained; expected {' or '.join(POLICIES)}")
    budget_s = options.seconds("--budget", budget)
    for option, target in (("--checkpoint", checkpoint), ("--curve", curve)):
        check_target(option, target)
    if curve is not None and not curve.endswith((".png", ".csv")):
        raise InputError(f"--curve: the suffix of {curve!r} names no format; expected .png or .csv")
    make_folder("--out", out)

    from hybrid_ml_scheduler.learning.store import ModelStore, default_store
    from hybrid_ml_scheduler.learning.training import TrainingRequest, plan_training
    from hybrid_ml_scheduler.learning.training import train as run_training

    store = default_store() if out is None else ModelStore([out])
    store.check_writable()
    kind, chosen, aim = plan_training(workloads, objective)
    points: list[CurvePoint] = []
    with ProgressReporter("train") as progress:
        doing = "preparing"

        def tell(step: str, point: CurvePoint | None) -> None:
            nonlocal doing
            doing = step
            if point is not None:
                points.append(point)
            done, total = _done(points, generations, budget_s)
            best = f", best on validation {points[-1].best:.4g}" if points else ""
            progress(done, total, f"{doing}{best}")

        progress(0, 0, doing)
        request = TrainingRequest(
            policy=policy,
            kind=kind,
            workloads=chosen,
            objective=aim,
            seed=seed,
            jobs=jobs or len(os.sched_getaffinity(0)),
            budget_s=budget_s,
            generations=generations,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            command=_command(policy, workloads, objective, seed),
            created=datetime.now(UTC).date().isoformat(),
        )
        model = run_training(request, tell)
    version = store.add(model)
    if curve is not None:
        from hybrid_ml_scheduler.experiments.learning_curve import write_learning_curve

        with replacing("--curve", curve) as path:
            write_learning_curve(points, model.card, path)
    _print(model, version, points)


def _done(points: list[CurvePoint], generations: int | None, budget_s: float) -> tuple[int, int]:
    """Return how many steps of how many are done: generations, or seconds of the budget where their number is open."""
    if not points:
        return 0, 0
    if generations is not None:
        return points[-1].generation, generations
    return min(round(points[-1].elapsed_s), round(budget_s)), round(budget_s)


def _command(policy: str, workloads: list[str], objective: str | None, seed: int) -> str:
    """Return the command without its end: what rebuilds the model is only known when the search has ended."""
    words = ["hms", "train", policy, *workloads]
    if objective is not None:
        words += ["--objective", objective]
    return shlex.join([*words, "--seed", str(seed)])


def _print(model: Model, version: int, points: list[CurvePoint]) -> None:
    from hybrid_ml_scheduler.experiments.table import format_number

    card = model.card
    lines = {
        "model": f"{card.name}@{version}",
        "objective": card.objective,
        "trained on": f"{card.training['tasks']:,} tasks of {', '.join(card.training['workloads'])}",
        **{name.replace("_", " "): format_number(value, 6) for name, value in sorted(card.metrics.items())},
    }
    if points:
        lines["generations"] = f"{points[-1].generation}, {points[-1].evaluations:,} runs scored in {points[-1].elapsed_s:,.0f} s"
    lines["rebuilt by"] = card.command
    width = max(map(len, lines))
    for name, value in lines.items():
        typer.echo(f"{name:<{width}}  {value}")
