"""Uploaded workloads: looked at in a process of their own, kept under the hash of their content. What they are called never becomes a path."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid_ml_scheduler.core.errors import InputError, UnknownNameError
from hybrid_ml_scheduler.live.uploads import FOLDER, PREFIX, uploaded_file
from hybrid_ml_scheduler.service.guarding_settings import SecuritySettings
from hybrid_ml_scheduler.service.security.read_upload import REFUSED

_CHILD = "hybrid_ml_scheduler.service.security.read_upload"
# Nothing else of ours: the environment may hold secrets.
_CHILD_SEES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_READ_AT_ONCE = 1
_TAKEN_AT_ONCE = 8
"""Uploads that arrive at a time: some, so that a slow client holds nobody up, but not so many that they fill the disk."""
_MOST_SAID_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded workload.

    Attributes
    ----------
    workload : str
        ``upload:SHA256``: what a start names.
    name : str
        As the user called it.
    kind, format : str
    tasks, bytes : int
    uploaded_at, uploaded_by : str
    """

    workload: str
    name: str
    kind: str
    format: str
    tasks: int
    bytes: int
    uploaded_at: str
    uploaded_by: str


class Uploads:
    """The uploaded workloads of a data folder.

    Parameters
    ----------
    folder : Path
        The data folder.
    settings : SecuritySettings
    """

    def __init__(self, folder: Path, settings: SecuritySettings) -> None:
        self.data_folder = folder
        self.folder = folder / FOLDER
        self.settings = settings
        self._taking, self._reading = asyncio.Semaphore(_TAKEN_AT_ONCE), asyncio.Semaphore(_READ_AT_ONCE)

    async def add(self, name: str, by: str, pieces: AsyncIterator[bytes]) -> Upload:
        """Take an upload, if it is a workload.

        Parameters
        ----------
        name : str
            For people.
        by : str
            Who uploads it.
        pieces : async iterator of bytes

        Raises
        ------
        InputError
            If it is none, takes too long or too much memory to read, or there are too many already.
        """
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        async with self._taking:
            await self._refuse_more()
            handle, temporary = tempfile.mkstemp(prefix=".upload-", dir=self.folder)
            try:
                digest, size = hashlib.sha256(), 0
                with os.fdopen(handle, "wb") as file:
                    async for piece in pieces:
                        await asyncio.to_thread(file.write, piece)
                        digest.update(piece)
                        size += len(piece)
                async with self._reading:
                    await self._refuse_more()  # others may have come first
                    found = await self._read(temporary)
                    upload = Upload(
                        PREFIX + digest.hexdigest(), name, found["kind"], found["format"], found["tasks"], size, datetime.now(UTC).isoformat(), by
                    )
                    await asyncio.to_thread(self._keep, temporary, digest.hexdigest(), upload)
            finally:
                Path(temporary).unlink(missing_ok=True)
        return upload

    async def _refuse_more(self) -> None:
        most = self.settings.uploads_max
        if len(await asyncio.to_thread(self._digests)) >= most:
            raise InputError(f"there are {most} uploaded workloads already; expected one to be deleted first (HMS_UPLOADS_MAX)")

    async def _read(self, path: str) -> dict[str, Any]:
        """Let another process read a file."""
        settings = self.settings
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _CHILD, path, str(settings.upload_memory_mb), str(settings.upload_timeout_s),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=self.folder,
            env={name: os.environ[name] for name in _CHILD_SEES if name in os.environ}, limit=_MOST_SAID_BYTES,
        )  # fmt: skip
        try:
            async with asyncio.timeout(settings.upload_timeout_s):
                said, _ = await child.communicate()
        except TimeoutError:
            raise InputError(
                f"the upload was not read within {settings.upload_timeout_s:g} s; expected a smaller one (HMS_UPLOAD_TIMEOUT_S)"
            ) from None
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        if child.returncode not in {0, REFUSED}:
            raise InputError(
                "the upload cannot be read within its memory and time; expected a smaller one (HMS_UPLOAD_MEMORY_MB, HMS_UPLOAD_TIMEOUT_S)"
            )
        found: dict[str, Any] = json.loads(said)
        if "problem" in found:
            raise InputError(str(found["problem"]))
        return found

    def _keep(self, temporary: str, digest: str, upload: Upload) -> None:
        described = self.folder / f"{digest}.json"
        described.write_text(json.dumps({name: getattr(upload, name) for name in Upload.__slots__}), encoding="utf-8")
        Path(temporary).replace(self.folder / digest)

    def _digests(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json") if (self.folder / path.stem).is_file()) if self.folder.is_dir() else []

    async def all(self) -> list[Upload]:
        """Return all uploads, newest first."""
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[Upload]:
        found = [Upload(**json.loads((self.folder / f"{digest}.json").read_text(encoding="utf-8"))) for digest in self._digests()]
        return sorted(found, key=lambda upload: upload.uploaded_at, reverse=True)

    async def delete(self, workload: str) -> None:
        """Delete an upload.

        Raises
        ------
        UnknownNameError
            If there is none of this name.
        """
        file = uploaded_file(workload, self.data_folder)
        if file is None:
            raise UnknownNameError(f"{workload[:80]!r} names no upload; expected upload: and a hash")

        def remove() -> None:
            file.with_name(f"{file.name}.json").unlink(missing_ok=True)
            file.unlink(missing_ok=True)

        await asyncio.to_thread(remove)


def checked_workload(workload: str, settings: SecuritySettings, data_folder: Path) -> str:
    """Return a workload that a caller who had to show credentials may name: a preset, an upload, or a file in the folder for that.

    Raises
    ------
    InputError
        If it names something else.
    """
    from hybrid_ml_scheduler.workloads.synthetic import PRESETS

    if uploaded_file(workload, data_folder) is not None or workload in PRESETS or workload == "lublin" or workload.startswith("lublin:"):
        return workload
    return _inside(workload, settings.workload_dir, "workload", f"a preset ({', '.join(PRESETS)}), an upload (POST /api/v1/workloads)")


def checked_cluster(cluster: str, settings: SecuritySettings) -> str:
    """As `checked_workload`, for a cluster."""
    if cluster in {"workstation", "pool"} or cluster.startswith("pool:"):
        return cluster
    return _inside(cluster, settings.workload_dir, "cluster", "workstation, pool:N")


def _inside(name: str, folder: Path | None, what: str, others: str) -> str:
    if folder is not None:
        root = folder.resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file():
            return str(path)
    raise InputError(f"there is no {what} {name[:80]!r} that can be named here; expected {others}, or a file in the folder HMS_WORKLOAD_DIR")
