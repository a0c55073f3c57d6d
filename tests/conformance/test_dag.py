"""The worked examples of the papers on list scheduling; they are part of the project and never skipped."""

from __future__ import annotations

import numpy as np
import pytest

from graph_cases import assert_plan_is_possible, example
from hybrid_ml_scheduler.engine.bounds import cp_sat_makespan
from hybrid_ml_scheduler.engine.graphs import cpop_plan, downward_rank, heft_plan, optimistic_cost_table, peft_plan, upward_rank

TOPCUOGLU = example("topcuoglu")
ARABNEJAD = example("arabnejad")


def test_upward_ranks_of_topcuoglu_2002() -> None:
    published = [108, 77, 80, 80, 69, 63.333, 42.667, 35.667, 44.333, 14.667]
    assert upward_rank(*TOPCUOGLU[:4]) == pytest.approx(published, abs=5e-4)


def test_priorities_of_topcuoglu_2002_single_out_its_critical_path() -> None:
    priority = upward_rank(*TOPCUOGLU[:4]) + downward_rank(*TOPCUOGLU[:4])
    assert np.flatnonzero(np.isclose(priority, 108)).tolist() == [0, 1, 8, 9]
    # The paper's critical-path processor is its second.
    assert set(cpop_plan(*TOPCUOGLU).machine[[0, 1, 8, 9]].tolist()) == {1}


@pytest.mark.parametrize(("planner", "makespan_s"), [(heft_plan, 80), (cpop_plan, 86)])
def test_makespans_of_topcuoglu_2002(planner, makespan_s) -> None:
    plan = planner(*TOPCUOGLU)
    assert_plan_is_possible(plan, TOPCUOGLU)
    assert plan.makespan_s == makespan_s


def test_the_optimum_of_topcuoglu_2002_is_73() -> None:
    result = cp_sat_makespan(*TOPCUOGLU, time_limit_s=300.0)
    assert result.proved
    assert result.bound_s == 73
    assert result.makespan_s == 73


def test_optimistic_cost_table_of_arabnejad_2014() -> None:
    assert optimistic_cost_table(*ARABNEJAD[:4]).tolist() == [
        [64, 68, 86],
        [42, 39, 42],
        [27, 41, 43],
        [42, 39, 50],
        [28, 37, 28],
        [42, 39, 44],
        [13, 16, 22],
        [13, 16, 33],
        [13, 16, 20],
        [0, 0, 0],
    ]


def test_schedules_of_arabnejad_2014() -> None:
    plan = peft_plan(*ARABNEJAD)
    assert_plan_is_possible(plan, ARABNEJAD)
    assert plan.machine.tolist() == [0, 0, 0, 0, 2, 1, 0, 1, 2, 1]
    assert plan.start_s.tolist() == [0, 29, 51, 22, 35, 29, 83, 54, 81, 106]
    assert plan.finish_s.tolist() == [22, 51, 83, 29, 70, 46, 97, 77, 89, 122]
    assert plan.makespan_s == 122
    assert heft_plan(*ARABNEJAD).makespan_s == 133
