# ruff: noqa: S603 - starts the program itself, and wrk
"""What guarding costs, and how others fare while somebody floods: servers of its own, each with a run going on, and load from other processes.

``python benchmarks/security.py [--seconds 8] [--flood-only]``; needs wrk, and nothing else should be running.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np

PATIENCE_S = 300.0
FLOOD_PER_S = 1_000
FLOOD_CONNECTIONS = 20
MANY = "999999/second"


@contextmanager
def served(*, keys: int, **given: str) -> Iterator[tuple[str, list[str]]]:
    """Serve with the usual run; yields the address, and keys."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"HMS_DATA_DIR": folder, **{f"HMS_{name.upper()}": value for name, value in given.items()}}
        hms = [sys.executable, "-c", "from hybrid_ml_scheduler.cli.main import main; main()"]
        create = [*hms, "keys", "create", "--scope", "read"]
        made = [subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip() for _ in range(keys)]
        process = subprocess.Popen([*hms, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            headers = {"authorization": f"Bearer {made[0]}"} if made else {}
            with httpx.Client(base_url=address, timeout=PATIENCE_S, headers=headers) as client:
                while client.get("/api/status").json()["tasks_processed"] < 200:
                    time.sleep(0.2)
            yield address, made
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def wrk(address: str, key: str | None, connections: int, seconds: int) -> tuple[float, float]:
    """Return requests per second, and the mean time of one in microseconds as one connection sees it."""
    headers = [] if key is None else ["-H", f"Authorization: Bearer {key}"]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *headers, f"{address}/api/status"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return float(found[1]), 1e6 * connections / float(found[1])


async def flood(host: str, port: int, key: str, seconds: float) -> Counter[str]:
    """Ask 1000 times a second, whatever comes back."""
    request = f"GET /api/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    found: Counter[str] = Counter()
    end_s = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        due_s = time.perf_counter()
        while due_s < end_s:
            due_s += FLOOD_CONNECTIONS / FLOOD_PER_S
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            found[head[9:12].decode()] += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(FLOOD_CONNECTIONS)))
    return found


def flooding(host: str, port: int, key: str, seconds: float) -> Counter[str]:
    return asyncio.run(flood(host, port, key, seconds))


def watch(address: str, key: str, seconds: float) -> list[float]:
    """Ask for the status 50 times a second; times of the answers in ms."""
    times_ms = []
    with httpx.Client(base_url=address, headers={"authorization": f"Bearer {key}"}, timeout=PATIENCE_S) as client:
        end_s = time.perf_counter() + seconds
        while (began_s := time.perf_counter()) < end_s:
            client.get("/api/status").raise_for_status()
            times_ms.append(1e3 * (time.perf_counter() - began_s))
            time.sleep(max(0.0, 0.02 - (time.perf_counter() - began_s)))
    return times_ms


def costs(seconds: int) -> None:
    alone: dict[str, float] = {}
    for name, keys, limits in (("open", 0, "off"), ("a key, no limits", 1, "off"), ("a key and limits", 1, "on")):
        with served(keys=keys, limits=limits, rate_read=MANY) as (address, made):
            key = made[0] if made else None
            alone[name] = wrk(address, key, 1, seconds)[1]
            rate, _ = wrk(address, key, 16, seconds)
            print(f"{name}: {alone[name]:.0f} us a request on one connection, {rate:.0f} requests/s on 16", flush=True)
    names = list(alone)
    print(f"a key adds {alone[names[1]] - alone[names[0]]:.0f} us, limits another {alone[names[2]] - alone[names[1]]:.0f} us")


def flooded(seconds: int) -> None:
    with served(keys=2) as (address, (key, greedy)), ProcessPoolExecutor(1) as pool:
        host, port = address.removeprefix("http://").split(":")
        quiet_ms = watch(address, key, seconds)
        other = pool.submit(flooding, host, int(port), greedy, seconds + 1)
        flooded_ms = watch(address, key, seconds)
        print(f"a client that asks {FLOOD_PER_S} times a second got, by status: {dict(other.result())}")
        for what, times_ms in (("alone", quiet_ms), ("while flooded", flooded_ms)):
            p50, p99 = np.quantile(times_ms, [0.5, 0.99])
            print(f"/api/status {what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(times_ms):.1f} ms of {len(times_ms)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--flood-only", action="store_true", help="leave out what guarding costs")
    options = parser.parse_args()
    if not options.flood_only:
        costs(options.seconds)
    flooded(options.seconds)


if __name__ == "__main__":
    main()
