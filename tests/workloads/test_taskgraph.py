from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import DataFileError
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind, check_workload
from hybrid_ml_scheduler.workloads.source import Source
from hybrid_ml_scheduler.workloads.taskgraph import read_taskgraph
from reader_cases import TASKGRAPH


def read(document: Any) -> Workload:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return check_workload(read_taskgraph(Source("t.graph.json", data, "00")))


def test_costs_are_visible_and_true_and_edges_carry_seconds() -> None:
    workload = read(TASKGRAPH)
    assert workload.kind is WorkloadKind.MACHINES
    assert workload.tasks.cost_s is not None
    assert workload.truth.cost_s is not None
    assert workload.tasks.cost_s.tolist() == workload.truth.cost_s.tolist() == [[14, 16.5, 9], [13, 19, 18], [11, 13, 19]]
    assert workload.tasks.cost_s is not workload.truth.cost_s
    assert workload.truth.work_s.tolist() == pytest.approx(np.mean([[14, 16.5, 9], [13, 19, 18], [11, 13, 19]], axis=1))
    assert workload.tasks.parent_ptr.tolist() == [0, 0, 1, 3]
    assert workload.tasks.parent_idx.tolist() == [0, 0, 1]
    assert workload.tasks.edge_s.tolist() == [18, 0.5, 3]
    assert workload.report.estimates == "exact"


def test_a_graph_without_edges() -> None:
    assert not read({"cost": [[1], [2]], "edges": []}).tasks.has_edges


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "found a list"),
        ({"cost": [[1]]}, "'cost'"),
        ({"cost": [[1]], "edges": [], "name": "x"}, "'name'"),
        ({"cost": [], "edges": []}, "'cost' is no list of tasks"),
        ({"cost": 3, "edges": []}, "'cost' is no list of tasks"),
        ({"cost": [[1]], "edges": {}}, "'edges' is no list"),
        ({"cost": [[1, 2], [1]], "edges": []}, r"cost\[1\]"),
        ({"cost": [[]], "edges": []}, r"cost\[0\]"),
        ({"cost": [5], "edges": []}, r"cost\[0\]"),
        ({"cost": [[1, -2]], "edges": []}, r"cost\[0\]\[1\] is -2"),
        ({"cost": [["1"]], "edges": []}, r"cost\[0\]\[0\] is '1'"),
        ({"cost": [[True]], "edges": []}, "is True"),
        ({"cost": [[None]], "edges": []}, "is None"),
        (b'{"cost": [[1e400]], "edges": []}', "is inf"),
        ({"cost": [[2**63]], "edges": []}, "is 9223372036854775808"),
        ({"cost": [[1], [1]], "edges": [[0, 1]]}, r"edges\[0\] is not a list of three"),
        ({"cost": [[1], [1]], "edges": [[0, 2, 1]]}, "names the task 2"),
        ({"cost": [[1], [1]], "edges": [[-1, 1, 1]]}, "names the task -1"),
        ({"cost": [[1], [1]], "edges": [[0, 1.0, 1]]}, "names the task 1.0"),
        ({"cost": [[1], [1]], "edges": [[0, 1, -1]]}, r"edges\[0\], transfer is -1"),
        ({"cost": [[1], [1]], "edges": [[0, 1, 1], [0, 1, 2]]}, "repeats the edge"),
        ({"cost": [[1], [1]], "edges": [[0, 1, 1], [1, 0, 1]]}, "cycle, for example through the task in row 0; expected an acyclic graph$"),
        ({"cost": [[1]], "edges": [[0, 0, 1]]}, "cycle"),
        (b'{"cost": [[1],\n [2]', "line 2: not JSON"),
    ],
)
def test_what_is_no_task_graph(document: Any, problem: str) -> None:
    with pytest.raises(DataFileError, match=problem):
        read(document)
