"""Runs are kept, found, compared, checked, deleted and restored, on both databases."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.service import SimulationDataService
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_fixtures import MakeSettings

pytestmark = pytest.mark.anyio


async def test_what_is_written_arrives_once_with_equal_values(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        for first in range(0, 300, 100):
            await sink.write(make_batch(first, 100))
        await sink.wait_until_lag_below(1)
        report = await service.check()
        assert report.problems == ()
        assert report.to_dict() == {
            "tables": {
                "journal_progress": 3,
                "metrics": report.tables["metrics"],
                "model_registry": 0,
                "runs": 1,
                "scheduler_results": 1800,
                "simulation_state": 0,
                "tasks": 300,
                "training_data": 300,
            },
            "journal": {"rows": 2400, "lag_rows": 0},
            "differences": 0,
            "duplicates": 0,
        }
        assert await service.runs() == [run]
        written = make_batch(200, 100).results
        page = await service.newest(Stream.RESULTS, run.id, 600)
        rows = page.dicts()[::-1]
        for name in ("task_id", "arrival_s", "finish_s", "gpus", "scheduler", "reason"):
            expected = [None if isinstance(value, float) and np.isnan(value) else value for value in list(written[name])]
            assert [row[name] for row in rows] == expected
        assert np.array_equal([row["seq"] for row in rows], np.arange(1200, 1800))
        assert {found.scheduler for found in await service.statistics(run.id)} == set(SCHEDULERS)
