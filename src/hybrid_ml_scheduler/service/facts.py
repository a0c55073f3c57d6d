"""What a process says about itself, to whoever asks and to the other processes that share its run."""

from __future__ import annotations

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
