"""Writing results: whole or not at all, and with one clear error."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hybrid_ml_scheduler.core.errors import InputError

STDOUT = "-"
"""Stands for standard output where a file name is expected."""


def check_target(option: str, target: str | None) -> None:
    """Find out before a long run whether its result can be written.

    Parameters
    ----------
    option : str
        Name of the option, for the message.
    target : str or None
        File name; ``-`` and None are always fine.

    Raises
    ------
    InputError
        If the folder is missing or cannot be written, or the name is a folder's.
    """
    if target is None or target == STDOUT:
        return
    path = Path(target)
    if not target or path.is_dir():
        raise InputError(f"{option}: {target!r} is a folder; expected the name of a file to write")
    if not path.parent.is_dir():
        raise InputError(f"{option}: folder {str(path.parent)!r} does not exist; expected a file in an existing folder")
    if not os.access(path if _is_special(path) else path.resolve().parent, os.W_OK):
        raise InputError(f"{option}: {target!r} cannot be written; expected a file in a folder with write permission")


def make_folder(option: str, target: str | None) -> None:
    """Make an output folder, parents included.

    Raises
    ------
    InputError
        If it cannot be made or written.
    """
    if target is None:
        return
    folder = Path(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{option}: folder {target!r} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{option}: folder {target!r} cannot be written")


def one_stdout(**targets: str | None) -> bool:
    """Tell whether a result goes to standard output, which must then carry nothing else.

    Raises
    ------
    InputError
        If more than one does.
    """
    there = [f"--{name}" for name, target in targets.items() if target == STDOUT]
    if len(there) > 1:
        raise InputError(f"{' and '.join(there)} both write to standard output; expected one '-' at most")
    return bool(there)


def write_text(option: str, target: str | None, text: Callable[[], str]) -> None:
    """Write a text result to a file, or to standard output for ``-``.

    Parameters
    ----------
    option : str
        Name of the option, for messages.
    target : str or None
        Where to; None writes nothing.
    text : callable
        Makes the text; called only if it is wanted.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if target is None:
        return
    content = text()
    if not content.endswith("\n"):
        content += "\n"
    if target == STDOUT:
        sys.stdout.write(content)
        sys.stdout.flush()
        return
    with replacing(option, target) as path:
        path.write_text(content, encoding="utf-8")


@contextmanager
def replacing(option: str, target: str) -> Iterator[Path]:
    """Give the name of a temporary file that becomes the target when the block ends well, so that nobody ever sees half a file.

    Raises
    ------
    InputError
        If the operating system refuses to write.
    """
    final = Path(target)
    if _is_special(final):
        # A device or a pipe is written to; replacing it would destroy it.
        temporary = final
    else:
        final = final.resolve()
        # The suffixes stay: writers of tables and pictures look at them.
        with _writing(option, target):
            handle, name = tempfile.mkstemp(prefix=".hms-", suffix="".join(final.suffixes[-2:]), dir=final.parent)
            os.close(handle)
            temporary = Path(name)
    try:
        with _writing(option, target):
            yield temporary
            if temporary != final:
                temporary.chmod(final.stat().st_mode if final.exists() else 0o666 & ~_umask())
                temporary.replace(final)
    finally:
        if temporary != final:
            temporary.unlink(missing_ok=True)


@contextmanager
def _writing(option: str, target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{option}: cannot write {target!r}: {error.strerror or error}") from error


def _is_special(path: Path) -> bool:
    """Whether the path is there and neither a regular file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
