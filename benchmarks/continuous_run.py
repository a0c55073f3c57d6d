"""Measure the continuous run: six schedulers as fast as possible, everything in the journal and in the database.

    python benchmarks/continuous_run.py [TASKS] [--retrain N] [--speed S] [--postgres]

Without ``--postgres`` the database is SQLite in a temporary folder; with it, a PostgreSQL server of the test wheels on this machine (needs the folder
``tests`` on PYTHONPATH and the development dependencies). Prints one line per tenth of the way: real seconds, tasks with all results in the journal,
rows that the database does not have yet, and resident memory; at the end the rate until everything was in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import tempfile
import time
from pathlib import Path

from hybrid_ml_scheduler.live.contract import RunRequest
from hybrid_ml_scheduler.live.controller import LiveController
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings


def resident_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


async def event_loop_lag(lags: list[float]) -> None:
    """Note how late the event loop is, over and over."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append(time.perf_counter() - began - 0.005)


async def measure(tasks: int, retrain: int | None, speed: float | None, folder: Path, url: str | None) -> None:
    """Run and print."""
    settings = StorageSettings.load(data_dir=folder, **({"database_url": url} if url else {}))
    async with Database(settings) as database:
        await database.upgrade()
    async with SimulationDataService(settings) as service:
        # Compiling and loading are no part of the rate.
        warm = LiveController(service, LiveSettings.load())
        await warm.start(RunRequest(seed=20_000, max_tasks=200, retrain_every=None))
        while warm.status().tasks_processed < 200:
            await asyncio.sleep(0.05)
        await warm.shutdown(60.0)
        controller = LiveController(service, LiveSettings.load())
        lags: list[float] = []
        lag_task = asyncio.create_task(event_loop_lag(lags))
        began = time.perf_counter()
        await controller.start(RunRequest(seed=20_001, max_tasks=tasks, retrain_every=retrain, speed=speed))
        shown = 0
        while (status := controller.status()).state not in ("stopped", "failed"):
            if status.tasks_processed >= shown:
                print(
                    f"{time.perf_counter() - began:7.1f} s  {status.tasks_processed:8d} tasks  "
                    f"lag {service.drainer.lag_rows:7d} rows  {resident_mb():6.0f} MB",
                    flush=True,
                )
                shown += max(tasks // 10, 1)
            await asyncio.sleep(0.05)
        journal_s = time.perf_counter() - began
        lag_task.cancel()
        await controller.shutdown(60.0)
        while service.drainer.lag_rows:
            await asyncio.sleep(0.05)
        total_s = time.perf_counter() - began
        lags.sort()
        print(f"{status.state} {status.message or ''} {status.tasks_processed} tasks, retraining {status.retraining}")
        print(f"journal: {tasks / journal_s:.0f} tasks/s; database too: {tasks / total_s:.0f} tasks/s ({6 * tasks / total_s:.0f} results/s)")
        print(
            f"event loop late: p50 {lags[len(lags) // 2] * 1e3:.1f} ms, p99 {lags[int(len(lags) * 0.99)] * 1e3:.1f} ms, most {lags[-1] * 1e3:.0f} ms"
        )
        print(f"memory {resident_mb():.0f} MB")
        for lane in status.lanes:
            mean_s = "unknown" if lane.mean_response_s is None else f"{lane.mean_response_s:.2f} s"
            print(f"  {lane.policy:12s} {lane.finished:8d} finished, mean response {mean_s}, model {lane.model} {lane.message or ''}")


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=int, nargs="?", default=100_000)
    parser.add_argument("--retrain", type=int, default=None)
    parser.add_argument("--speed", type=float, default=None, help="simulated seconds per real second; 322 makes 500 tasks/s")
    parser.add_argument("--postgres", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not chosen.postgres:
            asyncio.run(measure(chosen.tasks, chosen.retrain, chosen.speed, Path(folder), None))
            return
        server = importlib.import_module("storage_servers").PostgresServer()
        try:
            server.start()
            asyncio.run(measure(chosen.tasks, chosen.retrain, chosen.speed, Path(folder), server.url(server.new_database())))
        finally:
            server.remove()


if __name__ == "__main__":
    main()
