"""The server as a user starts it: another process, the real run, real signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

import hybrid_ml_scheduler

SOURCE = str(Path(hybrid_ml_scheduler.__file__).resolve().parents[1])
PATIENCE_S = 600.0
"""Compiling for the first time takes long where others are busy."""
RUN = {"policies": ["round_robin", "greedy", "oracle"], "seed": 7, "speed": 1_000, "retrain_every": None}


class Server:
    """``python -m hybrid_ml_scheduler`` over one data folder, started and ended as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HMS_")}
        self.environment |= {"PYTHONPATH": SOURCE, "HMS_DATA_DIR": str(folder / "data"), "HMS_CHECKPOINT_INTERVAL_S": "0.2"}
        self.process: subprocess.Popen[str] | None = None
        self.client = httpx.Client(timeout=PATIENCE_S)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hybrid_ml_scheduler", "--port", "0", *arguments]
        with (self.folder / "errors").open("a") as errors:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=self.folder, env=self.environment)

    def start(self, *arguments: str) -> None:
        self.process = self.popen(*arguments)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), (self.folder / "errors").read_text()
        self.client.base_url = httpx.URL(line.split()[0])
        # Printed before the first request is taken.
        self.until(lambda: self.answers("/health/live"))

    def answers(self, path: str) -> bool:
        try:
            return self.client.get(path).status_code == 200
        except httpx.TransportError:
            return False

    def until(self, holds: Callable[[], bool]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, (self.folder / "errors").read_text()
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "errors").read_text()
            time.sleep(0.05)

    def status(self) -> dict[str, Any]:
        answer = self.client.get("/api/status")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        with self.process as process:
            return process.wait(PATIENCE_S)


@contextlib.contextmanager
def server_in(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.end(signal.SIGKILL)
        server.client.close()


def read_progress(address: str, above: int) -> int:
    """Follow the live stream until a run has come further than that."""
    with connect(address, open_timeout=PATIENCE_S) as socket:
        while True:
            frame = json.loads(socket.recv(PATIENCE_S))
            for message in frame.get("messages", []):
                if message["topic"] == "run" and message["body"]["tasks_processed"] > above:
                    return int(message["body"]["tasks_processed"])


def test_a_life(tmp_path: Path) -> None:
    with server_in(tmp_path) as server:
        server.start("--no-start")
        assert server.status()["state"] == "stopped"
        run_id = server.post("/api/start", RUN)["run_id"]
        server.post("/api/start", RUN, status=409)

        # Live numbers.
        stream = str(server.client.base_url).replace("http://", "ws://").rstrip("/") + "/ws?topics=run"
        assert read_progress(stream, above=50) > 50

        # A second one over the same data is refused, and the first goes on.
        second = server.popen()
        with second:
            assert second.wait(PATIENCE_S) == 2
        assert "another process writes into this data folder" in (tmp_path / "errors").read_text()
        assert server.status()["run_id"] == run_id

        # Pause, resume, and stop-then-start.
        assert server.post("/api/pause")["is_paused"] is True
        assert server.post("/api/resume")["is_running"] is True
        for _ in range(5):
            assert server.post("/api/stop")["state"] == "stopped"
            run_id = server.post("/api/start", RUN)["run_id"]
        server.until(lambda: server.status()["tasks_processed"] > 100)

        # Killed at any moment, it goes on where it was.
        before = server.status()
        server.end(signal.SIGKILL)
        server.start("--no-start")
        after = server.status()
        assert after["run_id"] == run_id
        assert after["tasks_processed"] >= before["tasks_processed"]
        server.until(lambda: server.status()["tasks_processed"] > after["tasks_processed"])

        # Asked to end, it ends in order, and everything is in the database.
        began_s = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - began_s < 30
        command = [sys.executable, "-c", "from hybrid_ml_scheduler.cli.main import main; main()", "db", "check", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=server.environment)
        found = json.loads(done.stdout)
        assert (done.returncode, found["differences"], found["duplicates"], found["journal"]["lag_rows"]) == (0, 0, 0, 0), done.stderr
        assert found["tables"]["runs"] == 6
        assert "Traceback" not in (tmp_path / "errors").read_text()

        # And the next start goes on with the same run.
        server.start("--no-start")
        assert server.status()["run_id"] == run_id
        assert server.status()["tasks_processed"] >= after["tasks_processed"]
        assert server.end(signal.SIGINT) == 0
