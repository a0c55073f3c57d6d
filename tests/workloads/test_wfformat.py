from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from hybrid_ml_scheduler.core.errors import DataFileError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads.source import Source, read_source
from hybrid_ml_scheduler.workloads.wfformat import read_wfformat
from reader_cases import WFFORMAT
from shared_data import shared


def read(document: Any) -> Workload:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return check_workload(read_wfformat(Source("w.json", data, "00")))


def test_what_becomes_of_the_document() -> None:
    workload = read(WFFORMAT)
    tasks = workload.tasks
    assert workload.kind is WorkloadKind.RIGID
    assert workload.truth.work_s.tolist() == tasks.requested_time_s.tolist() == [10.5, 0, 4]
    assert tasks.cores_milli.tolist() == [2000, 1000, 1000]
    assert tasks.memory_mb.tolist() == [3, 0, 0]
    assert tasks.parent_ptr.tolist() == [0, 0, 1, 2]
    assert tasks.parent_idx.tolist() == [0, 0]
    assert tasks.edge_mb.tolist() == [1.5, 0.5]
    assert not tasks.edge_s.any()
    assert tasks.kind is not None
    assert [tasks.kind_names[code] for code in tasks.kind] == ["split", "work", "work"]
    assert workload.meta == {
        "workflow": "small",
        "machines": [{"name": "m", "cores": 48, "memory_mb": 1000, "speed_mhz": 1200}],
        "measured_makespan_s": 30,
    }


SPOILED: list[tuple[tuple[Any, ...], Any, str]] = [
    (("schemaVersion",), "1.4", "schemaVersion is '1.4'"),
    (("workflow",), [], "workflow is a list"),
    (("workflow", "specification"), None, "specification is None"),
    (("workflow", "specification", "tasks"), [], "tasks is empty"),
    (("workflow", "specification", "tasks", 1), 7, r"tasks\[1\] is 7"),
    (("workflow", "specification", "tasks", 1, "id"), "a", "'a' stands twice"),
    (("workflow", "specification", "tasks", 1, "id"), 5, "id is 5"),
    (("workflow", "specification", "tasks", 1, "parents"), ["nobody"], r"tasks\[1\].parents: there is no task 'nobody'"),
    (("workflow", "specification", "tasks", 1, "parents"), "a", "parents is 'a'"),
    (("workflow", "specification", "tasks", 1, "parents"), [[]], r"parents\[0\] is a list"),
    (("workflow", "specification", "tasks", 1, "children"), ["a"], "cycle"),
    (("workflow", "specification", "tasks", 1, "inputFiles"), ["nothing"], "there is no file 'nothing'"),
    (("workflow", "specification", "files", 0, "sizeInBytes"), -1, "sizeInBytes is -1"),
    (("workflow", "specification", "files", 0, "id"), "x", "'x' stands twice"),
    (("workflow", "execution", "tasks", 1, "id"), "a", "'a' stands twice"),
    (("workflow", "execution", "tasks", 1, "id"), "q", "'q' is no task"),
    (("workflow", "execution", "tasks", 2), {"id": "c"}, "has no 'runtimeInSeconds'"),
    (("workflow", "execution", "tasks", 2, "runtimeInSeconds"), -3, "runtimeInSeconds is -3"),
    (("workflow", "execution", "tasks", 2, "runtimeInSeconds"), True, "runtimeInSeconds is True"),
    (("workflow", "execution", "tasks", 2, "coreCount"), 1e300, "coreCount is 1e[+]300"),
    (("workflow", "execution", "tasks"), [], "task 'a' has no execution"),
    (("workflow", "execution", "machines", 0), {"cpu": {}}, "has no 'nodeName'"),
    (("workflow", "execution", "makespanInSeconds"), "30", "makespanInSeconds is '30'"),
]


@pytest.mark.parametrize(("place", "value", "problem"), SPOILED)
def test_what_is_no_workflow(place: tuple[Any, ...], value: Any, problem: str) -> None:
    document = copy.deepcopy(json.loads(WFFORMAT))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with pytest.raises(DataFileError, match=problem):
        read(document)


def test_measured_runs() -> None:
    files = sorted(shared("data/wfinstances").glob("*.json.gz"))
    assert files
    for path in files:
        workload = check_workload(read_wfformat(read_source(path)))
        assert workload.tasks.has_edges
        assert workload.meta["measured_makespan_s"] > 0
        assert workload.meta["machines"]
