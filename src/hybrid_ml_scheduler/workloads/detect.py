"""Formats and how they are told apart: by content, never by the file's name alone."""

from __future__ import annotations

import re

from hybrid_ml_scheduler.core.errors import UnknownNameError
from hybrid_ml_scheduler.workloads.source import Source

FORMATS = {
    "swf": "Standard Workload Format: batch jobs, 18 columns",
    "openb": "pod list of Alibaba's cluster-trace-gpu-v2023 (CSV)",
    "philly": "timestamp,duration,num_gpus,gpu_time,cluster (CSV)",
    "wfformat": "WfCommons WfFormat 1.5: a measured workflow (JSON)",
    "taskgraph": "cost matrix and edges of a task graph (JSON)",
    "dot": "task graph with a kernel name per node (graphviz DOT)",
    "tabular": "our own columns (CSV or Parquet)",
}
"""Name and one line on each format that can be read."""

_HEAD_BYTES = 65_536
_BOM = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"
_DOT = re.compile(rb"(?:\s++|//[^\n]*+\n|#[^\n]*+\n|/\*.*?\*/)*+(?:strict\s+)?(?:di)?graph\b", re.IGNORECASE | re.DOTALL)
_NUMBERS = re.compile(rb"[0-9eE+.\-]+(?:[ \t]+[0-9eE+.\-]+)+")
_OWN_SUFFIXES = {".swf": "swf", ".dot": "dot", ".csv": "tabular", ".parquet": "tabular"}


def check_format(name: str) -> str:
    """Return the name of a format, or raise `UnknownNameError` that lists all of them."""
    if name not in FORMATS:
        raise UnknownNameError(f"there is no format {name!r}; expected one of {', '.join(FORMATS)}")
    return name


def detect_format(source: Source) -> str:
    """Tell the format of a file from its content.

    Where the content resembles no format, the suffix only chooses whose error message comes: that reader then says which line is wrong.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    str
        One of `FORMATS`.

    Raises
    ------
    DataFileError
        If the content resembles none of them.
    """
    head = source.data[:_HEAD_BYTES].removeprefix(_BOM)
    if head.startswith(_PARQUET):
        return "tabular"
    text = head.lstrip()
    if text.startswith(b"# hms-profile "):
        source.fail(
            "this is a table of measured kernels, not a workload", "a task graph as the workload, and this file as --cluster kernels:PATH@HOST"
        )
    found = None
    if text.startswith((b"{", b"[")):
        found = _json_format(source)
    elif text.startswith(b";"):
        found = "swf"
    elif _DOT.match(text):
        found = "dot"
    else:
        line = text.split(b"\n", 1)[0].strip()
        found = "swf" if _NUMBERS.fullmatch(line) else _csv_format(source, line)
    if found is None:
        name = source.name.removesuffix(".gz")
        found = _OWN_SUFFIXES.get(name[name.rfind(".") :]) if "." in name else None
    if found is None:
        source.fail(
            "the content resembles no format that can be read",
            f"one of {', '.join(FORMATS)} (name it with --format to see which line is wrong)",
        )
    return found


def _json_format(source: Source) -> str | None:
    if b'"workflow"' in source.data:
        return "wfformat"
    return "taskgraph" if b'"cost"' in source.data or b'"edges"' in source.data else None


def _csv_format(source: Source, line: bytes) -> str | None:
    names = {name.strip().strip(b'"') for name in line.split(b",")}
    if {b"cpu_milli", b"num_gpu"} <= names:
        return "openb"
    if {b"sn", b"cpu_milli", b"model"} <= names:
        source.fail("this is a list of nodes, not of pods", "a pod list as the workload, and this file as --cluster openb:PATH")
    if {b"timestamp", b"num_gpus"} <= names:
        return "philly"
    return "tabular" if line.startswith(b"# hybrid-ml-scheduler ") or {b"arrival_s", b"run_time_s"} & names else None
