"""``hms users``: people who sign in to the page with a password."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from hybrid_ml_scheduler.cli.keys import ScopeOption

app = typer.Typer()


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Who may sign in with a password (settings: HMS_DATABASE_URL, HMS_DATA_DIR). A running service follows within a second."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("create")
def create(name: Annotated[str, typer.Argument(metavar="NAME", help="To sign in with.")], scope: ScopeOption) -> None:
    """Make a user, or give one a new password and new scopes. The password is asked for, or read from standard input if that is no terminal."""
    from hybrid_ml_scheduler.service.security.audit import record_command
    from hybrid_ml_scheduler.service.security.keys import checked_name, checked_scopes
    from hybrid_ml_scheduler.service.security.passwords import hash_password
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    name, scopes = checked_name(name), checked_scopes(scope)
    asked = sys.stdin.isatty()
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if asked else sys.stdin.readline().rstrip("\r\n")
    hashed = hash_password(password)

    async def run() -> None:
        async with Database(StorageSettings.load()) as database:
            await database.upgrade()
            async with database.write() as session:
                await AccessRepository(session, database.dialect).save_user(name, hashed, scopes)
            await record_command(database, "hms users create", f"user {name}: {', '.join(scopes)}")

    asyncio.run(run())
    typer.echo(f"user {name}: {', '.join(scopes)}")


@app.command("list")
def list_users() -> None:
    """Show all users there are and were."""
    from hybrid_ml_scheduler.experiments.table import render
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> list[list[str]]:
        async with Database(StorageSettings.load()) as database:
            await database.check_schema()
            async with database.read() as session:
                found = await AccessRepository(session, database.dialect).users()
        return [
            [
                row.name,
                ", ".join(row.scopes),
                f"{row.created_at:%Y-%m-%d}",
                "good" if row.revoked_at is None else f"revoked {row.revoked_at:%Y-%m-%d}",
            ]
            for row in found
        ]

    typer.echo(render([["name", "scopes", "made", "state"], *asyncio.run(run())]))


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(metavar="NAME", help="As the list shows it.")]) -> None:
    """Let a user in no more, and end what they are signed in to. Made again, they have a new password."""
    from hybrid_ml_scheduler.core.errors import InputError
    from hybrid_ml_scheduler.service.security.audit import record_command
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> bool:
        async with Database(StorageSettings.load()) as database:
            await database.check_schema()
            async with database.write() as session:
                found = await AccessRepository(session, database.dialect).revoke_user(name)
            if found:
                await record_command(database, "hms users revoke", f"user {name}")
            return found

    if not asyncio.run(run()):
        raise InputError(f"there is no user {name[:100]!r} that could be revoked; expected one that hms users list shows")
    typer.echo(f"user {name} is revoked")
