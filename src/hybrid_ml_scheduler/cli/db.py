"""``hms db``: what the database holds, whether the journal agrees, and making one from the other."""

from __future__ import annotations

import asyncio
import json as json_format
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybrid_ml_scheduler.storage.check import CheckReport

app = typer.Typer()

DIFFERENT = 1
"""Exit code of ``hms db check`` if database and journal disagree."""


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Check, restore and upgrade the database (settings: HMS_DATABASE_URL, HMS_DATA_DIR)."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("check")
def check(json: Annotated[bool, typer.Option("--json", help="Write the result as JSON to standard output.")] = False) -> None:
    """Show tables, newest rows and the lag of the journal, and compare the two row by row. Exit code 1 if they differ; lag is no difference."""
    from hybrid_ml_scheduler.storage.service import SimulationDataService
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> CheckReport:
        service = SimulationDataService(StorageSettings.load())
        try:
            await service.database.check_schema()
            return await service.check()
        finally:
            await service.close()

    report = asyncio.run(run())
    if json:
        typer.echo(json_format.dumps(report.to_dict(), indent=2))
        for problem in report.problems:
            typer.echo(f"hms: {problem}", err=True)
    else:
        _show(report)
    if not report.healthy:
        raise typer.Exit(DIFFERENT)


def _show(report: CheckReport) -> None:
    from hybrid_ml_scheduler.experiments.table import render

    typer.echo(render([["table", "rows"], *([name, f"{rows:,}"] for name, rows in report.tables.items())]))
    for name, row in report.newest.items():
        if row:
            known = ", ".join(f"{column} {value}" for column, value in row.items() if value is not None)
            typer.echo(f"\nnewest of {name}: {_printable(known)}")
    typer.echo(f"\njournal: {report.journal_rows:,} rows, {report.lag_rows:,} of them not in the database yet")
    for problem in report.problems:
        typer.echo(f"! {_printable(problem)}")
    typer.echo(f"{report.differences:,} differences, {report.duplicates:,} duplicates")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


@app.command("restore")
def restore() -> None:
    """Fill an empty database from the journal."""
    from hybrid_ml_scheduler.storage.service import SimulationDataService
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> int:
        service = SimulationDataService(StorageSettings.load())
        try:
            return await service.restore(lambda rows: typer.echo(f"{rows:,} rows", err=True))
        finally:
            await service.close()

    typer.echo(f"{asyncio.run(run()):,} rows restored")


@app.command("upgrade")
def upgrade() -> None:
    """Bring the tables of the database to this version's; on an empty database, make them."""
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> tuple[str | None, str | None]:
        async with Database(StorageSettings.load()) as database:
            return await database.upgrade()

    before, after = asyncio.run(run())
    typer.echo(f"tables are of version {after} already" if before == after else f"tables upgraded from version {before or 'none'} to {after}")
