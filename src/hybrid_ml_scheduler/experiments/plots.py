"""Plots of a comparison, as figures, PNG files, or SVG text for the report."""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.experiments.charts import Gantt, PolicyCharts
from hybrid_ml_scheduler.experiments.results import Comparison, PolicyResult
from hybrid_ml_scheduler.experiments.table import COLUMNS, PERCENT, Column, format_number

MAX_CURVES = 10
"""More curves than this in one plot cannot be told apart."""
MAX_GANTTS = 8
"""More Gantt charts than this nobody compares."""
MAX_LABELS = 150
"""Bars of a Gantt chart carry their task's id up to this number of bars."""

# Okabe and Ito's palette, which colour-blind readers can tell apart, without its black and its yellow: both must show on white and on dark grounds.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILLION, GREY, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A8A8A", "#7F62C8"
Dash = tuple[float, tuple[float, ...]]
"""Offset and lengths of dashes and gaps, as matplotlib takes them; no lengths make a solid line."""

PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILLION, PURPLE, GREY)
DASHES: tuple[Dash, ...] = ((0, ()), (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)))


@dataclass(frozen=True, slots=True)
class Style:
    """Colour and dash of a policy, the same in every plot."""

    color: str
    dash: Dash


KNOWN: Mapping[str, Style] = {
    "oracle": Style(PURPLE, DASHES[0]),
    "priced": Style(VERMILLION, DASHES[0]),
    "sjf+mct": Style(BLUE, DASHES[0]),
    "mct": Style(GREEN, DASHES[0]),
    "greedy": Style(ORANGE, DASHES[0]),
    "cpu_only": Style(SKY, DASHES[0]),
    "gpu_only": Style(PINK, DASHES[0]),
    "round_robin": Style(GREY, DASHES[0]),
    "random": Style(GREY, DASHES[1]),
    "fcfs": Style(GREY, DASHES[0]),
    "fcfs+easy": Style(GREY, DASHES[1]),
    "sjf": Style(ORANGE, DASHES[0]),
    "sjf+easy": Style(ORANGE, DASHES[1]),
    "saf": Style(BLUE, DASHES[0]),
    "saf+easy": Style(BLUE, DASHES[1]),
    "f1": Style(GREEN, DASHES[0]),
    "f1+easy": Style(GREEN, DASHES[1]),
    "f2": Style(VERMILLION, DASHES[0]),
    "f2+easy": Style(VERMILLION, DASHES[1]),
    "heft": Style(BLUE, DASHES[0]),
    "cpop": Style(ORANGE, DASHES[0]),
    "peft": Style(GREEN, DASHES[0]),
}
"""Policies that keep their style in every comparison."""

_INK, _GRID = "#010203", "#040506"
"""Stand-ins for the colours that an SVG takes from the page around it."""


def styles(names: Sequence[str]) -> dict[str, Style]:
    """Give every policy a style of its own: its usual one, or else the first that nobody has.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    dict of str to Style
        All different up to the number of colours times dashes; beyond that they repeat.
    """
    chosen = {name: KNOWN[name] for name in names if name in KNOWN}
    combinations = [Style(color, dash) for dash in DASHES for color in PALETTE]
    taken = set(chosen.values())
    used = {style.color for style in taken}
    free = sorted((style for style in combinations if style not in taken), key=lambda style: (DASHES.index(style.dash), style.color in used))
    spare = itertools.cycle(free or combinations)
    return {name: chosen.get(name) or next(spare) for name in names}


def overview(comparison: Comparison) -> Figure:
    """Plot the most important metrics of every policy, with intervals; policies from best to worst by the primary metric."""
    primary = comparison.ranked_by
    results = sorted(comparison.results, key=lambda result: result.metrics[primary])
    columns = _overview_columns(comparison)
    looks = styles([result.policy for result in comparison.results])
    figure = _figure(10.5, 1.3 + 0.27 * len(results))
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    rows = np.arange(len(results))
    for axes, column in zip(panels, columns, strict=True):
        _dots(axes, results, column, looks)
        axes.set_xlabel(column.header)
    panels[0].set_yticks(rows, [_plain(result.policy) for result in results])
    panels[0].set_ylim(len(results) - 0.4, -0.6)
    if any(result.saturated for result in results):
        figure.supxlabel("hollow: saturated, its means depend on the length of the run", fontsize="small")
    return figure


def distributions(comparison: Comparison) -> Figure | None:
    """Plot the distributions of wait and response over the measured tasks of the first run; ``None`` without curves."""
    shown = _with_charts(comparison)
    if not shown:
        return None
    looks = styles([result.policy for result in comparison.results])
    figure = _figure(10.5, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, curves in ((left, [charts.wait_cdf for _, charts in shown]), (right, [charts.response_cdf for _, charts in shown])):
        what = "wait" if axes is left else "response"
        axes.set_xlabel(f"{what} of a task [s]")
        axes.set_ylim(0, 1.01)
        largest = max(float(seconds[-1]) for seconds, _ in curves)
        if largest == 0:
            axes.text(0.5, 0.5, f"every {what} is 0", transform=axes.transAxes, ha="center")
            axes.set_xticks([])
            continue
        smallest = min(float(seconds[seconds > 0][0]) for seconds, _ in curves if seconds[-1] > 0)
        # A logarithmic axis has no zero: tasks that did not wait show as the height at which a curve enters on the left.
        start, end = max(smallest, largest / 1e6), max(1.2 * largest, 10 * smallest)
        for (result, _), (seconds, share) in zip(shown, curves, strict=True):
            look = looks[result.policy]
            points = np.concatenate((np.maximum(seconds, start / 2), [end])), np.concatenate((share, [1.0]))
            axes.step(*points, where="post", color=look.color, linestyle=look.dash, linewidth=1.6)
        _log_axis(axes)
        axes.set_xlim(start, end)
        axes.grid(visible=True, linewidth=0.6)
    left.set_ylabel("share of tasks at or below")
    _legend(figure, comparison, shown, looks)
    return figure


def over_time(comparison: Comparison) -> Figure | None:
    """Plot queue length and use of every class of devices over the time of the first run; ``None`` without curves."""
    shown = _with_charts(comparison)
    if not shown:
        return None
    looks = styles([result.policy for result in comparison.results])
    classes = list(dict.fromkeys(label for _, charts in shown for label in charts.utilization))
    figure = _figure(10.5, 2.6 + 1.7 * len(classes))
    panels = figure.subplots(1 + len(classes), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [1.5, *([1] * len(classes))]})[:, 0]
    end_s = max(float(charts.queue[0][-1]) for _, charts in shown)
    unit_s, unit = _time_unit(end_s)
    for result, charts in shown:
        look = looks[result.policy]
        for axes, (edges, level) in zip(panels, [charts.queue, *(charts.utilization[label] for label in classes)], strict=True):
            axes.plot((edges[:-1] + edges[1:]) / 2 / unit_s, level, color=look.color, linestyle=look.dash, linewidth=1.4)
    panels[0].set_ylabel("queued tasks")
    tops = [float(charts.queue[1].max()) for _, charts in shown]
    if max(tops) > 30 * max(min(tops), 1.0):
        panels[0].set_yscale("symlog", linthresh=10)
        # As in `_log_axis`: matplotlib's own labels would show their mathematical markup.
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda length, _: f"{length:,.0f}"))
    panels[0].set_ylim(0, max(1.05 * max(tops), 1.0))
    for axes, label in zip(panels[1:], classes, strict=True):
        name = "processors" if comparison.cluster.kind == "pool" else "CPU cores" if label == "cpu" else label.removeprefix("gpu[").removesuffix("]")
        axes.set_ylabel(f"{_plain(name)}\nin use")
        axes.set_ylim(0, 1.05)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    for axes in panels:
        axes.grid(visible=True, linewidth=0.6)
    panels[-1].set_xlabel(f"time since the first arrival [{unit}]")
    panels[-1].set_xlim(0, end_s / unit_s)
    _legend(figure, comparison, shown, looks)
    return figure


def gantt(result: PolicyResult) -> Figure | None:
    """Plot who held which device when, in a readable part of the first run; ``None`` without curves. A task has one colour on all its devices."""
    if result.charts is None or not len(result.charts.gantt.row):
        return None
    chart = result.charts.gantt
    # Cores need room for many bars, but not in proportion; a pool is alone and takes the room of ten GPUs.
    heights = np.maximum(0.6 + 0.4 * np.sqrt(np.minimum(chart.device_units, 64.0)), 10.0 if len(chart.device_names) == 1 else 1.0)
    tops = np.concatenate(([0.0], np.cumsum(heights + 0.25)))[:-1]
    figure = _figure(10.5, 1.2 + 0.26 * float(tops[-1] + heights[-1]))
    axes = figure.subplots()
    unit_s, unit = _time_unit(chart.to_s - chart.from_s)
    left, right = (chart.start_s - chart.from_s) / unit_s, (chart.end_s - chart.from_s) / unit_s
    width = (chart.to_s - chart.from_s) / unit_s
    low, high = (tops[chart.row] + part * heights[chart.row] for part in (chart.low, chart.high))
    corners = np.stack([np.stack(pair, axis=1) for pair in ((left, low), (right, low), (right, high), (left, high))], axis=1)
    colors = [PALETTE[int(task) % len(PALETTE)] for task in chart.task]
    axes.add_collection(PolyCollection(list(corners), facecolors=colors, edgecolors=mpl.rcParams["axes.edgecolor"], linewidths=0.3, alpha=0.85))
    if len(chart.row) <= MAX_LABELS:
        letters = np.array([len(str(task)) + 1 for task in chart.task])
        for bar in np.flatnonzero((right - left > 0.008 * width * letters) & (high - low > 0.55)):
            middle = (left[bar] + right[bar]) / 2, (low[bar] + high[bar]) / 2
            axes.text(*middle, str(chart.task[bar]), ha="center", va="center", fontsize="small", color="#111111")
    axes.set_yticks(tops + heights / 2, [_plain(_shorten(name)) for name in chart.device_names])
    axes.set_ylim(float(tops[-1] + heights[-1]) + 0.1, -0.1)
    axes.set_xlim(0, width)
    axes.tick_params(axis="y", length=0)
    began_unit_s, began_unit = _time_unit(chart.from_s)
    began = (
        f", from {format_number(chart.from_s / began_unit_s)} {began_unit} after the first arrival on" if chart.from_s else " since the first arrival"
    )
    axes.set_xlabel(f"{unit}{began}")
    axes.set_title(_plain(f"{result.policy}: {_gantt_extent(chart)}"), fontsize="medium", loc="left")
    return figure


def figures(comparison: Comparison, *, for_page: bool = False) -> list[tuple[str, Figure]]:
    """Make all plots.

    Parameters
    ----------
    comparison : Comparison
    for_page : bool
        With the stand-in colours that `to_svg` replaces, instead of those for white paper.

    Returns
    -------
    list of (str, Figure)
        File stem and figure; the overview first, then distributions, use over time, and Gantt charts of the best policies.
    """
    with _look(for_page=for_page):
        made = [("overview", overview(comparison)), ("distributions", distributions(comparison)), ("over_time", over_time(comparison))]
        made += [(f"gantt_{re.sub(r'[^A-Za-z0-9._+-]', '_', result.policy)}", gantt(result)) for result in _ranked(comparison)[:MAX_GANTTS]]
    return [(stem, figure) for stem, figure in made if figure is not None]


def save_plots(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write all plots as PNG files.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    list of Path
        The files, overview first.

    Raises
    ------
    InputError
        If the folder or a file cannot be written.
    """
    paths = []
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for stem, figure in figures(comparison):
            path = Path(folder) / f"{stem}.png"
            with _look(for_page=False):
                figure.savefig(path, dpi=130, facecolor="white")
            paths.append(path)
    except OSError as error:
        raise InputError(f"plots cannot be written to {str(folder)!r}: {error.strerror}; expected a folder with write permission") from error
    return paths


@contextmanager
def png(path: Path, width_in: float, height_in: float) -> Iterator[Figure]:
    """Give an empty figure in the look of all plots, and write it as a PNG file when the block ends.

    Parameters
    ----------
    path : Path
        The file.
    width_in, height_in : float
        In inches.
    """
    with _look(for_page=False):
        figure = _figure(width_in, height_in)
        yield figure
        figure.savefig(path, dpi=130, facecolor="white")


def to_svg(stem: str, figure: Figure) -> str:
    """Return a figure as an ``svg`` element that takes its ink and its grid from the page around it (``currentColor`` and ``--grid``).

    Parameters
    ----------
    stem : str
        Distinguishes the identifiers of this element from those of other plots in the same page.
    figure : Figure
        From `figures` with ``for_page``.

    Returns
    -------
    str
    """
    text = io.StringIO()
    with _look(for_page=True), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": stem}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    element = text.getvalue()
    element = element[element.index("<svg") :]
    return element.replace(_INK, "currentColor").replace(_GRID, "var(--grid)").strip()


@contextmanager
def _look(*, for_page: bool) -> Iterator[None]:
    ink, grid = (_INK, _GRID) if for_page else ("#222222", "#DDDDDD")
    with (
        mpl.rc_context(
            {
                "font.size": 9.5,
                "text.color": ink,
                "axes.edgecolor": ink,
                "axes.labelcolor": ink,
                "xtick.color": ink,
                "ytick.color": ink,
                "grid.color": grid,
                "axes.axisbelow": True,
                "axes.linewidth": 0.6,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "text.parse_math": False,
            }
        ),
        warnings.catch_warnings(),
    ):
        # Names may use any script; a box in place of a letter is no reason to complain.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _figure(width_in: float, height_in: float) -> Figure:
    return Figure(figsize=(width_in, height_in), layout="constrained")


def _ranked(comparison: Comparison) -> list[PolicyResult]:
    """Sort all policies from best to worst by the primary metric, saturated ones last."""
    return sorted(comparison.results, key=lambda result: (result.saturated, result.metrics[comparison.ranked_by]))


def _with_charts(comparison: Comparison) -> list[tuple[PolicyResult, PolicyCharts]]:
    """Pick the policies that fit one plot, in the order of the comparison."""
    there = [(result, result.charts) for result in _ranked(comparison) if result.charts is not None][:MAX_CURVES]
    position = {result.policy: place for place, result in enumerate(comparison.results)}
    return sorted(there, key=lambda pair: position[pair[0].policy])


def _overview_columns(comparison: Comparison) -> list[Column]:
    wanted = {
        "mean_bounded_slowdown": ("mean_bounded_slowdown", "mean_wait_s", "p99_wait_s", "utilization"),
        "mean_response_s": ("mean_response_s", "p99_response_s", "energy_per_task_j", "utilization_gpu"),
        "makespan_s": ("makespan_s", "mean_response_s", "utilization", "energy_per_task_j"),
    }[comparison.primary_metric]
    by_metric = {column.metric: column for column in COLUMNS}
    # What policies are ranked by stands first.
    shown = list(dict.fromkeys((comparison.ranked_by, *wanted)))[: len(wanted)]
    return [by_metric[metric] for metric in shown if any(metric in result.metrics for result in comparison.results)]


def _dots(axes: Axes, results: Sequence[PolicyResult], column: Column, looks: Mapping[str, Style]) -> None:
    values = [result.metrics.get(column.metric, np.nan) * column.scale for result in results]
    known = [value for value in values if np.isfinite(value)]
    if min(known) > 0 and max(known) > 20 * min(known):
        _log_axis(axes)
        axes.set_xlim(min(known) / 1.5, max(known) * (max(known) / min(known)) ** 0.35)
    else:
        axes.set_xlim(0, max(known) * 1.35 or 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        if column.scale == PERCENT:
            axes.set_xticks([0, 50, 100])
            axes.set_xlim(0, 135)
    for row, (result, value) in enumerate(zip(results, values, strict=True)):
        if not np.isfinite(value):
            continue
        color = looks[result.policy].color
        interval = result.ci95.get(column.metric)
        if interval is not None:
            axes.plot(
                [interval.low * column.scale, interval.high * column.scale], [row, row], color=color, linewidth=3, alpha=0.5, solid_capstyle="butt"
            )
        axes.plot([value], [row], "o", color=color, markersize=6, markerfacecolor="none" if result.saturated else color)
        right = value if interval is None else max(value, interval.high * column.scale)
        axes.annotate(format_number(value, 3), (right, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize="small")
    axes.grid(visible=True, axis="x", linewidth=0.6)
    axes.tick_params(axis="y", length=0)


def _log_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    # Plain numbers: matplotlib's own labels are mathematical text, which is off because names may hold dollar signs.
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, comparison: Comparison, shown: Sequence[tuple[PolicyResult, PolicyCharts]], looks: Mapping[str, Style]) -> None:
    handles = [Line2D([], [], color=looks[result.policy].color, linestyle=looks[result.policy].dash, linewidth=1.8) for result, _ in shown]
    labels = [_plain(result.policy) for result, _ in shown]
    left_out = len(comparison.results) - len(shown)
    title = f"the best {len(shown)} of {len(comparison.results)} policies" if left_out else None
    columns = -(-len(shown) // -(-len(shown) // 6))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, title=title, title_fontsize="small")


def _gantt_extent(chart: Gantt) -> str:
    parts = [] if chart.whole else ["a part of the run"]
    if len(chart.device_names) < chart.n_devices:
        parts.append(f"{len(chart.device_names)} of {chart.n_devices:,} devices")
    return ", ".join(parts) or "the whole run"


def _time_unit(span_s: float) -> tuple[float, str]:
    for seconds, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if span_s >= 3 * seconds:
            return seconds, name
    return 1.0, "seconds"


def _plain(name: str) -> str:
    # Legends leave out labels that begin with an underscore.
    return f" {name}" if name.startswith("_") else name


def _shorten(name: str, width: int = 34) -> str:
    return name if len(name) <= width else f"{name[: width // 2]}…{name[-(width // 2 - 1) :]}"
