"""One self-contained HTML file that says what was compared, how it came out, how sure that is, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.engine.statistics import Interval
from hybrid_ml_scheduler.experiments.plots import MAX_GANTTS, figures, to_svg
from hybrid_ml_scheduler.experiments.results import Comparison, PolicyResult
from hybrid_ml_scheduler.experiments.table import best_policies, bound_line, facts, format_number, format_with_interval, table_rows

MAX_WINS = 15
"""The table of wins is square; with more policies than this nobody reads it."""

MAX_RUN_ROWS = 400
"""The table of single runs stops here; CSV and JSON hold all."""

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1d21; --soft: #5c626b; --grid: #d9dce1; --stripe: #f5f6f8; --mark: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e6e7ea; --soft: #9aa1ab; --grid: #3a3f47; --stripe: #1e2126; --mark: #6fb7e6; }
}
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 74rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
p, li, dd, figcaption { color: var(--soft); }
p { margin: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th { font-weight: 600; vertical-align: bottom; }
thead th { white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
tbody tr:nth-child(even) td, tbody tr:nth-child(even) th { background: var(--stripe); }
tr.best th { color: var(--mark); }
figure { margin: 1rem 0 0; }
svg { max-width: 100%; height: auto; color: var(--ink); }
svg text { font-family: inherit !important; }
details { margin: .8rem 0; }
summary { cursor: pointer; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0; }
"""

_DEFINITIONS = (
    ("wait", "start minus the time at which the task became ready: its arrival or, if later, when its parents' data was there"),
    ("run", "finish minus start"),
    ("response", "finish minus arrival"),
    ("slowdown", "(wait + run) / run; tasks of run time 0 have none"),
    ("bounded slowdown", "max(1, (wait + run) / max(run, 10 s))"),
    ("p95, p99", "95th and 99th percentile over the measured tasks, interpolated linearly"),
    ("makespan", "last finish minus first arrival, of all tasks"),
    ("use", "share of the cores and GPUs held, between the first arrival and the last finish; the warm-up is included"),
    ("energy", "every device draws idle watts + (busy watts - idle watts) x share in use, from the first arrival to the last finish"),
    ("cost", "price per hour x share held x hours held, over all tasks"),
    ("fairness", "Jain's index over the users' mean of 1 / bounded slowdown; 1 is even"),
    ("over oracle", "mean response over that of the policy that knows the true run times of the tasks that have arrived, minus 1"),
    ("over bound", "value over a proven lower bound for every possible schedule, minus 1"),
    ("wins", "share of the measured tasks whose response is smaller under the policy of the row than under that of the column"),
    ("± and interval", "95 % t-interval of the mean over the runs; absent where all runs are equal or there is only one"),
    ("p values", "two-sided, paired by run, corrected by Holm for the number of policies"),
    ("saturated", "the queue kept growing while tasks arrived: means depend on the length of the run, and ratios of them mean nothing"),
)


def write_html(comparison: Comparison, path: str | Path) -> None:
    """Write the report: one file without anything outside it, light or dark by the reader's system.

    Parameters
    ----------
    comparison : Comparison
        With charts, or there are few plots.
    path : str or Path
        The file to write.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    text = html_report(comparison)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the report cannot be written to {str(path)!r}: {error.strerror}; expected a file in a folder with write permission"
        ) from error


def html_report(comparison: Comparison) -> str:
    """Return the report as HTML text; every name in it is escaped.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    title = f"{comparison.workload.name} on {comparison.cluster.name}"
    sections = [
        f"<h1>{escape(title)}</h1>",
        "".join(f"<p>{escape(line)}</p>" for line in facts(comparison)),
        "<h2>Policies</h2>",
        _policies(comparison),
        *_tests(comparison),
        *_plots(comparison),
        *_wins(comparison),
        *_single_runs(comparison),
        "<h2>What the numbers mean</h2><dl>",
        "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in _DEFINITIONS),
        "</dl>",
        f"<p>hybrid-ml-scheduler {escape(__version__)}{_file_hash(comparison)}</p>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def _policies(comparison: Comparison) -> str:
    rows = table_rows(comparison)
    best = best_policies(comparison)
    marked = [result.policy in best for result in comparison.results]
    legend = [f"* best by {comparison.ranked_by}"] if best else []
    if any(result.clairvoyant for result in comparison.results):
        legend.append("° clairvoyant: knows the true run times of the tasks that have arrived")
    if any(result.saturated for result in comparison.results):
        legend.append("! saturated")
    bound = bound_line(comparison)
    lines = [*([", ".join(legend)] if legend else []), *([bound] if bound else [])]
    return _table(rows[0], rows[1:], marked) + "".join(f"<p>{escape(line)}</p>" for line in lines)


def _tests(comparison: Comparison) -> Iterable[str]:
    tested = [(result, result.versus_best) for result in comparison.results if result.versus_best is not None]
    if not tested:
        return []
    best, metric = tested[0][1].best, tested[0][1].metric
    rows = []
    for result, versus in tested:
        ratio = versus.ratio
        if result.saturated:
            shown = "saturated"
        elif isinstance(ratio, Interval):
            shown = f"{format_number(ratio.estimate, 3)} ({format_number(ratio.low, 3)} to {format_number(ratio.high, 3)})"
        else:
            shown = "-" if ratio is None else format_number(ratio, 3)
        rows.append([result.policy, str(versus.n), format_number(versus.mean_difference), shown, _p_value(versus.t_p), _p_value(versus.wilcoxon_p)])
    header = ["policy", "pairs", "mean difference", "geometric mean ratio (95 % interval)", "p, paired t-test", "p, Wilcoxon"]
    note = "The best policy was chosen by the same runs, so small differences are even less certain than they look."
    return [f"<h2>Against {escape(best)}, by {escape(metric)}</h2>", _table(header, rows), f"<p>{note}</p>"]


def _plots(comparison: Comparison) -> Iterable[str]:
    captions = {
        "overview": "Mean over the runs with 95 % intervals, best first.",
        "distributions": "How long tasks waited and stayed, first run. A curve further up and left is better.",
        "over_time": "Queue and use over time, first run.",
    }
    parts, gantts = ["<h2>Plots</h2>"], []
    for number, (stem, figure) in enumerate(figures(comparison, for_page=True)):
        svg = to_svg(f"{number}-{stem}", figure)
        if stem in captions:
            parts.append(f"<figure>{svg}<figcaption>{escape(captions[stem])}</figcaption></figure>")
        else:
            gantts.append(f"<figure>{svg}</figure>")
    if gantts:
        left_out = f" of the best {MAX_GANTTS} policies" if len(comparison.results) > len(gantts) == MAX_GANTTS else ""
        parts.append(f"<details><summary>Who ran where and when{left_out}, first run</summary>{''.join(gantts)}</details>")
    return parts


def _wins(comparison: Comparison) -> Iterable[str]:
    results = comparison.results
    if not 2 <= len(results) <= MAX_WINS:
        return []
    rows = [
        [row.policy, *("" if row is column else f"{100 * row.wins[column.policy]:.1f} %" if column.policy in row.wins else "-" for column in results)]
        for row in results
    ]
    return ["<h2>Wins, task by task</h2>", _table(["smaller response than", *(result.policy for result in results)], rows)]


def _single_runs(comparison: Comparison) -> Iterable[str]:
    runs = comparison.workload.runs
    if len(runs) < 2:
        return []
    primary = comparison.ranked_by
    shown = runs[: max(1, MAX_RUN_ROWS // len(comparison.results))]
    rows = [
        [
            facts_of_run.label,
            *(format_number(result.runs[number][primary]) if primary in result.runs[number] else "-" for result in comparison.results),
        ]
        for number, facts_of_run in enumerate(shown)
    ]
    rows.append(["mean", *(_mean(result, primary) for result in comparison.results)])
    left_out = f" (the first {len(shown)} of {len(runs)})" if len(shown) < len(runs) else ""
    table = _table(["run", *(result.policy for result in comparison.results)], rows)
    return [f"<details><summary>{escape(primary)} of every run{left_out}</summary>{table}</details>"]


def _mean(result: PolicyResult, metric: str) -> str:
    return format_with_interval(result.metrics[metric], result.ci95.get(metric))


def _p_value(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool] | None = None) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    body = "".join(
        f'<tr{" class=best" if marked is not None and marked[number] else ""}><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in row[1:])
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _file_hash(comparison: Comparison) -> str:
    sha256 = comparison.workload.sha256
    return "" if sha256 is None else f"; SHA-256 of the workload file: {escape(sha256)}"
