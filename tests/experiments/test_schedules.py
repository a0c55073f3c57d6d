"""Schedules as files."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hybrid_ml_scheduler.core.decision import DecidedBy, TaskStatus
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.experiments.schedules import schedule_table, simulate_one, write_schedule


@pytest.fixture(scope="module")
def simulation():
    return simulate_one("steady", "greedy", first=200, seed=3)


def test_schedule_table_holds_every_task(simulation):
    table = schedule_table(simulation.workload, simulation.cluster, simulation.schedule)
    schedule = simulation.schedule
    assert table.height == 200
    assert table["task_id"].to_list() == simulation.workload.tasks.task_id.tolist()
    assert np.array_equal(table["finish_s"].to_numpy(), schedule.finish_s)
    assert table["cpu_end_s"].null_count() == np.count_nonzero(np.isnan(schedule.cpu_end_s))
    assert table["status"].unique().to_list() == ["finished"]
    assert sorted(table["decision"].to_list()) == list(range(200))
    assert table["decided_by"].unique().to_list() == ["rule"]
    held = [sum(1 << int(gpu) for gpu in gpus.split()) if gpus else 0 for gpus in table["gpus"].to_list()]
    assert held == schedule.gpu_mask.tolist()
    assert table["energy_j"].min() > 0
    assert simulation.metrics["mean_response_s"] == pytest.approx(table["response_s"][20:].mean())  # the first tenth is not measured


def test_tasks_that_never_ran_have_nulls(simulation):
    schedule = simulation.schedule
    status, start, finish, node = schedule.status.copy(), schedule.start_s.copy(), schedule.finish_s.copy(), schedule.node.copy()
    status[5], start[5], finish[5], node[5] = TaskStatus.REJECTED, np.nan, np.nan, -1
    changed = replace(
        schedule, status=status, start_s=start, finish_s=finish, node=node, decision_order=schedule.decision_order[schedule.decision_order != 5]
    )
    row = schedule_table(simulation.workload, simulation.cluster, changed).row(5, named=True)
    assert row["status"] == "rejected"
    for name in ("start_s", "finish_s", "wait_s", "response_s", "node", "energy_j", "cost_usd", "decision", "decided_by"):
        assert row[name] is None


def test_who_decided_stands_in_the_table(simulation):
    codes = np.full(200, DecidedBy.MODEL, dtype=np.int8)
    codes[7] = DecidedBy.FALLBACK_ERROR
    table = schedule_table(simulation.workload, simulation.cluster, replace(simulation.schedule, decided_by=codes))
    assert table["decided_by"].to_list() == ["fallback_error" if row == 7 else "model" for row in range(200)]


@pytest.mark.parametrize(("suffix", "read"), [(".parquet", pl.read_parquet), (".csv", pl.read_csv)])
def test_files_hold_the_table(simulation, tmp_path, suffix, read):
    path = tmp_path / f"schedule{suffix}"
    write_schedule(simulation, path)
    table = schedule_table(simulation.workload, simulation.cluster, simulation.schedule)
    back = read(path)
    assert back.columns == table.columns
    for name in ("task_id", "start_s", "energy_j", "decision"):
        assert back[name].to_list() == table[name].to_list()


def test_unknown_suffix(simulation, tmp_path):
    with pytest.raises(InputError, match=r"expected \.parquet or \.csv"):
        write_schedule(simulation, tmp_path / "schedule.txt")
