"""The report is one safe file, and the plots are there."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from comparison_cases import station_comparison
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.experiments.plots import DASHES, MAX_GANTTS, PALETTE, figures, save_plots, styles, to_svg
from hybrid_ml_scheduler.experiments.report import html_report, write_html

VOID = {"meta", "br", "img", "link"}


class Checker(HTMLParser):
    """Checks that tags nest, and collects what refers to something outside."""

    def __init__(self):
        super().__init__()
        self.open, self.outside, self.tags = [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.outside += [value for name, value in attributes if name in {"src", "href", "xlink:href"} and not value.startswith("#")]

    def handle_startendtag(self, tag, attributes):
        self.outside += [value for name, value in attributes if name in {"src", "href", "xlink:href"} and not value.startswith("#")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text):
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    return checker


def test_report_is_one_file_with_tables_and_plots(tmp_path):
    path = tmp_path / "report.html"
    write_html(station_comparison(n=600), path)
    text = path.read_text(encoding="utf-8")
    checker = check(text)
    assert checker.outside == []
    assert {"svg", "table", "details", "style"} <= checker.tags
    assert text.count("<svg") == 6  # overview, distributions, over time, three Gantt charts
    assert "script" not in checker.tags
    assert "@import" not in text
    assert len(text) < 3_000_000
    assert "prefers-color-scheme: dark" in text
    for part in ("Against oracle, by mean_response_s", "0.0120", "Wins, task by task", "of every run", "Holm", "a note"):
        assert part in text


def test_identifiers_of_several_plots_do_not_collide():
    text = html_report(station_comparison(("mct", "greedy"), n=300))
    elements = text.split("<svg")[1:]
    clips = [set(re.findall(r'<clipPath id="([^"]+)"', element)) for element in elements]
    assert all(clips)
    assert sum(map(len, clips)) == len(set.union(*clips))


def test_no_plot_shows_mathematical_markup():
    comparison = station_comparison(("mct", "greedy"), n=300)
    first = comparison.results[0]
    edges, level = first.charts.queue
    crowded = replace(first, charts=replace(first.charts, queue=(edges, 1000 * (1 + level))))
    text = html_report(replace(comparison, results=(crowded, comparison.results[1])))
    assert "mathdefault" not in text
    assert "1,000" in text


def test_names_cannot_inject_anything():
    evil = "<script>alert(1)</script>&\"'$x^{"
    comparison = station_comparison((evil, "mct"), n=300, title=evil)
    notes = replace(comparison.workload, notes=(evil,))
    text = html_report(replace(comparison, workload=notes))
    assert "script" not in check(text).tags
    assert "&lt;script&gt;" in text


def test_same_comparison_same_report():
    comparison = station_comparison(("mct",), n=300)
    assert html_report(comparison) == html_report(comparison)


def test_report_without_charts_still_has_the_overview():
    text = html_report(station_comparison(n=300, charts=False))
    assert text.count("<svg") == 1
    check(text)


def test_report_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_html(station_comparison(n=300, charts=False), tmp_path / "missing" / "report.html")


def test_plots_are_png_files_with_safe_names(tmp_path):
    paths = save_plots(station_comparison(("mct", "../evil name", "_hidden"), n=300), tmp_path / "plots")
    assert [path.name for path in paths[:3]] == ["overview.png", "distributions.png", "over_time.png"]
    assert {path.parent for path in paths} == {tmp_path / "plots"}
    assert "gantt_.._evil_name.png" in {path.name for path in paths}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_many_policies_make_a_limited_number_of_plots():
    made = figures(station_comparison(tuple(f"policy{number}" for number in range(40)), n=300), for_page=True)
    assert len(made) == 3 + MAX_GANTTS
    overview, distributions = to_svg("a", made[0][1]), to_svg("b", made[1][1])
    assert all(f"policy{number}<" in overview for number in range(40))
    assert "the best 10 of 40 policies" in distributions


def test_policies_keep_their_style_and_differ():
    names = [*(f"p{number}" for number in range(len(PALETTE) * len(DASHES) - 3)), "mct", "fcfs", "oracle"]
    chosen = styles(names)
    assert len(set(chosen.values())) == len(names)
    assert styles(["oracle", "mct"])["mct"] == chosen["mct"]


def test_plots_take_their_colours_from_the_page():
    stem, figure = figures(station_comparison(n=300), for_page=True)[0]
    svg = to_svg(stem, figure)
    assert "currentColor" in svg
    assert "var(--grid)" in svg
    assert "#010203" not in svg


def test_plots_when_nobody_waits():
    comparison = station_comparison(("mct", "greedy"), n=300)

    def idle(result):
        charts = result.charts
        none = np.zeros(1)
        queue = (charts.queue[0], np.zeros(len(charts.queue[1])))
        return replace(result, charts=replace(charts, wait_cdf=(none, none + 1), queue=queue))

    first, second = comparison.results
    svg = to_svg("one", figures(replace(comparison, results=(idle(first), second)), for_page=True)[1][1])
    assert "every wait is 0" not in svg
    svg = to_svg("both", figures(replace(comparison, results=(idle(first), idle(second))), for_page=True)[1][1])
    assert "every wait is 0" in svg
