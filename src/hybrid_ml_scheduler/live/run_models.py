"""Models of a run, and what makes a policy of it ready.

If several processes share the run, models are kept with it, so that whoever takes it over has them, whatever is in its own data folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hybrid_ml_scheduler.learning.files import save_model
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore, split_wanted
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.lanes import Chosen, choose
from hybrid_ml_scheduler.live.requests import seed_of
from hybrid_ml_scheduler.live.stream import TaskStream
from hybrid_ml_scheduler.live.uploads import keep_upload
from hybrid_ml_scheduler.storage.service import SimulationDataService

MODELS_FOLDER = "models"


def store_of_run(store: ModelStore, files: Path) -> ModelStore:
    """Return a store in which the models of a run come before those of the data folder, and to which new ones are added.

    Parameters
    ----------
    store : ModelStore
        Of the data folder.
    files : Path
        Folder of the files of the run.
    """
    return ModelStore([*store.folders, files / MODELS_FOLDER])


def keep_for_run(store: ModelStore, files: Path, models: Iterable[str | None]) -> None:
    """Copy models to the files of a run; those that come with the package are everywhere.

    Parameters
    ----------
    store : ModelStore
        Of the data folder.
    files : Path
    models : iterable of str or None
        ``NAME@VERSION``; None and empty ones stand for no model.

    Raises
    ------
    ModelError
        If one cannot be read or written.
    """
    shipped, kept = ModelStore([PRETRAINED], read_only=True), ModelStore([files / MODELS_FOLDER])
    for spelled in filter(None, models):
        name, version = split_wanted(spelled)
        if version is None or version in kept.versions(name) or version in shipped.versions(name):
            continue
        save_model(kept.folders[-1], store.get(name, version))


class RunModels:
    """Where the models of runs are.

    Parameters
    ----------
    store : ModelStore
        Of the data folder.
    service : SimulationDataService
        Knows where the files of a run are.
    shared : bool
        Whether several processes share the run.
    """

    def __init__(self, store: ModelStore, service: SimulationDataService, *, shared: bool) -> None:
        self.store = store
        self._service = service
        self._shared = shared

    def of_run(self, run_id: int | None) -> ModelStore:
        """Return where the models of a run are; None: of one that has no number yet."""
        return store_of_run(self.store, self._service.files_folder(run_id)) if self._shared and run_id is not None else self.store

    def choose(self, stream: TaskStream, request: RunRequest, policy: str, model: str | None = None, run_id: int | None = None) -> Chosen:
        """Make a policy ready for a lane; see `live.lanes.choose`.

        Parameters
        ----------
        stream : TaskStream
        request : RunRequest
            Checked.
        policy : str
        model : str, optional
            ``NAME@VERSION``, or `NO_MODEL`; by default the one in use.
        run_id : int, optional
        """
        objective = None if request.objective is None else parse_objective(request.objective).text
        return choose(policy, stream.template, stream.cluster, seed_of(request), self.of_run(run_id), objective, model)

    def keep_files(self, run_id: int, workload: str, models: Iterable[str | None]) -> None:
        """Put with a run that is shared what only this data folder has: whoever takes over must find it."""
        if self._shared:
            files = self._service.files_folder(run_id)
            keep_upload(workload, self._service.settings.folder, files)
            keep_for_run(self.store, files, models)
