"""``hms workload``: look at workloads, convert them, generate them."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, one_stdout, replacing, write_text
from hybrid_ml_scheduler.core.errors import InputError

if TYPE_CHECKING:
    from hybrid_ml_scheduler.core.workload import Workload

app = typer.Typer()

_TITLES = {
    "work_s": "true run time [s]",
    "requested_time_s": "requested time [s]",
    "memory_mb": "memory [MB]",
    "size": "size (nominal CPU time) [s]",
    "compute_intensity": "compute intensity",
    "cost_s": "run time per machine [s]",
}
_KINDS = {"rigid": "rigid tasks", "divisible": "divisible tasks", "machines": "a task graph on unrelated machines"}
_UNITS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"))

OutputArgument = Annotated[str, typer.Argument(metavar="OUTPUT", help="File to write; its suffix says which format.", show_default=False)]


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Describe, convert or generate workloads."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("describe")
def describe(
    workload: options.WorkloadArgument,
    cluster: options.ClusterOption = None,
    json: options.JsonOption = None,
    workload_format: options.FormatOption = None,
    lenient: options.LenientOption = False,
) -> None:
    """Show what a workload is made of, and what reading it met."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.describe import describe as summarise
    from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
    from hybrid_ml_scheduler.workloads.clusters import default_cluster, open_cluster
    from hybrid_ml_scheduler.workloads.open import open_workload

    named = None if cluster is None else open_cluster(cluster)
    opened = open_workload(workload, format=workload_format, lenient=lenient, cluster=named)
    if named is None:
        try:
            named = default_cluster(opened)
        except InputError as error:
            # A workload can be looked at without a machine; comparing policies on it will ask for one.
            typer.echo(f"note: {error}", err=True)
    result = summarise(opened if named is None else bind_to_cluster(opened, named), named)
    if not on_stdout:
        _print_description(result)
    write_text("--json", json, lambda: json_format.dumps(result, indent=2, allow_nan=False))


def _span(seconds: float) -> str:
    """Return a length of time in seconds and, where it is longer, in a unit that people can picture."""
    unit = next((f" ({seconds / length:,.1f} {name})" for length, name in _UNITS if seconds >= length), "")
    return f"{seconds:,.0f} s{unit}"


def _print_description(result: Mapping[str, Any]) -> None:
    from hybrid_ml_scheduler.experiments.table import format_number, render

    source = result["source"]
    facts: dict[str, Any] = {
        "workload": result["name"],
        "format": f"{source['format']}, {_KINDS[result['kind']]}, {source['rows']:,} rows",
        "tasks": f"{result['tasks']:,}" + (f" ({result['run_time_0']:,} with run time 0)" if result["run_time_0"] else ""),
        "span": _span(result["span_s"]),
        "arrivals": f"{format_number(result['arrivals_per_s'])} per second" if "arrivals_per_s" in result else None,
        "users": result.get("users"),
        "edges": f"{result['edges']:,}" if result["edges"] else None,
        "estimates": source["estimates"],
        "processors": f"{source['processors']:,} in the header" if source["processors"] else None,
        "cluster": result.get("cluster"),
        "offered load": ", ".join(f"{100 * share:.1f} % of the {device}" for device, share in result.get("offered_load", {}).items()) or None,
        "sorted": "by us: arrivals were not ascending" if source["sorted_by_us"] else None,
        "sha256": source["sha256"],
    }
    for name, value in facts.items():
        if value is not None:
            typer.echo(f"{name:<13} {value}")
    for title, counts in (("substituted", source["substitutions"]), ("dropped", source["dropped"])):
        for reason, count in counts.items():
            typer.echo(f"{title:<13} {count:,}: {reason}")
    for note in source["notes"]:
        typer.echo(f"{'note':<13} {note}")
    if result["columns"]:
        quantiles = list(next(iter(result["columns"].values())))
        titles = _TITLES | ({"work_s": "true CPU time [s]"} if result["kind"] == "divisible" else {})
        rows = [[titles.get(name, name), *(format_number(spread[quantile]) for quantile in quantiles)] for name, spread in result["columns"].items()]
        typer.echo("\n" + render([["", *quantiles], *rows]))


@app.command("convert", short_help="Write a workload in another format.")
def convert(
    workload: options.WorkloadArgument,
    output: OutputArgument,
    first: options.FirstOption = None,
    workload_format: options.FormatOption = None,
    lenient: options.LenientOption = False,
) -> None:
    """Write a workload in another format: .csv or .parquet (our own columns), .swf, .swf.gz."""
    check_target("OUTPUT", output)
    from hybrid_ml_scheduler.workloads.open import open_workload
    from hybrid_ml_scheduler.workloads.windows import first_n

    opened = open_workload(workload, format=workload_format, lenient=lenient)
    _export(opened if first is None else first_n(opened, first), output)


@app.command("generate")
def generate(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET", help="steady, bursty, diurnal, heavy, drift, graphs, serial, or lublin[:name=value,...].", show_default=False
        ),
    ],
    output: OutputArgument,
    tasks: options.TasksOption = None,
    seed: options.SeedOption = 0,
    load: options.LoadOption = None,
    cluster: options.ClusterOption = None,
) -> None:
    """Generate a workload and write it to a file."""
    check_target("OUTPUT", output)
    from hybrid_ml_scheduler.workloads import lublin, synthetic
    from hybrid_ml_scheduler.workloads.clusters import open_cluster

    if lublin.is_spec(preset):
        if cluster is not None:
            raise InputError(f"--cluster {cluster}: {preset} names its processors itself; expected lublin:processors=N without --cluster")
        _export(lublin.generate(preset, seed=seed, n_tasks=tasks, load=load), output)
        return
    target = None if cluster is None else open_cluster(cluster)
    _export(synthetic.generate(preset, seed=seed, cluster=target, n_tasks=tasks, load=load), output)


def _export(workload: Workload, output: str) -> None:
    """Write a workload, and say what was written and what the format could not hold."""
    from hybrid_ml_scheduler.workloads.export import write_workload

    with replacing("OUTPUT", output) as path:
        try:
            lost = write_workload(workload, path)
        except InputError as error:
            # The user knows nothing of the temporary file.
            raise InputError(str(error).replace(str(path), output)) from error
    typer.echo(f"{output}: {len(workload):,} tasks")
    if lost:
        typer.echo(f"left out, because the format has no place for it: {', '.join(lost)}")
