"""Small valid files of every format, and ways to spoil them."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

SWF = b"""; Version: 2.2
; MaxProcs: 338 (batch partition; 512 total)
; MaxNodes: 128
1 0 5 100 4 -1 -1 4 200 1024 1 7 1 3 1 -1 -1 -1
2 10 -1 60.5 -1 59.2 -1 8 -1 -1 1 8 1 -1 1 -1 -1 -1
4 10 0 -1 2 -1 -1 -1 300 -1 0 7 1 3 1 -1 -1 -1
9 30 0 0 1 -1 -1 1 30 2048 5 -1 1 -1 1 -1 -1 -1
"""

OPENB = b"""name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
pod-0,12000,16384,1,1000,,LS,Running,0,12537496,0
pod-1,6000,12288,1,460,V100M16|V100M32,BE,Running,427061,12902960,427070
pod-2,8000,0,0,0,,LS,Pending,427061,427100,
pod-3,8000,30517.5,8,1000,,Burstable,Failed,500000,500001,500000
"""

PHILLY = b"""timestamp,duration,num_gpus,gpu_time,cluster
2017-10-09 07:01:55,66.0,1,66.0,11cb48
2017-10-09 06:13:03,2951.0,16,47216.0,6214e9
2017-09-29 07:58:32,0.5,8,4.0,
"""

TABULAR = b"""task_id,arrival_s,run_time_s,cores,gpus,gpu_share_milli,memory_mb,requested_time_s,user,kind,priority,deadline_s,parents,edge_s,edge_mb
7,0,10,1.5,1,300,1000,20,ann,train,,100,,,
3,1.5,0,2,0,0,0,,bob,,1.5,,7,0.5,
5,1,3e1,1,2,1000,1,30,ann,"a, b",,,7;3,0;1,2;3.5
"""

DIVISIBLE = b"""# hybrid-ml-scheduler {"warmup":0.1,"law":"sum","gpu_models":["A","B"], "slowdown": [[[1, 0.5], [2, 1]]], "kind_names": ["x", "y"]}
arrival_s,run_time_s,size,compute_intensity,kind,gpu_noise
0,1,1.5,0.5,0,1
0.5,2,2.5,1,1,0.9
"""

TASKGRAPH = b'{"cost": [[14, 16.5, 9], [13, 19, 18], [11, 13, 19]], "edges": [[0, 1, 18], [0, 2, 0.5], [1, 2, 3]]}'

DOT = b"""digraph dag {
    // two nodes by hand, then defaults
    0 [kernel=potrf]; 1 [kernel="trsm", label="a \\"b\\""];
    node [kernel = gemm]
    0 -> 1 [x=0,
        y=0];
    0 -> 1:p:nw -> 2 /* a chain */
    rankdir=LR;
}
"""

WFFORMAT = json.dumps(
    {
        "name": "small",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    {"name": "split_1", "id": "a", "parents": [], "children": ["b", "c"], "inputFiles": ["in"], "outputFiles": ["x", "y"]},
                    {"name": "work_1", "id": "b", "parents": ["a"], "children": [], "inputFiles": ["x", "y"], "outputFiles": ["z"]},
                    {"name": "work_2", "id": "c", "parents": ["a"], "inputFiles": ["y"]},
                ],
                "files": [
                    {"id": "in", "sizeInBytes": 10},
                    {"id": "x", "sizeInBytes": 1_000_000},
                    {"id": "y", "sizeInBytes": 500_000},
                    {"id": "z", "sizeInBytes": 0},
                ],
            },
            "execution": {
                "makespanInSeconds": 30,
                "tasks": [
                    {"id": "a", "runtimeInSeconds": 10.5, "coreCount": 2, "memoryInBytes": 3_000_000},
                    {"id": "b", "runtimeInSeconds": 0},
                    {"id": "c", "runtimeInSeconds": 4},
                ],
                "machines": [{"nodeName": "m", "cpu": {"coreCount": 48, "speedInMHz": 1200}, "memoryInBytes": 1_000_000_000}],
            },
        },
    },
    indent=1,
).encode()


def _parquet() -> bytes:
    table = pa.table(
        {
            "task_id": [3, 1, 2],
            "arrival_s": [0.0, 2.0, 1.0],
            "run_time_s": [5.0, 6.0, 7.0],
            "user": ["ann", None, "bob"],
            "parents": [[], [3], [3, 1]],
            "deadline_s": [None, 9.0, float("nan")],
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


SAMPLES = {
    "swf": SWF,
    "openb": OPENB,
    "philly": PHILLY,
    "tabular": TABULAR,
    "divisible": DIVISIBLE,
    "parquet": _parquet(),
    "taskgraph": TASKGRAPH,
    "dot": DOT,
    "wfformat": WFFORMAT,
}
"""By name of the format; ``divisible`` and ``parquet`` are tables of our own too."""

READER = {"divisible": "tabular", "parquet": "tabular"}
"""Format of the samples that are not named like theirs."""

NASTY = [
    b"nan", b"-inf", b"1e400", b"-5", b"-0.5", b"-1", b"0", b"9" * 19, b"9" * 40, b"-" + b"9" * 25, b"9223372036854775808", b"1.5", b"\xff\xfe", b"",
    b"\x00", b"1_0", "\u0663".encode(), b"x", b'"', b"\n", b"\r", b",", b";", b"{", b"}", b"[", b"]", b"null", b"true", b'"\\ud800"', b"[[]]",
    b"[" * 3000, b"1e308", b" ", b"\t1", b"\xef\xbb\xbf", b"# ", b"->", b"1:2", b"0x10", b"4.0", b"1;1",
]  # fmt: skip
"""What tends to upset readers of numbers, tables and documents."""


@st.composite
def spoiled(draw: st.DrawFn, sample: bytes) -> bytes:
    """A valid file with a few pieces replaced, removed, doubled, swapped for nasty ones, or cut off at the end."""
    data = sample
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 12)))
        piece = draw(st.one_of(st.sampled_from(NASTY), st.binary(max_size=6), st.just(data[begin:end] * 2)))
        how = draw(st.sampled_from(["replace", "token", "cut", "repeat"]))
        if how == "token":
            begin, end = _token(data, begin)
        if how == "cut":
            data = data[: max(begin, 1)]
        elif how == "repeat":
            data = data[:end] + data[begin:]
        else:
            data = data[:begin] + piece + data[end:]
    return data


def _token(data: bytes, near: int) -> tuple[int, int]:
    """The ends of the word at a position."""
    separators = b' ,;:\n\t[]{}"'
    begin = near
    while begin > 0 and data[begin - 1 : begin] not in separators:
        begin -= 1
    end = near
    while end < len(data) and data[end : end + 1] not in separators:
        end += 1
    return begin, end


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
