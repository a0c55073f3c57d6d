"""``hms keys``: API keys of the service."""

from __future__ import annotations

import asyncio
import json as json_format
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybrid_ml_scheduler.storage.schema import ApiKeyRow

app = typer.Typer()

ScopeOption = Annotated[
    list[str], typer.Option("--scope", metavar="SCOPE", help="read, control, decide or admin; may stand several times. admin is everything.")
]


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Make and revoke API keys of the service (settings: HMS_DATABASE_URL, HMS_DATA_DIR). A running service follows within a second."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("create")
def create(
    scope: ScopeOption,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "key",
    days: Annotated[float | None, typer.Option("--days", metavar="N", help="After which it ends [never].", show_default=False)] = None,
) -> None:
    """Make a key, and show it: this once, only its hash is stored. With the first one the service stops being open."""
    from hybrid_ml_scheduler.service.security.audit import record_command
    from hybrid_ml_scheduler.service.security.keys import new_key
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    key, row = new_key(name, scope, days)

    async def run() -> None:
        async with Database(StorageSettings.load()) as database:
            await database.upgrade()
            async with database.write() as session:
                await AccessRepository(session, database.dialect).add_key(row)
            await record_command(database, "hms keys create", f"key {row.id} ({row.name}): {', '.join(row.scopes)}")

    asyncio.run(run())
    typer.echo(f"key {row.id} ({row.name}): {', '.join(row.scopes)}. It is shown this once:", err=True)
    typer.echo(key)


@app.command("list")
def list_keys(json: Annotated[bool, typer.Option("--json", help="Write the list as JSON.")] = False) -> None:
    """Show all keys there are and were; never the keys themselves."""
    from hybrid_ml_scheduler.experiments.table import render
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> tuple[ApiKeyRow, ...]:
        async with Database(StorageSettings.load()) as database:
            await database.check_schema()
            async with database.read() as session:
                return await AccessRepository(session, database.dialect).keys()

    found = asyncio.run(run())
    if json:
        entries = [
            {
                "id": row.id,
                "name": row.name,
                "scopes": row.scopes,
                "created_at": row.created_at.isoformat(),
                "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
                "revoked_at": None if row.revoked_at is None else row.revoked_at.isoformat(),
            }
            for row in found
        ]
        typer.echo(json_format.dumps(entries, indent=2))
        return
    rows = [[row.id, row.name, ", ".join(row.scopes), f"{row.created_at:%Y-%m-%d}", _state(row)] for row in found]
    typer.echo(render([["id", "name", "scopes", "made", "state"], *rows]))


def _state(row: ApiKeyRow) -> str:
    if row.revoked_at is not None:
        return f"revoked {row.revoked_at:%Y-%m-%d}"
    if row.expires_at is None:
        return "good"
    return f"{'expired' if row.expires_at <= datetime.now(UTC) else 'good until'} {row.expires_at:%Y-%m-%d}"


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it; the key itself does, too.")]) -> None:
    """Revoke a key, for good, together with sign-ins that were made with it."""
    from hybrid_ml_scheduler.core.errors import InputError
    from hybrid_ml_scheduler.service.security.audit import record_command
    from hybrid_ml_scheduler.service.security.keys import id_of
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> bool:
        async with Database(StorageSettings.load()) as database:
            await database.check_schema()
            async with database.write() as session:
                found = await AccessRepository(session, database.dialect).revoke_key(wanted)
            if found:
                await record_command(database, "hms keys revoke", f"key {wanted}")
            return found

    wanted = id_of(key_id) or key_id
    if not asyncio.run(run()):
        raise InputError(f"there is no key {wanted[:20]!r} that could be revoked; expected one that hms keys list shows")
    typer.echo(f"key {wanted} is revoked")


@app.command("rotate")
def rotate() -> None:
    """Replace the keys that sign tokens: everybody who is signed in must renew that. For when the database or a backup got into wrong hands."""
    from hybrid_ml_scheduler.service.security.access import new_signing_key
    from hybrid_ml_scheduler.service.security.audit import record_command
    from hybrid_ml_scheduler.storage.access import AccessRepository
    from hybrid_ml_scheduler.storage.database import Database
    from hybrid_ml_scheduler.storage.settings import StorageSettings

    async def run() -> None:
        async with Database(StorageSettings.load()) as database:
            await database.check_schema()
            async with database.write() as session:
                await AccessRepository(session, database.dialect).add_signing_key(new_signing_key(), forget_before=None)
            await record_command(database, "hms keys rotate", "signing keys")

    asyncio.run(run())
    typer.echo("tokens are signed with a new key")
