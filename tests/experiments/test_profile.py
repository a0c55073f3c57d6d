"""A profile holds what was measured and nothing else. A clock of ours makes every time known beforehand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from fake_gpus import FakeCupy, Watch
from hybrid_ml_scheduler.core.errors import InputError, NothingToReportError
from hybrid_ml_scheduler.experiments import machine
from hybrid_ml_scheduler.experiments import profile as profiling
from hybrid_ml_scheduler.experiments.profile import Profile, available_cores, run_profile
from hybrid_ml_scheduler.experiments.profile_gpus import CupyModule, GpuDevice, Link
from hybrid_ml_scheduler.experiments.profile_kernels import KERNELS, CpuDevice, Kernel, Run
from hybrid_ml_scheduler.experiments.profile_timing import MAX_REPEATS, MIN_REPEATS, PROBE_SIZE, Budget, LeftOut, measure
from hybrid_ml_scheduler.workloads.clusters import open_cluster
from hybrid_ml_scheduler.workloads.measured import MeasuredRow, MeasuredTable, read_measured_table


class Timed(CpuDevice):
    """One core whose runs take as long as we say: `times_s` in turn, the last one for ever; or, with `rate_s`, in proportion to the work."""

    def __init__(self, watch: Watch, times_s: list[float] | None = None, rate_s: float = 0.0, name: str = "cpu") -> None:
        super().__init__(1)
        self.watch, self.times_s, self.rate_s, self.name = watch, times_s, rate_s, name
        self.runs: list[int] = []

    def prepare(self, kernel: Kernel, size: int) -> Run:
        def run() -> None:
            self.runs.append(size)
            if self.times_s is None:
                self.watch.now_s += self.rate_s * kernel.work(size)
            else:
                self.watch.now_s += self.times_s.pop(0) if len(self.times_s) > 1 else self.times_s[0]

        return run


def test_the_warm_up_does_not_count_and_the_median_does() -> None:
    watch = Watch()
    row = measure(Timed(watch, [50.0, 1.0, 2.0, 10.0]), KERNELS["sort"], 8, Budget(200.0, 4, watch), None)
    # A share of 50 s is used up by the warm-up, so there are as few repeats as possible: 1, 2 and 10 s.
    assert (row.repeats, row.median_s, row.min_s, row.max_s) == (3, 2.0, 1.0, 10.0)
    assert (row.low_s, row.high_s) == (1.5, 6.0)
    assert (row.kernel, row.size, row.device, row.cores, row.output_bytes) == ("sort", 8, "cpu", 1, 256)


@pytest.mark.parametrize(("run_s", "repeats"), [(1.0, 9), (4.0, MIN_REPEATS), (1e-6, MAX_REPEATS)])
def test_repeats_fill_the_share(run_s: float, repeats: int) -> None:
    watch = Watch()
    assert measure(Timed(watch, [run_s]), KERNELS["fft"], 8, Budget(20.0, 2, watch), None).repeats == repeats


def test_what_one_does_not_use_is_left_for_the_others() -> None:
    watch = Watch()
    budget = Budget(30.0, 3, watch)
    assert budget.next_share_s() == 10.0
    watch.now_s += 2.0
    assert budget.next_share_s() == 14.0
    watch.now_s += 28.0
    assert budget.next_share_s() == 0.0
    assert budget.left_s == 0.0


@pytest.mark.parametrize(
    ("times_s", "s_per_work", "limit_s", "runs", "reason"),
    [
        ([1.0], 1.0, 10.0, [], "expected to take 256 s, and 10 s of the budget are left"),
        ([4.0], None, 10.0, [8], "would take 12 s, and 6 s"),
        ([11.0], None, 10.0, [8], "the budget was used up"),
        ([1.0], None, 0.0, [], "the budget was used up"),
    ],
)
def test_what_does_not_fit_the_budget_is_left_out(
    times_s: list[float], s_per_work: float | None, limit_s: float, runs: list[int], reason: str
) -> None:
    watch = Watch()
    device = Timed(watch, times_s)
    with pytest.raises(LeftOut, match=reason):
        measure(device, KERNELS["stencil"], 8, Budget(limit_s, 1, watch), s_per_work)
    assert device.runs == runs


def test_a_large_size_is_tried_on_a_small_one_first() -> None:
    watch = Watch()
    device = Timed(watch, rate_s=1e-6)
    with pytest.raises(LeftOut, match="expected to take"):
        measure(device, KERNELS["matmul"], 4096, Budget(10.0, 1, watch), None)
    assert device.runs == [PROBE_SIZE, PROBE_SIZE]


def test_what_does_not_fit_the_memory_is_left_out() -> None:
    watch = Watch()
    device = Timed(watch, [1.0])
    device.memory_bytes = 2.0 * KERNELS["sort"].bytes_per_number * 8 * 8
    assert measure(device, KERNELS["sort"], 8, Budget(10.0, 1, watch), None).repeats > 0
    device.memory_bytes -= 1
    with pytest.raises(LeftOut, match="more than half of the memory"):
        measure(device, KERNELS["sort"], 8, Budget(10.0, 1, watch), None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "do not fit into the memory"),
        (RuntimeError("CUDA error\nmore"), "^CUDA error$"),
        (ImportError("no libcublas"), "no libcublas"),
    ],
)
def test_a_gpu_that_fails_is_left_out(error: Exception, reason: str) -> None:
    class Failing(Timed):
        def prepare(self, kernel: Kernel, size: int) -> Run:
            raise error

    watch = Watch()
    with pytest.raises(LeftOut, match=reason):
        measure(Failing(watch, name="gpu0"), KERNELS["sort"], 8, Budget(10.0, 1, watch), None)
    if not isinstance(error, MemoryError):
        with pytest.raises(type(error)):  # on our own cores it is a defect of ours
            measure(Failing(watch), KERNELS["sort"], 8, Budget(10.0, 1, watch), None)


def test_a_profile_of_this_machine(tmp_path: Path) -> None:
    seen = []
    profile = run_profile(
        sizes=[8, 4], budget_s=60.0, cores=1, command="hms profile", gpus=[], progress=lambda done, total, what: seen.append((done, total))
    )
    rows = profile.table.rows
    assert {(row.kernel, row.size, row.device, row.cores) for row in rows} == {(name, size, "cpu", 1) for name in KERNELS for size in (4, 8)}
    assert seen == [(done, 10) for done in range(10)]
    assert all(0 < row.min_s <= row.low_s <= row.median_s <= row.high_s <= row.max_s and row.repeats >= MIN_REPEATS for row in rows)
    facts = profile.table.facts
    assert {"host", "date", "command", "processor", "system", "versions", "blas", "budget_s"} <= set(facts)
    assert (facts["cores"], facts["gpus"], facts["command"]) == (1, [], "hms profile")
    path = tmp_path / "kernels.csv"
    path.write_text(profile.table.text())
    assert read_measured_table(path) == profile.table
    (tmp_path / "cluster.yaml").write_text(profile.cluster_yaml())
    (node,) = open_cluster(str(tmp_path / "cluster.yaml")).nodes
    assert (node.cores_milli, node.gpus, node.cpu_speed, node.core_power.busy_w) == (1000, (), 1.0, None)
    assert node.memory_mb == pytest.approx(1000 * profile.memory_gb, abs=100)
    assert json.loads(json.dumps(profile.to_dict(), allow_nan=False))["rows"][0]["kernel"] == rows[0].kernel


def test_a_profile_with_a_gpu(tmp_path: Path) -> None:
    gpu = GpuDevice("gpu0", CupyModule(FakeCupy(), 0))
    profile = run_profile(kernels=["reduction", "sort"], sizes=[4], budget_s=60.0, cores=1, gpus=[gpu])
    assert {(row.kernel, row.device, row.cores) for row in profile.table.rows} == {
        (name, device, cores) for name in ("reduction", "sort") for device, cores in (("cpu", 1), ("gpu0", 0))
    }
    (entry,) = profile.table.facts["gpus"]
    assert (entry["name"], entry["model"], entry["library"], entry["memory_mb"]) == ("gpu0", "Fake C1", "cupy 0.fake", 8000.0)
    assert entry["link_gb_s"] > 0
    (tmp_path / "cluster.yaml").write_text(profile.cluster_yaml())
    (found,) = open_cluster(str(tmp_path / "cluster.yaml")).nodes[0].gpus
    assert (found.model, found.memory_mb) == ("Fake C1", 8000.0)
    assert found.speed == pytest.approx(profile.speed("gpu0"), rel=1e-5)
    assert found.link_gb_s == pytest.approx(entry["link_gb_s"], rel=1e-5)
    assert found.launch_s == pytest.approx(entry["launch_s"], abs=1e-9)


def test_a_gpu_that_cannot_even_copy_is_left_out() -> None:
    class Broken(CupyModule):
        def to_device(self, host: object) -> object:
            raise RuntimeError("out of order\nmore")

    profile = run_profile(kernels=["sort"], sizes=[4], budget_s=60.0, cores=1, gpus=[GpuDevice("gpu0", Broken(FakeCupy(), 0))])
    assert profile.left_out == ("gpu0 (Fake C1): out of order",)
    assert profile.table.facts["gpus"] == []
    assert {row.device for row in profile.table.rows} == {"cpu"}


def made(rows: list[tuple[str, int, str, float]], model: bytes = b"A10") -> Profile:
    gpu = GpuDevice("gpu0", CupyModule(FakeCupy(name=model), 0))
    facts = {"host": "it's", "cores": 1, "gpus": [], "date": "d", "command": "c", "processor": "p", "system": "s"}
    table = tuple(MeasuredRow(kernel, size, device, int(device == "cpu"), 4, *[seconds] * 5, 3) for kernel, size, device, seconds in rows)
    return Profile(MeasuredTable(facts, table), ((gpu, Link(10.0, 1e-5, 2e-5)),), 16.0, (), ())


def test_the_speed_up_is_the_geometric_mean_at_the_largest_common_sizes(tmp_path: Path) -> None:
    rows = [("sort", 4, "cpu", 1.0), ("sort", 4, "gpu0", 9.0), ("sort", 8, "cpu", 8.0), ("sort", 8, "gpu0", 2.0), ("sort", 16, "gpu0", 3.0)]
    rows += [("fft", 8, "cpu", 9.0), ("fft", 8, "gpu0", 1.0)]
    profile = made(rows)
    assert profile.speed("gpu0") == pytest.approx(math.sqrt(4 * 9))
    path = tmp_path / "cluster.yaml"
    path.write_text(profile.cluster_yaml())
    (node,) = open_cluster(str(path)).nodes
    assert node.name == "it's"
    # The catalogue knows an A10, but nothing of it was measured here.
    assert (node.gpus[0].speed, node.gpus[0].power.busy_w, node.gpus[0].power.usd_per_hour) == (pytest.approx(6.0), None, None)


def test_a_gpu_without_a_common_size_is_not_in_the_cluster(tmp_path: Path) -> None:
    profile = made([("sort", 4, "cpu", 1.0), ("sort", 8, "gpu0", 2.0)])
    assert profile.speed("gpu0") is None
    path = tmp_path / "cluster.yaml"
    path.write_text(profile.cluster_yaml())
    assert open_cluster(str(path)).nodes[0].gpus == ()
    assert "gpu0 is left out" in path.read_text()


@pytest.mark.parametrize(
    ("before_s", "after_s", "wall_s", "cores"), [(5.0, 8.0, 2.0, 1.5), (5.0, 4.99, 2.0, 0.0), (None, 4.0, 1.0, None), (4.0, None, 1.0, None)]
)
def test_others_are_counted_in_cores(before_s: float | None, after_s: float | None, wall_s: float, cores: float | None) -> None:
    assert profiling._busy_cores(before_s, after_s, wall_s) == cores


def test_our_own_work_does_not_count_as_that_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = SimpleNamespace(user=4.0, system=2.0)
    monkeypatch.setattr(machine, "_lines", lambda _: ["cpu  300 100 200 9000 50 10 20 70 5 5", "cpu0 1 1 1 1 1 1 1 1 1 1"])
    monkeypatch.setattr(machine, "os", SimpleNamespace(sysconf=lambda _: 100, times=lambda: ours))
    assert machine.others_busy_s() == pytest.approx(7.0 - 6.0)
    monkeypatch.setattr(machine, "_lines", lambda _: [])
    assert machine.others_busy_s() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernels": ["sort", "magic"]}, "no kernel 'magic'"),
        ({"kernels": []}, "no kernel"),
        ({"kernels": ["sort", "sort"]}, "kernel sort stands there twice"),
        ({"sizes": []}, "no sizes"),
        ({"sizes": [0]}, "size 0 is not usable"),
        ({"sizes": [64, -8]}, "size -8 is not usable"),
        ({"sizes": [65_537]}, "expected whole numbers from 4 to 65536"),
        ({"sizes": [8, 8]}, "size 8 stands there twice"),
        ({"budget_s": 0.0}, "budget of 0 s"),
        ({"budget_s": -1.0}, "budget of -1 s"),
        ({"budget_s": math.nan}, "budget of nan s"),
        ({"cores": 0}, "0 cores are not usable"),
        ({"cores": available_cores() + 1}, f"expected 1 to {available_cores()}"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_profile(gpus=[], **arguments)  # type: ignore[arg-type]


def test_a_budget_too_short_for_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> None:
        raise LeftOut("no")

    monkeypatch.setattr(profiling, "measure", nothing)
    with pytest.raises(NothingToReportError, match="too short"):
        run_profile(kernels=["sort"], sizes=[8], budget_s=1e-9, cores=1, gpus=[])
