from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.test_easypp import in_minutes
from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy, Mechanism, Schedule
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, ModelError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.ensemble import LEAF, Tree, build_ensemble, ensemble_arrays
from hybrid_ml_scheduler.engine.features.batch import BATCH, N_FEATURES, build_book
from hybrid_ml_scheduler.engine.guard import build_guard
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.reservations import build_ends
from hybrid_ml_scheduler.engine.scored_pool import (
    MOST_SCORED,
    N_RECORDED,
    N_WEIGHTS,
    W_HOLD,
    W_PATIENCE,
    W_PATIENCE_S,
    Estimate,
    build_queue,
    run_scored,
)
from hybrid_ml_scheduler.engine.scored_run import build_run, compare_on
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import pool
from hybrid_ml_scheduler.workloads.lublin import generate
from properties.strategies import Case, pool_cases
from reference_scored import Job, random_weights, scored_starts

SENSIBLE = np.array([2, 1.5, 0, 0, 0, 0.5, 0.3, 0.3, *[0] * 12, 0.1, 8.5, 1, 0.4, 4, 86400, 3, -1, 10, 2, 1, 0.3], dtype=np.float64)
SLOWDOWN = np.array([1.0, 0, 0, 0, 0, 0])


def policy(
    weights: object,
    estimate: Estimate = Estimate.REQUEST,
    *,
    easy: bool = False,
    online: bool = True,
    rule: CompiledPolicy | None = None,
    **more: object,
) -> CompiledPolicy:
    arrays = {"weights": np.array(weights, dtype=np.float64), "objective": SLOWDOWN, **more}
    codes = {"estimate": int(estimate), "backfill": int(easy), "online": int(online)}
    return CompiledPolicy("scored", Mechanism.SCORED_POOL, codes, arrays=arrays, fallback=rule)  # type: ignore[arg-type]


def rule_of(workload: Workload, name: str = "saf+easy") -> CompiledPolicy:
    made = compile_policy(name, workload, pool(workload.report.processors or 1))
    assert isinstance(made, CompiledPolicy)
    return made


def constant(value: float, prefix: str = "median") -> dict[str, np.ndarray]:
    one = np.zeros(1, dtype=np.int64)
    return ensemble_arrays(build_ensemble([Tree(one, one, one, np.array([value]), one + LEAF)], N_FEATURES), prefix)


def run(workload: Workload, compiled: CompiledPolicy, processors: int | None = None) -> Schedule:
    return simulate(workload, pool(processors or workload.report.processors or 1), compiled)


def starts(schedule: Schedule) -> list[float | None]:
    return [None if np.isnan(start) else start for start in schedule.start_s.tolist()]


def jobs_of(workload: Workload) -> list[Job]:
    t = workload.tasks
    user = t.user if t.user is not None else np.full(len(t), -1)
    columns = (t.arrival_s, workload.truth.work_s, t.requested_time_s, t.cores_milli // 1000, user)
    return [Job(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


@pytest.mark.parametrize("easy", [False, True])
@pytest.mark.parametrize("history", [False, True])
@settings(max_examples=120)
@given(case=pool_cases(), seed=st.integers(0, 10_000))
def test_against_the_reference(easy: bool, history: bool, case: Case, seed: int) -> None:
    workload = in_minutes(case.workload)
    processors = case.cluster.nodes[0].cores_milli // 1000
    weights = random_weights(np.random.default_rng(seed))
    schedule = run(workload, policy(weights, Estimate(int(history)), easy=easy), processors)
    assert starts(schedule) == scored_starts(jobs_of(workload), processors, weights, history=history, easy=easy)


@pytest.mark.parametrize("easy", [False, True])
@pytest.mark.parametrize("history", [False, True])
def test_longer_queues_against_the_reference(easy: bool, history: bool) -> None:
    for seed in range(10_000, 10_006):
        workload = generate("lublin:processors=64,users=6,load=1.3", seed=seed, n_tasks=200)
        weights = random_weights(np.random.default_rng(seed))
        schedule = run(workload, policy(weights, Estimate(int(history)), easy=easy))
        assert starts(schedule) == scored_starts(jobs_of(workload), 64, weights, history=history, easy=easy)


def test_long_jobs_pass_the_head_only_within_what_it_leaves() -> None:
    """Six of ten processors are busy, the head wants eight: two more may be held beyond its start, a third not; short jobs may."""
    jobs = [(0, 1000, 6), (1, 500, 8), (2, 2000, 1), (2, 2000, 1), (2, 2000, 1), (2, 900, 1)]
    small = generate("lublin:processors=10,users=1", seed=10_000, n_tasks=len(jobs))
    arrival, run_s, cores = (np.array(column, dtype=np.float64) for column in zip(*jobs, strict=True))
    tasks = replace(small.tasks, arrival_s=arrival, requested_time_s=run_s, cores_milli=cores.astype(np.int64) * 1000)
    workload = replace(small, tasks=tasks, truth=replace(small.truth, work_s=run_s))
    weights = np.zeros(N_WEIGHTS)
    weights[6] = 1.0  # first come, first served
    weights[[W_PATIENCE_S, W_PATIENCE]] = 1e9
    weights[24] = 1e9
    schedule = run(workload, policy(weights, easy=True))
    assert schedule.start_s.tolist() == [0.0, 1000.0, 2.0, 2.0, 1500.0, 2.0]
    assert starts(schedule) == scored_starts(jobs_of(workload), 10, weights, history=False, easy=True)


@given(case=pool_cases(edges=True), seed=st.integers(0, 10_000), easy=st.booleans())
@settings(max_examples=60)
def test_every_job_runs_however_strange_the_weights(case: Case, seed: int, easy: bool) -> None:
    weights = random_weights(np.random.default_rng(seed))
    processors = case.cluster.nodes[0].cores_milli // 1000
    simulate(case.workload, pool(processors), policy(weights, Estimate.HISTORY, easy=easy))  # raises if a job is left waiting


@pytest.mark.parametrize("estimate", [Estimate.REQUEST, Estimate.HISTORY, Estimate.TREES])
@pytest.mark.parametrize("easy", [False, True])
def test_no_decision_depends_on_the_truth_before_the_first_end(estimate: Estimate, easy: bool) -> None:
    workload = generate("lublin:load=1.2", seed=10_003, n_tasks=600)
    order = np.random.default_rng(1).permutation(len(workload))
    other = replace(workload, truth=replace(workload.truth, work_s=workload.truth.work_s[order]))
    one, two = (run(work, policy(SENSIBLE, estimate, easy=easy, **constant(-1.0))) for work in (workload, other))
    first_end = min(one.finish_s.min(), two.finish_s.min())
    before = np.count_nonzero(one.start_s < first_end)
    assert before > 0
    assert one.decision_order[:before].tolist() == two.decision_order[:before].tolist()
    assert starts(one) != starts(two)


def recorded(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    problem = build_problem(workload, pool(256))
    made = build_run(policy(SENSIBLE, Estimate.HISTORY, easy=True), workload, problem, build_truth(workload, pool(256)), n_recorded=4 * len(workload))
    made.run(build_state(problem), len(workload) + 1)
    count = made.queue.counts[N_RECORDED]
    return made.queue.record[:count], made.queue.record_task[:count]


def test_features_do_not_change_when_the_future_is_cut_off() -> None:
    whole = generate("lublin:users=12,load=0.9", seed=10_004, n_tasks=900)
    part = whole.select(np.arange(500))
    features, task = recorded(whole)
    early, early_task = recorded(part)
    # Row by row up to the first estimate of a job that the part does not have.
    same = int(np.flatnonzero(task >= 500)[0])
    assert same >= 500
    assert task[:same].tolist() == early_task[:same].tolist()
    np.testing.assert_array_equal(features[:same], early[:same])


def test_features_lie_within_their_sheet_and_say_what_they_mean() -> None:
    workload = generate("lublin:users=12,load=0.9", seed=10_005, n_tasks=800)
    features, task = recorded(workload)
    for column, feature in enumerate(BATCH):
        values = features[:, column]
        known = values[~np.isnan(values)]
        assert len(known) > 0
        assert known.min() >= feature.low, feature.name
        assert known.max() <= feature.high, feature.name
    names = [feature.name for feature in BATCH]
    assert len(set(names)) == len(names) == N_FEATURES
    first = features[0]
    assert first[0] == pytest.approx(np.log(workload.tasks.requested_time_s[task[0]]))
    assert first[1] == pytest.approx(np.log(workload.tasks.cores_milli[task[0]] / 256_000))
    assert np.isnan(first[[4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18, 21]]).all()


def test_histories_hold_only_what_has_ended() -> None:
    """Three jobs of one user, one after the other on one processor: what the third is known by is computed by hand."""
    small = generate("lublin:processors=2,users=1", seed=10_000, n_tasks=3)
    tasks = replace(
        small.tasks,
        arrival_s=np.array([0.0, 1.0, 500.0]),
        cores_milli=np.full(3, 2000),
        requested_time_s=np.array([600.0, 600.0, 300.0]),
        user=np.array([0, 0, 0]),
    )
    workload = replace(small, tasks=tasks, truth=replace(small.truth, work_s=np.array([60.0, 240.0, 30.0])))
    problem = build_problem(workload, pool(2))
    made = build_run(policy(SENSIBLE, Estimate.HISTORY), workload, problem, build_truth(workload, pool(2)), n_recorded=8)
    made.run(build_state(problem), 4)
    row = int(np.flatnonzero(made.queue.record_task[: made.queue.counts[N_RECORDED]] == 2)[0])
    x = made.queue.record[row]
    ratios = np.log([60 / 600, 240 / 600])
    assert x[3] == pytest.approx(np.log(3.0))
    assert x[4:6].tolist() == pytest.approx([ratios[1], ratios[0]])
    assert x[6] == pytest.approx(ratios.mean())
    assert x[7] == pytest.approx(ratios.std())
    assert x[8] == pytest.approx(np.log(150 / 300))
    assert x[9] == 0.0
    assert np.isnan(x[10:14]).all()
    assert x[17] == pytest.approx(np.log(1 + 499))
    assert x[18] == pytest.approx(np.log(1 + 200))


def test_jobs_without_a_user_have_no_history_of_one() -> None:
    workload = generate("lublin:users=4", seed=10_006, n_tasks=300)
    nobody = replace(workload, tasks=replace(workload.tasks, user=np.full(300, -1)))
    absent = replace(workload, tasks=replace(workload.tasks, user=None))
    made = [run(work, policy(SENSIBLE, Estimate.TREES, easy=True, **constant(-0.5))) for work in (nobody, absent)]
    assert starts(made[0]) == starts(made[1])
    assert len(build_book(nobody.tasks).table) == 1


def test_held_back_processors_stay_free() -> None:
    workload = generate("lublin:processors=64,load=1.5", seed=10_007, n_tasks=400)
    weights = SENSIBLE.copy()
    weights[W_HOLD] = 0.25
    weights[[W_PATIENCE_S, W_PATIENCE]] = 1e9
    schedule = run(workload, policy(weights, easy=True))
    long = np.log(workload.tasks.requested_time_s) >= 8.5 + 1.0
    wide = workload.tasks.cores_milli // 1000
    for row in np.flatnonzero(long & (wide <= 48)):
        at = schedule.start_s[row]
        busy = np.sum(wide[(schedule.start_s <= at) & (schedule.finish_s > at)])
        later = np.sum(wide[(schedule.start_s == at) & ~long])
        assert busy - later <= 48


def test_nobody_waits_much_longer_than_patience_where_there_is_room() -> None:
    """Shorter jobs without end, and a wide long one that by its score would never be next."""
    n = 2000
    small = generate("lublin:processors=4,users=1", seed=10_000, n_tasks=n)
    arrival = np.arange(n) * 10.0
    cores, run_s = np.full(n, 1000), np.full(n, 39.0)
    cores[1], run_s[1] = 4000, 5000.0
    tasks = replace(small.tasks, arrival_s=arrival, cores_milli=cores, requested_time_s=run_s, user=np.zeros(n, dtype=np.int64))
    workload = replace(small, tasks=tasks, truth=replace(small.truth, work_s=run_s))
    weights = np.zeros(N_WEIGHTS)
    weights[[0, 1]] = 50.0, 50.0
    weights[[W_PATIENCE_S, W_PATIENCE]] = 1000.0, 0.1
    weights[23:25] = 1e6
    assert run(workload, policy(weights)).start_s[1] <= 10.0 + 1000.0 + 2 * 39.0
    weights[[W_PATIENCE_S, W_PATIENCE]] = 1e9
    assert run(workload, policy(weights)).start_s[1] > 5000.0


def test_a_run_in_pieces_is_the_same_run() -> None:
    workload = generate("lublin:load=1.1", seed=10_008, n_tasks=500)
    problem, truth = build_problem(workload, pool(256)), build_truth(workload, pool(256))
    whole, pieces = build_state(problem), build_state(problem)
    for state, steps in ((whole, [501]), (pieces, [*range(7, 500, 7), 501])):
        made = build_run(policy(SENSIBLE, Estimate.HISTORY, easy=True), workload, problem, truth)
        for until in steps:
            made.run(state, until)
    np.testing.assert_array_equal(whole.start, pieces.start)


def test_offline_learns_nothing() -> None:
    workload = generate("lublin:users=4,load=1.1", seed=10_009, n_tasks=500)
    weights = SENSIBLE.copy()
    weights[27] = 0.0
    requested = run(workload, policy(weights))
    assert starts(run(workload, policy(weights, Estimate.HISTORY, online=False))) == starts(requested)
    assert starts(run(workload, policy(weights, Estimate.HISTORY))) != starts(requested)


def mean_slowdown(workload: Workload, schedule: Schedule) -> float:
    return measure(workload, pool(workload.report.processors or 1), schedule)["mean_bounded_slowdown"]


def test_a_broken_score_costs_at_most_five_percent_behind_the_guardrail() -> None:
    broken = SENSIBLE.copy()
    broken[:8] *= -1.0
    broken[W_PATIENCE_S] = 1e7
    cost, alone = [], []
    for seed in range(10_010, 10_016):
        workload = generate("lublin:load=0.85", seed=seed, n_tasks=5000)
        rule = rule_of(workload)
        by_rule = mean_slowdown(workload, run(workload, rule))
        guarded = run(workload, policy(broken, easy=True, rule=rule))
        cost.append(mean_slowdown(workload, guarded) / by_rule)
        alone.append(mean_slowdown(workload, run(workload, policy(broken, easy=True))) / by_rule)
        assert np.mean(guarded.decided_by == DecidedBy.FALLBACK_LOSING) > 0.9
    assert np.mean(cost) <= 1.05
    assert min(alone) > 10.0


def test_wrong_predictions_hand_over_to_the_rule() -> None:
    workload = generate("lublin:load=0.85,estimates=exact", seed=10_013, n_tasks=2000)
    schedule = run(workload, policy(SENSIBLE, Estimate.TREES, easy=True, rule=rule_of(workload), **constant(-5.0)))
    assert np.mean(schedule.decided_by == DecidedBy.FALLBACK_ERROR) > 0.8
    alone = run(workload, policy(SENSIBLE, Estimate.TREES, easy=True, **constant(-5.0)))
    assert np.all(alone.decided_by == DecidedBy.MODEL)


def test_a_prediction_out_of_range_is_the_requests() -> None:
    workload = generate("lublin:load=0.85,estimates=exact", seed=10_014, n_tasks=300)
    schedule = run(workload, policy(SENSIBLE, Estimate.TREES, rule=rule_of(workload), **constant(99.0)))
    assert set(schedule.decided_by.tolist()) <= {DecidedBy.FALLBACK_RANGE, DecidedBy.FALLBACK_LOSING}
    weights = SENSIBLE.copy()
    weights[31] = 0.0
    assert starts(run(workload, policy(weights, Estimate.TREES, **constant(99.0)))) == starts(run(workload, policy(weights, Estimate.REQUEST)))


@pytest.mark.parametrize("name", ["saf+easy", "f2", "sjf+easy"])
def test_the_rule_behind_a_model_is_the_rule(name: str) -> None:
    workload = generate("lublin:load=1.1", seed=10_015, n_tasks=700)
    rule = rule_of(workload, name)
    problem, truth = build_problem(workload, pool(256)), build_truth(workload, pool(256))
    made = build_run(policy(SENSIBLE, Estimate.HISTORY, rule=rule), workload, problem, truth)
    made.say_losing(True)
    state = build_state(problem)
    made.run(state, 701)
    np.testing.assert_array_equal(state.start, run(workload, rule).start_s)


def test_replays_use_what_was_observed_and_requests_for_the_rest() -> None:
    workload = generate("lublin:load=1.3", seed=10_016, n_tasks=600)
    rule = rule_of(workload)
    compiled = policy(SENSIBLE, Estimate.REQUEST, easy=True, rule=rule)
    problem, truth = build_problem(workload, pool(256)), build_truth(workload, pool(256))
    made, state = build_run(compiled, workload, problem, truth), build_state(problem)
    made.run(state, 300)
    rows = np.arange(100, 300)
    hidden = replace(workload, truth=replace(workload.truth, work_s=np.full(600, np.nan)))
    scores = compare_on(compiled, hidden, pool(256), state, rows, made, made.book.table.copy())
    known = np.where(np.isin(rows, state.finish_log[: state.counters[5]]), state.finish[rows] - state.start[rows], 0.0)
    so_far = np.where(np.isnan(state.start[rows]), 0.0, state.clock[0] - state.start[rows])
    run_s = np.where(known > 0, known, np.maximum(workload.tasks.requested_time_s[rows], so_far))
    part = replace(workload.select(rows), truth=replace(workload.select(rows).truth, work_s=run_s))
    assert scores[1] == pytest.approx(mean_slowdown(part, run(part, rule)))
    assert scores[0] == pytest.approx(mean_slowdown(part, run(part, policy(SENSIBLE, Estimate.REQUEST, easy=True))))


def test_more_waiting_jobs_than_are_looked_at() -> None:
    n = MOST_SCORED + 300
    small = generate("lublin:processors=2,users=1", seed=10_000, n_tasks=n)
    run_s = np.full(n, 20.0)
    run_s[-1] = 10.0
    tasks = replace(small.tasks, arrival_s=np.zeros(n), cores_milli=np.full(n, 2000), requested_time_s=run_s)
    workload = replace(small, tasks=tasks, truth=replace(small.truth, work_s=run_s))
    schedule = run(workload, policy(SENSIBLE))
    # The shortest is looked at as soon as it is among the first.
    assert schedule.start_s[-1] == pytest.approx(301 * 20.0, abs=20.0)
    assert schedule.finished.all()


def test_what_cannot_be_run_is_refused() -> None:
    workload = generate("lublin", seed=10_000, n_tasks=50)
    with pytest.raises(IncompatiblePolicyError, match="cannot stand behind"):
        run(workload, policy(SENSIBLE, rule=rule_of(workload, "wfp3+easy")))
    with pytest.raises(ModelError, match="expected 32 finite numbers"):
        run(workload, policy(SENSIBLE[:5]))
    with pytest.raises(ModelError, match="expected 32 finite numbers"):
        run(workload, policy(np.full(N_WEIGHTS, np.nan)))
    with pytest.raises(ModelError, match="median_number is missing"):
        run(workload, policy(SENSIBLE, Estimate.TREES))


def test_it_can_be_called_on_an_empty_queue() -> None:
    workload = generate("lublin", seed=10_000, n_tasks=1)
    problem = build_problem(workload, pool(256))
    made = build_run(policy(SENSIBLE), workload, problem, build_truth(workload, pool(256)))
    state = build_state(problem)
    run_scored(problem, made.truth, state, made.rule, made.book, build_queue(1), build_ends(1), build_guard(1, guarded=False), 5, np.inf, np.inf)
    assert state.finish[0] > 0
