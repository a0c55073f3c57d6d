"""Statements to the database: counted, timed, and logged if they are slow. Values of parameters are never looked at."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from hybrid_ml_scheduler.service.observability.context import REQUEST
from hybrid_ml_scheduler.service.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)
_BEGAN = "hms_began_s"
_LONGEST = 1_000


def watch(engine: AsyncEngine, pool: str, metrics: Metrics, slow_s: float) -> None:
    """Time every statement that goes through a pool.

    Parameters
    ----------
    engine : AsyncEngine
    pool : str
        Its name in the log.
    metrics : Metrics
    slow_s : float
        What takes longer is logged.
    """

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _before(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        connection.info[_BEGAN] = time.perf_counter()

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def _after(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        time_s = time.perf_counter() - connection.info[_BEGAN]
        metrics.statement(statement, time_s)
        request = REQUEST.get()
        if request is not None:
            request.sql_s += time_s
            request.statements += 1
        if time_s >= slow_s:
            metrics.slow_statements.inc()
            text = " ".join(statement.split())[:_LONGEST]
            _LOG.warning("a statement took %.3f s: %s", time_s, text, extra={"time_s": round(time_s, 4), "pool": pool, "statement": text})
