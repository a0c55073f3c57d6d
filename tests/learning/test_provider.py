from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, ModelError, PolicyError, UnknownNameError
from hybrid_ml_scheduler.core.workload import WorkloadKind
from hybrid_ml_scheduler.learning import provider
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import Spelling, parse_spelling, register, with_learned, with_models
from hybrid_ml_scheduler.learning.store import save_model
from hybrid_ml_scheduler.policies import compile_policy, list_policies, registry
from hybrid_ml_scheduler.policies.checks import example_cases
from model_cases import example_model

CASES = {(workload.kind, cluster.kind): (workload, cluster) for workload, cluster in example_cases()}
BATCH = CASES[WorkloadKind.RIGID, ClusterKind.POOL]
DIVISIBLE = CASES[WorkloadKind.DIVISIBLE, ClusterKind.NODES]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No providers but ours, and no models but those of the test."""
    monkeypatch.setattr(registry, "_PROVIDERS", {})
    monkeypatch.setattr("hybrid_ml_scheduler.learning.store.PRETRAINED", tmp_path / "shipped")
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    register()
    return tmp_path / "models"


@given(
    policy=st.sampled_from(["hybrid_ml", "rl_agent"]),
    model=st.none() | st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    version=st.none() | st.integers(1, 999_999),
    backfill=st.sampled_from(["none", "easy"]),
    guarded=st.booleans(),
    online=st.booleans(),
)
def test_every_spelling_is_read_as_it_was_written(
    policy: str, model: str | None, version: int | None, backfill: str, guarded: bool, online: bool
) -> None:
    version = None if model is None else version
    text = policy + (f":{model}" if model else "") + (f"@{version}" if version else "")
    text += (f"+{backfill}" if backfill != "none" else "") + ("" if guarded else "+unguarded") + ("" if online else "+offline")
    spelling = Spelling(policy, model, version, backfill, guarded, online, text)
    assert parse_spelling(text) == spelling
    assert parse_spelling(f" {text.upper()} ") == spelling
    assert spelling.wanted == (None if model is None else text.partition(":")[2].partition("+")[0])


def test_none_is_left_out() -> None:
    assert parse_spelling("rl_agent+none+offline").text == "rl_agent+offline"


@given(st.text(alphabet="hybrid_ml:@+easy1 unguarded-", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, f"hybrid_ml{text}"):
        try:
            spelling = parse_spelling(whole)
        except (UnknownNameError, PolicyError) as error:
            assert "expected" in str(error)  # noqa: PT017 - both ends are right
        else:
            assert parse_spelling(spelling.text) == spelling


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("hybrid", UnknownNameError, "no learned policy; expected hybrid_ml or rl_agent"),
        ("hybrid_ml+eazy", UnknownNameError, "expected easy"),
        ("hybrid_ml+", UnknownNameError, "no part of a learned policy"),
        ("hybrid_ml+sjf", UnknownNameError, "no part of a learned policy"),
        ("hybrid_ml+easy+easy", PolicyError, "wrong place"),
        ("hybrid_ml+conservative", UnknownNameError, "no part of a learned policy"),
        ("hybrid_ml+offline+easy", PolicyError, "wrong place"),
        ("hybrid_ml:", PolicyError, "names no model"),
        ("hybrid_ml:m@", PolicyError, "names no model"),
        ("hybrid_ml:../m@1", PolicyError, "names no model"),
    ],
)
def test_wrong_spellings(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compile_policy(text, *BATCH) if text != "hybrid" else parse_spelling(text)


def test_registering_twice_does_no_harm() -> None:
    register()
    names = [spec.name for spec in list_policies()]
    assert names.count("hybrid_ml") == names.count("rl_agent") == 1


@pytest.mark.parametrize("kind", list(CASES))
def test_without_a_model_the_way_to_one_is_named(kind: tuple[WorkloadKind, ClusterKind]) -> None:
    for policy in ("hybrid_ml", "rl_agent"):
        with pytest.raises(ModelError, match=rf"no model for {policy} .* train one with hms train {policy}"):
            compile_policy(policy, *CASES[kind])


def test_backfilling_is_for_batch_jobs() -> None:
    with pytest.raises(IncompatiblePolicyError, match="backfilling is for batch jobs"):
        compile_policy("hybrid_ml+easy", *DIVISIBLE)


def test_what_no_learned_policy_runs() -> None:
    workload, _ = DIVISIBLE
    with pytest.raises(IncompatiblePolicyError, match="learned policies do not run"):
        compile_policy("hybrid_ml", workload, replace(BATCH[1], kind=ClusterKind.MACHINES))


def test_the_module_for_the_kind_of_workload_gets_the_model(monkeypatch: pytest.MonkeyPatch, alone: Path) -> None:
    save_model(alone, example_model(version=1))
    save_model(alone, example_model("mine", version=3))
    asked = []

    def compile_learned(policy: str, options: Spelling, model: object, workload: object, cluster: object, seed: int) -> CompiledPolicy:
        asked.append((policy, model.card.spelling, seed))  # type: ignore[attr-defined]
        return CompiledPolicy(options.text, Mechanism.POOL, {"order": 0, "backfill": 1}, seed=seed)

    monkeypatch.setattr(provider, "find_spec", lambda name: name)
    monkeypatch.setattr(
        provider, "import_module", lambda name: SimpleNamespace(compile_learned=compile_learned) if name.endswith("learning.batch") else None
    )
    assert compile_policy("Hybrid_ML:Mine@3+easy", *BATCH, seed=7).name == "hybrid_ml:mine@3+easy"
    assert compile_policy("hybrid_ml", *BATCH).name == "hybrid_ml"
    assert asked == [("hybrid_ml", "mine@3", 7), ("hybrid_ml", "hybrid_ml-batch@1", 0)]
    monkeypatch.setattr(provider, "find_spec", lambda name: None)
    with pytest.raises(PolicyError, match="runs no models of kind batch"):
        compile_policy("hybrid_ml", *BATCH)


def test_no_training_library_comes_along() -> None:
    code = "import sys, hybrid_ml_scheduler.learning.provider as p; p.register(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"lightgbm", "sklearn", "cma", "matplotlib"} & set(done.stdout.split()) == set()


def test_models_are_named_where_they_are_not_the_usual_ones(alone: Path) -> None:
    save_model(alone, example_model("mine", version=3))
    workload, cluster = BATCH
    names = ["sjf", "hybrid_ml+easy", "HYBRID_ML:other@2+easy", "rl_agent+unguarded"]
    assert with_models(names, workload, cluster) == names
    usual = parse_objective("mean_bounded_slowdown")
    assert with_models(names, workload, cluster, objective=usual) == names
    for_energy = with_models(names, workload, cluster, objective=parse_objective("energy"))
    assert for_energy == ["sjf", "hybrid_ml:hybrid_ml-batch-energy+easy", "HYBRID_ML:other@2+easy", "rl_agent:rl_agent-batch-energy+unguarded"]
    with_mine = with_models(names[:2], workload, cluster, objective=usual, models=["mine@3"])
    assert with_mine == ["sjf", "hybrid_ml:mine@3+easy"]


def test_models_that_no_policy_takes(alone: Path) -> None:
    save_model(alone, example_model("mine", version=3))
    with pytest.raises(ModelError, match=r"'mine@3' has no policy to use it; expected hybrid_ml"):
        with_models(["sjf", "rl_agent"], *BATCH, models=["mine@3"])
    with pytest.raises(ModelError, match="two are for the same policy"):
        with_models(["hybrid_ml"], *BATCH, models=["mine@3", "mine"])
    with pytest.raises(ModelError, match="there is no model 'yours'"):
        with_models(["hybrid_ml"], *BATCH, models=["yours"])


def test_learned_policies_stand_beside_the_usual_rules_once_they_have_a_model(alone: Path) -> None:
    assert with_learned(["fcfs", "sjf"], *BATCH) == ["fcfs", "sjf"]
    save_model(alone, example_model(version=1))
    assert with_learned(["fcfs", "sjf"], *BATCH) == ["fcfs", "sjf", "hybrid_ml", "hybrid_ml+easy"]
    assert with_learned(["mct", "oracle"], *DIVISIBLE) == ["mct", "oracle"]
    save_model(alone, example_model("rl_agent-divisible", policy="rl_agent", kind="divisible", version=1))
    assert with_learned(["mct", "oracle"], *DIVISIBLE) == ["mct", "rl_agent", "oracle"]
