from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.errors import DataFileError, InputError, UnknownNameError
from hybrid_ml_scheduler.workloads.detect import FORMATS, detect_format
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.source import Source
from reader_cases import READER, SAMPLES


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", ["x", "x.swf", "x.csv.gz", "x.json", "x.parquet"])
def test_the_content_tells_the_format_whatever_the_name(sample: str, name: str) -> None:
    assert detect_format(Source(name, SAMPLES[sample], "")) == READER.get(sample, sample)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("x", b"1 2 3\n", "swf"),
        ("x", b"\xef\xbb\xbf; Version: 2\n", "swf"),
        ("x.swf", b"job one\n", "swf"),
        ("x.SWF.gz", b"job one\n", None),
        ("x.csv", b"a,b\n", "tabular"),
        ("x.json", b"[]", None),
        ("x", b"hello world\n", None),
        ("x", b"# remark\n// another\n/* and\none */ strict digraph {}", "dot"),
        ("x", b"# " + b"\n" * 60_000 + b"hello", None),
        ("x", b"\x00\x01\x02", None),
    ],
)
def test_less_clear_files(name: str, data: bytes, expected: str | None) -> None:
    source = Source(name, data, "")
    if expected:
        assert detect_format(source) == expected
    else:
        with pytest.raises(DataFileError, match="resembles no format"):
            detect_format(source)


def test_a_node_list_is_no_workload() -> None:
    with pytest.raises(DataFileError, match="--cluster openb:PATH"):
        detect_format(Source("x", b"sn,cpu_milli,memory_mib,gpu,model\n", ""))


def test_the_format_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(SAMPLES["swf"])
    assert open_workload(str(path), format="swf").report.format == "swf"
    with pytest.raises(DataFileError):
        open_workload(str(path), format="dot")
    with pytest.raises(UnknownNameError, match="no format 'xml'; expected one of swf"):
        open_workload(str(path), format="xml")


def test_names_that_are_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="neither a file nor a preset 'stedy'; expected a path or one of steady"):
        open_workload("stedy")
    with pytest.raises(DataFileError, match="no such file"):
        open_workload("traces/nothing.swf")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace").write_bytes(SAMPLES["swf"])
    assert open_workload("trace").report.format == "swf"


def test_presets_are_generated_from_their_seed() -> None:
    first, again, other = (open_workload("steady", seed=seed) for seed in (1, 1, 2))
    assert first.report.format == "generated"
    assert first.tasks.arrival_s.tolist() == again.tasks.arrival_s.tolist()
    assert first.tasks.arrival_s.tolist() != other.tasks.arrival_s.tolist()
    with pytest.raises(InputError, match="--format swf does not apply"):
        open_workload("steady", format="swf")


def test_every_format_has_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"\n")
    for name in FORMATS:
        with pytest.raises(DataFileError):
            open_workload(str(path), format=name)


def test_reading_a_batch_trace_imports_neither_parquet_nor_compiler(tmp_path: Path) -> None:
    path = tmp_path / "trace.swf"
    path.write_bytes(SAMPLES["swf"])
    code = (
        "import sys; from hybrid_ml_scheduler.workloads.open import open_workload; "
        f"open_workload({str(path)!r}); print({{'pyarrow', 'polars', 'numba', 'scipy'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
