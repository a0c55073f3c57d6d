"""``hms explain``: why a task was placed where it was."""

from __future__ import annotations

import json as json_format
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid_ml_scheduler.cli import options
from hybrid_ml_scheduler.cli.output import check_target, one_stdout, write_text
from hybrid_ml_scheduler.cli.progress import ProgressReporter

if TYPE_CHECKING:
    from hybrid_ml_scheduler.core.cluster import Cluster
    from hybrid_ml_scheduler.core.decision import Candidate, Explanation
    from hybrid_ml_scheduler.core.workload import Workload

MOST_CANDIDATES = 20
"""Longer lists of candidates are cut in the table; the JSON has all of them."""


def explain(
    workload: options.WorkloadArgument,
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="One policy; 'hms policies' lists them.", show_default=False)],
    task: Annotated[int, typer.Option("--task", metavar="ID", help="Id of the task.", show_default=False)],
    cluster: options.ClusterOption = None,
    seed: options.SeedOption = 0,
    first: options.FirstOption = None,
    load: options.LoadOption = None,
    objective: options.ObjectiveOption = None,
    model: options.ModelOption = None,
    json: options.JsonOption = None,
    workload_format: options.FormatOption = None,
    lenient: options.LenientOption = False,
) -> None:
    """Run a policy up to a task, and show what it considered, what it expected, and what decided."""
    on_stdout = one_stdout(json=json)
    check_target("--json", json)

    from hybrid_ml_scheduler.experiments.runs import Plan, Stage
    from hybrid_ml_scheduler.learning.explain import explain as explain_decision
    from hybrid_ml_scheduler.learning.provider import with_models

    with ProgressReporter("explain") as progress:
        progress(0, 1, policy)
        stage = Stage(Plan(workload, cluster, workload_format, lenient, first, load, first_seed=seed, objective=objective))
        opened = stage.workload(0)
        (named,) = with_models([policy], opened, stage.cluster, objective=stage.objective, models=() if model is None else (model,))
        found = explain_decision(named, opened, stage.cluster, task, seed)
    if not on_stdout:
        _print(named, task, found, opened, stage.cluster)
    write_text("--json", json, lambda: json_format.dumps(_to_dict(named, task, found, opened, stage.cluster), indent=2, allow_nan=False))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _candidate(candidate: Candidate, cluster: Cluster) -> dict[str, Any]:
    fraction = candidate.fraction
    return {
        "node": cluster.nodes[candidate.node].name,
        "gpus": list(candidate.gpus),
        "gpu_fraction": None if fraction is None else _known(fraction),
        "score": _known(candidate.score),
    }


def _to_dict(policy: str, task: int, found: Explanation, workload: Workload, cluster: Cluster) -> dict[str, Any]:
    """Return the explanation as JSON-able values; what is unknown is null."""
    return {
        "workload": workload.name,
        "cluster": cluster.name,
        "policy": policy,
        "task_id": task,
        "time_s": found.time_s,
        "waited_s": found.time_s - float(workload.tasks.arrival_s[found.task]),
        "decided_by": found.decided_by.name.lower(),
        "chosen": _candidate(found.chosen, cluster),
        "candidates": [_candidate(candidate, cluster) for candidate in found.candidates],
        "predictions": [
            {
                "device": entry.device,
                "expected_s": _known(entry.expected_s),
                "p10_s": _known(entry.low_s),
                "p90_s": _known(entry.high_s),
                "nominal_s": _known(entry.nominal_s),
            }
            for entry in found.predictions
        ],
        "order_score": _known(found.order_score),
        "queue_length": found.queue_length,
        "ahead": [int(workload.tasks.task_id[row]) for row in found.ahead],
        "notes": list(found.notes),
    }


def _print(policy: str, task: int, found: Explanation, workload: Workload, cluster: Cluster) -> None:
    from hybrid_ml_scheduler.experiments.table import ABSENT, counted, format_number, render

    def number(value: float | None) -> str:
        return ABSENT if value is None or not math.isfinite(value) else format_number(value)

    def place(candidate: Candidate) -> str:
        gpus = "".join(f", GPU {gpu}" for gpu in candidate.gpus)
        return f"{cluster.nodes[candidate.node].name}{gpus}"

    waited_s = found.time_s - float(workload.tasks.arrival_s[found.task])
    ahead = ", ".join(str(int(workload.tasks.task_id[row])) for row in found.ahead)
    fraction = found.chosen.fraction
    share = "" if fraction is None or not math.isfinite(fraction) else f", GPU fraction {fraction:.3g}"
    lines = {
        "task": f"{task} of {workload.name}, policy {policy}",
        "started": f"at {number(found.time_s)} s, {number(waited_s)} s after its arrival, on {place(found.chosen)}{share}",
        "decided by": found.decided_by.name.lower().replace("fallback_", "fallback rule: "),
        "queue": f"{counted(found.queue_length, 'task')} waiting{f', before it: {ahead}' if ahead else ''}",
        "order score": number(found.order_score),
    }
    for name, text in lines.items():
        typer.echo(f"{name:<12}  {text}")
    for note in found.notes:
        typer.echo(f"{'note':<12}  {note}")
    if found.predictions:
        rows = [["device", "expected [s]", "10 % [s]", "90 % [s]", "nominal [s]"]]
        rows += [[entry.device, *map(number, (entry.expected_s, entry.low_s, entry.high_s, entry.nominal_s))] for entry in found.predictions]
        typer.echo("\n" + render(rows))
    rows = [["candidate", "GPU fraction", "score", ""]]
    for candidate in found.candidates[:MOST_CANDIDATES]:
        taken = (candidate.node, candidate.gpus, candidate.fraction) == (found.chosen.node, found.chosen.gpus, found.chosen.fraction)
        rows.append([place(candidate), number(candidate.fraction), number(candidate.score), "chosen" if taken else ""])
    typer.echo("\n" + render(rows))
    if len(found.candidates) > MOST_CANDIDATES:
        typer.echo(f"and {counted(len(found.candidates) - MOST_CANDIDATES, 'candidate')} more")
