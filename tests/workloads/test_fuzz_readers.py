"""Whatever a file holds: a workload that keeps the promises of the vocabulary, or one clear error; never anything else."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import DataFileError, HmsError
from hybrid_ml_scheduler.core.workload import Workload, check_workload
from hybrid_ml_scheduler.workloads.detect import FORMATS
from hybrid_ml_scheduler.workloads.open import open_workload
from reader_cases import READER, SAMPLES, gzipped, spoiled

WITH_LINES = {"swf", "openb", "philly"}
LENIENT = {"swf", "openb", "philly", "tabular"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "some.file"


def check_message(path: Path, message: str) -> None:
    """One line that names the file and what was expected, and that any terminal can print."""
    assert path.name in message
    assert "; expected " in message
    assert len(message) < 1500
    assert "\n" not in message
    assert message.encode()


def outcome(path: Path, data: bytes, **options: Any) -> Workload | HmsError:
    path.write_bytes(data)
    try:
        workload = open_workload(str(path), **options)
    except HmsError as error:
        check_message(path, str(error))
        return error
    check_workload(workload)
    tasks = workload.tasks
    n = len(tasks)
    for name in ("arrival_s", "cores_milli", "gpus", "gpu_share_milli", "memory_mb", "requested_time_s"):
        assert getattr(tasks, name).shape == (n,)
    assert tasks.task_id.dtype == tasks.cores_milli.dtype == np.int64
    assert workload.truth.work_s.shape == (n,)
    assert workload.report.rows == n + sum(workload.report.dropped.values())
    assert len(workload.report.sha256 or "") == 64
    for codes, names in ((tasks.kind, tasks.kind_names), (tasks.user, tasks.user_names)):
        assert codes is None or not names or (codes.min() >= -1 and codes.max() < len(names))
    return workload


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_samples_themselves_are_fine(path: Path, sample: str) -> None:
    for data in (SAMPLES[sample], gzipped(SAMPLES[sample])):
        workload = outcome(path, data)
        assert isinstance(workload, Workload)
        assert workload.report.format == READER.get(sample, sample)


@pytest.mark.parametrize("sample", SAMPLES)
def test_spoiled_files(path: Path, sample: str) -> None:
    name = READER.get(sample, sample)

    @given(spoiled(SAMPLES[sample]), st.booleans(), st.booleans())
    def check(data: bytes, told: bool, lenient: bool) -> None:
        result = outcome(path, data, format=name if told else None, lenient=lenient)
        if told and name in WITH_LINES and isinstance(result, DataFileError) and data.strip() and not data.startswith(b"\x1f\x8b"):
            assert result.line is not None or "there is no" in result.problem

    check()


@pytest.mark.parametrize("sample", sorted(LENIENT | {"parquet"}))
def test_lenient_keeps_what_strict_accepts(path: Path, sample: str) -> None:
    name = READER.get(sample, sample)

    @given(spoiled(SAMPLES[sample]))
    def check(data: bytes) -> None:
        strict = outcome(path, data, format=name)
        lenient = outcome(path, data, format=name, lenient=True)
        if isinstance(strict, Workload):
            assert isinstance(lenient, Workload)
            assert np.array_equal(strict.tasks.task_id, lenient.tasks.task_id)
            assert not lenient.report.dropped

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_random_bytes(path: Path, name: str) -> None:
    @given(st.binary(max_size=300), st.booleans())
    def check(data: bytes, lenient: bool) -> None:
        outcome(path, data, format=name, lenient=lenient)
        outcome(path, data)

    check()


@pytest.mark.parametrize("sample", SAMPLES)
def test_truncated_and_damaged_gzip_is_an_error(path: Path, sample: str) -> None:
    whole = gzipped(SAMPLES[sample])

    @given(st.integers(2, len(whole) - 1))
    def cut(length: int) -> None:
        result = outcome(path, whole[:length])
        assert isinstance(result, DataFileError)
        assert "gzip" in result.problem

    @given(st.integers(10, len(whole) - 1), st.integers(1, 255))
    def flip(position: int, bits: int) -> None:
        damaged = bytearray(whole)
        damaged[position] ^= bits
        try:
            same = gzip.decompress(bytes(damaged)) == SAMPLES[sample]
        except (OSError, EOFError, zlib.error):
            same = False
        assert isinstance(outcome(path, bytes(damaged)), Workload) == same

    cut()
    flip()
