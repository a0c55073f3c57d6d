"""Uploaded workloads: read apart, kept by content, and the only files that a caller with a key may name."""

from __future__ import annotations

import asyncio
import gzip
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hybrid_ml_scheduler.core.errors import InputError, UnknownNameError
from hybrid_ml_scheduler.live.uploads import uploaded_file
from hybrid_ml_scheduler.service.security import uploads
from hybrid_ml_scheduler.service.security.uploads import checked_cluster, checked_workload
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.open import open_workload
from security_fixtures import Guarded, with_keys
from service_fixtures import Running, problem, settings_in

pytestmark = pytest.mark.anyio


def trace(folder: Path, seed: int = 1) -> bytes:
    """Return a small table of divisible tasks."""
    path = folder / f"{seed}.csv"
    write_workload(open_workload("steady", seed=seed), path)
    return path.read_bytes()


async def send(guarded: Guarded, content: bytes, key: str = "control", **params: str) -> Any:
    headers = {"content-type": "application/octet-stream"}
    return await guarded.ask("POST", "/api/v1/workloads", guarded.keys[key], content=content, params=params, headers=headers)


async def test_a_slow_client_holds_no_other_upload_up(guarded: Guarded, tmp_path: Path) -> None:
    others_done = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"task_id"
        await others_done.wait()

    slow = asyncio.create_task(guarded.security.uploads.add("slow", "nobody", slowly()))
    try:
        found = await asyncio.wait_for(send(guarded, trace(tmp_path)), 60)
    finally:
        others_done.set()
    assert found.status_code == 200
    with pytest.raises(InputError):
        await slow
    assert [path.name for path in (guarded.settings.folder / "workloads").iterdir() if path.name.startswith(".")] == []


async def test_an_upload_is_kept_by_its_content_and_listed(guarded: Guarded, tmp_path: Path) -> None:
    content = trace(tmp_path)
    found = (await send(guarded, gzip.compress(content), name="../../etc/cron.d/x")).json()
    assert found["kind"] == "divisible"
    assert found["tasks"] > 0
    assert found["name"] == "../../etc/cron.d/x"
    assert found["workload"].startswith("upload:")
    file = uploaded_file(found["workload"], guarded.settings.folder)
    assert file is not None
    assert file.parent == guarded.settings.folder / "workloads"
    assert [path.name for path in guarded.settings.folder.rglob("*") if "cron" in str(path)] == []
    again = (await send(guarded, gzip.compress(content, mtime=0), name="again")).json()
    listed = (await guarded.ask("GET", "/api/v1/workloads/uploads", guarded.keys["read"])).json()["uploads"]
    assert {entry["name"] for entry in listed} >= {"again"}
    assert str(guarded.settings.folder) not in str(listed)
    for entry in listed:
        sha256 = entry["workload"].removeprefix("upload:")
        assert (await guarded.ask("DELETE", f"/api/v1/workloads/{sha256}", guarded.keys["control"])).status_code == 200
    problem(await guarded.ask("DELETE", f"/api/v1/workloads/{again['workload'][7:]}", guarded.keys["control"]), 404, "not-found")
    assert sorted((guarded.settings.folder / "workloads").iterdir()) == []


BAD = {
    "empty": b"",
    "no workload": b"hello",
    "binary": bytes(range(256)) * 100,
    "bad gzip": gzip.compress(b"x" * 1_000)[:-9],
    "gzip bomb": gzip.compress(b"\0" * 200_000_000, 9),
    "deep json": b"[" * 100_000,
    "a pickle": pickle.dumps({"a": 1}),
    "a graph with a cycle": b'{"tasks": [{"id": "a", "parents": ["a"]}]}',
    "nan": b"task_id,arrival_s,size\n1,NaN,1\n",
}


@pytest.mark.parametrize("kind", BAD)
async def test_what_is_no_workload_is_refused_and_leaves_nothing(guarded: Guarded, kind: str) -> None:
    answer = await send(guarded, BAD[kind])
    found = problem(answer, 422, "unusable-input")
    assert str(guarded.settings.folder) not in str(found)
    folder = guarded.settings.folder / "workloads"
    assert list(folder.iterdir()) == []


async def test_reading_has_limits_of_time_memory_size_and_number(tmp_path: Path) -> None:
    content = trace(tmp_path)
    async with with_keys(tmp_path / "time", upload_timeout_s=0.001) as guarded:
        assert (await send(guarded, content)).status_code in {408, 422}
    async with with_keys(tmp_path / "size", upload_max_mb=0.001) as guarded:
        problem(await send(guarded, content), 413, "request-too-large")
    async with with_keys(tmp_path / "memory", upload_memory_mb=200) as guarded:
        zeros = gzip.compress(b"1 0 0 10 1 -1 -1 1 10 -1 1 1 1 1 1 1 -1 -1\n" * 1_500_000, 9)
        assert "HMS_UPLOAD_MEMORY_MB" in problem(await send(guarded, zeros), 422, "unusable-input")["detail"]
    async with with_keys(tmp_path / "number", uploads_max=1) as guarded:
        assert (await send(guarded, content)).status_code == 200
        assert "HMS_UPLOADS_MAX" in problem(await send(guarded, trace(tmp_path, 2)), 422, "unusable-input")["detail"]
    assert list(tmp_path.rglob(".upload-*")) == []


CONFINED = {
    "memory": ("bytearray(2_000_000_000)", b"MemoryError"),
    "writing": ("file = open('x', 'wb'); file.write(b'x'); file.flush()", b"File too large"),
    "files": ("[open('/dev/null') for _ in range(100)]", b"Too many open files"),
    "time": ("while True: pass", b""),
}


@pytest.mark.parametrize("what", CONFINED)
def test_the_reader_takes_no_more_than_it_may(what: str, tmp_path: Path) -> None:
    attempt, said = CONFINED[what]
    code = f"from hybrid_ml_scheduler.service.security.read_upload import confine\nconfine(1_000, 1)\n{attempt}\n"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert found.returncode in {1, -signal.SIGXCPU, -signal.SIGKILL}
    assert said in found.stderr
    assert (found.returncode < 0) == (what == "time")


def put_in_place_of_the_reader(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "another_reader.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(uploads, "_CHILD", "another_reader")


async def test_the_reader_sees_no_settings(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_DATABASE_URL", "planted")
    monkeypatch.setenv("SOME_TOKEN", "planted")
    put_in_place_of_the_reader("import json, os\nprint(json.dumps({'problem': f'it saw {dict(os.environ)}'}))", tmp_path, monkeypatch)
    said = problem(await send(guarded, b"x"), 422, "unusable-input")["detail"]
    assert "it saw" in said
    assert "planted" not in said


async def test_a_reader_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place_of_the_reader("import time\ntime.sleep(3_600)", tmp_path, monkeypatch)
    async with with_keys(tmp_path / "data", upload_timeout_s=1.0) as guarded:
        assert "HMS_UPLOAD_TIMEOUT_S" in problem(await send(guarded, b"x"), 422, "unusable-input")["detail"]


async def test_with_keys_a_start_names_no_file_of_the_server(guarded: Guarded, tmp_path: Path) -> None:
    path = tmp_path / "secret.csv"
    path.write_bytes(trace(tmp_path))
    for workload in (
        str(path),
        "/etc/passwd",
        "../secret.csv",
        "./secret.csv",
        "upload:../../secret",
        "upload:" + "0" * 64,
        "upload:",
        "file:///etc/passwd",
    ):
        answer = await guarded.ask("POST", "/api/start", guarded.keys["control"], json={"workload": workload})
        problem(answer, 422, "unusable-input")
    for cluster in ("/etc/passwd", "openb:/etc/passwd", "kernels:/etc/passwd@localhost", "../x.yaml", "cluster.yaml"):
        answer = await guarded.ask("POST", "/api/start", guarded.keys["control"], json={"cluster": cluster})
        problem(answer, 422, "unusable-input")
    assert guarded.running.run.now.run_id is None


def test_what_may_be_named(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    (folder / "trace.csv").write_bytes(trace(tmp_path))
    (tmp_path / "outside.csv").write_bytes(b"x")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    settings = settings_in(tmp_path, workload_dir=folder)
    assert checked_workload("trace.csv", settings, tmp_path) == str(folder / "trace.csv")
    assert checked_workload(str(folder / "trace.csv"), settings, tmp_path) == str(folder / "trace.csv")
    assert checked_workload("steady", settings, tmp_path) == "steady"
    assert checked_cluster("pool:4", settings) == "pool:4"
    for name in ("link.csv", "../outside.csv", str(tmp_path / "outside.csv"), "none.csv", ".", ""):
        with pytest.raises(InputError):
            checked_workload(name, settings, tmp_path)
    with pytest.raises(UnknownNameError):
        uploaded_file("upload:" + "0" * 64, tmp_path)


async def test_without_keys_on_this_machine_files_may_be_named(service: Running) -> None:
    found = problem(await service.client.post("/api/start", json={"workload": "trace.csv"}), 422, "unusable-input")
    assert "expected steady" in found["detail"], "the stand-in's own answer: the name went through"
