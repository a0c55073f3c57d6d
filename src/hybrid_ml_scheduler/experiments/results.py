"""What a comparison found, as frozen values, and as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import EngineError
from hybrid_ml_scheduler.engine.statistics import Interval
from hybrid_ml_scheduler.experiments.charts import PolicyCharts

Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run: a seed, a window, or both.

    Attributes
    ----------
    label : str
        ``seed 0``, ``window 1981:1024``, ...
    tasks, rejected, orphaned : int
        Tasks of the run; those that can never fit; those that wait for one of these.
    block : int
        Runs of one block differ only in the policies' own random choices; intervals and tests are over blocks.
    """

    label: str
    tasks: int
    rejected: int
    orphaned: int
    block: int


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """What was run.

    Attributes
    ----------
    name, format, kind : str
        File name or preset, reader, and `WorkloadKind`.
    tasks, rejected, orphaned : int
        Of all windows together; with seeds, of one run.
    rejected_ids : tuple of int
        The first few tasks that can never fit.
    sha256 : str or None
        Of the file; ``None`` for generated tasks.
    estimates : str
        See `ReadReport.estimates`.
    sorted_by_us : bool
        Whether the submits had to be sorted.
    substitutions, dropped : mapping of str to int
        See `ReadReport`.
    warmup : float
        Share of the tasks, by arrival, that is not measured.
    runs : tuple of RunFacts
        The runs, in the order of `PolicyResult.runs`.
    notes : tuple of str
        Anything else a reader of the results should know.
    """

    name: str
    format: str
    kind: str
    tasks: int
    rejected: int
    orphaned: int
    rejected_ids: tuple[int, ...]
    sha256: str | None
    estimates: str
    sorted_by_us: bool
    substitutions: Mapping[str, int]
    dropped: Mapping[str, int]
    warmup: float
    runs: tuple[RunFacts, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Where it ran: name, `ClusterKind`, how many of what, and why there if nobody named a cluster (empty otherwise)."""

    name: str
    kind: str
    nodes: int
    cores: float
    gpus: int
    gpu_models: Mapping[str, int]
    default: str = ""

    @classmethod
    def of(cls, cluster: Cluster) -> ClusterFacts:
        """Return the facts of a cluster."""
        models = [gpu.model for node in cluster.nodes for gpu in node.gpus]
        counts = {model: models.count(model) for model in cluster.gpu_models}
        return cls(
            cluster.name, cluster.kind.value, len(cluster.nodes), cluster.total_cores, cluster.n_gpus, counts, str(cluster.meta.get("default", ""))
        )


@dataclass(frozen=True, slots=True)
class Versus:
    """A policy against the best one that is not clairvoyant, over the same runs.

    Attributes
    ----------
    best, metric : str
        The other policy, and the metric compared.
    n : int
        Number of pairs.
    mean_difference : float
        This policy minus the best.
    ratio : Interval or float or None
        Geometric mean of this policy over the best, with its 95 % interval where there is one.
    t_p, wilcoxon_p : float
        Two-sided p of the paired t-test and of Wilcoxon's signed-rank test, corrected by Holm over all policies of the comparison.
    """

    best: str
    metric: str
    n: int
    mean_difference: float
    ratio: Interval | float | None
    t_p: float
    wilcoxon_p: float


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What one policy did.

    Attributes
    ----------
    policy : str
        Canonical name.
    metrics : mapping of str to float
        Mean over the runs.
    ci95 : mapping of str to Interval
        95 % t-interval of the mean; a metric without variation, or with one run, has none.
    runs : tuple of mapping
        Metrics of every run.
    tasks_per_s, engine_s : float
        Tasks simulated per second of simulation alone, and those seconds, over all runs.
    saturated_runs : int
        Runs in which the queue kept growing.
    clairvoyant : bool
        Whether it knows the true run times.
    wins : mapping of str to float
        By other policy, share of the tasks with a smaller response under this one; mean over the runs.
    versus_best : Versus or None
        ``None`` for the best policy itself, for clairvoyant ones, and for one run.
    charts : PolicyCharts or None
        Curves of the first run.
    """

    policy: str
    metrics: Metrics
    ci95: Mapping[str, Interval]
    runs: tuple[Metrics, ...]
    tasks_per_s: float
    engine_s: float
    saturated_runs: int = 0
    clairvoyant: bool = False
    wins: Mapping[str, float] = field(default_factory=dict)
    versus_best: Versus | None = None
    charts: PolicyCharts | None = None

    @property
    def saturated(self) -> bool:
        """Whether the queue kept growing in at least half of the runs, so that means depend on the length of a run."""
        return 2 * self.saturated_runs >= len(self.runs) > 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Policies on one workload.

    Attributes
    ----------
    workload : WorkloadFacts
    cluster : ClusterFacts
    results : tuple of PolicyResult
        In the order asked for.
    bound : mapping
        Proven lower bounds, JSON-able; empty if none were asked for.
    primary_metric : str
        What policies are usually ranked by on this kind of workload: smaller is better.
    objective_metric : str or None
        What the user wants them ranked by instead.
    """

    workload: WorkloadFacts
    cluster: ClusterFacts
    results: tuple[PolicyResult, ...]
    bound: Mapping[str, Any]
    primary_metric: str
    objective_metric: str | None = None

    @property
    def ranked_by(self) -> str:
        """The metric that policies are ranked by: smaller is better."""
        return self.objective_metric or self.primary_metric

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON-able values; the four top-level keys and what they hold are a contract."""
        workload = self.workload
        return {
            "workload": {
                "name": workload.name,
                "format": workload.format,
                "tasks": workload.tasks,
                "rejected": workload.rejected,
                "sha256": workload.sha256,
                "kind": workload.kind,
                "orphaned": workload.orphaned,
                "rejected_ids": list(workload.rejected_ids),
                "estimates": workload.estimates,
                "sorted": workload.sorted_by_us,
                "substitutions": dict(workload.substitutions),
                "dropped": dict(workload.dropped),
                "warmup": workload.warmup,
                "primary_metric": self.ranked_by,
                "runs": [{"label": run.label, "tasks": run.tasks, "rejected": run.rejected, "orphaned": run.orphaned} for run in workload.runs],
                "notes": list(workload.notes),
            },
            "cluster": {
                "name": self.cluster.name,
                "kind": self.cluster.kind,
                "nodes": self.cluster.nodes,
                "cores": self.cluster.cores,
                "gpus": self.cluster.gpus,
                "gpu_models": dict(self.cluster.gpu_models),
            }
            | ({"default": self.cluster.default} if self.cluster.default else {}),
            "results": [_result_dict(result) for result in self.results],
            "bound": dict(self.bound),
        }

    def to_json(self) -> str:
        """Return the comparison as strict JSON, without NaN and infinity.

        Raises
        ------
        EngineError
            If a number is not finite, which no metric may be.
        """
        plain = self.to_dict()
        _require_finite(plain, "")
        return json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False)

    def to_csv(self) -> str:
        """Return one row per policy and run, one column per metric; a metric that does not apply is an empty cell."""
        names = list(dict.fromkeys(name for result in self.results for run in result.runs for name in run))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["workload", "cluster", "policy", "run", "saturated", *names])
        for result in self.results:
            for facts, run in zip(self.workload.runs, result.runs, strict=True):
                cells = [repr(run[name]) if name in run else "" for name in names]
                writer.writerow([self.workload.name, self.cluster.name, result.policy, facts.label, str(result.saturated).lower(), *cells])
        return text.getvalue()


def _result_dict(result: PolicyResult) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "policy": result.policy,
        "metrics": dict(result.metrics),
        "ci95": {name: [interval.low, interval.high] for name, interval in result.ci95.items()},
        "runs": [dict(run) for run in result.runs],
        "tasks_per_s": result.tasks_per_s,
        "engine_s": result.engine_s,
        "saturated": result.saturated,
        "clairvoyant": result.clairvoyant,
        "wins": dict(result.wins),
    }
    versus = result.versus_best
    if versus is not None:
        entry["versus_best"] = {
            "policy": versus.best,
            "metric": versus.metric,
            "n": versus.n,
            "mean_difference": versus.mean_difference,
            "t_test_p_holm": versus.t_p,
            "wilcoxon_p_holm": versus.wilcoxon_p,
        }
        if isinstance(versus.ratio, Interval):
            entry["versus_best"] |= {"ratio": versus.ratio.estimate, "ratio_ci95": [versus.ratio.low, versus.ratio.high]}
        elif versus.ratio is not None:
            entry["versus_best"]["ratio"] = versus.ratio
    return entry


def _require_finite(value: object, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise EngineError(f"{where.lstrip('.')} is {value}; expected a finite number in every report")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_finite(item, f"{where}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value):
            _require_finite(item, f"{where}[{number}]")
