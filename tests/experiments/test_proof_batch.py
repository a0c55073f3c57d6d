from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.experiments.proof_batch import WINDOW, main, mean_interval, ratio_interval, spread_starts
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.lublin import generate


def test_windows_are_disjoint_spread_and_within_the_trace() -> None:
    for n_jobs, first, wanted, count in ((10_000, 0, 40, 9), (202_871, 40_000, 40, 40), (1024, 0, 40, 1)):
        starts = spread_starts(n_jobs, first, wanted)
        assert len(starts) == count
        assert starts[0] == first
        assert starts[-1] + WINDOW <= n_jobs
        assert all(two - one >= WINDOW for one, two in itertools.pairwise(starts))
    with pytest.raises(InputError, match="at least 1024"):
        spread_starts(1000, 0, 3)


def test_intervals_hold_the_ratio_of_the_means() -> None:
    rng = np.random.default_rng(1)
    rule = rng.lognormal(2.0, 1.0, 200)
    learned = 0.7 * rule * rng.lognormal(0.0, 0.1, 200)
    low, high = ratio_interval(learned, rule)
    assert low < learned.mean() / rule.mean() < high
    assert high - low < 0.1
    assert mean_interval([(learned, rule)]) == pytest.approx((low, high), abs=0.01)
    assert mean_interval([(learned, rule), (rule, learned)]) == pytest.approx((1.0, 1.0), abs=0.1)


def test_the_tables_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, figures = tmp_path / "small.swf", tmp_path / "figures.json"
    write_workload(generate("lublin:processors=64,users=6", seed=10_040, n_tasks=1100), trace)
    main([f"{trace}:64", "--parts", "spread,whole", "--rules", "saf,f2+easy", "--learned", "rl_agent+easy", "--json", str(figures)])
    printed = capsys.readouterr().out
    assert "best rule on small: " in printed
    assert printed.count("rl_agent+easy") == 2
    written = json.loads(figures.read_text(encoding="utf-8"))
    assert set(written) == {"spread", "whole"}
    assert len(written["spread"]["small"]["saf"][0]) == 1
    with pytest.raises(InputError, match="PATH:PROCESSORS"):
        main([str(trace)])
