from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybrid_ml_scheduler.core.decision import DecidedBy
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.divisible import ENERGY_PRICE
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE, N_FEATURES
from hybrid_ml_scheduler.engine.features.history import N_OBSERVED, N_SUMS
from hybrid_ml_scheduler.engine.guard import COLD
from hybrid_ml_scheduler.engine.learned_divisible import prepare_learned
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.state import N_FINISHED, build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.divisible import priced_rule
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import learned, run_whole

CLUSTER = workstation()


def same(ours: object, theirs: object, *names: str) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


COLUMNS = ("start_s", "finish_s", "cpu_end_s", "gpu_end_s", "node", "gpu_mask", "fraction", "decision_order")


@pytest.mark.parametrize("preset", ["steady", "graphs"])
def test_what_the_rule_decides_is_what_priced_decides(preset: str) -> None:
    workload = generate(preset, seed=20_001, n_tasks=600)
    priced = simulate(workload, CLUSTER, compile_policy("priced", workload, CLUSTER))
    refused, _ = run_whole(learned(guarded=True, refused=True), workload, CLUSTER)
    same(refused, priced, *COLUMNS)
    assert set(refused.decided_by) == {DecidedBy.FALLBACK_COLD, DecidedBy.FALLBACK_LOSING}


def test_a_model_that_knows_nothing_and_learns_nothing_is_priced() -> None:
    workload = generate("steady", seed=20_002, n_tasks=600)
    priced = simulate(workload, CLUSTER, compile_policy("priced", workload, CLUSTER))
    ours, _ = run_whole(learned(online=False), workload, CLUSTER)
    same(ours, priced, *COLUMNS)
    assert (ours.decided_by == DecidedBy.MODEL).all()


@pytest.mark.parametrize("guarded", [False, True])
def test_in_pieces_as_at_once(guarded: bool) -> None:
    workload = generate("bursty", seed=20_003, n_tasks=700)
    policy = learned(guarded=guarded, exploration=0.05, seed=4)
    problem = build_problem(workload, CLUSTER)
    whole, pieces = (prepare_learned(policy, workload, CLUSTER, problem, build_truth(workload, CLUSTER)) for _ in range(2))
    at_once, in_pieces = build_state(problem), build_state(problem)
    for run in (whole, pieces):
        run.mind.guard.status[COLD] = 0
    while whole.step(at_once, 1 << 60):
        pass
    for until in (1, 2, 3, 50, 51, 300, 1 << 60):
        pieces.step(in_pieces, until)
        assert in_pieces.counters[N_FINISHED] >= min(until, 700)
    for ours, theirs in zip(in_pieces, at_once, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(pieces.mind.history, whole.mind.history, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_outcomes_are_the_true_factors_of_the_parts_that_ran() -> None:
    workload = generate("steady", seed=20_004, n_tasks=500)
    schedule, run = run_whole(learned(), workload, CLUSTER)
    tasks, truth = workload.tasks, workload.truth
    assert tasks.size is not None
    assert tasks.kind is not None
    assert truth.slowdown is not None
    outcome = run.mind.outcome
    on_cpu = schedule.fraction < 1.0
    np.testing.assert_allclose(outcome[on_cpu, 0], np.log(truth.work_s / tasks.size)[on_cpu], atol=1e-8)
    assert np.isnan(outcome[~on_cpu, 0]).all()
    models = np.array([0, 0, 1, 1])
    for row in np.flatnonzero(schedule.fraction > 0.0):
        model = models[int(schedule.gpu_mask[row]).bit_length() - 1]
        expected = np.log(truth.work_s[row] / tasks.size[row] * truth.slowdown[0, tasks.kind[row], model])
        assert outcome[row, 1 + model] == pytest.approx(expected, abs=1e-6)
        assert np.isnan(outcome[row, 2 - model])
    assert run.mind.history.counters[N_OBSERVED] == (~np.isnan(outcome)).sum()


def test_learning_pays_and_can_be_switched_off() -> None:
    workload = generate("steady", seed=20_005, n_tasks=2500)
    online, offline = (measure(workload, CLUSTER, run_whole(learned(online=flag), workload, CLUSTER)[0])["mean_response_s"] for flag in (True, False))
    assert online < 0.85 * offline
    _, frozen = run_whole(learned(online=False), workload, CLUSTER)
    assert not frozen.mind.history.sums.any()


def cut(workload: Workload, n: int) -> Workload:
    return workload.select(np.arange(n))


def test_features_do_not_look_ahead() -> None:
    workload = generate("bursty", seed=20_006, n_tasks=600)
    policy = learned(records=True)
    _, whole = run_whole(policy, workload, CLUSTER)
    _, short = run_whole(policy, cut(workload, 300), CLUSTER)
    # What is predicted before the first missing task arrives cannot depend on it; a later prediction of a waiting task may.
    before, _ = run_whole(policy, workload, CLUSTER)
    gone = before.start_s < workload.tasks.arrival_s[300]
    rows = np.flatnonzero(gone[:300])
    assert len(rows) > 200
    np.testing.assert_array_equal(whole.mind.recorded[rows], short.mind.recorded[rows])
    assert whole.mind.recorded.shape == (600, 3, len(DIVISIBLE))


def test_decisions_before_the_first_outcome_ignore_the_truth() -> None:
    workload = generate("steady", seed=20_007, n_tasks=200)
    together = replace(workload, tasks=replace(workload.tasks, arrival_s=np.zeros(200)))
    rng = np.random.default_rng(1)
    other = replace(together, truth=replace(together.truth, work_s=rng.permutation(together.truth.work_s) * 2.0))
    first, second = (run_whole(learned(exploration=0.2), each, CLUSTER)[0] for each in (together, other))
    blind = min(np.nanmin(run.finish_s) for run in (first, second))
    blind = min(blind, *(np.nanmin(end) for run in (first, second) for end in (run.cpu_end_s, run.gpu_end_s)))
    started = first.start_s < blind
    assert started.sum() >= 4
    same_start = second.start_s[started]
    np.testing.assert_array_equal(first.start_s[started], same_start)
    np.testing.assert_array_equal(first.fraction[started], second.fraction[started])
    np.testing.assert_array_equal(first.gpu_mask[started], second.gpu_mask[started])


def test_exploration_is_seeded_counted_and_varied() -> None:
    workload = generate("steady", seed=20_008, n_tasks=2000)
    one, again, other, never = (
        run_whole(learned(exploration=share, seed=seed), workload, CLUSTER)[0] for share, seed in ((0.1, 1), (0.1, 1), (0.1, 2), (0.0, 1))
    )
    same(one, again, *COLUMNS, "decided_by")
    explored = one.decided_by == DecidedBy.EXPLORATION
    assert 0.07 < explored.mean() < 0.13
    assert not np.array_equal(explored, other.decided_by == DecidedBy.EXPLORATION)
    assert not (never.decided_by == DecidedBy.EXPLORATION).any()
    # Every GPU and the CPU alone are among what is tried, as are split and whole tasks.
    assert set(one.gpu_mask[explored]) == {0, 1, 2, 4, 8}
    fractions = one.fraction[explored]
    assert min((fractions == 0.0).sum(), (fractions == 1.0).sum(), ((fractions > 0.0) & (fractions < 1.0)).sum()) >= 5


def test_tasks_out_of_range_are_decided_with_nominal_times() -> None:
    workload = generate("steady", seed=20_009, n_tasks=800)
    names = [feature.name for feature in DIVISIBLE]
    high = np.full(N_FEATURES, np.inf)
    high[names.index("log_size")] = 0.5
    schedule, run = run_whole(learned(guarded=True, high=high), workload, CLUSTER)
    assert workload.tasks.size is not None
    large = np.log(workload.tasks.size / 4.0) > 0.5
    np.testing.assert_array_equal(run.mind.strange, large)
    decided = set(schedule.decided_by[large & (schedule.decided_by != DecidedBy.FALLBACK_COLD)])
    assert DecidedBy.FALLBACK_RANGE in decided
    assert DecidedBy.MODEL not in decided


def test_drift_is_noticed_soon_and_never_without_reason() -> None:
    calm, changed = generate("steady", seed=20_010, n_tasks=3000), generate("drift", seed=20_010, n_tasks=3000)
    _, run = run_whole(learned(), calm, CLUSTER)
    assert len(run.alarms[0]) <= 1
    _, run = run_whole(learned(), changed, CLUSTER)
    alarms, cells = run.alarms
    change = changed.truth.regime_start_s[1]
    assert len(alarms) >= 2
    assert (alarms >= change).sum() >= len(alarms) - 1
    assert alarms[alarms >= change][0] < change + 60.0
    assert {1, 2} <= set(cells[:, 1])


def test_a_stale_model_falls_to_the_rule_where_it_may_not_learn() -> None:
    workload = generate("drift", seed=20_011, n_tasks=5000)
    half = workload.select(np.arange(2300))
    _, taught = run_whole(learned(), half, CLUSTER)
    schedule, _ = run_whole(learned(guarded=True, online=False, sums=taught.mind.history.sums), workload, CLUSTER)
    late = schedule.start_s > workload.truth.regime_start_s[1] + 100.0
    early = schedule.start_s < workload.truth.regime_start_s[1]
    assert (schedule.decided_by[late] == DecidedBy.FALLBACK_ERROR).mean() > 0.6
    assert (schedule.decided_by[early] == DecidedBy.MODEL).mean() > 0.9


def test_a_price_on_energy_saves_energy() -> None:
    workload = generate("steady", seed=20_012, n_tasks=1500)
    dear = learned()
    dear.params[ENERGY_PRICE] = 0.02
    free, paid = (measure(workload, CLUSTER, run_whole(policy, workload, CLUSTER)[0]) for policy in (learned(), dear))
    assert paid["energy_per_task_j"] < 0.95 * free["energy_per_task_j"]


def test_a_price_on_energy_needs_watts() -> None:
    node = CLUSTER.nodes[0]
    dark = replace(CLUSTER, nodes=(replace(node, gpus=tuple(replace(gpu, power=replace(gpu.power, busy_w=None)) for gpu in node.gpus)),))
    policy = learned()
    policy.params[ENERGY_PRICE] = 0.02
    workload = generate("steady", seed=20_013, n_tasks=10)
    with pytest.raises(IncompatiblePolicyError, match="does not say what all of its devices draw"):
        simulate(workload, dark, policy)


def test_a_learned_policy_needs_its_rule() -> None:
    workload = generate("steady", seed=20_014, n_tasks=10)
    with pytest.raises(IncompatiblePolicyError, match="without a rule behind it"):
        simulate(workload, CLUSTER, replace(learned(), fallback=None))


@pytest.mark.parametrize("preset", ["steady", "graphs", "serial"])
def test_guarded_runs_finish_everything(preset: str) -> None:
    workload = generate(preset, seed=20_015, n_tasks=700)
    sums = np.zeros((8, 3, N_SUMS))
    schedule, run = run_whole(learned(guarded=True, sums=sums), workload, CLUSTER)
    assert schedule.finished.all()
    assert len(run.record.finished) >= 2
    assert priced_rule().params.shape == (9,)
