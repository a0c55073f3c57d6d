"""What watches the program at work: metrics and traces are told through here, so that layers below the service know neither library.

Everything has a default that does nothing: whoever is not watched pays for one call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

Attributes = Mapping[str, str | int | float | bool]
"""What is said about a span; names as in OpenTelemetry."""
Place = Any
"""A place in a trace, to come back to; only who made it can read it."""

_NOTHING: AbstractContextManager[None] = nullcontext()


class Observer:
    """Watches nothing; see the subclass in `hybrid_ml_scheduler.service.observability`."""

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[None]:
        """Return what is entered and left around a piece of work: a span of the trace at hand, or the first one of a new trace."""
        return _NOTHING

    def place(self) -> Place | None:
        """Return where in a trace this is, for `span_of`; None if nothing is traced."""
        return None

    def span_of(self, name: str, places: Sequence[Place], attributes: Attributes | None = None) -> AbstractContextManager[None]:
        """Return a span of work that several traces have been waiting for: it is shown in each of them."""
        return _NOTHING

    def opened_pool(self, pool: str, engine: Any) -> None:
        """Take note of a pool of database connections.

        Parameters
        ----------
        pool : str
            ``read`` or ``write``.
        engine : sqlalchemy.ext.asyncio.AsyncEngine
        """

    def opened_redis(self, client: Any) -> None:
        """Take note of a client of Redis (``redis.asyncio.Redis``)."""

    def database_busy(self) -> None:
        """Take note that no connection became free in time."""

    def decided(self, lane_s: Mapping[str, float], results: Mapping[str, Any]) -> None:
        """Take note of a step of a run whose rows have been written.

        Parameters
        ----------
        lane_s : mapping of str to float
            Real seconds that each lane took, by policy.
        results : Columns
            Rows of the stream ``results``.
        """

    def trained(self, policy: str, time_s: float, outcome: str) -> None:
        """Take note of a training.

        Parameters
        ----------
        policy : str
        time_s : float
            Real seconds.
        outcome : str
            ``in_use`` or ``failed``.
        """


NOBODY = Observer()
"""Watches nothing."""
