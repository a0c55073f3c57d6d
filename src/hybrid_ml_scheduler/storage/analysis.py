"""Questions about results that no running total answers: where tasks went, who decided, schedulers paired task by task. All are bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select
from sqlalchemy.orm import aliased

from hybrid_ml_scheduler.core.streams import ResultStatus
from hybrid_ml_scheduler.storage.aggregates import SLOWDOWN_BOUND_S
from hybrid_ml_scheduler.storage.repositories import Repository
from hybrid_ml_scheduler.storage.schema import SchedulerResultRow as Result
from hybrid_ml_scheduler.storage.schema import TaskRow
from hybrid_ml_scheduler.storage.sketch import Sketch

PLACEMENT_ROWS = 10_000
"""Newest results of a scheduler that `placements` looks at."""
LOOK_BACK = 16
"""It goes back over at most so many times as many rows of all schedulers, however rare the one is that was asked for."""
PAIRED_TASKS = 5_000
"""Newest tasks that are compared one by one."""
BATCHES = 32
"""Stretches of tasks, one after the other, whose mean differences are taken for independent. Single tasks are not: they wait for each other."""
CURVE_POINTS = 120
METRICS = ("response_s", "wait_s", "slowdown", "energy_j", "cost_usd")
"""What is compared; of each, less is better."""
SIZE_BINS, INTENSITY_BINS = 12, 10


@dataclass(frozen=True, slots=True)
class Placements:
    """Where the newest results of one scheduler went, and who decided it.

    Attributes
    ----------
    rows : int
        Results that were looked at.
    cpu_only, split, gpu_only : int
        Finished tasks by their GPU fraction: 0, between, 1.
    cpu_s, gpu_s : float
        Sums of the run times of their CPU and GPU parts, in seconds.
    decided_by : mapping of str to int
        ``rule``, ``model``, ``exploration``, or why the fallback decided.
    reasons : mapping of str to int
        Why tasks were not run.
    size_edges : tuple of float
        Edges of the bins of size in seconds, equally wide on a logarithmic scale; empty if no size is known.
    intensity_edges : tuple of float
    count : tuple of tuple of int
        Tasks in each bin, by size, then intensity.
    fraction : tuple of tuple of (float or None)
        Their mean GPU fraction; None where there are none.
    """

    rows: int
    cpu_only: int
    split: int
    gpu_only: int
    cpu_s: float
    gpu_s: float
    decided_by: dict[str, int]
    reasons: dict[str, int]
    size_edges: tuple[float, ...] = ()
    intensity_edges: tuple[float, ...] = ()
    count: tuple[tuple[int, ...], ...] = ()
    fraction: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class PairedMetric:
    """One metric of the same tasks twice.

    Attributes
    ----------
    first, second : float
        Means over the tasks.
    difference : float
        Mean of second minus first, over the means of the stretches.
    low, high : float or None
        95 % interval of that (Student's t over the stretches); None with fewer than two, or if all are equal.
    t_p, wilcoxon_p : float or None
        Two-sided, over the stretches; None with fewer than two.
    """

    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    t_p: float | None
    wilcoxon_p: float | None


@dataclass(frozen=True, slots=True)
class Paired:
    """One scheduler against the same or another one on the same tasks.

    Attributes
    ----------
    scheduler : str
    tasks : int
        Tasks that both finished.
    batches : int
        Stretches of them.
    metrics : mapping of str to (PairedMetric or None)
        By name of `METRICS`; None where a value is not known.
    """

    scheduler: str
    tasks: int
    batches: int
    metrics: dict[str, PairedMetric | None] = field(default_factory=dict)


def curve(sketch: Sketch) -> list[tuple[float, float]]:
    """Return the cumulative distribution of a sketch: values, and the share of all that is not above.

    Parameters
    ----------
    sketch : Sketch

    Returns
    -------
    list of (float, float)
        At most `CURVE_POINTS`, ascending.
    """
    total = sketch.count
    if not total:
        return []
    values, shares = sketch.values(), np.cumsum(sketch.counts) / total
    places = np.unique(np.linspace(0, len(values) - 1, min(CURVE_POINTS, len(values))).astype(np.int64))
    return [(float(values[place]), float(shares[place])) for place in places]


def _values(row: type[Result]) -> dict[str, Any]:
    response: ColumnElement[Any] = row.finish_s - row.arrival_s
    run: ColumnElement[Any] = row.finish_s - row.start_s
    bounded = response / case((run > SLOWDOWN_BOUND_S, run), else_=literal(SLOWDOWN_BOUND_S))
    return {
        "response_s": response,
        "wait_s": row.start_s - row.arrival_s,
        "slowdown": case((bounded > 1.0, bounded), else_=literal(1.0)),
        "energy_j": row.energy_j,
        "cost_usd": row.cost_usd,
    }


class AnalysisRepository(Repository):
    """Reads ``scheduler_results`` and ``tasks`` together."""

    def placements_query(self, run_id: int, scheduler: str, from_seq: int, rows: int) -> Select[Any]:
        """Return the statement of `placements`."""
        joined = and_(TaskRow.run_id == Result.run_id, TaskRow.task_id == Result.task_id)
        columns: list[Any] = [
            Result.status,
            Result.fraction,
            Result.cpu_s,
            Result.gpu_s,
            Result.decided_by,
            Result.reason,
            TaskRow.size,
            TaskRow.compute_intensity,
        ]
        wanted = (Result.run_id == run_id, Result.scheduler == scheduler, Result.seq >= from_seq)
        return select(*columns).outerjoin(TaskRow, joined).where(*wanted).order_by(Result.seq.desc()).limit(rows)

    async def placements(self, run_id: int, scheduler: str, rows: int = PLACEMENT_ROWS) -> Placements:
        """Return where the newest results of one scheduler went.

        Parameters
        ----------
        run_id : int
        scheduler : str
        rows : int
            Most results to look at.
        """
        newest: int | None = await self.session.scalar(select(func.max(Result.seq)).where(Result.run_id == run_id))
        from_seq = 0 if newest is None else max(0, newest + 1 - rows * LOOK_BACK)
        found = (await self.session.execute(self.placements_query(run_id, scheduler, from_seq, rows))).all()
        return placements_of([tuple(row) for row in found])

    def paired_query(self, first: tuple[int, str | None], second: int, from_task: int, until_task: int) -> Select[Any]:
        """Return the statement of `paired`."""
        first_id, reference = first
        a, b = aliased(Result), aliased(Result)
        same = (a.task_id == b.task_id, a.arrival_s == b.arrival_s, a.scheduler == (b.scheduler if reference is None else reference))
        both = (a.status == ResultStatus.FINISHED.value, b.status == ResultStatus.FINISHED.value)
        batch = ((b.task_id - from_task) * BATCHES) // (until_task - from_task)
        columns: list[Any] = [b.scheduler.label("scheduler"), batch.label("batch"), func.count().label("tasks")]
        before, after = _values(a), _values(b)
        for name in METRICS:
            difference = after[name] - before[name]
            columns.append(func.avg(difference).label(name))
            columns.append(func.count(difference).label(f"{name}_n"))
            columns.append(func.sum(case((difference.is_not(None), before[name]))).label(f"{name}_first"))
            columns.append(func.sum(case((difference.is_not(None), after[name]))).label(f"{name}_second"))
        of_runs = (a.run_id == first_id, b.run_id == second, b.task_id >= from_task, b.task_id < until_task)
        return select(*columns).select_from(b).join(a, and_(*same)).where(*of_runs, *both).group_by(b.scheduler, batch)

    async def paired(self, first: int, second: int, reference: str | None = None, tasks: int = PAIRED_TASKS) -> list[Paired]:
        """Compare schedulers task by task: those of the second run with the same ones of the first, or all with one reference.

        A task is the same if it has the same number and arrived at the same moment.

        Parameters
        ----------
        first, second : int
            Runs; one run twice is fine.
        reference : str, optional
            The scheduler of the first run that all are compared with.
        tasks : int
            Only the newest so many that both runs may have.

        Returns
        -------
        list of Paired
            By name; schedulers without any common task are left out.
        """
        ends = [await self.session.scalar(select(func.max(TaskRow.task_id)).where(TaskRow.run_id == run)) for run in {first, second}]
        if any(end is None for end in ends):
            return []
        until = min(int(end) for end in ends if end is not None) + 1
        query = self.paired_query((first, reference), second, max(0, until - tasks), until)
        found: dict[str, list[Any]] = {}
        for row in (await self.session.execute(query)).all():
            found.setdefault(row.scheduler, []).append(row)
        return [_paired(name, sorted(rows, key=lambda row: row.batch)) for name, rows in sorted(found.items())]


def _paired(scheduler: str, rows: Sequence[Any]) -> Paired:
    # Importing the engine takes a while, and those who only look at their tables need none of it.
    from hybrid_ml_scheduler.engine.statistics import paired_test

    metrics: dict[str, PairedMetric | None] = {}
    for name in METRICS:
        known = [row for row in rows if getattr(row, f"{name}_n")]
        count = sum(getattr(row, f"{name}_n") for row in known)
        if not count:
            metrics[name] = None
            continue
        differences = [float(getattr(row, name)) for row in known]
        test = paired_test(differences, [0.0] * len(differences))
        interval = None if test is None else test.interval
        metrics[name] = PairedMetric(
            first=sum(getattr(row, f"{name}_first") for row in known) / count,
            second=sum(getattr(row, f"{name}_second") for row in known) / count,
            difference=sum(differences) / len(differences),
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            t_p=None if test is None else test.t_p,
            wilcoxon_p=None if test is None else test.wilcoxon_p,
        )
    return Paired(scheduler, sum(row.tasks for row in rows), len(rows), metrics)


def _numbers(rows: Sequence[tuple[Any, ...]], column: int) -> NDArray[np.float64]:
    return np.array([np.nan if row[column] is None else row[column] for row in rows], dtype=np.float64)


def _counts(values: Sequence[str | None]) -> dict[str, int]:
    names, counts = np.unique(np.array([value for value in values if value is not None], dtype=object).astype(str), return_counts=True)
    return dict(sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda entry: (-entry[1], entry[0])))


def placements_of(rows: Sequence[tuple[Any, ...]]) -> Placements:
    """Count results.

    Parameters
    ----------
    rows : sequence of tuple
        Status, fraction, CPU and GPU seconds, who decided, why not run, size and compute intensity; None where not known.
    """
    done = [row for row in rows if row[0] == ResultStatus.FINISHED]
    fraction, cpu_s, gpu_s, size, intensity = (_numbers(done, column) for column in (1, 2, 3, 6, 7))
    placed = Placements(
        rows=len(rows),
        cpu_only=int((fraction == 0).sum()),
        split=int(((fraction > 0) & (fraction < 1)).sum()),
        gpu_only=int((fraction == 1).sum()),
        cpu_s=float(np.nansum(cpu_s)),
        gpu_s=float(np.nansum(gpu_s)),
        decided_by=_counts([row[4] for row in done]),
        reasons=_counts([row[5] for row in rows if row[0] != ResultStatus.FINISHED]),
    )
    known = np.isfinite(fraction) & np.isfinite(intensity) & np.isfinite(size) & (size > 0)
    if not known.any():
        return placed
    log_size = np.log10(size[known])
    # One size only still has a bin with a width.
    low, high = float(log_size.min()), float(log_size.max())
    size_edges = np.linspace(low, high if high > low else low + 0.1, SIZE_BINS + 1)
    edges = [size_edges, np.linspace(0.0, 1.0, INTENSITY_BINS + 1)]
    count = np.histogram2d(log_size, np.clip(intensity[known], 0, 1), bins=edges)[0]
    total = np.histogram2d(log_size, np.clip(intensity[known], 0, 1), bins=edges, weights=fraction[known])[0]
    return Placements(
        **{name: getattr(placed, name) for name in ("rows", "cpu_only", "split", "gpu_only", "cpu_s", "gpu_s", "decided_by", "reasons")},
        size_edges=tuple((10.0**size_edges).tolist()),
        intensity_edges=tuple(edges[1].tolist()),
        count=tuple(tuple(int(value) for value in row) for row in count),
        fraction=tuple(tuple(float(t / n) if n else None for t, n in zip(tt, nn, strict=True)) for tt, nn in zip(total, count, strict=True)),
    )
