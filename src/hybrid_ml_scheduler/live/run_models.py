"""Models of a run that several processes share: kept with the run, so that whoever takes it over has them, whatever is in its own data folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hybrid_ml_scheduler.learning.files import save_model
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore, split_wanted

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
