"""``hms policies``: what there is to choose from."""

from __future__ import annotations

import shutil
import sys
import textwrap

import typer

WIDEST = 160
"""Lines longer than this are hard to read, however wide the terminal is."""

MARKS = {
    ("rigid", "pool"): ("b", "batch jobs on a pool of processors"),
    ("rigid", "nodes"): ("g", "rigid tasks on nodes with GPUs"),
    ("divisible", "nodes"): ("d", "divisible CPU/GPU tasks"),
    ("machines", "machines"): ("m", "task graphs on unrelated machines"),
}
"""By kind of workload and cluster: the mark in the list, and what it means."""


def policies() -> None:
    """List the policies: name, what each runs, one line, and where it comes from."""
    from hybrid_ml_scheduler.policies import list_policies

    known = list_policies()
    width = max(len(policy.name) for policy in known)
    columns = min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else sys.maxsize
    for policy in known:
        marks = "".join(mark if policy.supports(*kind) else "-" for kind, (mark, _) in MARKS.items())
        head = f"{policy.name:<{width}}  {marks}  "
        text = f"{policy.summary.rstrip('.')} [{policy.reference}]"
        typer.echo(textwrap.fill(head + text, max(columns, len(head) + 40), subsequent_indent=" " * len(head), break_on_hyphens=False))
    typer.echo(f"\n{len(known)} policies, and every other order[+backfill][+placement][+split] of their parts.")
    typer.echo("Runs: " + ", ".join(f"{mark} {meaning}" for mark, meaning in MARKS.values()) + ".")
