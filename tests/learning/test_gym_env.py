"""The Gymnasium environment: its rewards add up to the objective, nothing hidden shows, and an episode ends whatever the agent does."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine_cases import divisible, gpu, node, nodes, pool, rigid
from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Decision, Schedule, TaskStatus
from hybrid_ml_scheduler.core.errors import DecisionError, InputError, NothingToReportError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.learning.objective import METRICS, parse_objective
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from properties.strategies import NODES, Case, divisible_cases, pool_cases

gymnasium = pytest.importorskip("gymnasium", reason="the optional extra gym is not installed")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from hybrid_ml_scheduler.learning import gym_env  # noqa: E402
from hybrid_ml_scheduler.learning.gym_env import ENVIRONMENT_ID, TRAINING_SEEDS, HybridSchedulingEnv  # noqa: E402

SAMPLE = str(Path(__file__).parents[2] / "examples" / "sample.swf")
EVERYTHING = "mean_bounded_slowdown=3,mean_response=1,p99_wait=2,makespan=0.5,energy=0.01,cost=700"
Choose = Callable[[NDArray[np.int8]], int]


def at_random(seed: int) -> Choose:
    random = np.random.default_rng(seed)
    return lambda mask: int(random.choice(np.flatnonzero(mask)))


def anything(seed: int) -> Choose:
    """Possible or not."""
    random = np.random.default_rng(seed)
    return lambda mask: int(random.integers(len(mask)))


def always_waits(mask: NDArray[np.int8]) -> int:
    return len(mask) - 1


def play(env: HybridSchedulingEnv, choose: Choose, seed: int = 0, options: dict[str, Any] | None = None) -> tuple[float, dict[str, Any], list[Any]]:
    """Return the undiscounted return, the last info, and everything that was seen."""
    columns, info = env.reset(seed=seed, options=options)
    total, ended = 0.0, False
    seen = [(columns, info["action_mask"], 0.0)]
    while not ended:
        assert env.observation_space.contains(columns)
        np.testing.assert_array_equal(env.action_masks(), info["action_mask"].astype(bool))
        columns, reward, ended, truncated, info = env.step(np.int64(choose(info["action_mask"])))
        assert not truncated
        assert reward <= 0.0
        total += reward
        seen.append((columns, info["action_mask"], reward))
    return total, info, seen


@pytest.mark.parametrize("arguments", [{"workload": "steady"}, {"workload": SAMPLE}, {"workload": "graphs", "objective": EVERYTHING}])
def test_gymnasium_accepts_it(arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(ENVIRONMENT_ID, tasks=40, slots=3, **arguments)
        check_env(env.unwrapped)


def test_it_is_found_by_name_of_its_module() -> None:
    env = gymnasium.make(f"{gym_env.__name__}:{ENVIRONMENT_ID}", workload="steady", tasks=5)
    env.reset(seed=0)
    assert isinstance(env.unwrapped, HybridSchedulingEnv)


def anything_measured(workload: Workload, cluster: Cluster) -> bool:
    try:
        measure(workload, cluster, simulate(workload, cluster, compile_policy("fcfs", workload, cluster)))
    except NothingToReportError:
        return False
    return True


CASES = divisible_cases(NODES) | divisible_cases(NODES, edges=True) | pool_cases() | pool_cases(edges=True)


@settings(max_examples=150)
@given(case=CASES, seed=st.integers(0, 100), warmup=st.sampled_from([0.0, 0.0, 0.3]), slots=st.integers(1, 4), name=st.sampled_from([*METRICS, None]))
def test_the_return_is_minus_the_objective(case: Case, seed: int, warmup: float, slots: int, name: str | None) -> None:
    workload = replace(case.workload, warmup=warmup)
    env = HybridSchedulingEnv(workload, case.cluster, objective=name or EVERYTHING, slots=slots, tasks=None)
    if not anything_measured(workload, case.cluster):
        with pytest.raises(InputError, match="no measured task can ever finish"):
            env.reset()
        return
    total, info, _ = play(env, anything(seed))
    schedule = env.schedule()
    assert set(schedule.status.tolist()) <= {TaskStatus.FINISHED, TaskStatus.REJECTED, TaskStatus.ORPHANED}
    metrics = measure(workload, case.cluster, schedule)
    assert info["metrics"] == metrics
    value = env.objective.value(metrics)
    assert info["objective"] == value
    assert total == pytest.approx(-value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("workload", ["steady", "graphs", SAMPLE])
def test_long_episodes_add_up(workload: str) -> None:
    for objective in (None, "p99_wait" if workload == SAMPLE else EVERYTHING):
        env = HybridSchedulingEnv(workload, objective=objective, tasks=300)
        total, info, _ = play(env, at_random(1))
        assert total == pytest.approx(-info["objective"], rel=1e-9)


def test_rewards_come_when_they_are_earned() -> None:
    # Two jobs of 4 s and 1 s on one processor; the agent takes the long one first.
    work = rigid([0.0, 0.0], [4.0, 1.0])
    env = HybridSchedulingEnv(work, pool(1), objective="mean_response", tasks=None, slots=2)
    _, _, seen = play(env, lambda _: 0)
    # While the first runs both are in the system: (4 x 2 + 1 x 1) / 2, and nothing was decided in between.
    assert [reward for _, _, reward in seen] == [0.0, -4.0, -0.5]


@settings(max_examples=100)
@given(case=CASES, seed=st.integers(0, 100))
def test_exactly_the_possible_actions_can_be_started(case: Case, seed: int) -> None:
    env = HybridSchedulingEnv(case.workload, case.cluster, slots=3, tasks=None)
    choose = at_random(seed)
    try:
        _, info = env.reset(seed=0)
    except InputError:
        return
    ended = False
    while not ended:
        mask = info["action_mask"]
        waiting = sorted(env._simulation.queue.tolist())
        for action in range(len(mask) - 1):
            slot, option = divmod(action, env._options)
            if mask[action]:
                number, whole = divmod(option - len(env._place.nodes), 2)
                assert number < 0 or whole or 0.0 < env._fractions[slot, number] < 1.0
                continue
            assert_impossible(env, waiting[slot] if slot < len(waiting) else -1, option, slot)
        _, _, ended, _, info = env.step(np.int64(choose(mask)))
        assert info["invalid_actions"] == info["forced_starts"] == 0


def assert_impossible(env: HybridSchedulingEnv, task: int, option: int, slot: int) -> None:
    """A masked action is refused by the engine, or is a split whose best fraction is none."""
    columns, n_nodes = env._columns_of_cluster, len(env._place.nodes)
    decision = Decision(task, node=option)
    if option >= n_nodes:
        number, whole = divmod(option - n_nodes, 2)
        home = int(columns.gpu_node[number])
        fraction = 1.0 if whole else float(env._fractions[slot, number])
        if fraction in (0.0, 1.0) and not whole:
            return
        decision = Decision(task, home, (number - int(columns.gpu_ptr[home]),), fraction)
    with pytest.raises(DecisionError):
        env._simulation.start(decision)


def test_the_agent_that_always_waits_is_made_to_work_in_the_end() -> None:
    for workload in ("steady", SAMPLE):
        env = HybridSchedulingEnv(workload, tasks=50)
        _, info, seen = play(env, always_waits)
        assert env.schedule().finished.all()
        # Every task was started by force, when all had arrived and nothing ran any more.
        assert info["forced_starts"] == info["invalid_actions"] == 50
        assert len(seen) < 200


def test_impossible_actions_are_counted_and_taken_for_waiting() -> None:
    work = divisible([0.0, 1.0], 4.0, memory_mb=[5000.0, 0.0])
    env = HybridSchedulingEnv(work, nodes(node(1, gpu(memory_mb=1000.0, launch_s=0.1))), tasks=None, slots=2, objective="makespan")
    _, info = env.reset()
    # The first task does not fit the GPU; the second slot is empty.
    assert info["action_mask"].tolist() == [1, 0, 0, 0, 0, 0, 1]
    _, _, _, _, info = env.step(np.int64(2))
    assert (info["time_s"], info["invalid_actions"]) == (1.0, 1)
    assert info["action_mask"].tolist() == [1, 0, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("action", [-1, 7])
def test_what_is_no_action_is_an_error(action: int) -> None:
    env = HybridSchedulingEnv(divisible([0.0], 4.0), nodes(node(1, gpu())), tasks=None, slots=2)
    env.reset()
    with pytest.raises(InputError, match=f"action {action}; expected 0 to 6"):
        env.step(np.int64(action))


def test_a_step_after_the_end_is_an_error() -> None:
    env = HybridSchedulingEnv(divisible([0.0], 4.0), nodes(node(1, gpu())), tasks=None)
    with pytest.raises(InputError, match="expected reset"):
        env.step(np.int64(0))
    play(env, at_random(0))
    with pytest.raises(InputError, match="expected reset"):
        env.step(np.int64(0))


@pytest.mark.parametrize("workload", ["bursty", SAMPLE])
def test_the_same_seed_gives_the_same_episodes_and_another_gives_others(workload: str) -> None:
    def two_episodes(seed: int) -> list[Any]:
        env = HybridSchedulingEnv(workload, tasks=60)
        first = play(env, at_random(3), seed)[2]
        columns, info = env.reset()
        return [*first, (columns, info["action_mask"], 0.0)]

    one, again, other = two_episodes(4), two_episodes(4), two_episodes(5)
    assert len(one) == len(again)
    for (columns, mask, reward), (columns_again, mask_again, reward_again) in zip(one, again, strict=True):
        np.testing.assert_array_equal(columns, columns_again)
        np.testing.assert_array_equal(mask, mask_again)
        assert reward == reward_again
    assert [reward for _, _, reward in one] != [reward for _, _, reward in other]
    assert not np.array_equal(one[0][0], one[-1][0])


def test_episodes_are_drawn_from_training_seeds_that_no_comparison_uses() -> None:
    assert TRAINING_SEEDS[0] >= 10_000
    env = HybridSchedulingEnv("steady", tasks=30, seeds=(10_007, 10_009))
    drawn = set()
    for episode in range(12):
        env.reset(seed=episode)
        arrival_s = env.workload.tasks.arrival_s
        drawn |= {seed for seed in (10_007, 10_008) if np.array_equal(arrival_s, generate("steady", seed=seed, n_tasks=30).tasks.arrival_s)}
    assert drawn == {10_007, 10_008}
    env.reset(options={"seed": 3})
    np.testing.assert_array_equal(env.workload.tasks.arrival_s, generate("steady", seed=3, n_tasks=30).tasks.arrival_s)


def test_windows_of_a_file_stay_within_its_first_jobs() -> None:
    env = HybridSchedulingEnv(SAMPLE, tasks=20, first_jobs=25)
    ids = set()
    for episode in range(30):
        env.reset(seed=episode)
        assert len(env.workload) == 20
        ids |= set(env.workload.tasks.task_id.tolist())
    assert ids == set(range(1, 26))
    env.reset(options={"start": 5})
    assert sorted(env.workload.tasks.task_id.tolist()) == list(range(6, 26))


def with_other_truth(workload: Workload) -> Workload:
    """Everything hidden is another; the first task runs on as before, so that the first decisions meet the same state."""
    truth = workload.truth
    work_s = truth.work_s[::-1].copy()
    slowdown = truth.slowdown * 3.0
    return replace(workload, truth=replace(truth, work_s=work_s, slowdown=slowdown))


@pytest.mark.parametrize("preset", ["steady", "graphs"])
def test_nothing_hidden_shows_before_a_task_has_ended(preset: str) -> None:
    workload = generate(preset, seed=10_001, n_tasks=60)
    seen = []
    for work in (workload, with_other_truth(workload)):
        env = HybridSchedulingEnv(work, workstation(), tasks=None, slots=4)
        columns, info = env.reset(seed=0)
        trail = [columns]
        # Starts only: no time passes between them, so nothing can have been learnt of any run time.
        while True:
            start = int(np.argmax(info["action_mask"]))
            time_s = info["time_s"]
            columns, _, _, _, info = env.step(np.int64(start))
            if info["time_s"] > time_s and len(env._simulation.running) == 0:
                break
            if env._state.counters[gym_env.N_FINISHED]:
                break
            trail.append(columns)
        seen.append(trail)
    shared = min(len(trail) for trail in seen)
    assert shared > 1
    for mine, yours in zip(seen[0][:shared], seen[1][:shared], strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_what_is_seen_of_two_tasks_on_one_gpu() -> None:
    work = divisible([1.0, 3.0], [8.0, 4.0], work_s=[16.0, 4.0], intensity=1.0, cores=[2.0, 1.0], memory_mb=[1000.0, 500.0])
    env = HybridSchedulingEnv(work, nodes(node(4, gpu(8.0, memory_mb=2000.0, launch_s=0.5), memory_mb=4000.0)), tasks=None, slots=1)
    names = [feature.name for feature in env.sheet]
    columns, _ = env.reset()
    first = dict(zip(names, columns.tolist(), strict=True))
    assert first == pytest.approx(
        {
            "queue_length": np.log1p(1.0),
            "running": 0.0,
            "node0_free_cores": 1.0,
            "node0_free_memory": 1.0,
            "node0_busy": 0.0,
            "gpu0_free": 1.0,
            "gpu0_free_memory": 1.0,
            "gpu0_busy": 0.0,
            "slot0_present": 1.0,
            "slot0_waited": 0.0,
            "slot0_cores": np.log1p(2.0),
            "slot0_memory": np.log1p(1000.0),
            "slot0_kind": 0.0,
            "slot0_node0_cpu_time": np.log1p(8.0),
            "slot0_gpu0_gpu_time": np.log1p(0.5 + 1.0 + 1.0),
        }
    )
    # By nominal times (8 - 0.5) / (8 + 2) = 0.75 of it goes to the GPU, for 0.5 + 0.75 x 2 = 2 s; the CPU part also takes 2 s, in truth 4 s.
    columns, *_ = env.step(np.int64(1))
    second = dict(zip(names, columns.tolist(), strict=True))
    assert (second["running"], second["gpu0_free"], second["node0_free_cores"]) == pytest.approx((np.log1p(1.0), 0.0, 0.5))
    assert (second["gpu0_busy"], second["node0_busy"]) == (0.0, 0.0)
    assert second["gpu0_free_memory"] == 0.5
    assert env._simulation.now_s == 3.0
    assert env.schedule().fraction[0] == 0.75


def test_what_is_seen_of_batch_jobs() -> None:
    work = rigid([0.0, 1.0, 2.0], [10.0, 5.0, 5.0], cores=[3.0, 2.0, 1.0], requested_s=[20.0, 6.0, 7.0])
    env = HybridSchedulingEnv(work, pool(4), tasks=None, slots=2)
    names = [feature.name for feature in env.sheet]
    env.reset()
    columns, _, _, _, info = env.step(np.int64(0))
    assert info["time_s"] == 2.0
    assert dict(zip(names, columns.tolist(), strict=True)) == pytest.approx(
        {
            "queue_length": np.log1p(2.0),
            "running": np.log1p(1.0),
            "free": 0.25,
            "queued_area": np.log1p((2.0 * 6.0 + 7.0) / 4.0),
            "next_end": np.log1p(18.0),
            "slot0_present": 1.0,
            "slot0_waited": np.log1p(1.0),
            "slot0_requested": np.log1p(6.0),
            "slot0_share": 0.5,
            "slot0_fits": 0.0,
            "slot1_present": 1.0,
            "slot1_waited": 0.0,
            "slot1_requested": np.log1p(7.0),
            "slot1_share": 0.25,
            "slot1_fits": 1.0,
        }
    )


def schedule_of(env: HybridSchedulingEnv, choose: Choose) -> Schedule:
    play(env, choose)
    return env.schedule()


def test_first_come_first_served_is_that_of_the_engine() -> None:
    env = HybridSchedulingEnv(SAMPLE, tasks=None, slots=1)
    schedule = schedule_of(env, lambda mask: int(np.argmax(mask)))
    rule = simulate(env.workload, env._place, compile_policy("fcfs", env.workload, env._place))
    np.testing.assert_array_equal(schedule.start_s, rule.start_s)


def test_slots_hold_the_earliest_arrivals_whatever_the_order_of_the_queue() -> None:
    # Row 1 waits for row 0 and enters the queue after row 2.
    work = divisible([0.0, 0.0, 0.0, 0.0], 2.0, edges=[(0, 1, 0.0, 0.0)])
    env = HybridSchedulingEnv(work, nodes(node(1)), tasks=None, slots=2)
    env.reset()
    assert env._rows.tolist() == [0, 2]
    env.step(np.int64(0))
    assert env._simulation.queue.tolist() == [2, 3, 1]
    assert env._rows.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slots": 0}, "slots is 0; expected 1 to 256"),
        ({"tasks": 0}, "tasks is 0; expected at least 1"),
        ({"seeds": (5, 5)}, r"seeds are \(5, 5\)"),
        ({"seeds": (1,)}, r"seeds are \(1,\)"),
        ({"objective": "speed"}, "is no metric to train for"),
        ({"workload": SAMPLE, "objective": "energy"}, "expected it to"),
        ({"workload": "nowhere"}, "neither a file nor a preset"),
        ({"workload": str(Path(SAMPLE).with_name("topcuoglu.graph.json"))}, "expected batch jobs on a pool of processors, or divisible tasks"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HybridSchedulingEnv(**arguments).reset()


@pytest.mark.parametrize("options", [{"sed": 1}, {"seed": -1}, {"seed": "x"}, {"start": 0}])
def test_unknown_options_of_reset_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"expected {'seed': a whole number of at least 0} or none"):
        HybridSchedulingEnv("steady", tasks=3).reset(options=options)


def test_without_gymnasium_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, gym_env.__name__)
    with pytest.raises(InputError, match=r"hybrid-ml-scheduler\[gym\]"):
        importlib.import_module(gym_env.__name__)


def test_the_objective_may_be_given_ready_made() -> None:
    env = HybridSchedulingEnv("steady", objective=parse_objective("makespan"), tasks=5)
    total, info, _ = play(env, at_random(0))
    assert total == pytest.approx(-info["metrics"]["makespan_s"])


def test_the_documented_loop_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "gym.md").read_text(encoding="utf-8")
    loop, sheet = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(loop, names)  # noqa: S102 - our own page
    value = float(capsys.readouterr().out)
    assert value == names["info"]["metrics"]["mean_response_s"]
    exec(sheet, names)  # noqa: S102
    assert len(capsys.readouterr().out.splitlines()) == names["env"].observation_space.shape[0]


def test_the_documented_arguments_are_those_of_the_environment() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gym.md").read_text(encoding="utf-8")
    table = page.split("| argument |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(inspect.signature(HybridSchedulingEnv).parameters)
