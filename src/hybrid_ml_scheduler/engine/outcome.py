"""From the state of a run to its schedule."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.engine.state import N_STARTED, Problem, State


def schedule_of(problem: Problem, state: State, policy: str, engine_s: float) -> Schedule:
    """Read the schedule off the final state of a run."""
    started = ~np.isnan(state.start)
    return Schedule(
        status=state.status,
        ready_s=state.ready,
        start_s=state.start,
        finish_s=state.finish,
        cpu_end_s=state.cpu_end,
        gpu_end_s=state.gpu_end,
        node=state.node,
        gpu_mask=np.where(started, state.gpu_mask, 0),
        fraction=state.fraction,
        decision_order=state.start_log[: state.counters[N_STARTED]].copy(),
        engine_s=engine_s,
        policy=policy,
        decided_by=state.decided_by,
    )
