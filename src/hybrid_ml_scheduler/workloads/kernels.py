"""Measured kernel times: reader of ``derived_kernel_times.csv`` (``host,codelet,arch,size_bytes,flops,mean_us,dev_us,n_samples``).

The table was derived from StarPU's performance models (tools/perfmodels/sampling): the mean time of one codelet on one processor of a host.
The kernels of the task graphs correspond to these codelets, all in single precision (potrf on 409,600 B counts about 320^3 / 3 operations, and
320^2 numbers of 4 B are 409,600 B):

======= ============================== ===== ==========================================================================================
kernel  codelet                        tiles role
======= ============================== ===== ==========================================================================================
potrf   chol_model_potrf               1     Cholesky factor of a diagonal tile
trsm    chol_model_trsm                2     triangular solve of a tile below it
syrk    chol_model_syrk                2     update of a diagonal tile
gemm    chol_model_gemm                3     update of any other tile
lu      starpu_slu_lu_model_getrf      1     LU factor of a diagonal tile
fwd     starpu_slu_lu_model_trsm_ll    2     solve with the lower factor from the left (a tile of the row)
bdiv    starpu_slu_lu_model_trsm_ru    2     solve with the upper factor from the right (a tile of the column)
bmod    starpu_slu_lu_model_gemm       3     update of any other tile
======= ============================== ===== ==========================================================================================

A codelet's ``size_bytes`` is the sum of its tiles: with tiles of 409,600 B potrf stands under 409,600, trsm under 819,200 and gemm under
1,228,800. Measured are tiles of 409,600, 1,638,400 and 3,686,400 B on attila, idgraf, mirage and sirocco, and of 8,294,400 B on sirocco.
(Mirage lists 4,096 B too, with a thousandth of the times of 409,600 B: an artefact.) Archs are ``cpu0_impl0`` (one core) and ``cuda0_impl0``,
``cuda1_impl0``, ... (one GPU each); ``cpu0_cores1_impl0`` on mirage belongs to other codelets. The GPUs of a host are of one model, so the time
on "one GPU" is the mean over them, weighted by the number of samples. Times of syrk are half of gemm's on every processor, with gemm's
deviations and counts: they were derived from it. Host hannibal has no CPU times.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.workloads.rows import RowLog
from hybrid_ml_scheduler.workloads.source import read_source
from hybrid_ml_scheduler.workloads.table import Column, Table, csv_rows, read_table

KERNELS = {
    "potrf": ("chol_model_potrf", 1),
    "trsm": ("chol_model_trsm", 2),
    "syrk": ("chol_model_syrk", 2),
    "gemm": ("chol_model_gemm", 3),
    "lu": ("starpu_slu_lu_model_getrf", 1),
    "fwd": ("starpu_slu_lu_model_trsm_ll", 2),
    "bdiv": ("starpu_slu_lu_model_trsm_ru", 2),
    "bmod": ("starpu_slu_lu_model_gemm", 3),
}
"""Codelet of each kernel, and how many tiles it touches."""

_CPU = "cpu0_impl0"
_GPU = re.compile(r"cuda[0-9]+_impl0")
_MICRO = 1e-6
_TABLE = Table(
    columns=(
        Column("host", "text"),
        Column("codelet", "text"),
        Column("arch", "text"),
        Column("size_bytes", "whole", 0),
        Column("mean_us", "number", 0),
        Column("n_samples", "number", 0),
    )
)


def measured_kernels(path: str | Path, host: str, tile_bytes: int) -> dict[str, tuple[float, float]]:
    """Return the measured times of the task-graph kernels on one host.

    Parameters
    ----------
    path : str or Path
        The table, plain or gzip.
    host : str
        Name of the host, for example ``sirocco``.
    tile_bytes : int
        Size of one tile in bytes.

    Returns
    -------
    dict of str to (float, float)
        For each kernel of `KERNELS` that was measured on both: seconds on one CPU core and on one CUDA GPU.

    Raises
    ------
    DataFileError
        If the file is no such table.
    InputError
        If there is no such host, it has no such tiles, or a time is missing on its CPUs or GPUs; the message says what there is.
    """
    source = read_source(path)
    columns, _ = read_table(csv_rows(source), _TABLE, RowLog(source, lenient=False))
    hosts = np.array(columns["host"])
    if host not in set(columns["host"]):
        raise InputError(f"{path} has no host {host!r}; expected one of {', '.join(sorted(set(columns['host'])))}")
    codelets, archs, sizes = np.array(columns["codelet"]), columns["arch"], columns["size_bytes"]
    is_gpu = np.array([bool(_GPU.fullmatch(arch)) for arch in archs])
    is_cpu = np.array([arch == _CPU for arch in archs])
    measured = (hosts == host) & (columns["n_samples"] > 0) & (columns["mean_us"] > 0)
    result = {}
    for kernel, (codelet, tiles) in KERNELS.items():
        rows = measured & (codelets == codelet)
        exact = rows & (sizes == tiles * tile_bytes)
        times = []
        for device in (is_cpu, is_gpu):
            found = exact & device
            if not found.any():
                break
            times.append(float(np.average(columns["mean_us"][found], weights=columns["n_samples"][found])) * _MICRO)
        else:
            result[kernel] = (times[0], times[1])
    if not result:
        first, tiles = KERNELS["potrf"]
        known = sorted({int(size) // tiles for size in sizes[measured & (codelets == first)]})
        has = "no CPU times" if not (measured & is_cpu).any() else f"tiles of {', '.join(map(str, known))} bytes"
        raise InputError(f"{path} has no kernel with tiles of {tile_bytes} bytes on both the CPUs and the GPUs of host {host!r}; it has {has}")
    return result
