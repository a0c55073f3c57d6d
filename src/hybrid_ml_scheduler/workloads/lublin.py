"""Batch jobs from the model of Lublin and Feitelson, with an extension of our own: users, repeated jobs, and estimates as people give them.

**Published model** [1]_, all jobs of one type: a job is serial with a fixed chance, otherwise the logarithm of its processors is two-stage uniform,
rounded to a power of two with a fixed chance; the logarithm of its run time is hyper-gamma, the larger part being likelier for wide jobs; the
logarithm of the time between arrivals in the rush hours is a gamma variable, and a daily cycle stretches it. The constants were taken from the
authors' own C program (``m_lublin99.c``, the set without job types), which the paper's tables round. Logarithms of times are natural and those of
sizes binary, as there. What differs: `load` may scale the times between arrivals, which leaves the daily cycle at 24 hours.

**Extension** (``users`` above 0), after what Tsafrir, Etsion and Feitelson [2]_ found in traces:

- Users are active by Zipf's law and submit in sessions of log-normal length, bounded by the work in them; session starts follow the published
  arrival process.
- A session takes up a job class of its user again or begins a new one. A class fixes processors, a typical run time and the estimate; both come from
  the published model. The jobs of a class vary log-normally around the typical time, and some fail in the first minutes.
- Estimates are modal: a class's typical time, multiplied by a factor people are careful by, rounded up to one of few round values; some users always
  ask for the most that is allowed. A job never runs longer than its estimate; those that would are ended there.

References
----------
.. [1] Lublin, Feitelson, "The workload on parallel supercomputers: modeling the characteristics of rigid jobs", JPDC 63(11), 2003.
.. [2] Tsafrir, Etsion, Feitelson, "Modeling user runtime estimates", JSSPP 2005.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload, no_edges

DEFAULT_TASKS = 10_000
MAX_TASKS = 1_000_000

SERIAL_CHANCE, POWER_OF_TWO_CHANCE = 0.244, 0.576
LEAST_LOG2, STAGE_BELOW_TOP, FIRST_STAGE_CHANCE = 0.8, 2.5, 0.86
"""Two-stage uniform logarithm of the processors: from `LEAST_LOG2` to the top minus `STAGE_BELOW_TOP` with this chance, else up to the top."""
SHORT_SHAPE, SHORT_SCALE, LONG_SHAPE, LONG_SCALE = 4.2, 0.94, 312.0, 0.03
SHORT_CHANCE, SHORT_CHANCE_PER_PROCESSOR = 0.78, -0.0054
GAP_SHAPE, GAP_SCALE, GAP_ALL_DAY = 10.2303, 0.4871, 1.0225
CYCLE_SHAPE, CYCLE_SCALE = 8.1737, 3.9631
LARGEST_LOG_RUN, LARGEST_LOG_GAP = 12.0, 13.0
BUCKETS, CYCLE_START = 48, 11
DAY_S = 86_400.0
PUBLISHED_TOP_LOG2 = 7.0
SESSION_SIGMA, SPREAD_SHAPE = 1.2, 0.5
"""Standard deviation of the logarithm of a session's length; shape of the gamma variable that is the spread of a class."""

ROUND_S = tuple(
    60.0 * minutes for minutes in (1, 5, 10, 15, 20, 30, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 900, 1080, 1440, 2160, 2880, 4320, 7200)
)
"""Estimates that people give, in seconds."""

_SPEC = re.compile(r"lublin(?::(?P<options>.*))?", re.DOTALL)
_ESTIMATES = ("exact", "user")


@dataclass(frozen=True, slots=True)
class LublinParameters:
    """What a workload is generated from.

    Attributes
    ----------
    processors : int
        Of the pool; 2 to 1,000,000.
    widest : float
        Processors of the widest job as a share of the pool; above 0, at most 1.
    load : float
        Offered load: processor seconds asked over those there are until the last arrival; > 0, at most 10. 0 leaves the published rate.
    users : int
        0 for the published model alone, without users; else their number, at most 10,000. 64 by default.
    estimates : str
        ``user`` (round ones, as above; needs users) or ``exact`` (the run time).
    activity : float
        Exponent of Zipf's law of the users' activity; 0 to 3.
    session : float
        Mean number of jobs of a session; 1 to 1,000.
    think_s : float
        Median time between the jobs of a session, in seconds; > 0.
    repeat : float
        Chance that a session takes up an earlier class of its user; 0 to 1.
    spread : float
        Mean standard deviation of the logarithm of the run times within a class; 0 to 3. Most classes vary less, a few much more.
    slower : float
        Factor on the published run times; 0.01 to 100.
    burst_h : float
        Largest work of one session, in hours of the whole machine: people wait for results before they send more; above 0, at most 10,000.
    failing : float
        Share of jobs that fail in the first minutes; 0 to 1.
    careful : float
        Scale of the factor between typical run time and estimate: its logarithm is exponential with this mean; 0 to 5.
    longest_h : float
        Longest estimate allowed, in hours, which no run exceeds; 0.5 to 1,000.
    lazy : float
        Share of classes with the longest estimate allowed; 0 to 1.
    """

    processors: int = 256
    widest: float = 1.0
    load: float = 0.8
    users: int = 64
    estimates: str = "user"
    activity: float = 1.2
    session: float = 5.0
    think_s: float = 60.0
    repeat: float = 0.7
    spread: float = 0.5
    slower: float = 1.0
    burst_h: float = 8.0
    failing: float = 0.1
    careful: float = 1.0
    longest_h: float = 48.0
    lazy: float = 0.1

    def __post_init__(self) -> None:
        limits = {
            "processors": (2, 1_000_000),
            "widest": (1e-3, 1.0),
            "load": (0.0, 10.0),
            "users": (0, 10_000),
            "activity": (0.0, 3.0),
            "session": (1.0, 1000.0),
            "think_s": (1e-3, 1e6),
            "repeat": (0.0, 1.0),
            "spread": (0.0, 3.0),
            "slower": (0.01, 100.0),
            "burst_h": (1e-3, 10_000.0),
            "failing": (0.0, 1.0),
            "careful": (0.0, 5.0),
            "longest_h": (0.5, 1000.0),
            "lazy": (0.0, 1.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"workload lublin: {name} is {value}; expected {low:g} to {high:g}")
        if self.estimates not in _ESTIMATES:
            raise InputError(f"workload lublin: estimates is {self.estimates!r}; expected {' or '.join(_ESTIMATES)}")
        if self.estimates == "user" and self.users == 0:
            raise InputError("workload lublin: estimates=user needs users; expected users above 0, or estimates=exact")

    @property
    def widest_job(self) -> int:
        """Processors of the widest job, at least 2."""
        return max(round(self.processors * self.widest), 2)

    @property
    def spec(self) -> str:
        """The text that `parse_spec` reads as these parameters."""
        changed = [f"{entry.name}={_shown(getattr(self, entry.name))}" for entry in fields(self) if getattr(self, entry.name) != entry.default]
        return "lublin:" + ",".join(changed) if changed else "lublin"


def _shown(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def is_spec(text: str) -> bool:
    """Whether a workload's text names this generator."""
    return _SPEC.fullmatch(text) is not None


def parse_spec(text: str) -> LublinParameters:
    """Read ``lublin`` or ``lublin:name=value,...``.

    Raises
    ------
    InputError
        If a name is none of `LublinParameters`, stands twice, or a value is out of range.

    Examples
    --------
    >>> parse_spec("lublin:processors=128,load=0.9").processors
    128
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise InputError(f"workload {text!r}: expected lublin or lublin:name=value,...")
    kinds: dict[str, type[int | float | str]] = {name: type(value) for name, value in asdict(LublinParameters()).items()}
    values: dict[str, Any] = {}
    for pair in filter(None, (match["options"] or "").split(",")):
        name, equals, value = pair.partition("=")
        if name not in kinds or not equals or name in values:
            raise InputError(f"workload {text!r}: {pair!r}; expected each of {', '.join(kinds)} at most once, as name=value")
        try:
            values[name] = kinds[name](value)
        except ValueError as error:
            raise InputError(f"workload {text!r}: {name} is {value!r}; expected {'a whole number' if kinds[name] is int else 'a number'}") from error
    return LublinParameters(**values)


def generate(parameters: LublinParameters | str = "lublin", *, seed: int, n_tasks: int | None = None, load: float | None = None) -> Workload:
    """Generate a workload of rigid jobs for a pool of processors.

    Parameters
    ----------
    parameters : LublinParameters or str
        The latter as `parse_spec` reads it.
    seed : int
        At least 0; the same seed gives the same workload, bit for bit.
    n_tasks : int, optional
        1 to 1,000,000; 10,000 by default.
    load : float, optional
        Multiplies the arrival rate; > 0, 1 by default.

    Returns
    -------
    Workload
        ``report.processors`` is the size of the pool.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """
    p = parse_spec(parameters) if isinstance(parameters, str) else parameters
    n = DEFAULT_TASKS if n_tasks is None else n_tasks
    factor = 1.0 if load is None else load
    if seed < 0:
        raise InputError(f"workload lublin: seed is {seed}; expected at least 0")
    if not 1 <= n <= MAX_TASKS:
        raise InputError(f"workload lublin: {n} tasks asked; expected 1 to {MAX_TASKS}")
    if not (math.isfinite(factor) and 0 < factor <= 1e6):
        raise InputError(f"workload lublin: load is multiplied by {factor}; expected a number above 0, at most 1e6")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    if p.users == 0:
        size = sizes(rng, n, p.widest_job)
        run_s = np.maximum(np.floor(run_times_s(rng, size, p.processors)), 1.0)
        requested_s = run_s.copy()
        user = None
        gaps = gaps_s(rng, n)
        arrival_s = _loaded(gaps, np.asarray(size * run_s, dtype=np.float64), p, factor)
    else:
        size, run_s, requested_s, user, arrival_s = _population(rng, n, p, factor)
    order = np.argsort(arrival_s, kind="stable")
    edges = no_edges(n)
    tasks = Tasks(
        task_id=np.arange(1, n + 1, dtype=np.int64),
        arrival_s=np.floor(arrival_s[order]),
        cores_milli=size[order] * MILLI,
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=requested_s[order],
        user=None if user is None else user[order],
        user_names=tuple(f"user{code}" for code in range(p.users)),
        parent_ptr=edges["parent_ptr"],
        parent_idx=edges["parent_idx"],
        edge_s=edges["edge_s"],
        edge_mb=edges["edge_mb"],
    )
    report = ReadReport(format="generated", rows=n, estimates=p.estimates, processors=p.processors)
    meta = {"preset": p.spec, "seed": seed, "load": factor, **asdict(p), "offered_load": p.load * factor}
    return check_workload(Workload(p.spec, WorkloadKind.RIGID, tasks, Truth(work_s=run_s[order]), report, meta=meta))


def sizes(rng: np.random.Generator, n: int, widest: int) -> IntArray:
    """Draw the processors of `n` jobs, 1 to `widest`; shape (n,)."""
    top = math.log2(widest)
    middle = max(top - STAGE_BELOW_TOP, LEAST_LOG2)
    kind = rng.random(n)
    lower = rng.random(n) <= FIRST_STAGE_CHANCE
    place = rng.random(n)
    log2 = np.where(lower, LEAST_LOG2 + place * (middle - LEAST_LOG2), middle + place * (top - middle))
    log2 = np.where(kind <= SERIAL_CHANCE + POWER_OF_TWO_CHANCE, np.floor(log2 + 0.5), log2)
    parallel = np.floor(2.0**log2 + 0.5)
    return np.clip(np.where(kind <= SERIAL_CHANCE, 1.0, parallel), 1, widest).astype(np.int64)


def run_times_s(rng: np.random.Generator, size: IntArray, processors: int) -> FloatArray:
    """Draw run times in seconds for jobs of these sizes.

    The published slope is per processor of a machine of 128; on larger ones it is per share of the machine, or all wide jobs would be long.
    """
    share = size * min(1.0, 2.0**PUBLISHED_TOP_LOG2 / processors)
    short = rng.random(len(size)) <= np.clip(SHORT_CHANCE + SHORT_CHANCE_PER_PROCESSOR * share, 0.0, 1.0)
    shape, scale = np.where(short, SHORT_SHAPE, LONG_SHAPE), np.where(short, SHORT_SCALE, LONG_SCALE)
    return np.asarray(np.exp(_gamma_below(rng, shape, scale, LARGEST_LOG_RUN)))


def gaps_s(rng: np.random.Generator, n: int) -> FloatArray:
    """Draw times between arrivals before the daily cycle stretches them, in seconds; shape (n,)."""
    return np.asarray(np.exp(_gamma_below(rng, np.full(n, GAP_SHAPE * GAP_ALL_DAY), np.full(n, GAP_SCALE), LARGEST_LOG_GAP)))


def _gamma_below(rng: np.random.Generator, shape: FloatArray, scale: FloatArray, limit: float) -> FloatArray:
    """Draw gamma variables; those above the limit are drawn again."""
    values = rng.gamma(shape, scale)
    while (above := np.flatnonzero(values > limit)).size:
        values[above] = rng.gamma(shape[above], scale[above])
    return np.asarray(values)


def daily_weights() -> FloatArray:
    """Return the arrival rate of every half hour of the day, from midnight, relative to the mean; shape (48,)."""
    from scipy.special import gammainc

    edges = gammainc(CYCLE_SHAPE, (np.arange(CYCLE_START, CYCLE_START + BUCKETS + 1) - 0.5) / CYCLE_SCALE)
    weights = np.zeros(BUCKETS)
    weights[(np.arange(CYCLE_START, CYCLE_START + BUCKETS) - 1) % BUCKETS] = np.diff(edges)
    return np.asarray(weights / weights.mean())


def stretch(even_s: FloatArray) -> FloatArray:
    """Turn times of an even day into times of a day with the model's cycle; midnight stays midnight.

    Parameters
    ----------
    even_s : ndarray of float64
        Seconds, >= 0.
    """
    done = np.concatenate(([0.0], np.cumsum(daily_weights()))) * (DAY_S / BUCKETS)
    day, rest = np.divmod(even_s, DAY_S)
    return np.asarray(day * DAY_S + np.interp(rest, done, np.arange(BUCKETS + 1) * (DAY_S / BUCKETS)))


def _loaded(gaps: FloatArray, area: FloatArray, p: LublinParameters, factor: float) -> FloatArray:
    """Return stretched arrival times at the wanted load; `area` is in processor seconds, of all jobs."""
    even_s = np.cumsum(gaps)
    if p.load > 0:
        even_s = even_s * (area.sum() / (p.processors * p.load * even_s[-1]))
    return stretch(even_s / factor)


def _population(
    rng: np.random.Generator, n: int, p: LublinParameters, factor: float
) -> tuple[IntArray, FloatArray, FloatArray, IntArray, FloatArray]:
    """Return size, run time, estimate, user and arrival of `n` jobs of a population of users."""
    # One session per job is always enough; those beyond the last job are dropped.
    weight = (1.0 + np.arange(p.users)) ** -p.activity
    owner = rng.choice(p.users, size=n, p=weight / weight.sum()).astype(np.int64)
    wanted = np.ceil(rng.lognormal(math.log(p.session) - SESSION_SIGMA**2 / 2, SESSION_SIGMA, n))
    class_of = _classes(rng, owner, p)
    n_classes = int(class_of.max()) + 1
    size = sizes(rng, n_classes, p.widest_job)
    typical_s = np.minimum(run_times_s(rng, size, p.processors) * p.slower, p.longest_h * 3600.0)
    sigma = p.spread * rng.gamma(SPREAD_SHAPE, 1.0 / SPREAD_SHAPE, n_classes)
    estimate_s = _estimates_s(rng, typical_s, p)
    failing = np.minimum(p.failing * rng.gamma(1.0, 1.0, n_classes), 0.9)
    most = p.burst_h * 3600.0 * p.processors / (size * typical_s)
    lengths = np.maximum(np.minimum(wanted, np.floor(most[class_of])), 1.0).astype(np.int64)
    session = np.repeat(np.arange(n), lengths)[:n]
    job_class = class_of[session]
    varied = typical_s[job_class] * np.exp(sigma[job_class] * rng.standard_normal(n))
    # A class that fails often fails again: people resubmit until it works.
    fails = rng.random(n) < failing[job_class]
    varied = np.where(fails, np.minimum(varied, np.exp(rng.uniform(0.0, math.log(300.0), n))), varied)
    run_s = np.clip(np.floor(varied), 1.0, p.longest_h * 3600.0)
    requested_s = run_s.copy()
    if p.estimates == "user":
        requested_s = estimate_s[job_class]
        run_s = np.minimum(run_s, requested_s)
    within = rng.lognormal(math.log(p.think_s), 1.5, n)
    starts = _loaded(gaps_s(rng, int(session[-1]) + 1), np.asarray(size[job_class] * run_s), p, factor)
    first = np.flatnonzero(np.diff(session, prepend=-1))
    elapsed = np.cumsum(within)
    arrival_s = starts[session] + (elapsed - elapsed[first][session])
    return size[job_class], run_s, requested_s, owner[session], arrival_s


def _classes(rng: np.random.Generator, owner: IntArray, p: LublinParameters) -> IntArray:
    """Return the job class of every session: a recent one of the same user, or a new one."""
    again = rng.random(len(owner)) < p.repeat
    back = rng.geometric(0.5, len(owner))
    known: dict[int, list[int]] = {}
    chosen = np.empty(len(owner), dtype=np.int64)
    n_classes = 0
    for number, user in enumerate(owner.tolist()):
        mine = known.setdefault(user, [])
        if again[number] and mine:
            chosen[number] = mine[-min(int(back[number]), len(mine))]
        else:
            chosen[number] = n_classes
            mine.append(n_classes)
            n_classes += 1
    return chosen


def _estimates_s(rng: np.random.Generator, typical_s: FloatArray, p: LublinParameters) -> FloatArray:
    """Return the estimate of every class, in seconds."""
    longest_s = p.longest_h * 3600.0
    allowed = np.array([*(value for value in ROUND_S if value < longest_s), longest_s])
    wanted = typical_s * 1.1 * np.exp(p.careful * rng.exponential(1.0, len(typical_s)))
    rounded = allowed[np.minimum(np.searchsorted(allowed, wanted), len(allowed) - 1)]
    return np.where(rng.random(len(typical_s)) < p.lazy, longest_s, rounded)
