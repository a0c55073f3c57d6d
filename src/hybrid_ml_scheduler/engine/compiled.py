"""The one way in which this package compiles functions, and where the compiled code is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_njit: Any = numba.njit  # its type hints do not know _nrt

_KEEP = 4
"""How many versions of the compiled code stay on disk."""


def _cache_base() -> Path:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "hybrid-ml-scheduler" / "compiled"


def _source_digest(folder: Path) -> bytes:
    """Return a digest of the names and contents of all sources in a folder and those below it."""
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.digest()


def _use_cache_of_this_version() -> None:
    """Point numba's cache at a folder named after the sources.

    numba notices a change of the file that holds a compiled function, but not of the files whose functions it calls: after such a change the old
    machine code would run on. A folder per state of the sources cannot be stale.
    """
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    digest.update(_source_digest(Path(__file__).parent))
    base = _cache_base()
    folder = base / f"engine-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        old = sorted(base.glob("engine-*"), key=lambda path: path.stat().st_mtime, reverse=True)[_KEEP:]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
    except OSError:
        # A read-only home: numba falls back to its own choice, or compiles each time.
        return
    config: Any = numba.config
    config.CACHE_DIR = str(folder)


_use_cache_of_this_version()


_COMMON: Any = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
# fastmath stays off: results must not depend on the machine's instruction set, and the same seed gives the same schedule, bit for bit. Reference
# counting of arrays (_nrt) is off, which makes the event loop four times faster: compiled functions work on the arrays that they are given and
# allocate none.


def compiled(function: Function) -> Function:
    """Compile a function that is called from Python as well as from compiled functions, into which it is inlined."""
    made: Function = _njit(forceinline=True, **_COMMON)(function)
    return made


def compiled_entry(function: Function) -> Function:
    """Compile a long function that is called from Python; compiled functions call it without inlining."""
    made: Function = _njit(**_COMMON)(function)
    return made


def compiled_inner(function: Function) -> Function:
    """Compile a function that only compiled functions call, and inline it.

    Without the wrapper for calls from Python, which has to unpack sixty arrays, compiling takes half the time.
    """
    made: Function = _njit(forceinline=True, no_cpython_wrapper=True, **_COMMON)(function)
    return made


def compiled_call(function: Function) -> Function:
    """Compile a function like `compiled_inner`, but do not inline it: for long ones, whose copies would take longer to compile than they save."""
    made: Function = _njit(no_cpython_wrapper=True, **_COMMON)(function)
    return made
