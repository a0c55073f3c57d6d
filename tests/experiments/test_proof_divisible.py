from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.experiments import proof_divisible
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.hidden_world import true_work_s
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import run_whole

CLUSTER = workstation()


def test_true_means_know_the_laws_and_nothing_of_the_noise() -> None:
    register()
    workload = generate("steady", seed=20_040, n_tasks=300)
    _, run = run_whole(proof_divisible.true_means(workload, CLUSTER), workload, CLUSTER)
    tasks, truth = workload.tasks, workload.truth
    assert tasks.size is not None
    assert tasks.kind is not None
    assert truth.slowdown is not None
    work = np.log(true_work_s(tasks.size, tasks.kind) / tasks.size)
    np.testing.assert_allclose(run.mind.predicted[:, 0], work, atol=1e-5)
    for model in range(2):
        np.testing.assert_allclose(run.mind.predicted[:, 1 + model], work + np.log(truth.slowdown[0, tasks.kind, model]), atol=1e-5)


def test_the_tables_print(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_divisible, "PRICES", (0.0, 0.02))
    monkeypatch.setattr(proof_divisible, "TEACHING_RUNS", 1)
    common = ["--seeds", "1", "--first-seed", "40"]
    proof_divisible.main(["tables", "drift", *common, "--tasks", "500", "--presets", "steady"])
    printed = capsys.readouterr().out
    assert "| oracle |" in printed
    assert "| taught |" in printed
    proof_divisible.main(["energy", *common, "--loads", "0.4", "--plot", str(tmp_path / "front.png")])
    assert "hybrid_ml-divisible-energy" in capsys.readouterr().out
    assert (tmp_path / "front.png").stat().st_size > 1000
    with pytest.raises(SystemExit):
        proof_divisible.main(["nothing"])
