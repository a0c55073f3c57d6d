"""What being watched costs: ``python benchmarks/observing.py [--seconds 8]``; needs wrk, and nothing else should be running.

The same service without a run, asked for ``/api/status`` over 32 connections: without any of it, as it is by default, and with a line in a log for
each request and traces on their way to a collector that is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

SERVER = """
import asyncio, contextlib, sys
from pathlib import Path
import uvloop
from fastapi import FastAPI
from hybrid_ml_scheduler.service import app as application
from hybrid_ml_scheduler.service.observability import watching
from hybrid_ml_scheduler.service.observability.logs import Log
from hybrid_ml_scheduler.service.server import address_of, bind, http_server
from hybrid_ml_scheduler.service.settings import ServiceSettings

kind, folder = sys.argv[1], Path(sys.argv[2])
more = {"access_log": True, "log_file": folder / "log", "log_file_mb": 1000, "traces": "otlp", "otlp_endpoint": "http://127.0.0.1:9/v1/traces"}
settings = ServiceSettings.load(data_dir=folder, port=0, **(more if kind == "all" else {}))
if kind == "none":
    add = FastAPI.add_middleware
    FastAPI.add_middleware = lambda self, kind, **given: None if kind in (watching.Timing, watching.Compression) else add(self, kind, **given)

async def main():
    Log(settings).install()
    app = application.create_app(settings, start=False)
    with contextlib.closing(bind(settings)) as listener:
        async with app.router.lifespan_context(app):
            print(address_of(listener), flush=True)
            await http_server(app, settings).serve(sockets=[listener])

uvloop.run(main())
"""


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken: others who are busy do not change it much."""
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


def measure(kind: str, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hms-bench-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HMS_")}
        command = [sys.executable, "-c", SERVER, kind, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=folder) as process:  # noqa: S603
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                asked = ["wrk", "-t1", "-c32", "--latency", f"-d{seconds}s", f"{address}/api/status"]
                # Printed before it listens.
                httpx.Client(transport=httpx.HTTPTransport(retries=10)).get(asked[-1]).raise_for_status()
                before_s = cpu_s(process.pid)
                text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout  # noqa: S603
                took_s = cpu_s(process.pid) - before_s
            finally:
                process.kill()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in", text)
    assert rate is not None
    assert count is not None
    assert "Non-2xx" not in text
    return {"requests_per_s": float(rate.group(1)), "cpu_us_per_request": round(1e6 * took_s / int(count.group(1)), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what being watched costs.")
    parser.add_argument("--seconds", type=int, default=8)
    given = parser.parse_args()
    found = [{"watched": kind, **measure(kind, given.seconds)} for kind in ("none", "default", "all") * 2]
    print(json.dumps({"measured": found, "load_average": os.getloadavg()[0]}, indent=2))


if __name__ == "__main__":
    main()
