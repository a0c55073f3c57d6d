"""``hms bench``: how fast it is on this machine."""

from __future__ import annotations

import json as json_format
from typing import Annotated

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, one_stdout, write_text
from hybrid_ml_scheduler.cli.progress import ProgressReporter


def bench(
    json: options.JsonOption = None,
    trace: Annotated[str | None, typer.Option("--trace", metavar="FILE", help="A batch trace; default: a generated one as large as HPC2N.")] = None,
    pods: Annotated[str | None, typer.Option("--pods", metavar="FILE", help="A pod list, together with --nodes; default: generated pods.")] = None,
    nodes: Annotated[str | None, typer.Option("--nodes", metavar="FILE", help="A node list; default: generated nodes.")] = None,
    repeats: options.RepeatsOption = 5,
) -> None:
    """Measure how fast simulations are on this machine, next to the project's targets."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.bench import run_benchmarks
    from hybrid_ml_scheduler.experiments.table import format_number, render

    with ProgressReporter("bench") as progress:
        report = run_benchmarks(trace=trace, pods=pods, nodes=nodes, repeats=repeats, progress=progress)
    if not on_stdout:
        machine = report.machine
        typer.echo(f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, numba {machine['numba']}, {report.date}\n")
        rows = [["figure", "median", "unit", "target", ""]]
        for figure in report.figures:
            target = "" if figure.target is None else ("at least " if figure.more_is_better else "at most ") + format_number(figure.target)
            verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
            rows.append([f"{figure.name}", format_number(figure.value), figure.unit, target, verdict])
        typer.echo(render(rows))
        for note in dict.fromkeys(figure.note for figure in report.figures if figure.note):
            typer.echo(f"{note}: {'; '.join(figure.name for figure in report.figures if figure.note == note)}")
    write_text("--json", json, lambda: json_format.dumps(report.to_dict(), indent=2, allow_nan=False))
