"""One model on disk: a folder ``NAME/VERSION`` with ``model.json`` and ``arrays.npz``, written whole or not at all, never changed afterwards."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.learning.arrays import MAX_FILE_BYTES, Arrays, arrays_digest, decode_arrays, encode_arrays
from hybrid_ml_scheduler.learning.card import MAX_JSON_BYTES, ModelCard, decode_card, encode_card

CARD_FILE = "model.json"
ARRAYS_FILE = "arrays.npz"


@dataclass(frozen=True, slots=True)
class Model:
    """A learned model.

    Attributes
    ----------
    card : ModelCard
        What it is.
    arrays : dict of str to ndarray
        Its parameters, flat; nothing else is needed to use it.
    """

    card: ModelCard
    arrays: Arrays


def save_model(folder: Path | str, model: Model) -> Path:
    """Write a model below a folder of models.

    Parameters
    ----------
    folder : Path or str
        The model goes to ``folder/NAME/VERSION``; made if it is not there.
    model : Model
        With a version in its card; `ModelCard.arrays_sha256` is filled in here.

    Returns
    -------
    Path
        The folder of this version.

    Raises
    ------
    ModelError
        If the card or the arrays are not what `load_model` would read, the version is there already, or it cannot be written.
    """
    card = replace(model.card, arrays_sha256=arrays_digest(model.arrays))
    # Both are encoded first: only what can be read again reaches the disk.
    text = encode_card(card)
    arrays = encode_arrays(model.arrays, f"model {card.spelling}")
    final = Path(folder) / card.name / str(card.version)
    if final.exists():
        raise ModelError(f"{final}: is there already; expected a new version, because versions never change")
    with writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=final.parent))
        try:
            write_synced(temporary / CARD_FILE, text.encode())
            write_synced(temporary / ARRAYS_FILE, arrays)
            temporary.chmod(final.parent.stat().st_mode & 0o777)
            # Fails if somebody else has made this version meanwhile, for a folder never takes the place of one with files in it.
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def load_model(path: Path | str, *, stored: bool = True) -> Model:
    """Read a model; safe for files from anyone: nothing in them is executed, and their size is limited before they are read.

    Parameters
    ----------
    path : Path or str
        Folder with ``model.json`` and ``arrays.npz``.
    stored : bool
        Whether the folder is part of a store, so that it must be called ``NAME/VERSION`` as the card says.

    Raises
    ------
    ModelError
        If a file is missing, damaged, altered, too large, of another format, or not the one that the folder's name says.
    """
    folder = Path(path)
    where = str(folder / CARD_FILE)
    card = decode_card(_read(folder / CARD_FILE, MAX_JSON_BYTES), where)
    if stored:
        named = f"{folder.absolute().parent.name}@{folder.name}"
        if named != card.spelling:
            raise ModelError(f"{where}: is the card of {card.spelling}; expected {named}, as its folder is called")
    where = str(folder / ARRAYS_FILE)
    arrays = decode_arrays(_read(folder / ARRAYS_FILE, MAX_FILE_BYTES), where)
    if arrays_digest(arrays) != card.arrays_sha256:
        raise ModelError(f"{where}: the arrays are not those of {card.spelling} (SHA-256 differs); expected {card.arrays_sha256}")
    return Model(card, arrays)


def _read(path: Path, limit: int) -> bytes:
    """Read an ordinary file of limited size; anything else, such as a pipe that would never end, is refused before it is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - Path.open would wait for the other end of a pipe
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ModelError(f"{path}: not an ordinary file; expected part of a model")
            content = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); expected part of a model") from error
    if len(content) > limit:
        raise ModelError(f"{path}: larger than {limit} bytes; expected part of a model")
    return content


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and wait until it is on the disk, so that renaming never makes an empty file visible after a power failure."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says against writing into a `ModelError`."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror or error}); expected a folder of models with write permission") from error
