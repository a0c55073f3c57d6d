# ruff: noqa: S603 - starts the program itself, and wrk
"""Measure the service as its users see it: a server of its own on a free port and in a temporary folder, and load from another process.

``python benchmarks/service.py [--seconds 10]``; needs wrk, and nothing else should be running, for the load takes part of the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import connect

PATIENCE_S = 600.0
TASKS_PER_S = 500.0


def start(folder: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start a server; its address, and seconds from the prompt to the first finished task."""
    environment = os.environ | {"HMS_DATA_DIR": str(folder), "HMS_SPEED": "1000", "HMS_WS_CLIENTS_MAX": "1000"}
    began_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "hybrid_ml_scheduler", "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        while True:
            try:
                if client.get("/api/status").json()["tasks_processed"] > 0:
                    return process, address, time.monotonic() - began_s
            except httpx.TransportError:
                pass
            time.sleep(0.02)


def settle(address: str) -> float:
    """Let the run go at `TASKS_PER_S`; what it reaches."""

    def rate(client: httpx.Client) -> float:
        first, began_s = client.get("/api/status").json()["tasks_processed"], time.monotonic()
        time.sleep(5)
        return float((client.get("/api/status").json()["tasks_processed"] - first) / (time.monotonic() - began_s))

    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        speed = 1_000.0 * TASKS_PER_S / max(rate(client), 1.0)
        client.post("/api/speed", json={"speed": speed}).raise_for_status()
        return rate(client)


def ask(address: str, path: str, connections: int, seconds: float) -> dict[str, float]:
    """Ask for one path over several connections that stay open, each as fast as it is answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", address + path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    quantiles = {name: float(value) * units[unit] for name, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)", said)}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    return {"requests_per_s": float(rate[1]), "p50_ms": quantiles["50"], "p99_ms": quantiles["99"]}


async def stream(address: str, clients: int, seconds: float) -> dict[str, float]:
    """Follow the live stream with many clients, and see how long after the first of them each has got the same frame."""
    times_s: dict[str, list[float]] = {}
    sizes: list[int] = []
    gaps_s: list[float] = []
    counts = [0] * clients
    connected = asyncio.Barrier(clients)

    async def one(number: int) -> None:
        async with connect(address.replace("http", "ws") + "/ws", open_timeout=PATIENCE_S, compression=None, max_size=None) as socket:
            await socket.recv()
            await connected.wait()
            last_s = time.monotonic()
            end_s = last_s + seconds
            while last_s < end_s:
                frame = await socket.recv()
                now_s = time.monotonic()
                counts[number] += 1
                gaps_s.append(now_s - last_s)
                sizes.append(len(frame))
                times_s.setdefault(frame.partition('"cursor":"')[2].partition('"')[0], []).append(now_s)
                last_s = now_s

    await asyncio.gather(*(one(number) for number in range(clients)))
    delays_s = [moment - min(moments) for moments in times_s.values() for moment in moments]
    return {
        "frames_per_s_of_the_slowest": min(counts) / seconds,
        "frames_per_s_and_client": sum(counts) / seconds / clients,
        "gap_p99_ms": 1e3 * float(np.quantile(gaps_s, 0.99)),
        "behind_the_first_client_p99_ms": 1e3 * float(np.quantile(delays_s, 0.99)),
        "bytes": float(np.mean(sizes)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement")
    parser.add_argument("--clients", type=int, default=200, help="clients of the live stream")
    chosen = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="hms-bench-") as folder:
        process, address, found["prompt_to_first_task_s"] = start(Path(folder))
        with process:
            try:
                found["run_tasks_per_s"] = settle(address)
                found["status"] = ask(address, "/api/status", 32, chosen.seconds)
                found["full_history_1000_rows"] = ask(address, "/api/full_history", 32, chosen.seconds)
                found["statistics"] = ask(address, "/api/history/comparative", 32, chosen.seconds)
                found["live_stream"] = asyncio.run(stream(address, chosen.clients, chosen.seconds))
            finally:
                began_s = time.monotonic()
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)
                found["sigterm_s"] = time.monotonic() - began_s
    found["load_average"] = os.getloadavg()[0]
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
