"""``hms fill``: how much of a cluster's GPUs each placement rule can give away."""

from __future__ import annotations

import json as json_format
from typing import Annotated, Any

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, one_stdout, write_text
from hybrid_ml_scheduler.cli.progress import ProgressReporter


def fill(
    pods: Annotated[str, typer.Argument(metavar="PODS", help="The tasks: an openb pod list or another rigid workload.", show_default=False)],
    nodes: Annotated[str, typer.Option("--nodes", metavar="NODES", help="The cluster: an openb node list, or a cluster as for 'hms compare'.")],
    policies: options.PoliciesOption = None,
    demand: Annotated[int, typer.Option("--demand", metavar="PERCENT", help="Percent of the GPUs to be asked for.")] = 130,
    seeds: options.SeedsOption = None,
    json: options.JsonOption = None,
    workload_format: options.FormatOption = None,
    lenient: options.LenientOption = False,
) -> None:
    """Let tasks arrive, and none leave, until they have asked for a given percentage of the cluster's GPUs."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)
    names = options.split_names("--policies", policies)

    from hybrid_ml_scheduler.experiments.fill import PUBLISHED_POLICIES
    from hybrid_ml_scheduler.experiments.fill import fill as run_fill
    from hybrid_ml_scheduler.experiments.table import render
    from hybrid_ml_scheduler.workloads.clusters import open_cluster
    from hybrid_ml_scheduler.workloads.open import open_workload

    workload = open_workload(pods, format=workload_format, lenient=lenient)
    cluster = open_cluster(nodes, workload=workload)
    chosen, runs = names or list(PUBLISHED_POLICIES), seeds or 10
    with ProgressReporter("fill") as progress:
        done = -1

        def count() -> None:
            nonlocal done
            done += 1
            progress(done, len(chosen) * runs, "runs")

        count()
        result = run_fill(workload, cluster, chosen, demand_percent=demand, seeds=runs, on_run=count)
    if not on_stdout:
        typer.echo(
            f"{workload.name} ({len(workload):,} tasks) on {cluster.name} ({cluster.n_gpus:,} GPUs), mean of {runs} seed{'s' if runs > 1 else ''}"
        )
        typer.echo("GPUs allocated, in percent of all, when so many percent have been asked for (* is best)\n")
        typer.echo(render(_table(result, demand)))
    write_text("--json", json, lambda: json_format.dumps(result, allow_nan=False))


def _table(result: dict[str, Any], demand: int) -> list[list[str]]:
    """Return both curves at a few percentages; the largest allocation of each column is marked."""
    stops = [percent for percent in (50, 80, 100, 130) if percent < demand] + [demand]
    mean = result["mean"]
    best = {stop: max(curves["allocated_gpu_percent"][stop] for curves in mean.values()) for stop in stops}
    rows = [["policy", *(f"at {stop} %" for stop in stops), f"fragmented at {demand} %"]]
    for policy, curves in mean.items():
        allocated = [(stop, curves["allocated_gpu_percent"][stop]) for stop in stops]
        cells = [f"{value:.2f}{'*' if value == best[stop] and len(mean) > 1 else ' '}" for stop, value in allocated]
        rows.append([policy, *cells, f"{curves['fragmented_gpu_percent'][demand]:.2f}"])
    return rows
