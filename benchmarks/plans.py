"""Plans and times of the most frequent questions to the database: ``python benchmarks/plans.py [--results N] [--database sqlite|postgresql]``.

A database of its own is filled through the journal, as a run does it; then each question is asked as the service asks it, its statements are caught,
and the database is asked for their plans.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from sqlalchemy import event

from hybrid_ml_scheduler.core.observing import Observer
from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage import AT_ONCE, shifted
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_servers import PostgresServer

REPEATS = 11


class Caught(Observer):
    """Catches statements of connections for reading."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any]] = []

    def opened_pool(self, pool: str, engine: Any) -> None:
        if pool != "read":
            return

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def _catch(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
            self.statements.append((statement, parameters))


async def fill(service: SimulationDataService, tasks: int) -> int:
    run = new_run(service)
    sink = service.begin_run(run)
    template = make_batch(0, AT_ONCE)
    for first in range(0, tasks, AT_ONCE):
        await sink.write(RunBatch(shifted(template.tasks, first), shifted(template.results, first), shifted(template.training, first)))
        await sink.wait_until_lag_below()
    await sink.wait_until_lag_below(1)
    return run.id


async def measure(settings: StorageSettings, results: int) -> dict[str, Any]:
    caught = Caught()
    service = SimulationDataService(settings, caught)
    await service.open(upgrade=True)
    tasks = results // len(SCHEDULERS) + 1
    run_id = await fill(service, tasks)
    if service.database.dialect.name == "postgresql":
        # As the server does by itself after a while.
        async with service.database.write() as session:
            await (await session.connection()).exec_driver_sql("ANALYZE")
    middle = results // 2
    questions: dict[str, Callable[[], Awaitable[Any]]] = {
        "newest 1,000 results": lambda: service.newest(Stream.RESULTS, run_id, 1_000),
        "1,000 results before one in the middle": lambda: service.newest(Stream.RESULTS, run_id, 1_000, middle),
        "newest 1,000 results of one scheduler": lambda: service.newest(Stream.RESULTS, run_id, 1_000, None, "greedy"),
        "5,000 results in order (a stream's page)": lambda: service.following(Stream.RESULTS, run_id, middle, 5_000),
        "one task with its results": lambda: service.task(run_id, tasks // 2),
        "statistics of all schedulers": lambda: service.statistics(run_id),
        "100 windows of one scheduler": lambda: service.windows(run_id, "greedy", None, 100),
        "50 runs": lambda: service.runs(limit=50),
        "newest 4,000 training rows": lambda: service.training_window(run_id, 4_000),
    }
    found: dict[str, Any] = {}
    for name, question in questions.items():
        times_ms = []
        for _ in range(REPEATS):
            caught.statements.clear()
            began_s = time.perf_counter()
            await question()
            times_ms.append((time.perf_counter() - began_s) * 1e3)
        asked = [(statement, parameters) for statement, parameters in caught.statements if statement.lstrip().startswith(("SELECT", "WITH"))]
        plans = []
        async with service.database.read() as session:
            connection = await session.connection()
            for statement, parameters in asked:
                rows = (await connection.exec_driver_sql(service.database.dialect.explain(statement), parameters)).all()
                plans.append([str(row[-1]) for row in rows])
        found[name] = {"ms": round(median(times_ms), 2), "plans": plans}
    await service.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Show plans and times of the most frequent questions to the database.")
    parser.add_argument("--results", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    server = PostgresServer() if given.database == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory(prefix="hms-plans-") as folder:
            url = None
            if server is not None:
                server.start()
                url = server.url(server.new_database())
            found = asyncio.run(measure(StorageSettings.load(data_dir=folder, database_url=url), given.results))
    finally:
        if server is not None:
            server.remove()
    print(json.dumps({"results": given.results, "database": given.database} | found, indent=2))


if __name__ == "__main__":
    main()
