"""What a process says about itself, to whoever asks and to the other processes that share its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybrid_ml_scheduler.storage.drain import DrainState
from hybrid_ml_scheduler.storage.service import SimulationDataService


def storage_status(storage: SimulationDataService) -> dict[str, Any]:
    """Return how the way into the database is."""
    drainer = storage.drainer
    return {
        "state": drainer.state,
        "lag_rows": drainer.lag_rows,
        "lag_limit_rows": drainer.lag_limit_rows,
        "rows_per_s": drainer.rows_per_s,
        # What a driver says about a lost connection names the server.
        "message": None if drainer.state is DrainState.AWAY else drainer.error,
    }


def leader_facts(storage: SimulationDataService) -> dict[str, Any]:
    """Return what the leader of a shared run tells the others."""
    return {"storage": storage_status(storage), "drained_rows": storage.drainer.drained_rows}


def leader_rows(facts: Mapping[str, Any] | None) -> int | None:
    """Return how many rows the leader has brought into the database, out of what it told; None if that is this process, or nobody."""
    return None if facts is None else facts.get("drained_rows")
