"""Reader of the node lists of Alibaba's cluster-trace-gpu-v2023 ("openb"): columns ``sn,cpu_milli,memory_mib,gpu,model``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import MAX_GPUS_PER_NODE, Cluster, ClusterKind, Gpu, Node, Power
from hybrid_ml_scheduler.core.constants import GPU_MODELS, MB_PER_MIB, GpuModel
from hybrid_ml_scheduler.core.workload import MILLI
from hybrid_ml_scheduler.workloads.rows import CORES_LIMIT, MEMORY_LIMIT_MB, BadRowError, RowLog, shown
from hybrid_ml_scheduler.workloads.source import read_source
from hybrid_ml_scheduler.workloads.table import Column, Columns, Table, csv_rows, read_table

FILE_LIMIT_BYTES = 64 * 1024**2
"""Most bytes of a node list; a million nodes need half of it."""


def _check(values: Mapping[str, Any]) -> None:
    if values["gpu"] > 0 and not values["model"]:
        raise BadRowError("GPUs without a model", f"{values['gpu']} GPUs without a model", "the name of their model")


def _suspicious(columns: Columns) -> bool:
    return any(count > 0 and not model for count, model in zip(columns["gpu"].tolist(), columns["model"], strict=True))


_TABLE = Table(
    columns=(
        Column("sn", "text"),
        Column("cpu_milli", "whole", 0, (CORES_LIMIT - 1) * MILLI),
        Column("memory_mib", "number", 0, MEMORY_LIMIT_MB / 2),
        Column("gpu", "whole", 0, MAX_GPUS_PER_NODE),
        Column("model", "text", empty=""),
    ),
    check_row=_check,
    suspicious=_suspicious,
)


def gpu_of(model: str) -> Gpu:
    """Return a GPU of the catalogue, or one of which only the name is known."""
    known = GPU_MODELS.get(model) or GpuModel(model, None, None, Power(), "not in the catalogue")
    return known.gpu()


def openb_cluster(path: str | Path) -> Cluster:
    """Read a node list, plain or gzip.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Cluster
        Memory in MB (1 MiB = 1.048576 MB). Watts and price of CPU cores are unknown; those of GPUs are as in the catalogue, and unknown for
        models that are not in it.

    Raises
    ------
    DataFileError
        With the first line that cannot be used.
    """
    source = read_source(path, limit_bytes=FILE_LIMIT_BYTES)
    columns, lines = read_table(csv_rows(source), _TABLE, RowLog(source, lenient=False))
    seen: set[str] = set()
    for name, line in zip(columns["sn"], lines.tolist(), strict=True):
        if name in seen:
            source.fail(f"the node {shown(name)} appears twice", "unique names in column sn", line)
        seen.add(name)
    gpus = {model: gpu_of(model) for model in set(columns["model"]) if model}
    nodes = tuple(
        Node(
            name=name,
            cores_milli=cores,
            memory_mb=memory_mib * MB_PER_MIB,
            gpus=(gpus[model],) * count if count else (),
        )
        for name, cores, memory_mib, count, model in zip(
            columns["sn"],
            np.asarray(columns["cpu_milli"]).tolist(),
            np.asarray(columns["memory_mib"]).tolist(),
            np.asarray(columns["gpu"]).tolist(),
            columns["model"],
            strict=True,
        )
    )
    counts = Counter(gpu.model for node in nodes for gpu in node.gpus)
    return Cluster(
        name=f"openb:{path}",
        kind=ClusterKind.NODES,
        nodes=nodes,
        meta={
            "nodes": len(nodes),
            "gpus": dict(sorted(counts.items())),
            "unknown_speed": sorted(model for model in counts if model not in GPU_MODELS or GPU_MODELS[model].speed is None),
            "sha256": source.sha256,
        },
    )
