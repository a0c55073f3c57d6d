"""Options that several commands share, and the checks of their values."""

from __future__ import annotations

import math
import re
from typing import Annotated

import typer

from hybrid_ml_scheduler.core.errors import InputError

MAX_SEEDS = 10_000
"""More runs than this in one command are taken for a slip of the hand."""

MAX_SEED = 2**31 - 1
"""Seeds end up in compiled code as signed integers."""


def _above_zero(value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"{value} is not usable; expected a finite number above 0")
    return value


def _at_least_one(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise typer.BadParameter(f"{value} is not usable; expected a whole number of at least 1")
    return value


def _seeds(value: int | None) -> int | None:
    if value is not None and not 1 <= value <= MAX_SEEDS:
        raise typer.BadParameter(f"{value} is not usable; expected a whole number from 1 to {MAX_SEEDS}")
    return value


def _seed(value: int) -> int:
    if not 0 <= value <= MAX_SEED:
        raise typer.BadParameter(f"{value} is not usable; expected a whole number from 0 to {MAX_SEED}")
    return value


WorkloadArgument = Annotated[
    str,
    typer.Argument(
        metavar="WORKLOAD",
        help="A trace file, or a preset: steady, bursty, diurnal, heavy, drift, graphs, serial.",
        show_default=False,
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="NAME|FILE", help="workstation, pool:N, openb:PATH, kernels:PATH@HOST or a YAML file; default: by workload."),
]
PoliciesOption = Annotated[
    str | None,
    typer.Option("--policies", "-p", metavar="A,B,...", help="Policies, separated by commas; default: a set for the kind of workload."),
]
SeedsOption = Annotated[int | None, typer.Option("--seeds", metavar="K", callback=_seeds, help="Run with seeds 0 ... K-1.")]
FirstOption = Annotated[int | None, typer.Option("--first", metavar="N", callback=_at_least_one, help="Only the first N tasks.")]
WindowsOption = Annotated[
    str | None,
    typer.Option("--windows", metavar="FILE|START:LEN,...", help="Runs of their own on an empty cluster, by position in the trace."),
]
LoadOption = Annotated[float | None, typer.Option("--load", metavar="X", callback=_above_zero, help="Multiply the arrival rate by X.")]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", metavar="N", callback=_at_least_one, help="Processes to run at once.")]
ObjectiveOption = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="NAME|A=W,B=W",
        help="Rank by, and take learned policies trained for: mean_bounded_slowdown, mean_response, p99_wait, makespan, energy, cost, or weights.",
    ),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME[@V]", help="Model of the learned policy, if it is named without one; default: the usual one.")
]
FormatOption = Annotated[str | None, typer.Option("--format", metavar="NAME", help="Format of the workload file; default: by its content.")]
LenientOption = Annotated[bool, typer.Option("--lenient", help="Skip bad rows, and count them by reason.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="S", callback=_seed, help="The same seed gives the same tasks and choices.")]
TasksOption = Annotated[int | None, typer.Option("--tasks", metavar="N", callback=_at_least_one, help="How many; default: 5,000.")]
RepeatsOption = Annotated[int, typer.Option("--repeats", metavar="N", callback=_at_least_one, help="Runs per figure; the median counts.")]
JsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; '-' for standard output.")]


def split_names(option: str, names: str | None) -> list[str] | None:
    """Split a list of names at its commas.

    Parameters
    ----------
    option : str
        Name of the option, for the message.
    names : str or None
        What the user wrote.

    Returns
    -------
    list of str or None
        The names in their order, each once; None for None.

    Raises
    ------
    InputError
        If there is an empty name, or one stands twice.
    """
    if names is None:
        return None
    parts = [name.strip() for name in names.split(",")]
    if not all(parts):
        raise InputError(f"{option}: {names!r} holds an empty name; expected names separated by single commas")
    twice = next((name for name in parts if parts.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{option}: {twice!r} stands there twice; expected each name once")
    return parts


_TIME = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<unit>s|m|h|)")
_UNIT_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(option: str, text: str) -> float:
    """Read a length of time.

    Parameters
    ----------
    option : str
        Name of the option, for the message.
    text : str
        A number of seconds, or one with ``s``, ``m`` (minutes) or ``h`` behind it.

    Returns
    -------
    float
        Seconds, finite and above 0.

    Raises
    ------
    InputError
        If it is no such text.
    """
    match = _TIME.fullmatch(text.strip())
    value = float(match["number"]) * _UNIT_S[match["unit"]] if match else 0.0
    if not 0 < value < math.inf:
        raise InputError(f"{option}: {text!r} is not usable; expected a time above 0 such as 90, 10s, 2m or 1h")
    return value
