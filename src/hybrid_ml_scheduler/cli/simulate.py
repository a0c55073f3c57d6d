"""``hms simulate``: one policy, and what became of every task."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, one_stdout, replacing, write_text
from hybrid_ml_scheduler.cli.progress import ProgressReporter
from hybrid_ml_scheduler.core.errors import InputError


def simulate(
    workload: options.WorkloadArgument,
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="One policy; 'hms policies' lists them.", show_default=False)],
    schedule: Annotated[str | None, typer.Option("--schedule", metavar="FILE", help="Write one row per task: .parquet or .csv.")] = None,
    cluster: options.ClusterOption = None,
    seed: options.SeedOption = 0,
    first: options.FirstOption = None,
    load: options.LoadOption = None,
    objective: options.ObjectiveOption = None,
    model: options.ModelOption = None,
    json: options.JsonOption = None,
    workload_format: options.FormatOption = None,
    lenient: options.LenientOption = False,
) -> None:
    """Run one policy over one workload, measure it, and write the schedule."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.schedules import SCHEDULE_SUFFIXES, simulate_one, write_schedule
    from hybrid_ml_scheduler.experiments.table import facts, format_number, render

    if schedule is not None:
        if not schedule.endswith(SCHEDULE_SUFFIXES):
            raise InputError(f"--schedule: the suffix of {schedule!r} names no format; expected {' or '.join(SCHEDULE_SUFFIXES)}")
        check_target("--schedule", schedule)
    with ProgressReporter("simulate") as progress:
        progress(0, 1, policy)
        run = simulate_one(
            workload,
            policy,
            cluster_spec=cluster,
            seed=seed,
            first=first,
            load=load,
            format=workload_format,
            lenient=lenient,
            objective=objective,
            model=model,
        )
    if not on_stdout:
        result = run.comparison.results[0]
        for line in facts(run.comparison):
            typer.echo(line)
        if result.saturated:
            typer.echo("saturated: the queue keeps growing, so means depend on the length of the run")
        rows = [["metric", result.policy], *([name, format_number(value, 6)] for name, value in result.metrics.items())]
        typer.echo("\n" + render(rows))
    write_text("--json", json, run.comparison.to_json)
    if schedule is not None:
        with replacing("--schedule", schedule) as path:
            write_schedule(run, path)
