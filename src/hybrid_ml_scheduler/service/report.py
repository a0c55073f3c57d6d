"""A stored run as one HTML file that needs nothing outside it: what was run, how its schedulers did, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.storage.analysis import BATCHES, PAIRED_TASKS, Paired
from hybrid_ml_scheduler.storage.repositories import Run
from hybrid_ml_scheduler.storage.service import Distribution, SchedulerStatistics

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1d21; --soft: #5c626b; --grid: #d9dce1; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e6e7ea; --soft: #9aa1ab; --grid: #3a3f47; } }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 74rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; } p, dd { color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; } svg { max-width: 100%; height: auto; } text { fill: var(--soft); font-size: 11px; }
"""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f6fd0", "#8a8a8a")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 760, 300, 44, 34
_DEFINITIONS = (
    ("response", "finish minus arrival, in simulated seconds; quantiles are within 1 %"),
    ("wait", "start minus arrival"),
    ("bounded slowdown", "max(1, response / max(run time, 10 s))"),
    ("energy, cost", "of the devices while they were busy with the task, per finished task"),
    ("wins", "share of the tasks with results of all schedulers on which none had a shorter response time"),
    (
        "against the oracle",
        f"mean difference on the same tasks, the newest {PAIRED_TASKS:,}, with Student's 95 % interval over {BATCHES} stretches of them",
    ),
)


def _number(value: float | None) -> str:
    return "unknown" if value is None or not math.isfinite(value) else f"{value:,.4g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<th scope="row">{escape(cell)}</th>' if not at else f"<td>{escape(cell)}</td>" for at, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _per_task(found: SchedulerStatistics, total: float) -> float | None:
    return total / found.finished if found.finished else None


def _curves(distributions: Mapping[str, Distribution]) -> str:
    """Return the distributions of response times as a drawing: seconds on a logarithmic scale, share of tasks."""
    points = {name: [(max(x, 1e-3), y) for x, y in found.response] for name, found in distributions.items() if found.response}
    if not points:
        return ""
    low = math.floor(math.log10(min(x for curve in points.values() for x, _ in curve)))
    high = math.ceil(math.log10(max(x for curve in points.values() for x, _ in curve)))
    high = max(high, low + 1)
    wide, tall = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - 10

    def place(x: float, y: float) -> str:
        return f"{_LEFT + (math.log10(x) - low) / (high - low) * wide:.1f},{10 + (1 - y) * tall:.1f}"

    parts = []
    for power in range(low, high + 1):
        at = place(10.0**power, 0).split(",")[0]
        parts.append(f'<line x1="{at}" x2="{at}" y1="10" y2="{10 + tall}" stroke="var(--grid)"/>')
        parts.append(f'<text x="{at}" y="{_HEIGHT - 16}" text-anchor="middle">{10.0**power:g} s</text>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = 10 + (1 - share) * tall
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y}" y2="{y}" stroke="var(--grid)"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    legend = []
    for number, (name, curve) in enumerate(points.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], "" if number < len(_COLOURS) else ' stroke-dasharray="5 3"'
        line = " ".join(place(x, y) for x, y in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        legend.append(f'<span style="color:{colour}">■</span> {escape(name)}')
    drawing = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Distribution of response times">{"".join(parts)}</svg>'
    return f"<h2>Distribution of response times</h2>{drawing}<p>{' &nbsp; '.join(legend)}</p>"


def run_report(run: Run, statistics: Sequence[SchedulerStatistics], paired: Sequence[Paired], distributions: Mapping[str, Distribution]) -> str:
    """Return the report; every name in it is escaped.

    Parameters
    ----------
    run : Run
    statistics : sequence of SchedulerStatistics
    paired : sequence of Paired
        Against the oracle; empty if the run had none.
    distributions : mapping of str to Distribution
        By scheduler.
    """
    request: Any = run.options.get("request") or {}
    facts = [
        f"{run.workload} on {run.cluster}; load {request.get('load', 'unknown')}, seed {request.get('seed', 'unknown')}",
        f"begun {run.created_at:%Y-%m-%d %H:%M:%S %Z}; {f'ended {run.ended_at:%Y-%m-%d %H:%M:%S %Z}, ' if run.ended_at else ''}{run.state}",
    ]
    order = sorted(statistics, key=lambda found: (found.mean_response_s is None, found.mean_response_s or 0.0))
    header = (
        "scheduler",
        "finished",
        "not run",
        "response s",
        "median",
        "p95",
        "p99",
        "wait s",
        "slowdown",
        "energy J",
        "cost $",
        "wins",
        "fallback",
    )
    rows = []
    for found in order:
        decided = found.by_model + found.by_fallback + found.by_exploration
        rows.append(
            (
                found.scheduler,
                f"{found.finished:,}",
                f"{found.rejected + found.refused + found.withdrawn:,}",
                *(_number(value) for value in (found.mean_response_s, found.median_response_s, found.p95_response_s, found.p99_response_s)),
                *(_number(value) for value in (found.mean_wait_s, found.mean_bounded_slowdown)),
                *(_number(_per_task(found, total)) for total in (found.energy_j, found.cost_usd)),
                f"{found.wins / found.compared:.1%}" if found.compared else "unknown",
                f"{found.by_fallback / decided:.1%}" if decided else "unknown",
            )
        )
    against = []
    for pair in paired:
        metric = pair.metrics["response_s"]
        if metric is None or pair.scheduler == "oracle":
            continue
        interval = "unknown" if metric.low is None or metric.high is None else f"{metric.low:+.4g} to {metric.high:+.4g}"
        against.append(
            (pair.scheduler, f"{pair.tasks:,}", f"{metric.difference:+.4g}", interval, _number(metric.t_p), _number(metric.wilcoxon_p)),
        )
    sections = [
        f"<h1>Run {run.id}</h1>",
        *(f"<p>{escape(line)}</p>" for line in facts),
        "<h2>Schedulers</h2>",
        _table(header, rows) if rows else "<p>No results of this run are stored.</p>",
        _curves(distributions),
    ]
    if against:
        head = ("scheduler", "tasks", "response above the oracle's, s", "95 % interval", "p (t)", "p (Wilcoxon)")
        sections += ["<h2>Against the oracle, on the same tasks</h2>", _table(head, against)]
    definitions = "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in _DEFINITIONS)
    sections += [f"<h2>What the numbers mean</h2><dl>{definitions}</dl>", f"<p>hybrid-ml-scheduler {escape(__version__)}</p>"]
    head_part = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Run {run.id}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head_part}</head><body>{"".join(sections)}</body></html>\n'
