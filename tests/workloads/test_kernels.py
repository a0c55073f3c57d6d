from __future__ import annotations

from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.errors import DataFileError, InputError
from hybrid_ml_scheduler.workloads.kernels import KERNELS, measured_kernels
from shared_data import shared

TABLE = """host,codelet,arch,size_bytes,flops,mean_us,dev_us,n_samples
h,chol_model_potrf,cpu0_impl0,100,0.0,40,1,3
h,chol_model_potrf,cuda0_impl0,100,0.0,10,1,1
h,chol_model_potrf,cuda1_impl0,100,0.0,20,1,3
h,chol_model_potrf,cpu0_impl0,200,0.0,80,1,3
h,chol_model_trsm,cpu0_impl0,200,0.0,7,1,3
h,chol_model_trsm,cuda0_impl0,200,0.0,5,1,0
h,chol_model_gemm,cpu0_impl0,300,0.0,8,1,3
h,chol_model_gemm,cuda0_impl0,300,0.0,2,1,3
h,chol_model_gemm,cpu0_cores1_impl0,300,0.0,1000,1,3
g,chol_model_gemm,cuda0_impl0,300,0.0,2,1,3
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "kernels.csv"
    path.write_text(TABLE)
    return path


def test_gpus_are_averaged_by_their_samples_and_sizes_are_sums_of_tiles(table: Path) -> None:
    times = measured_kernels(table, "h", 100)
    assert times.keys() == {"potrf", "gemm"}
    assert times["potrf"] == pytest.approx((40e-6, 17.5e-6))
    assert times["gemm"] == pytest.approx((8e-6, 2e-6))


@pytest.mark.parametrize(
    ("host", "tile_bytes", "problem"),
    [("x", 100, "no host 'x'; expected one of g, h"), ("h", 50, "tiles of 100, 200 bytes"), ("g", 100, "no CPU times")],
)
def test_what_was_not_measured(table: Path, host: str, tile_bytes: int, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        measured_kernels(table, host, tile_bytes)


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "kernels.csv"
    path.write_text("host,codelet\n")
    with pytest.raises(DataFileError, match="columns arch, size_bytes, mean_us, n_samples are missing"):
        measured_kernels(path, "h", 100)


@pytest.mark.parametrize("tile_bytes", [409_600, 1_638_400, 3_686_400, 8_294_400])
def test_sirocco_has_all_kernels_at_all_sizes(tile_bytes: int) -> None:
    assert measured_kernels(shared("data/starpu-perfmodels/derived_kernel_times.csv"), "sirocco", tile_bytes).keys() == KERNELS.keys()


def test_sirocco_small_factors_are_faster_on_the_cpu_and_products_on_the_gpu() -> None:
    times = measured_kernels(shared("data/starpu-perfmodels/derived_kernel_times.csv"), "sirocco", 409_600)
    assert times["potrf"][0] == pytest.approx(439e-6, rel=0.001)
    assert times["potrf"][1] > 5 * times["potrf"][0]
    assert times["gemm"][0] == pytest.approx(1593e-6, rel=0.001)
    assert times["gemm"][1] == pytest.approx(58e-6, rel=0.03)
