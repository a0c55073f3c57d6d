"""``hms profile``: how fast this machine runs a few kernels, as a cluster file and a table of measured times."""

from __future__ import annotations

import json as json_format
import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, make_folder, one_stdout, write_text
from hybrid_ml_scheduler.cli.progress import ProgressReporter
from hybrid_ml_scheduler.core.errors import InputError

if TYPE_CHECKING:
    from hybrid_ml_scheduler.experiments.profile import Profile

BUSY_CORES = 0.1
"""From here on others are said to have disturbed the measurements."""
CLUSTER_FILE, TABLE_FILE = "cluster.yaml", "kernels.csv"


def profile(
    out: Annotated[str, typer.Option("--out", metavar="DIR", help=f"Write {CLUSTER_FILE} and {TABLE_FILE} into this folder.")],
    kernels: Annotated[
        str | None, typer.Option("--kernels", metavar="A,B,...", help="Some of matmul, fft, sort, stencil, reduction; default: all.")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option("--sizes", metavar="N,M,...", help="Kernels work on N x N numbers; default: 128,256,512,1024,2048.")
    ] = None,
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="For all measurements together: 90, 10s, 2m or 1h.")] = "60s",
    cores: Annotated[int | None, typer.Option("--cores", metavar="N", help="Measure one core and N cores; default: all that may be used.")] = None,
    json: options.JsonOption = None,
) -> None:
    """Measure this machine: a cluster file and a table of kernel times for simulations."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)
    budget_s = options.seconds("--budget", budget)
    names, wanted = options.split_names("--kernels", kernels), _whole_numbers("--sizes", sizes)
    make_folder("--out", out)
    for name in (CLUSTER_FILE, TABLE_FILE):
        check_target("--out", f"{out}/{name}")

    from hybrid_ml_scheduler.experiments.profile import run_profile

    words = ["hms", "profile", "--out", out, "--budget", budget]
    for option, value in (("--kernels", kernels), ("--sizes", sizes), ("--cores", cores)):
        words += [] if value is None else [option, str(value)]
    with ProgressReporter("profile") as progress:
        measured = run_profile(kernels=names, sizes=wanted, budget_s=budget_s, cores=cores, command=shlex.join(words), progress=progress)
    write_text("--out", f"{out}/{CLUSTER_FILE}", measured.cluster_yaml)
    write_text("--out", f"{out}/{TABLE_FILE}", measured.table.text)
    if not on_stdout:
        _print(measured, out)
    write_text("--json", json, lambda: json_format.dumps(measured.to_dict(), indent=2, allow_nan=False))


def _whole_numbers(option: str, text: str | None) -> list[int] | None:
    parts = options.split_names(option, text)
    wrong = next((part for part in parts or () if not re.fullmatch(r"-?[0-9]{1,9}", part)), None)
    if wrong is not None:
        raise InputError(f"{option}: {wrong!r} is no whole number; expected whole numbers separated by commas")
    return None if parts is None else [int(part) for part in parts]


def _print(measured: Profile, out: str) -> None:
    from hybrid_ml_scheduler.experiments.table import format_number, render

    facts = measured.table.facts
    typer.echo(f"{facts['host']}: {facts['processor']}, {facts['cores']} of {facts['machine_cores']} cores, {facts['date']}")
    for gpu in facts["gpus"]:
        typer.echo(f"{gpu['name']}: {gpu['model']} ({gpu['library']}), host link {gpu['link_gb_s']:.3g} GB/s")
    if not facts["gpus"] and measured.notes:
        typer.echo(f"no GPU: {'; '.join(measured.notes)}")
    typer.echo("\nmedian in ms, with half of the distance between the quartiles in percent of it\n")
    columns = list(dict.fromkeys((row.device, row.cores) for row in measured.table.rows))
    titles = [device if not cores else f"{cores} core{'s' if cores > 1 else ''}" for device, cores in columns]
    cells = {
        (row.kernel, row.size, row.device, row.cores): f"{format_number(1e3 * row.median_s)} ±{50 * (row.high_s - row.low_s) / row.median_s:.0f} %"
        for row in measured.table.rows
    }
    lines = sorted({(row.kernel, row.size) for row in measured.table.rows})
    typer.echo(render([["kernel", "size", *titles], *([k, str(n), *(cells.get((k, n, *place), "") for place in columns)] for k, n in lines)]))
    for text in measured.left_out:
        typer.echo(f"left out: {text}")
    if facts["others_busy_cores"] is not None and facts["others_busy_cores"] >= BUSY_CORES:
        typer.echo(f"! disturbed: other programs kept {facts['others_busy_cores']:.2g} cores busy meanwhile; repeat it on an idle machine")
    typer.echo(f"\ntasks on this machine:   --cluster {out}/{CLUSTER_FILE}")
    typer.echo(f"graphs of these kernels: --cluster kernels:{out}/{TABLE_FILE}@{facts['host']}")
