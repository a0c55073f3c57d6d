"""Metrics that are read off when somebody asks: the run, the way into the database, pools, Redis, clients."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.live.contract import Controller, Feed, LaneStatus, RunState
from hybrid_ml_scheduler.service.connections import ConnectionManager
from hybrid_ml_scheduler.service.observability.metrics import Metrics
from hybrid_ml_scheduler.storage.cache import Sharing, SharingState
from hybrid_ml_scheduler.storage.drain import DrainState
from hybrid_ml_scheduler.storage.service import SimulationDataService

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_LANES: tuple[tuple[str, str, Callable[[LaneStatus], float | None]], ...] = (
    ("hms_policy_queue_length", "Tasks waiting.", lambda lane: lane.queue_length),
    ("hms_policy_running_tasks", "Tasks running.", lambda lane: lane.running),
    ("hms_policy_saturated", "Whether the lane refuses tasks (1 or 0).", lambda lane: float(lane.state == "saturated")),
    ("hms_policy_mean_response_seconds", "Mean response time of the newest tasks, in simulated seconds.", lambda lane: lane.mean_response_s),
    ("hms_policy_p95_response_seconds", "95 % quantile of the same.", lambda lane: lane.p95_response_s),
    (
        "hms_policy_regret_to_oracle_ratio",
        "Mean response time over the oracle's, minus one.",
        lambda lane: lane.regret_to_oracle,
    ),
    ("hms_policy_fallback_ratio", "Share of the newest decisions that the rule behind a learned policy took.", lambda lane: lane.fallback_share),
    ("hms_policy_energy_joules", "Busy energy of the finished tasks of the run.", lambda lane: lane.energy_j),
)


class Watched(Protocol):
    """What is watched: `hybrid_ml_scheduler.service.resources.Resources`."""

    @property
    def storage(self) -> SimulationDataService:
        """Journal, database, and the way between."""

    @property
    def sharing(self) -> Sharing:
        """Cache and messages."""

    @property
    def controller(self) -> Controller:
        """The run."""

    @property
    def feed(self) -> Feed:
        """Where watchers get messages from."""

    @property
    def connections(self) -> ConnectionManager:
        """Clients of the live stream."""

    async def database_away_s(self) -> float | None:
        """Ask the database for an answer; return for how long it has been away."""


class StateCollector(Collector):
    """Reads an application off.

    Parameters
    ----------
    metrics : Metrics
        For the labels of policies.
    resources : callable
        Returns what lives as long as the service; None before it has started.
    pools : mapping of str to AsyncEngine
        Pools of database connections, by name; filled as they are opened.
    """

    def __init__(self, metrics: Metrics, resources: Callable[[], Watched | None], pools: dict[str, AsyncEngine]) -> None:
        self._metrics = metrics
        self._resources = resources
        self._pools = pools

    def collect(self) -> Iterable[Metric]:
        """Return everything; families without samples where nothing is known."""
        yield _family(GaugeMetricFamily, "hms_build_info", "Version of the program.", ["version", "python"], [
            ((__version__, platform.python_version()), 1.0)
        ])  # fmt: skip
        resources = self._resources()
        yield from self._run(resources)
        yield from self._lanes(() if resources is None else resources.controller.status().lanes)
        yield from self._journal(resources)
        yield from self._database()
        yield from self._redis(resources)
        yield from self._stream(resources)

    def _run(self, resources: Watched | None) -> Iterable[Metric]:
        status = None if resources is None else resources.controller.status()
        run = status if status is not None and status.run_id is not None else None
        yield _family(GaugeMetricFamily, "hms_run_state", "1 for the state that the run is in.", ["state"], [
            ((state.value,), float(state is status.state)) for state in RunState
        ] if status is not None else [])  # fmt: skip
        yield _plain("hms_run_processed_tasks", "Tasks of the run with results from every lane.", None if run is None else run.tasks_processed)
        yield _plain("hms_run_arrived_tasks", "Tasks of the run that were given to the lanes.", None if run is None else run.tasks_arrived)
        yield _plain("hms_run_simulated_seconds", "Where the run is, in simulated seconds.", None if run is None else run.time_s)

    def _lanes(self, lanes: tuple[LaneStatus, ...]) -> Iterable[Metric]:
        label = self._metrics.policy
        for name, text, read in _LANES:
            samples = [((label(lane.policy),), float(value)) for lane in lanes if (value := read(lane)) is not None]
            yield _family(GaugeMetricFamily, name, text, ["policy"], _once(samples))
        used: list[tuple[tuple[str, ...], float]] = []
        models: list[tuple[tuple[str, ...], float]] = []
        for lane in lanes:
            kinds: dict[str, list[float]] = {}
            for device in lane.devices:
                kinds.setdefault(device.kind, []).append(device.held)
            used += [((label(lane.policy), kind), sum(held) / len(held)) for kind, held in kinds.items()]
            if lane.model is not None:
                self._metrics.learns(lane.policy)
                name, _, version = lane.model.partition("@")
                if version.isdigit():
                    models.append(((label(lane.policy), name), float(version)))
        text = "Share of the devices of a kind that is in use, now."
        yield _family(GaugeMetricFamily, "hms_device_utilization_ratio", text, ["policy", "kind"], _once(used))
        yield _family(GaugeMetricFamily, "hms_model_version", "Version of the model in use.", ["policy", "model"], _once(models))

    def _journal(self, resources: Watched | None) -> Iterable[Metric]:
        drainer = None if resources is None else resources.storage.drainer
        yield _plain("hms_journal_lag_rows", "Rows in the journal that are not in the database yet.", None if drainer is None else drainer.lag_rows)
        yield _plain("hms_journal_lag_limit_rows", "The run is held back above so many.", None if drainer is None else drainer.lag_limit_rows)
        yield _count("hms_journal_drained_rows", "Rows brought into the database.", None if drainer is None else drainer.drained_rows)
        yield _plain("hms_journal_drain_rows_per_second", "Measured speed of that.", None if drainer is None else drainer.rows_per_s)
        yield _family(GaugeMetricFamily, "hms_journal_drain_state", "1 for the state of the way into the database.", ["state"], [
            ((state.value,), float(state is drainer.state)) for state in DrainState
        ] if drainer is not None else [])  # fmt: skip

    def _database(self) -> Iterable[Metric]:
        found = [(name, engine.pool) for name, engine in sorted(self._pools.items())]
        for name, text, read in (
            ("hms_database_pool_connections_in_use", "Connections that are in use.", "checkedout"),
            ("hms_database_pool_connections_idle", "Open connections that are not in use.", "checkedin"),
            ("hms_database_pool_connections_max", "Most connections.", None),
        ):
            samples = [((pool,), float(most(each) if read is None else getattr(each, read)())) for pool, each in found]
            yield _family(GaugeMetricFamily, name, text, ["pool"], samples)

    def _redis(self, resources: Watched | None) -> Iterable[Metric]:
        sharing = None if resources is None else resources.sharing
        there = sharing is not None and sharing.state is not SharingState.ALONE
        connected = float(sharing is not None and sharing.state is SharingState.CONNECTED)
        yield _plain("hms_redis_up", "Whether Redis answers (1 or 0); absent if none is configured.", connected if there else None)
        yield _count("hms_redis_lost", "Times that Redis was lost.", sharing.times_lost if sharing is not None and there else None)
        yield _plain("hms_redis_connections", "Open connections to Redis.", sharing.connections if sharing is not None and there else None)
        yield _plain("hms_cache_entries", "Answers cached in this process.", len(sharing.cache) if sharing is not None else None)

    def _stream(self, resources: Watched | None) -> Iterable[Metric]:
        counts = None if resources is None else resources.connections.counts()
        yield _plain("hms_ws_clients", "Clients of the live stream.", None if counts is None else counts["clients"])
        yield _count("hms_ws_frames_sent", "Frames sent to them.", None if counts is None else counts["frames_sent"])
        yield _family(CounterMetricFamily, "hms_ws_dropped_clients", "Clients that were turned away or let go.", ["reason"], [
            ((reason,), float(count)) for reason, count in sorted(resources.connections.dropped.items())
        ] if resources is not None else [])  # fmt: skip
        merged = getattr(resources.feed, "merged", None) if resources is not None else None
        yield _count("hms_ws_merged_messages", "Messages that a newer one replaced before a slow client took them.", merged)


def most(pool: Any) -> int:
    """Return how many connections a pool may have."""
    return int(pool.size()) + max(0, int(pool._max_overflow))  # noqa: SLF001 - SQLAlchemy has no other way to ask


def _family(kind: Any, name: str, text: str, labels: list[str], samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    found: Metric = kind(name, text, labels=labels)
    for values, value in samples:
        found.add_metric(list(values), value)  # type: ignore[attr-defined]
    return found


def _plain(name: str, text: str, value: float | None) -> Metric:
    return _family(GaugeMetricFamily, name, text, [], [] if value is None else [((), float(value))])


def _count(name: str, text: str, value: float | None) -> Metric:
    return _family(CounterMetricFamily, name, text, [], [] if value is None else [((), float(value))])


def _once(samples: Iterable[tuple[tuple[str, ...], float]]) -> list[tuple[tuple[str, ...], float]]:
    """Return one sample for each set of labels: policies without a label of their own share one, and the first of them is shown."""
    return list(dict(reversed(list(samples))).items())
