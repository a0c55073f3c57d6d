"""A comparison as a table of text: which columns, which units, how many digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hybrid_ml_scheduler.engine.statistics import Interval
from hybrid_ml_scheduler.experiments.results import Comparison, PolicyResult

SATURATED = "saturated"
ABSENT = "-"
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table.

    Attributes
    ----------
    metric : str
        Name of the metric.
    header : str
        What stands above it, unit included.
    scale : float
        Values are multiplied by this.
    digits : int
        Significant digits.
    ratio : bool
        A ratio of means, which a saturated policy does not have.
    """

    metric: str
    header: str
    scale: float = 1.0
    digits: int = 4
    ratio: bool = False


COLUMNS = (
    Column("mean_response_s", "mean response [s]"),
    Column("p99_response_s", "p99 response [s]"),
    Column("mean_wait_s", "mean wait [s]"),
    Column("p99_wait_s", "p99 wait [s]"),
    Column("mean_bounded_slowdown", "bounded slowdown"),
    Column("makespan_s", "makespan [s]"),
    Column("utilization", "use [%]", PERCENT, 3),
    Column("utilization_cpu", "CPU [%]", PERCENT, 3),
    Column("utilization_gpu", "GPU [%]", PERCENT, 3),
    Column("energy_per_task_j", "energy/task [J]"),
    Column("cost_usd", "cost [USD]"),
    Column("fairness_jain", "fairness", digits=3),
    Column("deadline_misses", "deadlines missed"),
    Column("objective", "objective"),
    Column("fallback_share", "by rule [%]", PERCENT, 3),
    Column("regret_to_oracle", "over oracle [%]", PERCENT, 3, ratio=True),
    Column("gap_to_bound", "over makespan bound [%]", PERCENT, 3, ratio=True),
    Column("response_gap_to_bound", "over response bound [%]", PERCENT, 3, ratio=True),
)
"""All columns that a table may have, in their order."""

_SHOWN = {
    "mean_bounded_slowdown": {
        "mean_wait_s",
        "p99_wait_s",
        "mean_bounded_slowdown",
        "makespan_s",
        "utilization",
        "fairness_jain",
        "deadline_misses",
        "fallback_share",
        "regret_to_oracle",
        "gap_to_bound",
        "response_gap_to_bound",
    },
    "mean_response_s": {
        "mean_response_s",
        "p99_response_s",
        "mean_bounded_slowdown",
        "utilization_cpu",
        "utilization_gpu",
        "energy_per_task_j",
        "cost_usd",
        "deadline_misses",
        "fallback_share",
        "regret_to_oracle",
        "response_gap_to_bound",
    },
    "makespan_s": {
        "makespan_s",
        "mean_response_s",
        "utilization",
        "energy_per_task_j",
        "cost_usd",
        "deadline_misses",
        "fallback_share",
        "gap_to_bound",
    },
}
"""Columns of the table by what policies are ranked by."""


def format_number(value: float, digits: int = 4) -> str:
    """Format a number for people: so many significant digits, whole numbers beyond that, thousands separated.

    Parameters
    ----------
    value : float
    digits : int
        Significant digits, at least 1.

    Returns
    -------
    str
        Never in exponent notation below a quadrillion.

    Examples
    --------
    >>> format_number(1234567.8), format_number(12.3456), format_number(0.001234, 3), format_number(0.0)
    ('1,234,568', '12.35', '0.00123', '0')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1e15 or abs(value) < 1e-9:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    # Rounding may carry into the next power of ten: 9.9996 to four digits is 10.00.
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(round(value, decimals)))))
    return f"{value:,.{decimals}f}"


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, in the plural where it belongs; fractions keep up to three decimals."""
    text = f"{number:,.3f}".rstrip("0").rstrip(".")
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"


def format_with_interval(value: float, interval: Interval | None, digits: int = 4) -> str:
    """Format an estimate with half the width of its interval, to the same number of decimals."""
    text = format_number(value, digits)
    if interval is None:
        return text
    decimals = len(text.partition(".")[2])
    return f"{text} ± {(interval.high - interval.low) / 2:,.{decimals}f}"


def columns_of(comparison: Comparison) -> tuple[Column, ...]:
    """Return the columns that apply to a comparison: those of its kind that any policy has."""
    shown = _SHOWN[comparison.primary_metric] | {comparison.ranked_by}
    return tuple(column for column in COLUMNS if column.metric in shown and any(column.metric in result.metrics for result in comparison.results))


def cell(result: PolicyResult, column: Column) -> str:
    """Return the text of one cell."""
    if column.metric not in result.metrics:
        return ABSENT
    if column.ratio and result.saturated:
        return SATURATED
    interval = result.ci95.get(column.metric)
    scaled = None if interval is None else Interval(*(column.scale * value for value in (interval.estimate, interval.low, interval.high)))
    return format_with_interval(column.scale * result.metrics[column.metric], scaled, column.digits)


def table_rows(comparison: Comparison) -> list[list[str]]:
    """Return the table: a row of headers, then one row per policy in the order asked for.

    The best policy by the primary metric that is neither clairvoyant nor saturated carries a ``*``, clairvoyant ones a ``°``, saturated ones a
    ``!``.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of list of str
        All rows of one length.
    """
    columns = columns_of(comparison)
    best = best_policies(comparison)
    rows = [["policy", *(column.header for column in columns), "tasks/s"]]
    for result in comparison.results:
        marks = ("*" if result.policy in best else "") + ("°" if result.clairvoyant else "") + ("!" if result.saturated else "")
        rows.append([f"{result.policy} {marks}".rstrip(), *(cell(result, column) for column in columns), format_number(result.tasks_per_s, 3)])
    return rows


def best_policies(comparison: Comparison) -> list[str]:
    """Return the best policies by the primary metric that are neither clairvoyant nor saturated; none where all are equal.

    Policies tie if the table shows the same number for them.
    """
    primary = comparison.ranked_by
    values = {result.policy: result.metrics[primary] for result in comparison.results if not result.clairvoyant and not result.saturated}
    best = [policy for policy, value in values.items() if format_number(value) == format_number(min(values.values()))]
    return best if len(best) < len(comparison.results) else []


def facts(comparison: Comparison) -> list[str]:
    """Return what a reader must know beside the table, one sentence a line: what was run and where, what was changed, what to beware of."""
    workload, cluster = comparison.workload, comparison.cluster
    nodes, cores = counted(cluster.nodes, "node"), counted(cluster.cores, "processor" if cluster.kind == "pool" else "core")
    if cluster.gpus:
        models = ", ".join(f"{count:,} {model}" for model, count in cluster.gpu_models.items())
        machine = f"{nodes}, {cores}, {counted(cluster.gpus, 'GPU')} ({models})"
    elif cluster.kind == "machines":
        machine = counted(cluster.nodes, "machine")
    else:
        machine = cores if cluster.kind == "pool" else f"{nodes}, {cores}"
    runs = f", {counted(len(workload.runs), 'run')}" if len(workload.runs) > 1 else ""
    lines = [f"{workload.name} ({workload.format}): {counted(workload.tasks, 'task')}{runs}, on {cluster.name}: {machine}"]
    if cluster.default:
        lines.append(f"no cluster was named: {cluster.default}")
    if workload.warmup > 0:
        lines.append(f"the first {100 * workload.warmup:g} % of the tasks of a run are not measured")
    if workload.estimates == "exact":
        lines.append("estimates: exact (where users' estimates are missing, the true run time stands in)")
    if workload.sorted_by_us:
        lines.append("the submits were not in order and have been sorted")
    lines += [f"{count:,} x {reason}" for reason, count in workload.substitutions.items() if count]
    lines += [f"{count:,} left out: {reason}" for reason, count in workload.dropped.items()]
    if workload.rejected:
        ids = ", ".join(str(task) for task in workload.rejected_ids)
        more = ", ..." if workload.rejected > len(workload.rejected_ids) else ""
        lines.append(f"{workload.rejected:,} rejected, because they can never fit the cluster: task {ids}{more}")
    if workload.orphaned:
        lines.append(f"{workload.orphaned:,} never ran, because an ancestor was rejected")
    lines += workload.notes
    return lines


def bound_line(comparison: Comparison) -> str | None:
    """Return one line on the proven lower bounds, or ``None``."""
    bound = comparison.bound
    if "best_s" not in bound:
        return None
    parts = {"critical_path_s": "critical path", "area_s": "area", "lp_s": "LP relaxation", "cp_sat_s": "CP-SAT"}
    listed = ", ".join(f"{label} {format_number(bound[name])}" for name, label in parts.items() if name in bound)
    optimum = "; that is the optimum, which CP-SAT attained" if bound.get("cp_sat_proved") is True else ""
    line = f"no policy can do better than: makespan {format_number(bound['best_s'])} s ({listed}{optimum})"
    return f"{line}, mean response {format_number(bound['mean_response_s'])} s" if "mean_response_s" in bound else line


def render(rows: Sequence[Sequence[str]]) -> str:
    """Align rows in columns: the first to the left, the others to the right, a rule below the headers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])


def comparison_table(comparison: Comparison) -> str:
    """Return the whole terminal output of a comparison: facts, table, legend.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        Lines without trailing newline; a terminal of 150 columns holds the usual ones.
    """
    rows = table_rows(comparison)
    legend = []
    if best_policies(comparison):
        legend.append(f"* best by {comparison.ranked_by}")
    elif len(comparison.results) > 1 and not any(result.saturated for result in comparison.results):
        legend.append(f"none is best: all are equal by {comparison.ranked_by}, to the digits shown")
    if any(result.clairvoyant for result in comparison.results):
        legend.append("° clairvoyant: knows the true run times of the tasks that have arrived")
    if any(result.saturated for result in comparison.results):
        legend.append("! saturated: its queue keeps growing, so its means depend on the length of the run")
    if any(result.ci95 for result in comparison.results):
        legend.append("± half the 95 % interval of the mean over the runs")
    bound = bound_line(comparison)
    parts = ["\n".join(facts(comparison)), render(rows), "\n".join([*([bound] if bound else []), *legend])]
    return "\n\n".join(part for part in parts if part)
