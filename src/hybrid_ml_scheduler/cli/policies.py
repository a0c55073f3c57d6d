"""``hms policies``: what there is to choose from."""

from __future__ import annotations

import shutil
import textwrap

import typer

WIDEST = 160
"""Lines longer than this are hard to read, however wide the terminal is."""


def policies() -> None:
    """List the policies: name, one line, and where each comes from."""
    from hybrid_ml_scheduler.policies import list_policies

    known = list_policies()
    columns = min(shutil.get_terminal_size((120, 24)).columns, WIDEST)
    width = max(len(policy.name) for policy in known)
    for policy in known:
        text = f"{policy.summary.rstrip('.')}. [{policy.reference}]"
        lines = textwrap.wrap(text, max(columns - width - 2, 40))
        typer.echo(f"{policy.name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            typer.echo(f"{'':<{width}}  {line}")
    typer.echo(f"\n{len(known)} policies. Parts combine freely as order[+backfill][+placement][+split], for example sjf+easy.")
