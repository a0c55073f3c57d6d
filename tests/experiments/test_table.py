"""Numbers and tables for people."""

import doctest
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison_cases import station_comparison
from hybrid_ml_scheduler.engine.statistics import Interval
from hybrid_ml_scheduler.experiments import table
from hybrid_ml_scheduler.experiments.table import comparison_table, counted, format_number, format_with_interval, table_rows


def test_examples_in_docstrings():
    assert doctest.testmod(table).failed == 0


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (9.9996, 4, "10.00"),
        (999.96, 4, "1,000"),
        (0.0, 4, "0"),
        (-12.345, 3, "-12.3"),
        (1e16, 3, "1.00e+16"),
        (3e-12, 3, "3.00e-12"),
        (123456.0, 3, "123,456"),
        (5.0, 1, "5"),
    ],
)
def test_format_number(value, digits, text):
    assert format_number(value, digits) == text


@given(st.floats(1e-8, 1e14), st.integers(1, 6))
def test_format_number_keeps_the_value_to_its_digits(value, digits):
    assert float(format_number(value, digits).replace(",", "")) == pytest.approx(value, rel=0.6 * 10 ** (1 - digits))


def test_interval_has_the_decimals_of_its_estimate():
    assert format_with_interval(12.3456, Interval(12.3456, 11.3, 13.4)) == "12.35 ± 1.05"
    assert format_with_interval(12.3456, None) == "12.35"


def test_table_marks_the_best_the_clairvoyant_and_the_saturated():
    comparison = station_comparison(n=300, charts=False)
    rows = table_rows(comparison)
    assert [row[0] for row in rows] == ["policy", "random !", "mct *", "oracle °"]
    assert len({len(row) for row in rows}) == 1


def test_ties_are_all_best():
    comparison = station_comparison(("saturated", "mct", "peft"), n=300, charts=False)
    equal = tuple(replace(result, metrics=comparison.results[1].metrics) for result in comparison.results)
    assert [row[0] for row in table_rows(replace(comparison, results=equal))][1:] == ["saturated !", "mct *", "peft *"]
    alone = replace(comparison, results=comparison.results[1:2])
    assert table_rows(alone)[1][0] == "mct"


def test_numbers_that_look_equal_tie():
    comparison = station_comparison(("saturated", "mct", "peft"), n=300, charts=False)
    best = comparison.results[2].metrics
    close = replace(comparison.results[1], metrics=best | {"mean_response_s": best["mean_response_s"] * (1 + 1e-9)})
    comparison = replace(comparison, results=(comparison.results[0], close, comparison.results[2]))
    assert [row[0] for row in table_rows(comparison)][1:] == ["saturated !", "mct *", "peft *"]
    alike = replace(comparison, results=comparison.results[1:])
    assert [row[0] for row in table_rows(alike)][1:] == ["mct", "peft"]
    assert "none is best: all are equal by mean_response_s, to the digits shown" in comparison_table(alike)


@pytest.mark.parametrize(("number", "text"), [(1, "1 core"), (0, "0 cores"), (107018.0, "107,018 cores"), (2.5, "2.5 cores"), (1200, "1,200 cores")])
def test_counted(number, text):
    assert counted(number, "core") == text


def test_the_output_says_why_it_ran_where_it_ran():
    comparison = station_comparison(n=300, charts=False)
    assert "no cluster was named" not in comparison_table(comparison)
    chosen = replace(comparison, cluster=replace(comparison.cluster, default="the header says so"))
    assert "no cluster was named: the header says so" in comparison_table(chosen)
    assert chosen.to_dict()["cluster"]["default"] == "the header says so"


def test_saturated_policies_have_no_ratio():
    comparison = station_comparison(n=300, charts=False)
    results = tuple(replace(result, metrics={**result.metrics, "regret_to_oracle": 0.25}) for result in comparison.results)
    rows = table_rows(replace(comparison, results=results))
    column = rows[0].index("over oracle [%]")
    assert [row[column] for row in rows[1:]] == ["saturated", "25.0", "25.0"]


def test_a_metric_that_does_not_apply_leaves_a_dash_or_no_column():
    comparison = station_comparison(n=300, charts=False)
    without = tuple({name: value for name, value in result.metrics.items() if name != "cost_usd"} for result in comparison.results)
    some = replace(comparison, results=(replace(comparison.results[0], metrics=without[0]), *comparison.results[1:]))
    none = replace(comparison, results=tuple(replace(result, metrics=left) for result, left in zip(comparison.results, without, strict=True)))
    assert table_rows(some)[1][table_rows(some)[0].index("cost [USD]")] == "-"
    assert "cost [USD]" not in table_rows(none)[0]


def test_the_whole_output_names_what_was_run_and_what_was_changed():
    comparison = station_comparison(n=300, charts=False)
    facts = replace(
        comparison.workload,
        rejected=12,
        rejected_ids=(7, 9),
        estimates="exact",
        sorted_by_us=True,
        substitutions={"run time < 0 became 10 s": 3},
        dropped={"run time 0": 4, "not UTF-8": 0},
    )
    text = comparison_table(replace(comparison, workload=facts))
    for part in (
        "300 tasks, 2 runs, on station: 1 node, 16 cores, 4 GPUs (2 fast, 2 slow)",
        "estimates: exact",
        "have been sorted",
        "3 x run time < 0 became 10 s",
        "4 left out: run time 0",
        "0 left out: not UTF-8",
        "12 rejected, because they can never fit the cluster: task 7, 9, ...",
        "a note",
        "no policy can do better than: makespan 12.50 s (area 12.50), mean response 0.5000 s",
        "* best by mean_response_s",
        "! saturated",
        "° clairvoyant",
        "± half the 95 % interval",
    ):
        assert part in text
