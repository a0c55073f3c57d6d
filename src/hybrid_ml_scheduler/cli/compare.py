"""``hms compare``: the same tasks under several policies."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, make_folder, one_stdout, replacing, write_text
from hybrid_ml_scheduler.cli.progress import ProgressReporter


def compare(
    workload: options.WorkloadArgument,
    cluster: options.ClusterOption = None,
    policies: options.PoliciesOption = None,
    seeds: options.SeedsOption = None,
    first: options.FirstOption = None,
    windows: options.WindowsOption = None,
    load: options.LoadOption = None,
    bound: Annotated[bool, typer.Option("--bound", help="Also compute a proven lower bound, and the gap to it.")] = False,
    jobs: options.JobsOption = 1,
    json: options.JsonOption = None,
    csv: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write the results as CSV; '-' for standard output.")] = None,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="Write one self-contained report with plots.")] = None,
    plots: Annotated[str | None, typer.Option("--plots", metavar="DIR", help="Write the plots as PNG into this folder.")] = None,
    objective: options.ObjectiveOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME[@V],...", help="Models of learned policies named without one; default: the usual."),
    ] = None,
    workload_format: options.FormatOption = None,
    lenient: options.LenientOption = False,
) -> None:
    """Compare policies on one workload: same tasks, same noise, same cluster."""
    on_stdout = one_stdout(json=json, csv=csv)
    for option, target in (("--json", json), ("--csv", csv), ("--html", html)):
        check_target(option, target)
    make_folder("--plots", plots)
    names = options.split_names("--policies", policies)
    models = options.split_names("--model", model)

    from hybrid_ml_scheduler.experiments.compare import run_comparison
    from hybrid_ml_scheduler.experiments.table import comparison_table

    with ProgressReporter("compare") as progress:
        comparison = run_comparison(
            workload,
            cluster_spec=cluster,
            policies=names,
            seeds=seeds,
            first=first,
            windows=windows,
            load=load,
            bound=bound,
            jobs=jobs,
            format=workload_format,
            lenient=lenient,
            charts=html is not None or plots is not None,
            objective=objective,
            models=models or (),
            progress=progress,
        )
    if not on_stdout:
        typer.echo(comparison_table(comparison))
    write_text("--json", json, comparison.to_json)
    write_text("--csv", csv, comparison.to_csv)
    if html is not None:
        from hybrid_ml_scheduler.experiments.report import write_html

        with replacing("--html", html) as path:
            write_html(comparison, path)
    if plots is not None:
        from hybrid_ml_scheduler.experiments.plots import save_plots

        save_plots(comparison, plots)
