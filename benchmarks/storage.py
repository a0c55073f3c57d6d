"""How fast results are kept and found again: ``python benchmarks/storage.py [--tasks N] [--database sqlite|postgresql]``.

Six schedulers, one row to learn from per task, everything through the journal, as a run at full speed does it: it writes as fast as it can and is
held back when the database falls behind. PostgreSQL is the one that the tests start, with ``fsync`` off as they have it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.storage.segments import segments
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_servers import PostgresServer

AT_ONCE = 500
REPEATS = 21
SHIFTED_S = ("arrival_s", "start_s", "finish_s")


def shifted(columns: Any, tasks: int) -> dict[str, Any]:
    """Return the same rows for later tasks."""
    moved = {name: np.asarray(columns[name]) + tasks * 0.5 for name in SHIFTED_S if name in columns}
    return {**columns, **moved, "task_id": columns["task_id"] + tasks}


async def timed_ms(question: Callable[[], Awaitable[Any]]) -> float:
    times = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        await question()
        times.append((time.perf_counter() - started_s) * 1e3)
    return median(times)


async def measure(settings: StorageSettings, tasks: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    service = SimulationDataService(settings)
    await service.database.upgrade()
    await service.open()
    run = new_run(service)
    sink = service.begin_run(run)
    template = make_batch(0, AT_ONCE)
    started_s = time.perf_counter()
    writing_s = 0.0
    largest_lag = 0
    for first in range(0, tasks, AT_ONCE):
        batch = RunBatch(shifted(template.tasks, first), shifted(template.results, first), shifted(template.training, first))
        before_s = time.perf_counter()
        await sink.write(batch)
        writing_s += time.perf_counter() - before_s
        await sink.wait_until_lag_below()
        largest_lag = max(largest_lag, sink.lag_rows)
    await sink.wait_until_lag_below(1)
    took_s = time.perf_counter() - started_s
    results = tasks * len(SCHEDULERS)
    found["result rows/s, journal and database"] = results / took_s
    found["rows/s, journal alone"] = tasks * (len(SCHEDULERS) + 2) / writing_s
    found["largest lag [rows]"] = largest_lag
    found["newest 1,000 rows [ms]"] = await timed_ms(lambda: service.newest(Stream.RESULTS, run.id, 1_000))
    found["statistics of one scheduler [ms]"] = await timed_ms(lambda: service.statistics(run.id, "greedy"))
    found["training window of 10,000 rows [ms]"] = await timed_ms(lambda: service.training_window(run.id, 10_000))
    found["scan of the CSV backup for the same statistics [ms]"] = await asyncio.to_thread(scan_ms, service.journals.run_folder(run.id))
    found["peak memory [MB]"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    found["journal [MB]"] = service.journals.bytes_of(run.id) / 1e6
    await service.close()
    return found


def scan_ms(folder: Path) -> float:
    """Compute one scheduler's statistics from the journal with polars; the best of three."""
    import polars as pl

    paths = [segment.path for segment in segments(folder, Stream.RESULTS)]
    times = []
    for _ in range(3):
        started_s = time.perf_counter()
        response = pl.col("finish_s") - pl.col("arrival_s")
        one = (
            pl.scan_csv(paths, infer_schema_length=10_000)
            .filter(pl.col("scheduler") == "greedy")
            .select(response.mean().alias("mean"), *(response.quantile(share).alias(f"p{share}") for share in (0.5, 0.95, 0.99)))
        )
        one.collect()
        times.append((time.perf_counter() - started_s) * 1e3)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the storage.")
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    server = PostgresServer() if given.database == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory(prefix="hms-bench-") as folder:
            url = None
            if server is not None:
                server.start()
                url = server.url(server.new_database())
            found = asyncio.run(measure(StorageSettings.load(data_dir=folder, database_url=url), given.tasks))
    finally:
        if server is not None:
            server.remove()
    print(json.dumps({"tasks": given.tasks, "database": given.database} | found, indent=2))


if __name__ == "__main__":
    main()
