"""How the service is doing, for people: response times, queues, pools, caches, refusals, troubles."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from hybrid_ml_scheduler.service.facts import storage_status
from hybrid_ml_scheduler.service.observability.history import ServiceHistory
from hybrid_ml_scheduler.service.observability.metrics import Metrics
from hybrid_ml_scheduler.service.observability.recent import MOST_TIMES, WINDOW_S, quantile
from hybrid_ml_scheduler.service.observability.state import most
from hybrid_ml_scheduler.service.observability.watching import Observability
from hybrid_ml_scheduler.service.resources import Resources
from hybrid_ml_scheduler.service.schemas import StorageStatus


class Times(BaseModel):
    """How long something took lately: the least time that so many did not exceed, each of them measured. null where nothing was."""

    count: int = Field(description=f"How many times were measured in the window; the newest {MOST_TIMES:,} at most.")
    p50_s: float | None = Field(description="Median, in seconds.")
    p95_s: float | None = Field(description="95 % quantile, in seconds.")
    p99_s: float | None = Field(description="99 % quantile, in seconds.")


class RouteTimes(Times):
    """Response times of one route, until the head of the answer is sent."""

    method: str
    route: str = Field(description="Template of its path; (other) for all paths that are none.")
    total: int = Field(description="Requests since the process began.")
    failed: int = Field(description="Of these, answered with 500 or above.")


class PoolUse(BaseModel):
    """One pool of database connections."""

    name: str = Field(description="read or write.")
    in_use: int
    idle: int
    most: int = Field(description="How many there can be.")


class CacheUse(BaseModel):
    """Questions to the cache of answers since the process began."""

    answer: str = Field(description="rows, comparative, statistics, windows or compare.")
    hits: int
    misses: int


class Rejections(BaseModel):
    """Requests refused because there were too many, since the process began."""

    route_class: str
    count: int


class Failure(BaseModel):
    """A warning or error of the log, or an answer of 500 or above."""

    at: str = Field(description="ISO 8601, UTC.")
    level: str = Field(description="warning, error or critical.")
    source: str = Field(description="Name of the logger, or http.")
    message: str = Field(description="At most 500 characters, secrets left out.")
    route: str | None = Field(description="Of an answer: method and route.")
    status: int | None
    request_id: str | None = Field(description="As in the header X-Correlation-ID of the answer.")


class Stretch(BaseModel):
    """What was counted in one stretch of the time since the process began."""

    from_s: float = Field(description="When it began, in seconds since the process did.")
    until_s: float = Field(description="When it ended.")
    requests: int = Field(description="Answered.")
    refused: int = Field(description="Of these, because there were too many.")
    failed: int = Field(description="Answered with 500 or above.")
    troubles: int = Field(description="Warnings and errors of the log, and answers of 500 or above.")
    p50_s: float | None = Field(description="Median of response times, in seconds, within 1 %.")
    p99_s: float | None = Field(description="99 % quantile of response times, in seconds, within 1 %.")


class Operations(BaseModel):
    """How the service is doing."""

    at: str = Field(description="ISO 8601, UTC.")
    uptime_s: float
    window_s: float = Field(description=f"Length of the window of all times here, in seconds; at most {WINDOW_S:.0f}.")
    routes: list[RouteTimes] = Field(description="The slowest 99 % quantile first.")
    over_time: list[Stretch] = Field(description="Since the process began, oldest first; at most 240 stretches, which grow longer as it goes on.")
    requests_in_progress: int
    event_loop: Times = Field(description="How late the event loop woke a timer.")
    statements: Times = Field(description="Statements to the database.")
    slow_requests: int = Field(description="Slower than slow_request_s, since the process began.")
    slow_statements: int = Field(description="Slower than slow_query_s, since the process began.")
    slow_request_s: float
    slow_query_s: float
    database: dict[str, Any] = Field(description="state (ok or away), dialect, pool_timeouts.")
    pools: list[PoolUse]
    redis: dict[str, Any] = Field(description="state (alone, connected or lost), times_lost.")
    storage: StorageStatus
    cache: list[CacheUse]
    rejections: list[Rejections]
    live_stream: dict[str, Any] = Field(description="clients, clients_max, frames_sent, and dropped: clients by why they were let go.")
    memory_mb: float = Field(description="Most resident memory of the process so far.")
    cpu_s: float = Field(description="Processor time of the process so far.")
    failures: list[Failure] = Field(description="Newest first, at most 50.")


def _times(ascending_s: list[float]) -> dict[str, Any]:
    return {"count": len(ascending_s)} | {f"p{share}_s": quantile(ascending_s, share / 100) for share in (50, 95, 99)}


def _labelled(counter: Any) -> list[tuple[dict[str, str], int]]:
    return [(sample.labels, int(sample.value)) for metric in counter.collect() for sample in metric.samples if sample.name.endswith("_total")]


def _routes(metrics: Metrics) -> list[dict[str, Any]]:
    totals: dict[tuple[str, str], list[int]] = {}
    for labels, count in _labelled(metrics.requests):
        found = totals.setdefault((labels["method"], labels["route"]), [0, 0])
        found[0] += count
        found[1] += count if labels["status"].startswith("5") else 0
    rows = [
        {"method": method, "route": route, "total": total, "failed": failed, **_times(metrics.responses.of((method, route)))}
        for (method, route), (total, failed) in totals.items()
    ]
    return sorted(rows, key=lambda row: -(row["p99_s"] or 0.0))


def _cache(metrics: Metrics) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for labels, count in _labelled(metrics.cache):
        entry = found.setdefault(labels["answer"], {"answer": labels["answer"], "hits": 0, "misses": 0})
        entry["hits" if labels["result"] == "hit" else "misses"] = count
    return sorted(found.values(), key=lambda entry: str(entry["answer"]))


def _over_time(history: ServiceHistory) -> list[dict[str, Any]]:
    return [
        {
            "from_s": round(from_s, 3),
            "until_s": round(until_s, 3),
            "requests": found.requests,
            "refused": found.refused,
            "failed": found.failed,
            "troubles": found.troubles,
            "p50_s": found.response_s(0.5),
            "p99_s": found.response_s(0.99),
        }
        for from_s, until_s, found in history.stretches()
    ]


def operations(observability: Observability, resources: Resources) -> dict[str, Any]:
    """Return `Operations`."""
    metrics, settings, sampler = observability.metrics, observability.settings, observability.sampler
    if sampler is None:  # pragma: no cover - nothing is served before it is there
        raise RuntimeError("the application is not being watched: it was not started")
    now_s = time.monotonic()
    uptime_s = now_s - resources.started_s
    drainer = resources.storage.drainer
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "uptime_s": round(uptime_s, 3),
        "window_s": round(min(uptime_s, WINDOW_S), 3),
        "routes": _routes(metrics),
        "over_time": _over_time(sampler.history),
        "requests_in_progress": int(_value(metrics.in_progress)),
        "event_loop": _times(metrics.lags.of(None)),
        "statements": _times(metrics.statements.of(None)),
        "slow_requests": int(_value(metrics.slow_requests)),
        "slow_statements": int(_value(metrics.slow_statements)),
        "slow_request_s": settings.slow_request_s,
        "slow_query_s": settings.slow_query_s,
        "database": {
            "state": "ok" if _value(metrics.database_up) else "away",
            "dialect": resources.storage.database.dialect.name,
            "pool_timeouts": int(_value(metrics.database_busy)),
            "away_s": None if drainer.away_since_s is None else round(now_s - drainer.away_since_s, 3),
        },
        "pools": [
            {"name": name, "in_use": pool.checkedout(), "idle": pool.checkedin(), "most": most(pool)}  # type: ignore[attr-defined]
            for name, pool in sorted((name, engine.pool) for name, engine in observability.pools.items())
        ],
        "redis": {"state": resources.sharing.state, "times_lost": resources.sharing.times_lost},
        "storage": storage_status(resources.storage),
        "cache": _cache(metrics),
        "rejections": sorted(
            ({"route_class": labels["route_class"], "count": count} for labels, count in _labelled(metrics.rejections) if count),
            key=lambda entry: str(entry["route_class"]),
        ),
        "live_stream": {**resources.connections.counts(), "dropped": dict(resources.connections.dropped)},
        "memory_mb": round(usage.ru_maxrss / 1e3, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        "failures": observability.failures.newest(),
    }


def _value(metric: Any) -> float:
    return float(next(sample.value for family in metric.collect() for sample in family.samples if not sample.name.endswith("_created")))
