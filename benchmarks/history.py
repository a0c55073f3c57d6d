"""What a long history costs: questions to the database and retraining, after a real run of so many tasks.

    python benchmarks/history.py server                                        # a PostgreSQL server of the test wheels, until it is ended
    python benchmarks/history.py grow FOLDER TASKS [--url URL] [--seconds S]   # run the six schedulers; goes on where it was if it is done again
    python benchmarks/history.py measure FOLDER [--url URL]                    # nothing else should be running
    python benchmarks/history.py retraining FOLDER FOLDER [--url URL --url URL]

Without ``--url`` the database is SQLite in the folder. ``measure`` asks for the newest 1,000 results and for one scheduler's statistics, and computes
the same statistics by a scan of the journal with polars. ``retraining`` brings the model of ``hybrid_ml`` up to date as the service does it (newest
outcomes out of the database, a new version into a model store), after the short and after the long history in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore
from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.controller import LiveController
from hybrid_ml_scheduler.live.retrainer import train
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.storage.segments import segments
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from hybrid_ml_scheduler.workloads.clusters import open_cluster

SEED = 20_010
REPEATS = 31
LEARNED = 2
"""Lanes whose outcomes are learned from."""


def settings_of(folder: str, url: str | None) -> StorageSettings:
    return StorageSettings.load(data_dir=folder, database_url=url)


async def grow(settings: StorageSettings, tasks: int, seconds: float) -> dict[str, Any]:
    """Run until there are so many tasks, or the time is over."""
    service = SimulationDataService(settings)
    await service.open(upgrade=True)
    controller = LiveController(service, LiveSettings.load())
    began_s = time.monotonic()
    status = await controller.recover()
    if status.run_id is None:
        status = await controller.start(RunRequest(seed=SEED, max_tasks=tasks, retrain_every=None))
    first = status.tasks_processed
    while controller.status().state in ("running", "paused") and time.monotonic() - began_s < seconds:
        await asyncio.sleep(0.1)
    took_s = time.monotonic() - began_s
    status = controller.status()
    await controller.shutdown(60.0)
    await service.close(60.0)
    return {"tasks": status.tasks_processed, "tasks_per_s": round((status.tasks_processed - first) / took_s), "state": controller.status().state}


async def timed_ms(question: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    times = []
    for _ in range(REPEATS):
        began_s = time.perf_counter()
        await question()
        times.append((time.perf_counter() - began_s) * 1e3)
    return {"median_ms": round(median(times), 2), "least_ms": round(min(times), 2), "most_ms": round(max(times), 2)}


async def measure(settings: StorageSettings) -> dict[str, Any]:
    """Ask the questions, one at a time."""
    service = SimulationDataService(settings)
    await service.open(drain=False, upgrade=True)
    run = (await service.runs(limit=1))[0]
    page = await service.newest(Stream.TASKS, run.id, 1)
    found: dict[str, Any] = {"dialect": service.database.dialect.name, "tasks": page.dicts()[0]["seq"] + 1}
    found["newest_1000_results"] = await timed_ms(lambda: service.newest(Stream.RESULTS, run.id, 1_000))
    found["statistics_of_one_scheduler"] = await timed_ms(lambda: service.statistics(run.id, "greedy"))
    scans_ms = [scan_ms(service.journals.run_folder(run.id)) for _ in range(5)]
    found["scan_of_the_csv_journal_with_polars"] = {"median_ms": round(median(scans_ms), 1), "least_ms": round(min(scans_ms), 1)}
    found["scan_over_database"] = round(median(scans_ms) / found["statistics_of_one_scheduler"]["median_ms"], 1)
    await service.close()
    return found


async def retraining(settings: list[StorageSettings]) -> dict[str, Any]:
    """Retrain after each history in turn, so that whatever else the machine does falls on all of them."""
    with tempfile.TemporaryDirectory(prefix="hms-bench-") as folder:
        services = [SimulationDataService(each) for each in settings]
        for service in services:
            await service.open(drain=False, upgrade=True)
        store = ModelStore([PRETRAINED, Path(folder)])
        times_ms = [[await retrained_ms(service, store) for service in services] for _ in range(REPEATS + 1)]
        tasks = [(await service.newest(Stream.TASKS, service.journals.runs()[-1], 1)).dicts()[0]["seq"] + 1 for service in services]
        for service in services:
            await service.close()
    short, long = zip(*times_ms[1:], strict=True)  # the first is warming up
    return {
        "tasks": tasks,
        "median_ms": [round(median(short), 1), round(median(long), 1)],
        "least_ms": [round(min(short), 1), round(min(long), 1)],
        "ratio_of_medians": round(median(long) / median(short), 3),
        "median_of_ratios": round(median(after / before for before, after in zip(short, long, strict=True)), 3),
    }


async def retrained_ms(service: SimulationDataService, store: ModelStore) -> float:
    run = service.local_runs()[0]
    rows = LiveSettings.load().training_rows
    began_s = time.perf_counter()
    window = await service.training_window(run.id, rows * LEARNED)
    await asyncio.to_thread(train, run.options["models"]["hybrid_ml"], window, "hybrid_ml", open_cluster(run.cluster), store, rows)
    return (time.perf_counter() - began_s) * 1e3


def scan_ms(folder: Path) -> float:
    """Compute one scheduler's statistics from the journal."""
    import polars as pl

    paths = [segment.path for segment in segments(folder, Stream.RESULTS)]
    began_s = time.perf_counter()
    response = pl.col("finish_s") - pl.col("arrival_s")
    scanned = pl.scan_csv(paths, infer_schema_length=10_000).filter(pl.col("scheduler") == "greedy")
    scanned.select(response.mean().alias("mean"), *(response.quantile(share).alias(f"p{share}") for share in (0.5, 0.95, 0.99))).collect()
    return (time.perf_counter() - began_s) * 1e3


def serve_postgresql() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from storage_servers import PostgresServer

    server = PostgresServer()
    try:
        server.start()
        server.execute("CREATE DATABASE runs")
        print(server.url("runs"), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        server.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("server")
    growing = commands.add_parser("grow")
    growing.add_argument("folder")
    growing.add_argument("tasks", type=int)
    growing.add_argument("--seconds", type=float, default=float("inf"))
    measuring = commands.add_parser("measure")
    measuring.add_argument("folder")
    comparing = commands.add_parser("retraining")
    comparing.add_argument("folder", nargs=2)
    comparing.add_argument("--url", action="append")
    for each in (growing, measuring):
        each.add_argument("--url")
    given = parser.parse_args()
    if given.command == "server":
        serve_postgresql()
        return
    if given.command == "retraining":
        urls = given.url or [None, None]
        print(json.dumps(asyncio.run(retraining([settings_of(*each) for each in zip(given.folder, urls, strict=True)])), indent=2))
        return
    settings = settings_of(given.folder, given.url)
    found = asyncio.run(grow(settings, given.tasks, given.seconds) if given.command == "grow" else measure(settings))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
