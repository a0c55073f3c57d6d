"""The model store: shipped models and the user's own, which of them is in use, and the model for a policy.

Versions never change once they are written, so whatever is promoted, the one before it is still there to go back to.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.folders import data_folder
from hybrid_ml_scheduler.learning.card import MAX_VERSION, ModelCard, is_model_name, model_name
from hybrid_ml_scheduler.learning.diff import Difference, differences
from hybrid_ml_scheduler.learning.files import Model, load_model, save_model, writing
from hybrid_ml_scheduler.learning.promotions import Event, new_event, read_history, stack_of, write_history

__all__ = ["PRETRAINED", "Model", "ModelCard", "ModelStore", "StoredModel", "default_store", "find_model", "load_model", "save_model"]

PRETRAINED = Path(__file__).parent / "pretrained"
"""Models that come with the package; read only."""

_VERSION = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One line of `ModelStore.entries`.

    Attributes
    ----------
    name : str
    version : int
    path : Path
        Its folder.
    in_use : bool
        Whether it is what `ModelStore.get` returns for the name alone.
    model : Model or None
        None if it cannot be loaded.
    problem : str
        Why not; empty if it can.
    """

    name: str
    version: int
    path: Path
    in_use: bool
    model: Model | None
    problem: str = ""


class ModelStore:
    """Folders of models, each with ``NAME/VERSION/``.

    Parameters
    ----------
    folders : sequence of Path or str
        At least one. Only the last is ever written to; what stands in a later one comes before what stands in an earlier one: the same version of
        the same name, and what has been promoted.
    read_only : bool
        Write not even to the last.
    """

    def __init__(self, folders: Sequence[Path | str], *, read_only: bool = False) -> None:
        if not folders:
            raise ModelError("a model store without folders; expected at least one")
        self.folders = tuple(Path(folder) for folder in folders)
        self.read_only = read_only

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        return sorted({name for folder in self.folders for name in _entries(folder) if is_model_name(name) and _versions(folder / name)})

    def versions(self, name: str) -> dict[int, Path]:
        """Return the folders of all versions of a model, oldest first; empty if there is no such model."""
        if not is_model_name(name):
            return {}
        return dict(sorted({version: path for folder in self.folders for version, path in _versions(folder / name).items()}.items()))

    def entries(self) -> list[StoredModel]:
        """Return every version of every model, those that cannot be loaded included."""
        found = []
        for name in self.names():
            try:
                current, trouble = self.current(name), ""
            except ModelError as error:
                current, trouble = 0, str(error)
            for version, path in self.versions(name).items():
                try:
                    model, problem = load_model(path), trouble
                except ModelError as error:
                    model, problem = None, str(error)
                found.append(StoredModel(name, version, path, version == current, model, problem))
        return found

    def history(self, name: str) -> list[Event]:
        """Return what has been promoted and rolled back, oldest first; see `promote`.

        Raises
        ------
        ModelError
            If the name is unknown or the history is damaged.
        """
        self._known(name)
        # What the user promotes counts, not what was promoted in the models that came with the package.
        return next((history for folder in reversed(self.folders) if (history := read_history(folder / name))), [])

    def current(self, name: str) -> int:
        """Return the version in use: the promoted one, else the newest.

        Raises
        ------
        ModelError
            If the name is unknown or the history is damaged.
        """
        stack = stack_of(self.history(name))
        return stack[-1] if stack else max(self.versions(name))

    def get(self, name: str, version: int | None = None) -> Model:
        """Load a model.

        Parameters
        ----------
        name : str
        version : int, optional
            By default the one in use.

        Raises
        ------
        ModelError
            If there is none, or it cannot be loaded; if it is the one in use, the message says how to get back to the one before.
        """
        if version is not None:
            return self._load(name, version)
        current = self.current(name)
        try:
            return self._load(name, current)
        except ModelError as error:
            earlier = self._before(name)
            if not earlier:
                raise
            raise ModelError(f"{error} (before it there was {name}@{earlier[0]}: hms models promote {name}@{earlier[0]})") from error

    def get_or_previous(self, name: str) -> tuple[Model, ModelError | None]:
        """Load the version in use, or what can be loaded of what came before it: for a service that must go on.

        Returns
        -------
        model : Model
            The version in use; else the last one promoted before it that loads; else the newest older version that loads. With a damaged history:
            the newest that loads, the package's own first.
        error : ModelError or None
            Why it is not the version in use.

        Raises
        ------
        ModelError
            If there is no such model, or no version loads.
        """
        try:
            return self.get(name), None
        except ModelError as error:
            for version in self._before(name):
                try:
                    return self._load(name, version), error
                except ModelError:
                    continue
            raise

    def _before(self, name: str) -> list[int]:
        """Return the versions to try when the one in use cannot be loaded, best first."""
        versions = self.versions(name)
        try:
            stack = stack_of(self.history(name)) or [max(versions, default=0)]
        except ModelError:
            # Nobody knows what was in use; what the package brought has been tested longest.
            shipped = [version for folder in self.folders[:-1] for version in _versions(folder / name)]
            return list(dict.fromkeys([*sorted(shipped, reverse=True), *sorted(versions, reverse=True)]))
        older = sorted((version for version in versions if version < stack[-1]), reverse=True)
        return [version for version in dict.fromkeys([*reversed(stack[:-1]), *older]) if version in versions and version != stack[-1]]

    def add(self, model: Model, *, leaves_in_use: bool = False) -> int:
        """Write a model as the next version of its name; whatever version its card has is replaced.

        Parameters
        ----------
        model : Model
        leaves_in_use : bool
            Whether what is in use stays so. Otherwise the new version is in use if none of that name was ever promoted.

        Returns
        -------
        int
            The version.

        Raises
        ------
        ModelError
            If it cannot be written.
        """
        self.check_writable()
        name = model.card.name
        if leaves_in_use and self.versions(name) and not self.history(name):
            write_history(self.folders[-1] / name, [new_event("in_use", max(self.versions(name)))])
        while True:
            version = max(self.versions(name), default=0) + 1
            if version > MAX_VERSION:
                raise ModelError(f"model {name!r} has {MAX_VERSION} versions; expected fewer: use another name")
            try:
                save_model(self.folders[-1], Model(replace(model.card, version=version), model.arrays))
            except ModelError:
                # Somebody else may have added this version meanwhile.
                if version in self.versions(name):
                    continue
                raise
            return version

    def remove(self, name: str, version: int) -> None:
        """Delete a version that is not in use and was never promoted; one that is not there is no error.

        Raises
        ------
        ModelError
            If it is in use, was promoted, came with the package, or cannot be deleted.
        """
        self.check_writable()
        path = self.versions(name).get(version)
        if path is None:
            return
        if path.parent.parent != self.folders[-1]:
            raise ModelError(f"model {name}@{version} came with the package; expected one of the user's own")
        if version == self.current(name) or any(event.version == version for event in self.history(name)):
            raise ModelError(f"model {name}@{version} is or was in use; expected one that was never promoted")
        with writing(path):
            # A name of its own first, so that nobody reads half of it.
            gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=path.parent))
            path.rename(gone / path.name)
            shutil.rmtree(gone)

    def promote(self, name: str, version: int) -> None:
        """Put a version into use, if it can be loaded; promoting the one in use by promotion already changes nothing.

        Raises
        ------
        ModelError
            If it cannot be loaded, or the history is damaged or cannot be written. What was in use stays in use.
        """
        self.check_writable()
        self._load(name, version)
        history = self.history(name)
        stack = stack_of(history)
        if stack and stack[-1] == version:
            return
        if not history and (newest := max(self.versions(name))) != version:
            # Rolling back must lead to what was in use, though nobody had promoted it.
            history = [new_event("in_use", newest)]
        write_history(self.folders[-1] / name, [*history, new_event("promote", version)])

    def rollback(self, name: str) -> int:
        """Put what was in use before the last promotion back into use.

        Returns
        -------
        int
            The version that is in use now.

        Raises
        ------
        ModelError
            If nothing came before, it cannot be loaded, or the history is damaged or cannot be written.
        """
        self.check_writable()
        history = self.history(name)
        stack = stack_of(history)
        if len(stack) < 2:
            raise ModelError(f"model {name!r}: nothing was promoted before version {self.current(name)}; expected an earlier promotion to go back to")
        self._load(name, stack[-2])
        write_history(self.folders[-1] / name, [*history, new_event("rollback", stack[-2])])
        return stack[-2]

    def diff(self, first: str, second: str) -> list[Difference]:
        """Compare two models.

        Parameters
        ----------
        first, second : str
            ``NAME``, ``NAME@VERSION``, or the path of a folder.

        Returns
        -------
        list of Difference
            Empty if they are equal.
        """
        return differences(self.find(first), self.find(second))

    def find(self, wanted: str) -> Model:
        """Load the model that a user names: ``NAME`` (the version in use), ``NAME@VERSION``, or the path of a folder (with a ``/`` in it).

        Raises
        ------
        ModelError
            If there is none, or it cannot be loaded.
        """
        if os.sep in wanted:
            return load_model(wanted, stored=False)
        return self.get(*split_wanted(wanted))

    def check_writable(self) -> None:
        """Find out before a long training whether its model can be kept.

        Raises
        ------
        ModelError
            If this store is read only.
        """
        if self.read_only:
            raise ModelError("this model store is read only, there is no HOME to keep models in; expected HMS_DATA_DIR to name a folder")

    def _load(self, name: str, version: int) -> Model:
        versions = self._known(name)
        if version not in versions:
            raise ModelError(f"model {name!r} has no version {version}; expected one of {', '.join(map(str, versions))}")
        return load_model(versions[version])

    def _known(self, name: str) -> dict[int, Path]:
        versions = self.versions(name)
        if not versions:
            near = get_close_matches(name, self.names())
            raise ModelError(f"there is no model {name!r}; expected {' or '.join(near) or 'one that hms models list shows'}")
        return versions


def split_wanted(wanted: str) -> tuple[str, int | None]:
    """Split ``NAME[@VERSION]``.

    Raises
    ------
    ModelError
        If it is not of that form.
    """
    name, at, version = wanted.partition("@")
    if not is_model_name(name) or (at and not _VERSION.fullmatch(version)):
        raise ModelError(f"{wanted!r} names no model; expected NAME or NAME@VERSION, such as hybrid_ml-batch@1")
    return name, int(version) if at else None


def default_store() -> ModelStore:
    """Return the store of the models that came with the package, and over them the user's own.

    The latter are in ``$HMS_DATA_DIR/models``, else in ``hybrid-ml-scheduler/models`` below ``$XDG_DATA_HOME`` or ``~/.local/share``. Where nothing
    says where that is, as in some containers, the store is read only.
    """
    data = data_folder()
    if data is None:
        return ModelStore([PRETRAINED], read_only=True)
    return ModelStore([PRETRAINED, data / "models"])


def find_model(policy: str, kind: str, objective: str | None = None, wanted: str | None = None, *, store: ModelStore | None = None) -> Model:
    """Load the model for a policy and a kind of workload.

    Parameters
    ----------
    policy : str
        ``hybrid_ml`` or ``rl_agent``.
    kind : str
        One of `hybrid_ml_scheduler.learning.card.KINDS`.
    objective : str
        Which of the policy's models, if the user names none; by default the one for the usual objective of the kind.
    wanted : str, optional
        ``NAME``, ``NAME@VERSION``, or the path of a folder.
    store : ModelStore, optional
        By default `default_store`.

    Raises
    ------
    ModelError
        If there is none, it cannot be loaded, or is for another policy or kind.
    """
    store = store or default_store()
    if wanted is None:
        name = model_name(policy, kind, objective)
        if not store.versions(name):
            aim = "" if objective is None else f" and objective {objective}"
            raise ModelError(f"no model for {policy} on workloads of kind {kind}{aim}; expected {name!r}: train one with hms train {policy}")
        return store.get(name)
    model = store.find(wanted)
    card = model.card
    if (card.policy, card.kind) != (policy, kind):
        raise ModelError(f"model {wanted!r} is for {card.policy} on workloads of kind {card.kind}; expected one for {policy} on {kind}")
    return model


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read ({error.strerror or error}); expected a folder of models") from error


def _versions(folder: Path) -> dict[int, Path]:
    return {int(entry): folder / entry for entry in _entries(folder) if _VERSION.fullmatch(entry)}
