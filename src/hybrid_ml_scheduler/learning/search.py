"""Direct policy search: CMA-ES over the parameters of a policy, judged by whole runs through the compiled engine.

The covariance matrix adaptation evolution strategy [1]_ (Hansen's ``cma``), applied to policies as in [2]_. Deviations: parameter sets are chosen by
their score on validation runs, not on the training runs that the search itself sees, and the search ends early when that score stops improving.

References
----------
.. [1] Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772, 2016.
.. [2] Heidrich-Meisner, Igel, "Evolution strategies for direct policy search", PPSN X, 2008.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hybrid_ml_scheduler.core.errors import DataFileError, EngineError, InputError
from hybrid_ml_scheduler.core.workload import FloatArray

TRAINING, VALIDATION = "training", "validation"
WORST = 1e30
"""Score of a parameter set whose run gives no number."""

_CHECKPOINT_FORMAT = 1


class SearchProblem(Protocol):
    """What is searched: the score of a parameter set."""

    def score(self, vector: FloatArray, split: str, generation: int) -> float:
        """Return the score of a parameter set; smaller is better.

        Parameters
        ----------
        vector : ndarray of float64, shape (n,)
        split : str
            `TRAINING` or `VALIDATION`; the runs behind the two share no task.
        generation : int
            Counted from 0, so that training runs may take turns; validation must not depend on it.
        """


Factory = Callable[[], SearchProblem]
"""Builds the problem; called once in every process, so it must be picklable where there are several."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One generation of a search.

    Attributes
    ----------
    generation : int
        Counted from 1; 0 is the starting point.
    evaluations : int
        Training scores computed so far.
    elapsed_s : float
        Wall time so far, in seconds, over all sessions of a resumed search.
    training : float
        Best training score of the generation.
    validation : float
        Score on validation of the better of that parameter set and the mean of the distribution.
    best : float
        Best validation score so far.
    """

    generation: int
    evaluations: int
    elapsed_s: float
    training: float
    validation: float
    best: float


Tell = Callable[[CurvePoint], None]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    vector : ndarray of float64, shape (n,)
        The parameter set with the best validation score, the starting point included.
    validation : float
        That score.
    curve : tuple of CurvePoint
        Every generation; the first entry is the starting point.
    ended : str
        Why it ended: ``generations``, ``budget``, ``patience`` or ``converged``.
    """

    vector: FloatArray
    validation: float
    curve: tuple[CurvePoint, ...]
    ended: str

    @property
    def generations(self) -> int:
        """How many generations were searched."""
        return self.curve[-1].generation

    @property
    def evaluations(self) -> int:
        """How many training scores were computed."""
        return self.curve[-1].evaluations


def search(
    factory: Factory,
    start: FloatArray,
    sigma: float | FloatArray,
    *,
    seed: int,
    jobs: int = 1,
    budget_s: float | None = None,
    generations: int | None = None,
    population: int | None = None,
    patience: int | None = None,
    checkpoint: Path | None = None,
    tell: Tell | None = None,
) -> SearchResult:
    """Search the parameters of a policy.

    The result depends on the seed and the number of generations alone, not on ``jobs``; a search that its time budget ended is repeated exactly by
    naming its number of generations.

    Parameters
    ----------
    factory : callable
        Builds the problem.
    start : ndarray of float64, shape (n,)
        Where to start, finite.
    sigma : float or ndarray of float64, shape (n,)
        Standard deviation of the first generation, per parameter; > 0.
    seed : int
        Of the search; >= 1.
    jobs : int
        Processes; >= 1.
    budget_s : float, optional
        Ends after the generation in which so much wall time has passed, in seconds.
    generations : int, optional
        Ends after so many. At least one of the two must be given.
    population : int, optional
        Parameter sets per generation; cma's default for the dimension if left out.
    patience : int, optional
        Ends after so many generations without a better validation score.
    checkpoint : Path, optional
        File that is written after every generation, and continued from if it is there.
    tell : callable, optional
        Is told every generation, those of a resumed search included.

    Returns
    -------
    SearchResult

    Raises
    ------
    InputError
        If a number is out of range.
    DataFileError
        If the checkpoint is none, or belongs to another search.
    EngineError
        If a worker process dies.
    """
    start = np.ascontiguousarray(start, dtype=np.float64)
    scale = np.broadcast_to(np.asarray(sigma, dtype=np.float64), start.shape).copy()
    _check(start, scale, seed, jobs, budget_s, generations, population, patience)
    import cma

    # All parameters are searched in units of their own sigma.
    chosen = {} if population is None else {"popsize": population}
    strategy = cma.CMAEvolutionStrategy(np.zeros(len(start)), 1.0, {"seed": seed, "verbose": -9, "verb_log": 0, **chosen})
    log = _Log.open(checkpoint, _key(start, scale, seed, strategy.popsize))
    tell = tell or (lambda _: None)
    curve: list[CurvePoint] = []
    best_vector, session_began = start, time.monotonic()
    with _scorer(factory, jobs) as scores:
        while True:
            generation = len(curve)
            points = strategy.ask() if generation else [np.zeros(len(start))]
            asked = [start + scale * point for point in points]
            entry = log.entry(generation)
            training = entry.training if entry else scores([(vector, TRAINING, max(generation - 1, 0)) for vector in asked])
            if generation:
                strategy.tell(points, training)
            judged = [asked[int(np.argmin(training))], start + scale * strategy.mean][: generation + 1]
            validation = entry.validation if entry else scores([(vector, VALIDATION, 0) for vector in judged])
            if entry is None:
                entry = log.append(training, validation, log.elapsed_s + time.monotonic() - session_began)
                session_began = time.monotonic()
            better = int(np.argmin(validation))
            best = curve[-1].best if curve else math.inf
            if validation[better] < best:
                best, best_vector = validation[better], judged[better]
            evaluations = (curve[-1].evaluations if curve else 0) + len(asked)
            curve.append(CurvePoint(generation, evaluations, entry.elapsed_s, min(training), validation[better], best))
            tell(curve[-1])
            ended = _ended(curve, strategy, budget_s, generations, patience)
            if ended:
                return SearchResult(best_vector.copy(), best, tuple(curve), ended)


def _check(
    start: FloatArray,
    scale: FloatArray,
    seed: int,
    jobs: int,
    budget_s: float | None,
    generations: int | None,
    population: int | None,
    patience: int | None,
) -> None:
    if start.ndim != 1 or len(start) == 0 or not np.isfinite(start).all() or not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError(f"a search starts at {start!r} with spread {scale!r}; expected finite parameters and finite spreads above 0")
    if budget_s is None and generations is None:
        raise InputError("a search needs an end; expected a budget or a number of generations")
    for name, value, low in (
        ("seed", seed, 1),
        ("jobs", jobs, 1),
        ("generations", generations, 0),
        ("population", population, 3),
        ("patience", patience, 1),
    ):
        if value is not None and value < low:
            raise InputError(f"a search with {name} {value}; expected at least {low}")
    if budget_s is not None and not (math.isfinite(budget_s) and budget_s > 0):
        raise InputError(f"a search with a budget of {budget_s} s; expected a finite time above 0")


def _ended(curve: Sequence[CurvePoint], strategy: Any, budget_s: float | None, generations: int | None, patience: int | None) -> str:
    now = curve[-1]
    if generations is not None and now.generation >= generations:
        return "generations"
    if patience is not None and now.generation - next(point.generation for point in curve if point.best == now.best) >= patience:
        return "patience"
    if now.generation > 0 and strategy.stop():
        return "converged"
    return "budget" if budget_s is not None and now.elapsed_s >= budget_s else ""


def _number(score: float) -> float:
    return min(float(score), WORST) if math.isfinite(score) else WORST


Job = tuple[FloatArray, str, int]
_worker_problem: list[SearchProblem] = []
"""The problem of this worker process; one for its whole life."""


def _start_worker(factory: Factory) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _worker_problem[:] = [factory()]


def _work(job: Job) -> float:
    return _number(_worker_problem[0].score(*job))


@contextmanager
def _scorer(factory: Factory, jobs: int) -> Iterator[Callable[[Sequence[Job]], list[float]]]:
    """Yield a function that scores parameter sets in order, in this process or in several."""
    if jobs == 1:
        problem = factory()
        yield lambda work: [_number(problem.score(*job)) for job in work]
        return
    # A forked child of a process with compiled threads may hang.
    executor = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(factory,))
    try:
        yield lambda work: list(executor.map(_work, work))
    except BrokenProcessPool as error:
        raise EngineError("a worker process of the search died; expected it to score parameters (was there enough memory?)") from error
    finally:
        executor.shutdown(cancel_futures=True)


def _key(start: FloatArray, scale: FloatArray, seed: int, population: int) -> str:
    digest = hashlib.sha256(start.tobytes() + scale.tobytes() + f"{seed} {population}".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    """Scores of one generation."""

    training: list[float]
    validation: list[float]
    elapsed_s: float


class _Log:
    """The scores of all generations, on disk if there is a file for them.

    Replaying them through a fresh strategy of the same seed restores its state exactly, so nothing that could be executed needs to be stored.
    """

    def __init__(self, path: Path | None, key: str, entries: list[_Entry]) -> None:
        self._path, self._key, self._entries = path, key, entries

    @classmethod
    def open(cls, path: Path | None, key: str) -> _Log:
        if path is None or not path.exists():
            return cls(path, key, [])
        expected = "a checkpoint of this search (the same policy, workloads, objective and seed)"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != _CHECKPOINT_FORMAT or content["key"] != key:
                raise DataFileError(path, "the checkpoint belongs to another search", expected)
            entries = [
                _Entry([float(score) for score in entry["training"]], [float(score) for score in entry["validation"]], float(entry["elapsed_s"]))
                for entry in content["generations"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataFileError(path, f"not readable as a checkpoint ({str(error)[:80]})", expected) from error
        return cls(path, key, entries)

    @property
    def elapsed_s(self) -> float:
        return self._entries[-1].elapsed_s if self._entries else 0.0

    def entry(self, generation: int) -> _Entry | None:
        return self._entries[generation] if generation < len(self._entries) else None

    def append(self, training: list[float], validation: list[float], elapsed_s: float) -> _Entry:
        self._entries.append(_Entry(training, validation, elapsed_s))
        if self._path is not None:
            content = {"format": _CHECKPOINT_FORMAT, "key": self._key, "generations": [asdict(entry) for entry in self._entries]}
            temporary = self._path.with_name(self._path.name + ".part")
            try:
                temporary.write_text(json.dumps(content), encoding="utf-8")
                temporary.replace(self._path)
            except OSError as error:
                raise DataFileError(self._path, f"cannot be written ({error.strerror or error})", "a place for the checkpoint") from error
        return self._entries[-1]
