"""Does the service wear out? ``python benchmarks/soak.py [--minutes 9] [--speed max] [--json FILE]``.

A real service with its six schedulers and retraining on PostgreSQL and Valkey (the servers of the test wheels), as fast as it goes, while clients
of HTTP and of the live stream come and go, some of them rudely, policies come and go, and both servers are killed and started again. Every half
second its memory and file descriptors are looked at, and all the time the count of processed tasks. Afterwards ``hms db check`` compares every row.
The verdict is the last line, and in the exit code.

Memory: least squares over means of `BLOCK_S`, after the first third (`WARM_UP`), with a 95 % interval for the slope that takes the correlation of
neighbouring means into account. It is flat if zero is in the interval, or below it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from service_process import PATIENCE_S, ServiceProcess, Watcher
from storage_servers import PostgresServer, ValkeyServer

WARM_UP = 1 / 3
BLOCK_S = 5.0
LOOK_S = 0.5
HTTP_CLIENTS, STREAM_CLIENTS = 4, 8
MB = 1e6
PATHS = (
    "/api/status",
    "/api/full_history?limit=100",
    "/api/full_history?limit=1000",
    "/api/history/comparative",
    "/api/v1/runs",
    "/api/v1/runs/{run}",
    "/api/v1/runs/{run}/statistics",
    "/api/v1/runs/{run}/windows?scheduler=greedy",
    "/api/v1/runs/{run}/tasks?limit=50",
    "/api/v1/runs/{run}/tasks/17",
    "/api/v1/policies",
    "/api/v1/models",
    "/api/v1/operations",
    "/health/ready",
    "/health/info",
    "/metrics",
    "/nothing/here",
)
FINE = {200, 404, 409, 503}
"""What may be answered while a database comes and goes."""


@dataclass
class Wear:
    """What was done to the service."""

    answers: Counter[int] = field(default_factory=Counter)
    frames: int = 0
    clients: int = 0
    database_restarts: int = 0
    redis_restarts: int = 0
    changes: int = 0


@dataclass(slots=True)
class Look:
    """The process at one moment."""

    at_s: float
    memory_mb: float
    descriptors: int
    threads: int
    kinds: dict[str, int]
    """What the descriptors are: files by their endings, and sockets, pipes and what else there is."""


class Soak:
    """One service under wear.

    Parameters
    ----------
    folder : Path
    seconds : float
        Length of the wear.
    speed : float or str
    seed : int
    """

    def __init__(self, folder: Path, seconds: float, speed: float | str, seed: int) -> None:
        self.seconds, self.speed = seconds, speed
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.wear = Wear()
        self.looks: list[Look] = []
        self.postgres, self.valkey = PostgresServer(), ValkeyServer()
        self.service = ServiceProcess(folder)
        self.run_id = 0
        self.end_s = 0.0

    def over(self) -> bool:
        return time.monotonic() >= self.end_s

    def run(self) -> dict[str, Any]:
        """Wear it; what was seen."""
        try:
            self.postgres.start()
            self.postgres.execute("CREATE DATABASE runs")
            self.valkey.start()
            self.service.environment |= {"HMS_DATABASE_URL": self.postgres.url("runs"), "HMS_REDIS_URL": self.valkey.url}
            with self.service:
                return self._run()
        finally:
            self.valkey.remove()
            self.postgres.remove()

    def _run(self) -> dict[str, Any]:
        service = self.service
        service.start("--no-start")
        status = service.post("/api/start", {"seed": 21_010, "speed": self.speed, "retrain_every": 2_000})
        self.run_id = status["run_id"]
        # Compiling and loading are no wear.
        service.goes_on(1_000)
        with Watcher(service) as watcher:
            began_s = time.monotonic()
            self.end_s = began_s + self.seconds
            before = service.status()
            asyncio.run(self._wear())
            took_s = time.monotonic() - began_s
            service.until(lambda: service.status()["storage"]["state"] == "ok")
            service.until(lambda: service.client.get("/health/info").json()["live_stream"]["clients"] == 0)
            after = service.status()
            restarts = service.starts - 1
            end = self._look(time.monotonic())
            service.post("/api/stop")
            service.until(lambda: service.status()["storage"]["lag_rows"] == 0)
            code = service.end(signal.SIGTERM)
        checked = self._check()
        return self._report(before, after, took_s, watcher, checked, end, code, restarts)

    async def _wear(self) -> None:
        jobs = [self._watch_process(), self._disturb_servers(), self._change_the_run()]
        jobs += [self._http() for _ in range(HTTP_CLIENTS)]
        jobs += [self._stream() for _ in range(STREAM_CLIENTS)]
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)

    async def _until_over(self, step: Callable[[], Awaitable[None]], least_s: float, most_s: float) -> None:
        while not self.over():
            await step()
            await asyncio.sleep(min(self.chance.uniform(least_s, most_s), max(0.0, self.end_s - time.monotonic())))

    async def _watch_process(self) -> None:
        async def step() -> None:
            self.looks.append(self._look(time.monotonic()))

        await self._until_over(step, LOOK_S, LOOK_S)

    def _look(self, at_s: float) -> Look:
        process = self.service.process
        assert process is not None
        folder = Path("/proc") / str(process.pid)
        pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
        kinds = Counter[str]()
        for path in (folder / "fd").iterdir():
            # Some are closed before they are looked at.
            with suppress(FileNotFoundError):
                to = os.readlink(path)  # noqa: PTH115 - it is no path where it says "socket:[12]"
                kinds[Path(to).suffix or Path(to).name if to.startswith("/") else to.partition(":")[0]] += 1
        return Look(at_s, pages * os.sysconf("SC_PAGE_SIZE") / MB, sum(kinds.values()), len(os.listdir(folder / "task")), dict(kinds))  # noqa: PTH208

    async def _http(self) -> None:
        """One client after another, each with some requests."""

        async def step() -> None:
            self.wear.clients += 1
            async with httpx.AsyncClient(base_url=self.service.address, timeout=PATIENCE_S) as client:
                for _ in range(self.chance.randint(1, 20)):
                    answer = await client.get(self.chance.choice(PATHS).format(run=self.run_id))
                    self.wear.answers[answer.status_code] += 1
                    await asyncio.sleep(self.chance.uniform(0.0, 0.1))
                if self.chance.random() < 0.2:
                    # Somebody who asks for everything, and hangs up.
                    async with client.stream("GET", "/api/full_history?format=csv") as answer:
                        self.wear.answers[answer.status_code] += 1
                        with suppress(httpx.TransportError, StopAsyncIteration):
                            await anext(answer.aiter_bytes())

        await self._until_over(step, 0.0, 0.5)

    async def _stream(self) -> None:
        """One client of the live stream after another; some leave without a word, some read slowly."""
        cursor = ""

        async def step() -> None:
            nonlocal cursor
            self.wear.clients += 1
            slow_s = self.chance.choice((0.0, 0.0, 0.0, 0.5))
            leave_s = time.monotonic() + self.chance.uniform(0.1, 5.0)
            address = f"{self.service.address.replace('http', 'ws')}/ws?since={cursor}"
            with suppress(WebSocketException, OSError, TimeoutError):
                async with connect(address, open_timeout=30) as socket:
                    while time.monotonic() < min(leave_s, self.end_s):
                        cursor = json.loads(await asyncio.wait_for(socket.recv(), 30)).get("cursor", cursor)
                        self.wear.frames += 1
                        await asyncio.sleep(slow_s)
                    if self.chance.random() < 0.3:
                        socket.transport.abort()

        await self._until_over(step, 0.0, 0.3)

    async def _disturb_servers(self) -> None:
        """Kill one of the servers, and start it again a little later."""
        pause_s = max(4.0, self.seconds / 30)

        async def step() -> None:
            await asyncio.sleep(self.chance.uniform(0.5, 1.0) * pause_s)
            if self.end_s - time.monotonic() < 2 * pause_s:
                return
            server: PostgresServer | ValkeyServer = self.postgres if self.chance.random() < 0.6 else self.valkey
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(self.chance.uniform(0.1, 3.0))
            await asyncio.to_thread(server.start)
            if server is self.postgres:
                self.wear.database_restarts += 1
            else:
                self.wear.redis_restarts += 1

        await self._until_over(step, 0.0, 0.5)

    async def _change_the_run(self) -> None:
        """Pause and resume it, and let a policy come and go."""
        there = False

        async def step() -> None:
            nonlocal there
            await asyncio.sleep(self.chance.uniform(2.0, 6.0))
            async with httpx.AsyncClient(base_url=self.service.address, timeout=PATIENCE_S) as client:
                if self.chance.random() < 0.5:
                    answers = [await client.post("/api/pause"), await client.post("/api/resume")]
                elif there:
                    answers = [await client.delete("/api/v1/run/policies/mct")]
                else:
                    answers = [await client.post("/api/v1/run/policies", json={"policy": "mct"})]
            for answer in answers:
                self.wear.answers[answer.status_code] += 1
                answer.raise_for_status()
                there = answer.json()["lanes"][-1]["policy"] == "mct"
                self.wear.changes += 1

        await self._until_over(step, 0.0, 0.1)

    def _check(self) -> dict[str, Any]:
        command = [sys.executable, "-c", "from hybrid_ml_scheduler.cli.main import main; main()", "db", "check", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.service.folder, env=self.service.environment)  # noqa: S603
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "exit_code": done.returncode}

    def _defects(self) -> list[str]:
        """Return what the service said about itself. An export that its database leaves can only be cut off, which its server takes for a defect."""
        lines = self.service.errors.splitlines()
        return [line for line in lines if "Traceback" in line and "response already started" not in line]

    def _report(
        self,
        before: dict[str, Any],
        after: dict[str, Any],
        took_s: float,
        watcher: Watcher,
        checked: dict[str, Any],
        end: Look,
        code: int,
        restarts: int,
    ) -> dict[str, Any]:
        at_s = np.array([look.at_s - self.looks[0].at_s for look in self.looks])
        warm = at_s >= WARM_UP * self.seconds
        memory = trend(at_s[warm], np.array([look.memory_mb for look in self.looks])[warm])
        descriptors = trend(at_s[warm], np.array([float(look.descriptors) for look in self.looks])[warm])
        arrived, rows = int(checked["tables"]["tasks"]), int(checked["journal"]["rows"])
        claimed = max(watcher.most.values())
        lost = max(0, claimed - arrived) + int(checked["differences"]) + int(checked["journal"]["lag_rows"])
        problems = {
            "tasks lost": lost > 0,
            "rows duplicated": checked["duplicates"] > 0 or checked["exit_code"] != 0,
            "the count of processed tasks fell": bool(watcher.wrong),
            "memory grows": memory["least_per_min"] > 0,
            "file descriptors grow": descriptors["least_per_min"] > 0,
            "an answer that should not be": not set(self.wear.answers) <= FINE,
            "the service failed": code != 0 or restarts > 0 or bool(self._defects()),
        }
        return {
            "wear_s": round(took_s, 1),
            "simulated_s": round(after["time_s"] - before["time_s"], 1),
            "tasks": after["tasks_processed"],
            "tasks_per_s": round((after["tasks_processed"] - before["tasks_processed"]) / took_s, 1),
            "rows": rows,
            "lost": lost,
            "duplicated": checked["duplicates"],
            "looks_at_the_count": watcher.polls,
            "trainings": len(after["retraining"]["versions"]),
            "wear": {
                "clients": self.wear.clients,
                "frames": self.wear.frames,
                "answers": {str(code): count for code, count in sorted(self.wear.answers.items())},
                "database_restarts": self.wear.database_restarts,
                "redis_restarts": self.wear.redis_restarts,
                "changes_of_the_run": self.wear.changes,
            },
            "memory_mb": {**memory, "most": round(max(look.memory_mb for look in self.looks), 1), "in_the_end": round(end.memory_mb, 1)},
            "descriptors": {**descriptors, "most": max(look.descriptors for look in self.looks), "in_the_end": end.descriptors},
            "threads": {"most": max(look.threads for look in self.looks), "in_the_end": end.threads},
            "problems": [name for name, holds in problems.items() if holds],
            "errors": self._defects()[:10] + watcher.wrong[:10],
        }


def trend(at_s: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Return how a quantity goes on: its slope per minute with a 95 % interval, and its mean in the first and the last block."""
    from scipy.stats import t as student

    blocks = ((at_s - at_s[0]) // BLOCK_S).astype(int)
    numbers = np.unique(blocks)
    y = np.array([values[blocks == number].mean() for number in numbers])
    x = numbers * BLOCK_S / 60.0
    slope, height = np.polyfit(x, y, 1)
    left = y - slope * x - height
    spread = float(left @ left)
    # Neighbours resemble each other, so they are worth fewer than they are.
    alike = 0.0 if spread == 0.0 else min(max(float(left[1:] @ left[:-1]) / spread, 0.0), 0.95)
    worth = max(len(y) * (1 - alike) / (1 + alike), 3.0)
    error = math.sqrt(spread / (worth - 2) / len(y) / max(float(np.var(x)), 1e-12)) if worth > 2 else math.inf
    half = float(student.ppf(0.975, worth - 2)) * error
    return {
        "first": round(float(y[0]), 1),
        "last": round(float(y[-1]), 1),
        "slope_per_min": round(float(slope), 3),
        "least_per_min": round(float(slope - half), 3),
        "most_per_min": round(float(slope + half), 3),
        "blocks": len(y),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="length of the wear")
    parser.add_argument("--speed", default="max", help="simulated seconds per real second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    speed = chosen.speed if chosen.speed == "max" else float(chosen.speed)
    with tempfile.TemporaryDirectory(prefix="hms-soak-") as folder:
        soak = Soak(Path(folder), chosen.minutes * 60.0, speed, chosen.seed)
        found = soak.run()
    if chosen.json is not None:
        # Whoever wants to know why something grew needs to see when.
        looks = {name: [getattr(look, name) for look in soak.looks] for name in Look.__slots__}
        chosen.json.write_text(json.dumps({**found, "looks": looks}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    print(f"verdict: {'; '.join(found['problems']) or 'nothing lost, memory and file descriptors flat'}")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
