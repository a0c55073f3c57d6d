"""What operators are handed: rules that fire when they should, and a dashboard and rules that name metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from hybrid_ml_scheduler.service.observability.watching import Observability
from service_fixtures import settings_in

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; Debian's package prometheus has it")
_WORD = re.compile(r"\b((?:hms|process|python)_[a-z0-9_]+)\b")


def promtool(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *arguments], input=given, capture_output=True, text=True, check=False)


def expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "hms.json").read_text(encoding="utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return found + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def samples(tmp_path: Path) -> set[str]:
    """Return the names of all series that a service can have."""
    names: set[str] = set()
    text = Observability(settings_in(tmp_path)).metrics.exposition("")[0].decode()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names


def test_every_metric_in_the_dashboard_and_in_the_rules_exists(tmp_path: Path) -> None:
    used = {word for expression in expressions() for word in _WORD.findall(expression)}
    assert len(used) > 30
    assert used - samples(tmp_path) == set()


def test_every_documented_metric_exists_and_every_metric_is_documented(tmp_path: Path) -> None:
    text = (DEPLOY.parent / "docs" / "observability.md").read_text(encoding="utf-8")
    documented = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"`(hms_[a-z0-9_]+)`", text)}
    there = {re.sub(r"_(bucket|sum|count)$", "", name) for name in samples(tmp_path)}
    assert documented == {name for name in there if name.startswith("hms_") and not name.endswith("_created")}


def test_every_alert_says_what_to_do_and_is_tried() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    tried = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for test in tried for case in test["alert_rule_test"] if case["exp_alerts"]}
    silent = {case["alertname"] for test in tried for case in test["alert_rule_test"] if not case["exp_alerts"]}
    for rule in rules:
        assert {"summary", "action"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["alert"] in fired & silent


@needs_promtool
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    done = promtool("test", "rules", str(DEPLOY / "prometheus" / "alerts_test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_configuration_of_the_scraper_is_valid() -> None:
    done = promtool("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    rules = [{"record": f"panel:number{place}", "expr": text.replace("$__rate_interval", "1m")} for place, text in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", str(tmp_path / "rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
