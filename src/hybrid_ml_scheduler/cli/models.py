"""``hms models``: the learned models, which of them is in use, and going back."""

from __future__ import annotations

import json as json_format
from typing import Annotated, Any

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, one_stdout, write_text
from hybrid_ml_scheduler.core.errors import InputError

app = typer.Typer()

_LONGEST_CELL = 60

ModelArgument = Annotated[str, typer.Argument(metavar="NAME[@V]", help="Model, and its version if not the one in use.", show_default=False)]
VersionArgument = Annotated[str, typer.Argument(metavar="NAME@V", help="Model and version.", show_default=False)]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Model.", show_default=False)]


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """List, show, compare and choose learned models."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_models(json: options.JsonOption = None) -> None:
    """List all versions of all models; those in use are marked with *."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.table import render
    from hybrid_ml_scheduler.learning.store import default_store

    store = default_store()
    entries = store.entries()
    if not on_stdout:
        rows = [["model", "policy", "kind", "objective", "created", "engine", "arrays [kB]", "folder"]]
        for entry in entries:
            first = f"{entry.name}@{entry.version}{' *' if entry.in_use else ''}"
            if entry.model is None:
                rows.append([f"{first} !", *["-"] * 6, str(entry.path)])
                continue
            card = entry.model.card
            size = sum(array.nbytes for array in entry.model.arrays.values()) / 1e3
            rows.append([first, card.policy, card.kind, card.objective, card.created, card.engine_version, f"{size:,.1f}", str(entry.path)])
        if entries:
            typer.echo(render(rows))
            typer.echo("\n* in use, where the model's name alone is given")
        else:
            typer.echo(f"no models; looked into {' and '.join(map(str, store.folders))} (hms train makes some)")
        for problem in dict.fromkeys(entry.problem for entry in entries if entry.problem):
            typer.echo(f"! {problem}")
    write_text(
        "--json",
        json,
        lambda: json_format.dumps(
            [
                {
                    "name": entry.name,
                    "version": entry.version,
                    "in_use": entry.in_use,
                    "folder": str(entry.path),
                    "problem": entry.problem or None,
                    "card": None if entry.model is None else entry.model.card.to_dict(),
                }
                for entry in entries
            ],
            indent=2,
            allow_nan=False,
        ),
    )


@app.command("show")
def show(model: ModelArgument, json: options.JsonOption = None) -> None:
    """Show where a model comes from, what it expects, and how it did."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.table import format_number
    from hybrid_ml_scheduler.learning.store import default_store

    found = default_store().find(model)
    card = found.card
    arrays = {name: {"dtype": str(array.dtype), "shape": list(array.shape)} for name, array in sorted(found.arrays.items())}
    if not on_stdout:
        lines = {
            "model": card.spelling,
            "for": f"{card.policy} on workloads of kind {card.kind}",
            "objective": card.objective,
            "created": f"{card.created} by version {card.engine_version}, seed {card.seed}",
            "command": card.command,
            "trained on": f"{card.training['tasks']:,} tasks of {', '.join(card.training['workloads']) or 'no named workload'}",
            **{f"metric {name}": format_number(value, 6) for name, value in sorted(card.metrics.items())},
            f"{len(card.features)} features": ", ".join(card.features),
            **{f"array {name}": f"{entry['dtype']} {entry['shape']}" for name, entry in arrays.items()},
            "SHA-256": card.arrays_sha256,
        }
        width = max(map(len, lines))
        for name, value in lines.items():
            typer.echo(f"{_printable(name):<{width}}  {_printable(value)}")
    write_text("--json", json, lambda: json_format.dumps({**card.to_dict(), "arrays": arrays}, indent=2, allow_nan=False))


@app.command("promote")
def promote(model: VersionArgument) -> None:
    """Put a version into use, after checking that it can be loaded."""
    from hybrid_ml_scheduler.learning.store import default_store, split_wanted

    name, version = split_wanted(model)
    if version is None:
        raise InputError(f"{model!r} names no version; expected NAME@VERSION, such as {name}@1")
    default_store().promote(name, version)
    typer.echo(f"{name}@{version} is in use")


@app.command("rollback")
def rollback(name: NameArgument) -> None:
    """Put what was in use before the last promotion back into use."""
    from hybrid_ml_scheduler.learning.store import default_store

    version = default_store().rollback(name)
    typer.echo(f"{name}@{version} is in use")


@app.command("diff")
def diff(first: ModelArgument, second: ModelArgument, json: options.JsonOption = None) -> None:
    """Show in what two models differ."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.table import render
    from hybrid_ml_scheduler.learning.store import default_store

    found = default_store().diff(first, second)
    if not on_stdout:
        rows = [["what", first, second], *([entry.what, _cell(entry.first), _cell(entry.second)] for entry in found)]
        typer.echo(render([[_printable(cell) for cell in row] for row in rows]) if found else f"{first} and {second} are equal")
    write_text(
        "--json",
        json,
        lambda: json_format.dumps([{"what": entry.what, "first": entry.first, "second": entry.second} for entry in found], indent=2, allow_nan=False),
    )


def _cell(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 3] + "..."


def _printable(text: str) -> str:
    """Show control characters as their escapes: a model may come from anyone."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
