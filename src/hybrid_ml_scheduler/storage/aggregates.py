"""What the table ``metrics`` holds: sums, counts and sketches per scheduler, over windows of arrival time and over the whole run.

Everything merges by adding, so a batch of results is added to what is there, and statistics over a million tasks are one row.

Tasks are compared across schedulers once all their results are there: until then they wait here (`Pending`). A result that did not finish loses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.streams import ResultStatus
from hybrid_ml_scheduler.storage.schema import TOTAL_WINDOW
from hybrid_ml_scheduler.storage.sketch import Sketch, bins_of

if TYPE_CHECKING:
    import polars as pl

ORACLE = "oracle"
"""Regret is measured against the scheduler of this name."""
SLOWDOWN_BOUND_S = 10.0
"""As in `hybrid_ml_scheduler.engine.metrics`: shorter tasks count as this long in the bounded slowdown."""

Key = tuple[str, int]
"""Scheduler and window."""


@dataclass(slots=True)
class Totals:
    """One row of ``metrics`` without its key.

    Attributes
    ----------
    results, finished, rejected, refused, withdrawn : int
        Results, in all and by `ResultStatus`.
    response_sum_s, response_max_s, wait_sum_s, wait_max_s, run_sum_s, slowdown_sum : float
        Over finished tasks: finish minus arrival, start minus arrival, finish minus start, all in seconds, and the bounded slowdown.
    energy_j, cost_usd : float
    by_model, by_fallback, by_exploration : int
        Results whose decision a model, the rule behind it, or a deliberate try took.
    last_finish_s : float
        Latest finish, in simulated seconds.
    compared, wins : int
        Tasks whose results of all schedulers are there, and those on which none had a shorter response time (ties count for each).
    wins_against : dict of str to int
        Compared tasks with a shorter response time than that scheduler's; over the whole run only.
    regret_n, regret_sum_s : int, float
        Compared tasks that this scheduler and the oracle both finished, and the sum of response times minus the oracle's.
    response_sketch, wait_sketch : Sketch
    """

    results: int = 0
    finished: int = 0
    rejected: int = 0
    refused: int = 0
    withdrawn: int = 0
    response_sum_s: float = 0.0
    response_max_s: float = 0.0
    wait_sum_s: float = 0.0
    wait_max_s: float = 0.0
    run_sum_s: float = 0.0
    slowdown_sum: float = 0.0
    energy_j: float = 0.0
    cost_usd: float = 0.0
    by_model: int = 0
    by_fallback: int = 0
    by_exploration: int = 0
    last_finish_s: float = 0.0
    compared: int = 0
    wins: int = 0
    wins_against: dict[str, int] = field(default_factory=dict)
    regret_n: int = 0
    regret_sum_s: float = 0.0
    response_sketch: Sketch = field(default_factory=Sketch)
    wait_sketch: Sketch = field(default_factory=Sketch)

    def add(self, other: Totals) -> None:
        """Add what another one counted."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _LARGEST:
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for scheduler, wins in other.wins_against.items():
            self.wins_against[scheduler] = self.wins_against.get(scheduler, 0) + wins
        self.response_sketch = self.response_sketch.merged(other.response_sketch)
        self.wait_sketch = self.wait_sketch.merged(other.wait_sketch)

    def to_row(self) -> dict[str, Any]:
        """Return the values of the table's columns."""
        row = {item.name: getattr(self, item.name) for item in fields(self)}
        return row | {"response_sketch": self.response_sketch.to_bytes(), "wait_sketch": self.wait_sketch.to_bytes()}

    @classmethod
    def from_row(cls, row: Any) -> Totals:
        """Undo `to_row`; ``row`` has the columns as attributes."""
        values = {item.name: getattr(row, item.name) for item in fields(cls)}
        values |= {name: Sketch.from_bytes(values[name]) for name in ("response_sketch", "wait_sketch")}
        return cls(**values | {"wins_against": dict(values["wins_against"])})


_LARGEST = ("response_max_s", "wait_max_s", "last_finish_s")
_NO_SUM = {*_LARGEST, "wins_against", "response_sketch", "wait_sketch"}
_SUMS = tuple(item.name for item in fields(Totals) if item.name not in _NO_SUM)


def totals_of(results: pl.DataFrame, window_s: float) -> dict[Key, Totals]:
    """Aggregate results, each on its own.

    Parameters
    ----------
    results : DataFrame
        Rows of ``scheduler_results``.
    window_s : float
        Length of a window in simulated seconds.

    Returns
    -------
    dict of (scheduler, window) to Totals
        Windows with results, and the whole run.
    """
    import polars as pl

    if not results.height:
        return {}
    done = pl.col("status") == ResultStatus.FINISHED
    response, wait, run = pl.col("finish_s") - pl.col("arrival_s"), pl.col("start_s") - pl.col("arrival_s"), pl.col("finish_s") - pl.col("start_s")
    slowdown = (response / pl.max_horizontal(run, pl.lit(SLOWDOWN_BOUND_S))).clip(lower_bound=1.0)
    frame = results.with_columns(
        (pl.col("arrival_s") / window_s).floor().cast(pl.Int64).alias("window"),
        pl.when(done).then(response).alias("response"),
        pl.when(done).then(wait).alias("wait"),
        pl.when(done).then(run).alias("run"),
        pl.when(done).then(slowdown).alias("slowdown"),
    )
    decided = pl.col("decided_by").fill_null("")
    grouped = frame.group_by("scheduler", "window").agg(
        results=pl.len(),
        **{status.value: (pl.col("status") == status.value).sum() for status in ResultStatus},
        response_sum_s=pl.col("response").sum(),
        response_max_s=pl.col("response").max().fill_null(0.0),
        wait_sum_s=pl.col("wait").sum(),
        wait_max_s=pl.col("wait").max().fill_null(0.0),
        run_sum_s=pl.col("run").sum(),
        slowdown_sum=pl.col("slowdown").sum(),
        energy_j=pl.col("energy_j").sum(),
        cost_usd=pl.col("cost_usd").sum(),
        by_model=(decided == "model").sum(),
        by_fallback=decided.str.starts_with("fallback").sum(),
        by_exploration=(decided == "exploration").sum(),
        last_finish_s=pl.col("finish_s").max().fill_null(0.0),
    )
    found = {(row.pop("scheduler"), row.pop("window")): Totals(**row) for row in grouped.sort("scheduler", "window").iter_rows(named=True)}
    for value, name in (("response", "response_sketch"), ("wait", "wait_sketch")):
        for key, sketch in _sketches(frame, value).items():
            setattr(found[key], name, sketch)
    return with_whole_run(found)


def _sketches(frame: pl.DataFrame, value: str) -> dict[Key, Sketch]:
    import polars as pl

    finished = frame.select("scheduler", "window", value).filter(pl.col(value).is_not_null())
    bins = pl.Series("bin", bins_of(finished[value].to_numpy()))
    counted = finished.with_columns(bins).group_by("scheduler", "window", "bin").len().sort("scheduler", "window", "bin")
    return {
        (str(scheduler), int(window)): Sketch(part["bin"].to_numpy().astype(np.int64), part["len"].to_numpy().astype(np.int64))
        for (scheduler, window), part in counted.partition_by("scheduler", "window", as_dict=True, maintain_order=True).items()
    }


def with_whole_run(windows: dict[Key, Totals]) -> dict[Key, Totals]:
    """Add the sum over all windows of each scheduler."""
    total: dict[Key, Totals] = {}
    for (scheduler, _), totals in windows.items():
        total.setdefault((scheduler, TOTAL_WINDOW), Totals()).add(totals)
    return windows | total


@dataclass(slots=True)
class Pending:
    """Results of tasks that other schedulers still owe results of.

    Attributes
    ----------
    frame : DataFrame or None
        Columns ``task_id, scheduler, lanes, arrival_s, response, seq``.
    """

    frame: pl.DataFrame | None = None

    def after(self, results: pl.DataFrame, window_s: float) -> tuple[Pending, dict[Key, Totals]]:
        """Add results, and compare the tasks that are complete now.

        Parameters
        ----------
        results : DataFrame
            Rows of ``scheduler_results``.
        window_s : float
            Length of a window in simulated seconds.

        Returns
        -------
        tuple of (Pending, dict of (scheduler, window) to Totals)
            What waits on, and what the comparison adds.
        """
        import polars as pl

        done = pl.col("status") == ResultStatus.FINISHED
        new = results.select(
            "task_id", "scheduler", "lanes", "arrival_s", pl.when(done).then(pl.col("finish_s") - pl.col("arrival_s")).alias("response"), "seq"
        )
        frame = new if self.frame is None else pl.concat([self.frame, new])
        complete = frame.filter(pl.len().over("task_id") >= pl.col("lanes"))
        waiting = frame.filter(pl.len().over("task_id") < pl.col("lanes"))
        return Pending(waiting), _compare(complete, window_s)

    def __len__(self) -> int:
        return 0 if self.frame is None else self.frame.height

    @property
    def first_seq(self) -> int | None:
        """Number of the oldest result that waits; None if none does."""
        return None if self.frame is None or not self.frame.height else int(self.frame["seq"].to_numpy().min())


def _compare(complete: pl.DataFrame, window_s: float) -> dict[Key, Totals]:
    if not complete.height:
        return {}
    names = sorted(complete["scheduler"].unique().to_list())
    table = complete.pivot(on="scheduler", index=["task_id", "arrival_s"], values="response", aggregate_function="first")
    there = complete.pivot(on="scheduler", index=["task_id", "arrival_s"], values="seq", aggregate_function="first")
    present = np.column_stack([there[name].is_not_null().to_numpy() for name in names])
    response = np.column_stack([table[name].cast(float).fill_null(np.inf).to_numpy() for name in names])
    # A task that this scheduler was not given is no loss: it does not count.
    response = np.where(present, response, np.nan)
    window = np.floor(table["arrival_s"].to_numpy() / window_s).astype(np.int64)
    oracle = response[:, names.index(ORACLE)] if ORACLE in names else None
    best = np.nanmin(response, axis=1)
    found: dict[Key, Totals] = {}
    for column, name in enumerate(names):
        own = response[:, column]
        won = (own == best) & np.isfinite(own)
        both = np.isfinite(own) & np.isfinite(oracle) if oracle is not None else np.zeros(len(own), dtype=bool)
        regret = np.zeros(len(own))
        if oracle is not None:
            # A task that neither finished has no difference: infinity minus infinity is no number.
            np.subtract(own, oracle, out=regret, where=both)
        for key, rows in _by_window(window, present[:, column]):
            found[name, key] = Totals(
                compared=len(rows), wins=int(won[rows].sum()), regret_n=int(both[rows].sum()), regret_sum_s=float(regret[rows].sum())
            )
    found = with_whole_run(found)
    for column, name in enumerate(names):
        found[name, TOTAL_WINDOW].wins_against = {
            other: int((response[:, column] < response[:, index]).sum()) for index, other in enumerate(names) if index != column
        }
    return found


def _by_window(window: NDArray[np.int64], mask: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.intp]]]:
    rows = np.flatnonzero(mask)
    rows = rows[np.argsort(window[rows], kind="stable")]
    values, starts = np.unique(window[rows], return_index=True)
    return [(int(value), part) for value, part in zip(values, np.split(rows, starts[1:]), strict=True)]


def merge(into: dict[Key, Totals], other: dict[Key, Totals]) -> dict[Key, Totals]:
    """Add what another batch found."""
    for key, totals in other.items():
        into.setdefault(key, Totals()).add(totals)
    return into
