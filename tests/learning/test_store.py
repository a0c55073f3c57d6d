from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.learning import store as store_module
from hybrid_ml_scheduler.learning.store import ModelStore, default_store, find_model, save_model
from model_cases import example_model

NAME = "hybrid_ml-batch"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Shipped versions 1 and 2, nothing of the user's."""
    for version in (1, 2):
        save_model(tmp_path / "shipped", example_model(mark=version, version=version))
    return ModelStore([tmp_path / "shipped", tmp_path / "own"])


def damage(path: Path) -> None:
    (path / "arrays.npz").write_bytes(b"PK")


def in_use(store: ModelStore) -> float:
    return float(store.get(NAME).arrays["mark"][0])


class Promotions(RuleBasedStateMachine):
    """The store against a list: what was in use, the present one last."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        save_model(self.folder / "shipped", example_model(mark=1, version=1))
        self.store = ModelStore([self.folder / "shipped", self.folder / "own"])
        self.newest = 1
        self.used: list[int] = []
        self.broken: set[int] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @property
    def current(self) -> int:
        return self.used[-1] if self.used else self.newest

    @precondition(lambda self: self.newest < 8)
    @rule()
    def add(self) -> None:
        self.newest += 1
        assert self.store.add(example_model(mark=self.newest)) == self.newest

    @rule(version=st.integers(1, 9))
    def promote(self, version: int) -> None:
        if version > self.newest or version in self.broken:
            with pytest.raises(ModelError):
                self.store.promote(NAME, version)
            return
        self.store.promote(NAME, version)
        if not self.used and version != self.newest:
            self.used = [self.newest]
        if not self.used or self.used[-1] != version:
            self.used.append(version)

    @rule()
    def rollback(self) -> None:
        if len(self.used) < 2 or self.used[-2] in self.broken:
            with pytest.raises(ModelError):
                self.store.rollback(NAME)
            return
        self.used.pop()
        assert self.store.rollback(NAME) == self.used[-1]

    @rule(version=st.integers(2, 8))
    def spoil(self, version: int) -> None:
        if version <= self.newest:
            damage(self.store.versions(NAME)[version])
            self.broken.add(version)

    @invariant()
    def the_right_one_is_in_use(self) -> None:
        assert self.store.current(NAME) == self.current
        model, error = self.store.get_or_previous(NAME) if self.current not in self.broken or self.fallback else (None, None)
        if self.current not in self.broken:
            assert model is not None
            assert (model.card.version, error) == (self.current, None)
            return
        with pytest.raises(ModelError, match=r"arrays\.npz"):
            self.store.get(NAME)
        if self.fallback:
            assert model is not None
            assert model.card.version == self.fallback[0]
            assert error is not None

    @property
    def fallback(self) -> list[int]:
        """Versions to fall back to: those in use before, then older ones."""
        candidates = [*reversed(self.used[:-1]), *range(self.current - 1, 0, -1)]
        return [version for version in candidates if version not in self.broken and version != self.current]

    @invariant()
    def nothing_shipped_is_touched(self) -> None:
        assert sorted(path.name for path in (self.folder / "shipped").rglob("*")) == ["1", "arrays.npz", NAME, "model.json"]


TestPromotions = Promotions.TestCase
TestPromotions.settings = settings(max_examples=25, stateful_step_count=20)


def test_the_newest_is_in_use_until_one_is_promoted(store: ModelStore) -> None:
    assert in_use(store) == 2.0
    assert store.add(example_model(mark=3)) == 3
    assert in_use(store) == 3.0
    store.promote(NAME, 1)
    assert store.add(example_model(mark=4)) == 4
    assert in_use(store) == 1.0
    assert store.rollback(NAME) == 3
    assert [event.action for event in store.history(NAME)] == ["in_use", "promote", "rollback"]


def test_the_users_promotion_and_version_come_before_the_packages(store: ModelStore, tmp_path: Path) -> None:
    ModelStore([tmp_path / "shipped"]).promote(NAME, 1)
    assert in_use(store) == 1.0
    store.promote(NAME, 2)
    assert in_use(store) == 2.0
    assert in_use(ModelStore([tmp_path / "shipped"])) == 1.0
    assert store.rollback(NAME) == 1
    save_model(tmp_path / "own", example_model(mark=10.0, version=1))
    assert in_use(store) == 10.0


def test_a_damaged_version_in_use_says_how_to_go_back(store: ModelStore) -> None:
    damage(store.versions(NAME)[2])
    with pytest.raises(ModelError, match=rf"2/arrays\.npz: damaged .*before it there was {NAME}@1: hms models promote {NAME}@1"):
        store.get(NAME)
    model, error = store.get_or_previous(NAME)
    assert model.card.version == 1
    assert "damaged" in str(error)
    damage(store.versions(NAME)[1])
    with pytest.raises(ModelError, match="damaged"):
        store.get_or_previous(NAME)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"format": 2, "history": []}',
        '{"format": 1, "history": [{"action": "promote", "version": true, "at": ""}]}',
        '{"format": 1, "history": [{"action": "rollback", "version": 1, "at": ""}]}',
        '{"format": 1, "history": [{"action": "promote", "version": 1, "at": ""}, {"action": "in_use", "version": 1, "at": ""}]}',
        '{"format": 1, "history": [[]]}',
        " " * 1_000_001,
    ],
)
def test_a_damaged_history_is_an_error_and_the_shipped_model_stays(store: ModelStore, tmp_path: Path, content: str) -> None:
    store.add(example_model(mark=3))
    (tmp_path / "own" / NAME / "promoted.json").write_text(content)
    for ask in (lambda: store.get(NAME), lambda: store.promote(NAME, 1), lambda: store.rollback(NAME)):
        with pytest.raises(ModelError, match=r"promoted\.json: damaged"):
            ask()
    model, error = store.get_or_previous(NAME)
    assert model.card.version == 2
    assert "promoted.json" in str(error)
    assert all("promoted.json" in entry.problem for entry in store.entries())


def test_a_promoted_version_that_is_gone(store: ModelStore) -> None:
    store.promote(NAME, store.add(example_model(mark=3)))
    shutil.rmtree(store.versions(NAME)[3])
    with pytest.raises(ModelError, match="no version 3; expected one of 1, 2"):
        store.get(NAME)
    assert store.get_or_previous(NAME)[0].card.version == 2


def test_what_was_promoted_before_comes_back_before_what_is_newer(store: ModelStore) -> None:
    store.promote(NAME, 1)
    store.promote(NAME, store.add(example_model(mark=3)))
    damage(store.versions(NAME)[3])
    assert store.get_or_previous(NAME)[0].card.version == 1


def test_entries_show_damaged_versions_too(store: ModelStore, tmp_path: Path) -> None:
    damage(store.versions(NAME)[1])
    (tmp_path / "own" / "Not A Model").mkdir(parents=True)
    (tmp_path / "own" / "empty").mkdir()
    entries = store.entries()
    assert [(entry.name, entry.version, entry.in_use, entry.model is None) for entry in entries] == [(NAME, 1, False, True), (NAME, 2, True, False)]
    assert "damaged" in entries[0].problem


def test_unknown_names_come_with_what_may_have_been_meant(store: ModelStore) -> None:
    with pytest.raises(ModelError, match=f"expected {NAME}"):
        store.get("hybrid_ml-bach")
    with pytest.raises(ModelError, match="hms models list"):
        store.get("xyzzy")
    with pytest.raises(ModelError, match="at least one"):
        ModelStore([])


def test_differences(store: ModelStore) -> None:
    store.add(example_model(metrics={"loss": 0.5}, parameters={"depth": 3}))
    found = {entry.what: (entry.first, entry.second) for entry in store.diff(f"{NAME}@2", f"{NAME}@3")}
    assert found["metrics.loss"] == (0.25, 0.5)
    assert found["parameters.steps"] == ([0.5, 1.0], None)
    assert found["array mark"] == ("float64 [1]", "1 of 1 values differ, by 1 at most")
    assert set(found) == {"version", "arrays_sha256", "metrics.loss", "parameters.steps", "array mark"}
    assert store.diff(NAME, f"{NAME}@3") == []


def test_find_model(store: ModelStore, tmp_path: Path) -> None:
    assert find_model("hybrid_ml", "batch", store=store).card.version == 2
    assert find_model("hybrid_ml", "batch", wanted=f"{NAME}@1", store=store).card.version == 1
    moved = shutil.copytree(store.versions(NAME)[1], tmp_path / "from-somebody")
    assert find_model("hybrid_ml", "batch", wanted=str(moved), store=store).card.version == 1
    with pytest.raises(ModelError, match=r"no model for rl_agent on workloads of kind nodes; .* train one with hms train rl_agent"):
        find_model("rl_agent", "nodes", store=store)
    with pytest.raises(ModelError, match="'hybrid_ml-batch-energy'"):
        find_model("hybrid_ml", "batch", "energy", store=store)
    with pytest.raises(ModelError, match="is for hybrid_ml on workloads of kind batch; expected one for rl_agent on nodes"):
        find_model("rl_agent", "nodes", wanted=NAME, store=store)


@pytest.mark.parametrize("wanted", ["", "Upper", "a@", "a@0", "a@x", "a@1@2", "a@-1", ".."])
def test_what_names_no_model(store: ModelStore, wanted: str) -> None:
    with pytest.raises(ModelError, match="names no model"):
        store.find(wanted)


def test_where_the_users_models_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HMS_DATA_DIR", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    without = default_store()
    assert without.folders == (store_module.PRETRAINED,)
    for write in (lambda: without.add(example_model()), lambda: without.promote(NAME, 1), lambda: without.rollback(NAME)):
        with pytest.raises(ModelError, match="expected HMS_DATA_DIR to name a folder"):
            write()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_store().folders == (store_module.PRETRAINED, tmp_path / ".local" / "share" / "hybrid-ml-scheduler" / "models")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    assert default_store().folders[-1] == tmp_path / "x" / "hybrid-ml-scheduler" / "models"
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path / "y"))
    assert default_store().folders[-1] == tmp_path / "y" / "models"


def test_the_history_is_readable(store: ModelStore, tmp_path: Path) -> None:
    store.promote(NAME, 1)
    store.promote(NAME, 1)
    written = json.loads((tmp_path / "own" / NAME / "promoted.json").read_text())
    assert [(entry["action"], entry["version"]) for entry in written["history"]] == [("in_use", 2), ("promote", 1)]
    assert [path.name for path in (tmp_path / "own" / NAME).iterdir()] == ["promoted.json"]
