"""The service as a user starts it: another process over a data folder, watched from outside, ended by the number of its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

import hybrid_ml_scheduler

SOURCE = str(Path(hybrid_ml_scheduler.__file__).resolve().parents[1])
PATIENCE_S = 600.0
"""Compiling for the first time takes long where others are busy."""
PAUSE_S = 0.02


class ServiceProcess:
    """``hms serve`` over one data folder, started and ended as often as a test likes.

    Parameters
    ----------
    folder : Path
        Where it is started, and its messages are kept.
    data : Path, optional
        Its data folder; by default inside the other one.
    **settings
        ``HMS_...`` without the prefix, in small letters.
    """

    def __init__(self, folder: Path, data: Path | None = None, **settings: object) -> None:
        self.folder = folder
        self.data = folder / "data" if data is None else data
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HMS_")}
        self.environment |= {"PYTHONPATH": SOURCE, "HMS_DATA_DIR": str(self.data)}
        self.environment |= {f"HMS_{name.upper()}": str(value) for name, value in settings.items()}
        self.program: tuple[str, ...] = ("-m", "hybrid_ml_scheduler")
        self.process: subprocess.Popen[str] | None = None
        self.client = httpx.Client(timeout=PATIENCE_S)
        self.starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.client.close()

    @property
    def errors(self) -> str:
        """Everything it has said on standard error."""
        path = self.folder / "errors"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def address(self) -> str:
        return str(self.client.base_url).rstrip("/")

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it answers. It keeps its port."""
        port = self.client.base_url.port or 0
        command = [sys.executable, *self.program, "--port", str(port), *arguments]
        with (self.folder / "errors").open("a") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=self.folder, env=self.environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), self.errors
        self.client.base_url = httpx.URL(line.split()[0])
        # Printed before the first request is taken.
        self.until(lambda: self.answers("/health/live"))
        self.starts += 1

    def answers(self, path: str) -> bool:
        try:
            return self.client.get(path).status_code == 200
        except httpx.TransportError:
            return False

    def until(self, holds: Callable[[], bool], pause_s: float = PAUSE_S) -> None:
        """Wait; a service that has ended is waited for no longer."""
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, self.errors[-4_000:]
            assert self.process is not None
            assert self.process.poll() is None, self.errors[-4_000:]
            time.sleep(pause_s)

    def status(self) -> dict[str, Any]:
        answer = self.client.get("/api/status")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def processed(self) -> int:
        return int(self.status()["tasks_processed"])

    def post(self, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def goes_on(self, tasks: int = 50) -> None:
        """Wait until the run has come so much further."""
        before = self.processed()
        self.until(lambda: self.processed() >= before + tasks)

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        with self.process as process:
            return process.wait(PATIENCE_S)


class Watcher:
    """Asks a service where the run stands, all the time and whatever happens to it; what it counts must never fall."""

    def __init__(self, service: ServiceProcess) -> None:
        self.service = service
        self.most: dict[int, int] = {}
        """The largest count that was ever shown, per run."""
        self.polls = 0
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        with httpx.Client(base_url=self.service.client.base_url, timeout=PATIENCE_S) as client:
            while not self._stop.wait(PAUSE_S):
                try:
                    answer = client.get("/api/status")
                except httpx.TransportError:
                    continue  # killed, or not there yet
                self.polls += 1
                if answer.status_code != 200:
                    self.wrong.append(answer.text)
                    continue
                self._look(answer.json())

    def _look(self, status: dict[str, Any]) -> None:
        run_id, count = status["run_id"], status["tasks_processed"]
        if run_id is None:
            return
        if count < self.most.get(run_id, 0):
            self.wrong.append(f"run {run_id}: {count} tasks processed, and {self.most[run_id]} before")
        self.most[run_id] = max(count, self.most.get(run_id, 0))
