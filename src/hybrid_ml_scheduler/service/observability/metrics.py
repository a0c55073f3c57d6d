"""What Prometheus scrapes: a registry of each application's own, labels of bounded number, hooks that cost about a microsecond."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from hybrid_ml_scheduler.service.observability.recent import RecentTimes
from hybrid_ml_scheduler.storage.sketch import bin_of

OTHER = "(other)"
"""Whatever would make a set of labels too large."""
MOST_POLICIES = 128
"""Policies that get a label of their own in the life of a process; a run has at most 64."""
RESPONSE_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STATEMENT_BOUNDS_S = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
_DECISION_BOUNDS_S = (1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 1e-2, 1e-1)
_TRAINING_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STATEMENTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
ANSWERS = frozenset({"rows", "comparative", "statistics", "windows", "compare", "paired", "differences", "distribution"})
"""Kinds of answers that are cached, by the first word of their key."""


class Metrics:
    """Counters and histograms of one application. What can be read off at any time is collected by `state.StateCollector` instead.

    Attributes
    ----------
    responses : RecentTimes
        Times of the newest requests, by method and route.
    responses_by_bin : Counter of int
        Times of all requests since the process began, by bin of a sketch.
    statements : RecentTimes
        Times of the newest statements to the database.
    lags : RecentTimes
        How late the event loop woke its newest timers.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.requests = Counter("hms_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry)
        self.response_time = Histogram(
            "hms_http_response_seconds",
            "Time until the head of the answer was sent.",
            ["method", "route"],
            buckets=RESPONSE_BOUNDS_S,
            registry=registry,
        )
        self.in_progress = Gauge("hms_http_requests_in_progress", "Requests being served.", registry=registry)
        self.slow_requests = Counter("hms_http_slow_requests", "Requests slower than HMS_SLOW_REQUEST_S.", registry=registry)
        self.rejections = Counter("hms_rate_limit_rejections", "Requests refused because there were too many.", ["route_class"], registry=registry)
        self.loop_lag = Histogram("hms_event_loop_lag_seconds", "How late the event loop woke a timer.", buckets=LAG_BOUNDS_S, registry=registry)
        self.statement_time = Histogram(
            "hms_database_statement_seconds", "Time of statements to the database.", ["kind"], buckets=STATEMENT_BOUNDS_S, registry=registry
        )
        self.slow_statements = Counter("hms_database_slow_statements", "Statements slower than HMS_SLOW_QUERY_S.", registry=registry)
        self.database_busy = Counter("hms_database_pool_timeouts", "Times that no connection became free in time.", registry=registry)
        self.database_up = Gauge("hms_database_up", "Whether the database answered the last time it was asked (1 or 0).", registry=registry)
        self.results = Counter("hms_policy_results", "Tasks that were over in a lane, by outcome.", ["policy", "status"], registry=registry)
        self.decisions = Counter("hms_policy_decisions", "Decisions, by who took them.", ["policy", "decided_by"], registry=registry)
        self.decision_time = Histogram(
            "hms_policy_decision_seconds",
            "Real time of a step of a lane over the decisions in it.",
            ["policy"],
            buckets=_DECISION_BOUNDS_S,
            registry=registry,
        )
        self.training_time = Histogram(
            "hms_training_seconds", "Real time of trainings.", ["policy", "outcome"], buckets=_TRAINING_BOUNDS_S, registry=registry
        )
        self.cache = Counter("hms_cache_requests", "Questions to the cache of answers.", ["answer", "result"], registry=registry)
        self.responses: RecentTimes[tuple[str, str]] = RecentTimes()
        self.responses_by_bin: Counts[int] = Counts()
        self.statements: RecentTimes[None] = RecentTimes()
        self.lags: RecentTimes[None] = RecentTimes()
        self._policies: set[str] = set()
        self._requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._statements: dict[str, Histogram] = {}
        self._cache: dict[tuple[str, str], Counter] = {}

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return everything as text, and its media type, in the form that a scraper asks for."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def policy(self, name: str) -> str:
        """Return the label of a policy."""
        if name in self._policies:
            return name
        if len(self._policies) >= MOST_POLICIES:
            return OTHER
        self._policies.add(name)
        return name

    def request(self, method: str, route: str, status: int, time_s: float) -> None:
        """Count a request that was answered.

        Parameters
        ----------
        method : str
        route : str
            Its template, never its path.
        status : int
        time_s : float
            Until the head of the answer was sent.
        """
        method = method if method in _METHODS else OTHER
        key = (method, route, status)
        found = self._requests.get(key)
        if found is None:
            found = self.requests.labels(method, route, str(status)), self.response_time.labels(method, route)
            self._requests[key] = found
        found[0].inc()
        found[1].observe(time_s)
        self.responses.add((method, route), time_s)
        self.responses_by_bin[bin_of(time_s)] += 1

    def may_reject(self, route_classes: Iterable[str]) -> None:
        """Show that nothing has been refused yet: the first refusal must be seen as a change."""
        for route_class in route_classes:
            self.rejections.labels(route_class)

    def rejected(self, route_class: str) -> None:
        """Count a request that was refused because there were too many.

        Parameters
        ----------
        route_class : str
            Which limit it was; one of a few fixed words.
        """
        self.rejections.labels(route_class).inc()

    def statement(self, text: str, time_s: float) -> None:
        """Count a statement to the database."""
        self.statements.add(None, time_s)
        word = text[:6].upper()
        found = self._statements.get(word)
        if found is None:
            if word not in _STATEMENTS:
                self.statement_time.labels(OTHER).observe(time_s)
                return
            found = self._statements[word] = self.statement_time.labels(word.lower())
        found.observe(time_s)

    def woken(self, late_s: float) -> None:
        """Count how late the event loop woke a timer."""
        self.loop_lag.observe(late_s)
        self.lags.add(None, late_s)

    def cached(self, key: str, result: str) -> None:
        """Count a question to the cache of answers.

        Parameters
        ----------
        key : str
            The first word says what it is about.
        result : str
            ``hit`` or ``miss``.
        """
        word = key.partition(" ")[0]
        pair = (word if word in ANSWERS else OTHER, result)
        found = self._cache.get(pair)
        if found is None:
            found = self._cache[pair] = self.cache.labels(*pair)
        found.inc()

    def decided(self, lane_s: Mapping[str, float], results: Mapping[str, Any]) -> None:
        """Count the results of one step; see `Observer.decided`."""
        over: Counts[tuple[str, str]] = Counts()
        by: Counts[tuple[str, str]] = Counts()
        if "scheduler" in results:
            over.update(zip(map(str, results["scheduler"]), map(str, results["status"]), strict=True))
            by.update((scheduler, who) for scheduler, who in zip(results["scheduler"], results["decided_by"], strict=True) if who is not None)
        decisions: Counts[str] = Counts()
        for (policy, status), count in over.items():
            self.results.labels(self.policy(policy), status).inc(count)
        for (policy, who), count in by.items():
            self.decisions.labels(self.policy(policy), who).inc(count)
            decisions[policy] += count
        for policy, time_s in lane_s.items():
            if count := decisions[policy]:
                self.decision_time.labels(self.policy(policy)).observe(time_s / count)

    def learns(self, policy: str) -> None:
        """Show that a policy has not been trained yet: the first training must be seen as a change."""
        for outcome in ("in_use", "failed"):
            self.training_time.labels(self.policy(policy), outcome)

    def trained(self, policy: str, time_s: float, outcome: str) -> None:
        """Count a training; see `Observer.trained`."""
        self.training_time.labels(self.policy(policy), outcome).observe(time_s)
