"""`open_workload`: one door to every trace, graph and generator."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import InputError, UnknownNameError
from hybrid_ml_scheduler.core.workload import Workload, check_workload
from hybrid_ml_scheduler.workloads.detect import check_format, detect_format
from hybrid_ml_scheduler.workloads.dot import read_dot
from hybrid_ml_scheduler.workloads.openb import read_openb
from hybrid_ml_scheduler.workloads.philly import read_philly
from hybrid_ml_scheduler.workloads.source import Source, read_source
from hybrid_ml_scheduler.workloads.swf import read_swf
from hybrid_ml_scheduler.workloads.tabular import read_tabular
from hybrid_ml_scheduler.workloads.taskgraph import read_taskgraph
from hybrid_ml_scheduler.workloads.wfformat import read_wfformat


class _RowReader(Protocol):
    def __call__(self, source: Source, *, lenient: bool) -> Workload: ...


_ROWS: dict[str, _RowReader] = {"swf": read_swf, "openb": read_openb, "philly": read_philly, "tabular": read_tabular}
_DOCUMENTS: dict[str, Callable[[Source], Workload]] = {"taskgraph": read_taskgraph, "wfformat": read_wfformat, "dot": read_dot}
_BARE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LUBLIN = re.compile(r"lublin(:|$)")


def open_workload(
    spec: str,
    *,
    format: str | None = None,  # noqa: A002 - named like the option --format
    lenient: bool = False,
    seed: int = 0,
    cluster: Cluster | None = None,
) -> Workload:
    """Read a workload file, or generate a preset.

    Parameters
    ----------
    spec : str
        Path of a file, plain or gzip, or the name of a generator preset, or ``lublin[:name=value,...]`` (`lublin.LublinParameters`). A
        preset's name wins over a file of that name (``./steady`` is the file).
    format : str, optional
        One of `detect.FORMATS`; told from the content when left out. Makes no sense for a preset, and is an error there.
    lenient : bool
        Leave bad rows of row formats (swf, openb, philly, tabular) out and count them in ``report.dropped``. Graphs are read whole or not at all.
    seed : int
        Of the generator; files do not depend on it.
    cluster : Cluster, optional
        For which a preset is generated (its load and its hidden slow-downs depend on it).

    Returns
    -------
    Workload
        Checked by `check_workload`.

    Raises
    ------
    DataFileError
        If the file cannot be read as what it is, with the line where the format has lines.
    UnknownNameError
        If there is neither a file nor a preset, or no format, of that name.
    """
    if _LUBLIN.match(spec):
        lublin = import_module("hybrid_ml_scheduler.workloads.lublin")
        if format is not None:
            raise InputError(f"workload {spec!r} is generated, so --format {format} does not apply; expected a file with --format, or no --format")
        batch: Workload = lublin.generate(spec, seed=seed)
        return batch
    if _BARE_NAME.fullmatch(spec):  # the generator is not imported for paths
        synthetic = import_module("hybrid_ml_scheduler.workloads.synthetic")
        if spec in synthetic.PRESETS:
            if format is not None:
                raise InputError(f"preset {spec!r} is generated, so --format {format} does not apply; expected a file with --format, or no --format")
            generated: Workload = synthetic.generate(spec, seed=seed, cluster=cluster)
            return check_workload(generated)
        if not Path(spec).exists():
            raise UnknownNameError(f"there is neither a file nor a preset {spec!r}; expected a path or one of {', '.join(synthetic.PRESETS)}, lublin")
    chosen = None if format is None else check_format(format)
    source = read_source(spec)
    name = chosen or detect_format(source)
    return check_workload(_DOCUMENTS[name](source) if name in _DOCUMENTS else _ROWS[name](source, lenient=lenient))
