"""What a run was asked for: looked at before it starts, and read back from what describes it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hybrid_ml_scheduler.core.errors import InputError, RunRequestError
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.stream import TaskStream
from hybrid_ml_scheduler.live.uploads import uploaded_file

FIRST_SEED, SEEDS = 20_000, 2**31
"""Seeds that are drawn: above those of tests and trainings, small enough for every reader of JSON."""
MOST_POLICIES = 64


def check_speed(speed: float | None) -> None:
    """Raise `RunRequestError` unless a run can go at this speed, in simulated seconds per real second; None: as fast as possible."""
    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise RunRequestError(f"speed is {speed}; expected simulated seconds per real second above 0, or none for as fast as possible")


def checked(request: RunRequest) -> RunRequest:
    """Return the request with policies as they are spelled and with a seed, drawn if it has none.

    Raises
    ------
    RunRequestError
        If a number or a list makes no sense; names are checked by who opens them.
    """
    check_speed(request.speed)
    policies = tuple(policy.strip().lower() for policy in request.policies)
    if not 1 <= len(policies) <= MOST_POLICIES:
        raise RunRequestError(f"{len(policies)} policies; expected 1 to {MOST_POLICIES}")
    if len(set(policies)) < len(policies):
        twice = next(policy for policy in policies if policies.count(policy) > 1)
        raise RunRequestError(f"policy {twice!r} stands twice; expected each once")
    if request.retrain_every is not None and request.retrain_every < 1:
        raise RunRequestError(f"retrain_every is {request.retrain_every}; expected at least 1 task, or none for never")
    seed = FIRST_SEED + secrets.randbelow(SEEDS) if request.seed is None else request.seed
    return replace(request, policies=policies, seed=seed)


def request_of(options: Mapping[str, Any]) -> RunRequest:
    """Return the request that the options of a run describe."""
    values = options["request"]
    return RunRequest(**{**values, "policies": tuple(values["policies"])})


def seed_of(request: RunRequest) -> int:
    """Return the seed of a request that was checked."""
    if request.seed is None:
        raise RunRequestError("the request has no seed; expected one that was drawn")
    return request.seed


def open_stream(request: RunRequest, options: Mapping[str, Any], folder: Path) -> TaskStream:
    """Open the stream of tasks of a run.

    Parameters
    ----------
    request : RunRequest
        Checked.
    options : mapping
        Of the run: ``piece_tasks``.
    folder : Path
        The data folder, where uploaded workloads are.

    Raises
    ------
    InputError
        If there is no such workload or cluster, or a file cannot be read.
    """
    file = uploaded_file(request.workload, folder)
    workload = request.workload if file is None else str(file)
    try:
        return TaskStream(workload, request.cluster, seed_of(request), request.load, int(options["piece_tasks"]), request.max_tasks)
    except InputError as error:
        if file is None:
            raise
        # Where the server keeps it is nobody's business.
        raise RunRequestError(str(error).replace(str(file), request.workload)) from error
