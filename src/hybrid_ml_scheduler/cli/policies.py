"""``hms policies``: what there is to choose from."""

from __future__ import annotations

import shutil
import sys
import textwrap

import typer

WIDEST = 160
"""Lines longer than this are hard to read, however wide the terminal is."""


def policies() -> None:
    """List the policies: name, what each runs, one line, and where it comes from."""
    from hybrid_ml_scheduler.core.cluster import ClusterKind
    from hybrid_ml_scheduler.core.workload import WorkloadKind
    from hybrid_ml_scheduler.learning.provider import register
    from hybrid_ml_scheduler.policies import list_policies

    register()
    runs = (
        (WorkloadKind.RIGID, ClusterKind.POOL, "b", "batch jobs on a pool of processors"),
        (WorkloadKind.RIGID, ClusterKind.NODES, "g", "rigid tasks on nodes with GPUs"),
        (WorkloadKind.DIVISIBLE, ClusterKind.NODES, "d", "divisible CPU/GPU tasks"),
        (WorkloadKind.MACHINES, ClusterKind.MACHINES, "m", "task graphs on unrelated machines"),
    )
    known = list_policies()
    width = max(len(policy.name) for policy in known)
    columns = min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else sys.maxsize
    for policy in known:
        marks = "".join(mark if policy.supports(tasks, cluster) else "-" for tasks, cluster, mark, _ in runs)
        head = f"{policy.name:<{width}}  {marks}  "
        text = f"{policy.summary.rstrip('.')} [{policy.reference}]"
        typer.echo(textwrap.fill(head + text, max(columns, len(head) + 40), subsequent_indent=" " * len(head), break_on_hyphens=False))
    typer.echo(f"\n{len(known)} policies, and every other order[+backfill][+placement][+split] of their parts.")
    typer.echo("Runs: " + ", ".join(f"{mark} {meaning}" for _, _, mark, meaning in runs) + ".")
