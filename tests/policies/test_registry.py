from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Decision, DecisionView, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, PolicyError, UnknownNameError
from hybrid_ml_scheduler.core.workload import Tasks, Workload, WorkloadKind
from hybrid_ml_scheduler.policies import PolicySpec, compile_policy, default_policies, list_policies, register_provider, registry
from hybrid_ml_scheduler.policies.checks import check_policy, example_cases
from hybrid_ml_scheduler.policies.composition import parse
from hybrid_ml_scheduler.policies.parts import PARTS

CASES = {(workload.kind, cluster.kind): (workload, cluster) for workload, cluster in example_cases()}
BATCH = CASES[WorkloadKind.RIGID, ClusterKind.POOL]
DIVISIBLE = CASES[WorkloadKind.DIVISIBLE, ClusterKind.NODES]
RUNS = [(spec.name, kind) for spec in list_policies() for kind in spec.kinds if kind in CASES]


@pytest.mark.parametrize(("name", "kind"), RUNS)
def test_every_registered_policy_conforms(name: str, kind: tuple[WorkloadKind, ClusterKind]) -> None:
    schedule = check_policy(partial(compile_policy, name), CASES[kind])
    assert schedule.finished.all()


def test_there_are_at_least_forty_and_fifteen_beyond_batch_orders() -> None:
    specs = list_policies()
    assert len({spec.name for spec in specs}) == len(specs) >= 40
    assert sum(not spec.supports(WorkloadKind.RIGID, ClusterKind.POOL) for spec in specs) >= 15
    assert all(spec.summary and spec.reference and spec.kinds for spec in specs)


def test_default_policies_run() -> None:
    for workload, cluster in CASES.values():
        for name in default_policies(workload, cluster):
            compile_policy(name, workload, cluster)


@pytest.mark.parametrize("name", ["saf+none", "SAF", " saf "])
def test_spellings_of_one_policy(name: str) -> None:
    assert compile_policy(name, *BATCH).name == "saf"


@pytest.mark.parametrize(
    ("preset", "spelling"),
    [("round_robin", "fcfs+place_round_robin+split_alternate"), ("greedy", "least_loaded+split_intensity"), ("priced", "place_priced+split_any")],
)
def test_presets_stand_for_their_parts(preset: str, spelling: str) -> None:
    one, two = compile_policy(preset, *DIVISIBLE), compile_policy(spelling, *DIVISIBLE)
    assert isinstance(one, CompiledPolicy)
    assert isinstance(two, CompiledPolicy)
    assert one.codes == two.codes
    assert one.params.tolist() == two.params.tolist()


@pytest.mark.parametrize("name", ["nothing", "", "sjf+", "sjf+easy+nothing", "hybrid"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownNameError, match="no part of a policy"):
        parse(name)


@pytest.mark.parametrize(("name", "meant"), [("sjf+eazy", "easy"), ("oracel", "oracle"), ("xyzzy", "what hms policies lists")])
def test_unknown_names_come_with_what_may_have_been_meant(name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"expected {meant}"):
        compile_policy(name, *BATCH)


def test_summaries_read_as_one_sentence() -> None:
    assert parse("sjf+easy").summary == "Shortest requested time first; others may overtake if they do not delay the head"
    assert parse("mct+split_gpu").summary == "Minimum completion time; GPU alone"


def test_defaults_on_nodes_differ_with_the_demand_for_gpus() -> None:
    workload, cluster = CASES[WorkloadKind.RIGID, ClusterKind.NODES]
    zero = np.zeros(len(workload), dtype=np.int64)
    without = replace(workload, tasks=replace(workload.tasks, gpus=zero, gpu_share_milli=zero))
    assert "fgd" in default_policies(workload, cluster)
    assert "fgd" not in default_policies(without, cluster)
    assert "sjf" in default_policies(without, cluster)


@pytest.mark.parametrize("name", ["easy+sjf", "sjf+saf", "easy+easy", "split_any+mct"])
def test_parts_in_the_wrong_place(name: str) -> None:
    with pytest.raises(PolicyError, match="wrong place"):
        parse(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("saf+easy", (WorkloadKind.DIVISIBLE, ClusterKind.NODES)),
        ("heft", (WorkloadKind.RIGID, ClusterKind.POOL)),
        ("oracle", (WorkloadKind.MACHINES, ClusterKind.MACHINES)),
        ("fgd", (WorkloadKind.RIGID, ClusterKind.POOL)),
        ("fgd", (WorkloadKind.DIVISIBLE, ClusterKind.NODES)),
        ("dmda", (WorkloadKind.RIGID, ClusterKind.NODES)),
        ("sjf+mct", (WorkloadKind.MACHINES, ClusterKind.MACHINES)),
        ("wfp3+mct", (WorkloadKind.DIVISIBLE, ClusterKind.NODES)),
    ],
)
def test_unsuited_policies_are_refused_with_both_names(name: str, kind: tuple[WorkloadKind, ClusterKind]) -> None:
    workload, cluster = CASES[kind]
    with pytest.raises(IncompatiblePolicyError, match=f"policy '{name.replace('+', '.')}' cannot run workload '{workload.name}'"):
        compile_policy(name, workload, cluster)


@pytest.mark.parametrize(("order", "column"), [("edf", "deadline_s"), ("priority", "priority")])
def test_orders_without_their_column_are_refused(order: str, column: str) -> None:
    workload, cluster = BATCH
    without = replace(workload, tasks=replace(workload.tasks, **{column: None}))
    with pytest.raises(IncompatiblePolicyError, match=column):
        compile_policy(order, without, cluster)


def test_part_names_differ_from_each_other_and_from_presets() -> None:
    presets = {spec.name for spec in list_policies() if spec.name not in PARTS and "+" not in spec.name}
    assert {"round_robin", "random", "greedy", "oracle", "heft"} <= presets
    assert not presets & set(PARTS)


def test_providers_add_learned_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PROVIDERS", {})

    def provide(name: str, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
        del workload, cluster
        return CompiledPolicy(name, Mechanism.POOL, {"order": 1, "backfill": 0}, seed=seed)

    spec = PolicySpec("learned_one", "A test", "none", ((WorkloadKind.RIGID, ClusterKind.POOL),))
    register_provider(spec, provide)
    assert spec in list_policies()
    check_policy(partial(compile_policy, "learned_one"), BATCH)
    with pytest.raises(PolicyError, match="registered already"):
        register_provider(spec, provide)


class FirstFit:
    """First come, first served, in Python."""

    name = "mine"

    def __init__(self, tasks: Tasks, cluster: Cluster, seed: int) -> None:
        del cluster, seed
        self.cores = tasks.cores_milli

    def decide(self, view: DecisionView) -> Decision | None:
        queue = view.queue
        if len(queue) and self.cores[queue[0]] <= view.free_cores_milli[0]:
            return Decision(int(queue[0]))
        return None


class Forgetful(FirstFit):
    def decide(self, view: DecisionView) -> Decision | None:
        return None if len(view.queue) and view.queue[0] == 5 else super().decide(view)


class Restless(FirstFit):
    draws = np.random.default_rng(0)

    def decide(self, view: DecisionView) -> Decision | None:
        return None if view.now_s < 400.0 and self.draws.random() < 0.5 else super().decide(view)


class Spy(FirstFit):
    """Cheats: it was handed the truth when it was made."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload.tasks, BATCH[1], 0)
        self.truth = workload.truth.work_s

    def decide(self, view: DecisionView) -> Decision | None:
        fitting = [row for row in view.queue if self.cores[row] <= view.free_cores_milli[0]]
        return Decision(int(min(fitting, key=lambda row: self.truth[row]))) if fitting else None


def test_a_policy_of_the_users_own_conforms_and_agrees_with_ours() -> None:
    own = check_policy(lambda workload, cluster, seed: FirstFit(workload.tasks, cluster, seed), BATCH)
    ours = check_policy(partial(compile_policy, "fcfs"), BATCH)
    assert own.start_s.tolist() == ours.start_s.tolist()


def test_the_suite_catches_tasks_left_waiting() -> None:
    with pytest.raises(PolicyError, match=r"left .* of 120 tasks"):
        check_policy(lambda workload, cluster, seed: Forgetful(workload.tasks, cluster, seed), BATCH)


def test_the_suite_catches_unseeded_randomness() -> None:
    with pytest.raises(PolicyError, match="same seed"):
        check_policy(lambda workload, cluster, seed: Restless(workload.tasks, cluster, seed), BATCH)


def test_the_suite_catches_a_look_at_the_truth() -> None:
    with pytest.raises(PolicyError, match="hidden run times"):
        check_policy(lambda workload, cluster, seed: Spy(workload), BATCH)
