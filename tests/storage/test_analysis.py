"""Questions about results, answered in SQL, equal what counting row by row gives, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import UnknownRunError
from hybrid_ml_scheduler.core.streams import RunBatch
from hybrid_ml_scheduler.engine.statistics import paired_test
from hybrid_ml_scheduler.storage import analysis
from hybrid_ml_scheduler.storage.analysis import BATCHES, METRICS, AnalysisRepository, curve, placements_of
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.sketch import Sketch
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_fixtures import MakeSettings

pytestmark = pytest.mark.anyio
TASKS = 500
LEARNED = "hybrid_ml:mine@3+offline"


async def write(service: SimulationDataService, *batches: RunBatch) -> int:
    run = new_run(service)
    sink = service.begin_run(run)
    for batch in batches:
        await sink.write(batch)
    await sink.wait_until_lag_below(1)
    return run.id


def by_task(batch: RunBatch, scheduler: str) -> dict[int, dict[str, Any]]:
    """Results of one scheduler by task, with what is measured, worked out row by row."""
    names = [*batch.results]
    found = {}
    for values in zip(*(batch.results[name] for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        if row["scheduler"] == scheduler and row["status"] == "finished":
            response, run = row["finish_s"] - row["arrival_s"], row["finish_s"] - row["start_s"]
            row |= {"response_s": response, "wait_s": row["start_s"] - row["arrival_s"], "slowdown": max(1.0, response / max(run, 10.0))}
            found[int(row["task_id"])] = row
    return found


def changed(batch: RunBatch) -> RunBatch:
    """The same tasks, done half a second later and with other energy."""
    results = dict(batch.results)
    results |= {"finish_s": np.asarray(results["finish_s"]) + 0.5, "energy_j": np.asarray(results["energy_j"]) * 0.9}
    return replace(batch, results=results)


async def test_pairs_are_those_of_the_same_tasks(make_settings: MakeSettings) -> None:
    batch = make_batch(0, TASKS)
    async with SimulationDataService(make_settings()) as service:
        first, second = await write(service, batch), await write(service, changed(batch))
        against_oracle = {found.scheduler: found for found in await service.paired(first, first, "oracle")}
        of_two_runs = {found.scheduler: found for found in await service.paired(first, second)}
    assert set(against_oracle) == set(of_two_runs) == set(SCHEDULERS)
    for scheduler in SCHEDULERS:
        mine, oracle = by_task(batch, scheduler), by_task(batch, "oracle")
        both = sorted(set(mine) & set(oracle))
        found = against_oracle[scheduler]
        assert (found.tasks, found.batches) == (len(both), BATCHES)
        for name in METRICS:
            stretches: dict[int, list[float]] = {}
            for task in both:
                stretches.setdefault(task * BATCHES // TASKS, []).append(mine[task][name] - oracle[task][name])
            expected = paired_test([float(np.mean(values)) for values in stretches.values()], [0.0] * BATCHES)
            assert expected is not None
            metric = found.metrics[name]
            assert metric is not None
            assert metric.first == pytest.approx(np.mean([oracle[task][name] for task in both]))
            assert metric.second == pytest.approx(np.mean([mine[task][name] for task in both]))
            assert metric.difference == pytest.approx(expected.mean_difference)
            if expected.interval is None:
                assert (scheduler, metric.low, metric.high) == ("oracle", None, None)
            else:
                assert (metric.low, metric.high) == pytest.approx((expected.interval.low, expected.interval.high))
            assert (metric.t_p, metric.wilcoxon_p) == pytest.approx((expected.t_p, expected.wilcoxon_p), abs=1e-12)
        later, energy = of_two_runs[scheduler].metrics["response_s"], of_two_runs[scheduler].metrics["energy_j"]
        assert later is not None
        assert energy is not None
        assert later.difference == pytest.approx(0.5)
        assert energy.difference < 0


async def test_other_tasks_are_no_pairs(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        first, second = await write(service, make_batch(0, 50)), await write(service, make_batch(0, 50, seed=1))
        assert await service.paired(first, second) == []
        assert await service.paired(first, first, "bogus") == []
        with pytest.raises(UnknownRunError):
            await service.paired(first, 1)


async def test_only_the_newest_tasks_are_compared(make_settings: MakeSettings) -> None:
    batch = make_batch(0, TASKS)
    async with SimulationDataService(make_settings()) as service:
        run = await write(service, batch)
        async with service.database.read() as session:
            found = await AnalysisRepository(session, service.database.dialect).paired(run, run, "oracle", tasks=100)
    greedy = next(entry for entry in found if entry.scheduler == "greedy")
    assert greedy.tasks == 100
    metric = greedy.metrics["energy_j"]
    assert metric is not None
    mine = by_task(batch, "greedy")
    assert metric.second == pytest.approx(np.mean([mine[task]["energy_j"] for task in range(TASKS - 100, TASKS)]))


async def test_placements_are_counted_as_row_by_row(make_settings: MakeSettings) -> None:
    batch = make_batch(0, TASKS)
    tasks = batch.tasks
    async with SimulationDataService(make_settings()) as service:
        run = await write(service, batch)
        found = await service.distribution(run, LEARNED)
        refusing = await service.distribution(run, "round_robin")
        assert await service.distribution(run, "bogus") is None
        with pytest.raises(UnknownRunError):
            await service.distribution(1, "greedy")
    assert found is not None
    placed, mine = found.placements, by_task(batch, LEARNED)
    assert placed.rows == len(mine) == TASKS
    assert placed.split == TASKS
    assert placed.cpu_s == pytest.approx(sum(row["cpu_s"] for row in mine.values()))
    assert placed.gpu_s == pytest.approx(sum(row["gpu_s"] for row in mine.values() if not np.isnan(row["gpu_s"])))
    deciders = [row["decided_by"] for row in mine.values()]
    assert placed.decided_by == {name: deciders.count(name) for name in ("model", "fallback_cold")}
    assert sum(sum(row) for row in placed.count) == TASKS
    for row, (low, high) in enumerate(zip(placed.size_edges[:-1], placed.size_edges[1:], strict=True)):
        for column, left in enumerate(placed.intensity_edges[:-1]):
            inside = [
                mine[task]["fraction"]
                for task in range(TASKS)
                if low <= tasks["size"][task] < high and left <= tasks["compute_intensity"][task] < placed.intensity_edges[column + 1]
            ]
            if abs(len(inside) - placed.count[row][column]) == 0 and inside:
                assert placed.fraction[row][column] == pytest.approx(np.mean(inside))
            else:
                # The largest size is on the edge of the last bin.
                assert abs(len(inside) - placed.count[row][column]) <= 1
    assert refusing is not None
    assert sum(refusing.placements.reasons.values()) == TASKS - len(by_task(batch, "round_robin"))


async def test_placements_look_at_a_bounded_number_of_rows(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "LOOK_BACK", 3)
    async with SimulationDataService(make_settings()) as service:
        run = await write(service, make_batch(0, 100), make_batch(100, 100, ("random", "oracle")))
        async with service.database.read() as session:
            repository = AnalysisRepository(session, service.database.dialect)
            assert (await repository.placements(run, "oracle", rows=30)).rows == 30
            # Of the newest 90 rows none is greedy's.
            assert (await repository.placements(run, "greedy", rows=30)).rows == 0


def test_a_curve_rises_to_one() -> None:
    assert curve(Sketch()) == []
    values = np.random.default_rng(4).lognormal(1, 1, 5_000)
    found = curve(Sketch.of(values))
    assert len(found) <= analysis.CURVE_POINTS
    assert [point for point, _ in found] == sorted(point for point, _ in found)
    assert found[-1][1] == 1.0
    for value, share in found:
        assert np.mean(values <= value * 1.0101) >= share - 1e-9
        assert np.mean(values <= value * 0.9801) <= share


def test_placements_of_nothing_and_of_one() -> None:
    assert placements_of([]).count == ()
    one = placements_of([("finished", 1.0, None, 2.0, "rule", None, 5.0, 1.0)])
    assert (one.gpu_only, one.gpu_s, sum(map(sum, one.count)), one.count[0][-1], one.fraction[0][-1]) == (1, 2.0, 1, 1, 1.0)
