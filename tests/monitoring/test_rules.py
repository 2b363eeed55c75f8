"""The recording rules and alerts: valid, each proven by promtool, each alert explained in the runbook."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.served import SERVED

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
RULE_FILES = sorted(PROMETHEUS.glob("*.rules.yml"))
DASHBOARDS = sorted((ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json"))
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.test.yml"))


def rules(key: str) -> Iterator[dict[str, Any]]:
    """Every rule that has `key` ("record" or "alert")."""
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from (rule for rule in group["rules"] if key in rule)


def test_prometheus_accepts_the_rules(promtool: str) -> None:
    """promtool parses every rule file; a slip in an expression is found here, not by a silent dashboard."""
    done = subprocess.run([promtool, "check", "rules", *map(str, RULE_FILES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_scrape_configuration(promtool: str, tmp_path: Path) -> None:
    """The compose configuration is valid, with its rules where the container sees them."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert config["rule_files"] == ["/etc/prometheus/rules/*.rules.yml"]
    config["rule_files"] = [str(PROMETHEUS / "*.rules.yml")]
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run([promtool, "check", "config", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULE_FILES)} rule files found" in done.stdout


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name)
def test_rules_give_the_values_and_alerts_expected(promtool: str, path: Path) -> None:
    """Series whose rates are known by construction give the values and alerts that belong to them."""
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_recording_rule_is_evaluated_in_a_test() -> None:
    """A rule that no promtool test asks for could say anything."""
    asked = " ".join(
        case["expr"]
        for path in TEST_FILES
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("promql_expr_test", [])
    )
    assert not [rule["record"] for rule in rules("record") if rule["record"] not in asked]


def test_every_alert_is_seen_firing() -> None:
    """An alert that no series can raise would be a comfort without cause."""
    firing = {
        case["alertname"]
        for path in TEST_FILES
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules("alert")} == firing


def test_every_entry_of_the_runbook_says_how_to_ask_why() -> None:
    """Whoever is woken has the command that explains it at hand."""
    entries = re.split(r"^##+ ", (ROOT / "monitoring" / "runbook.md").read_text(), flags=re.MULTILINE)
    alerts = {rule["alert"] for rule in rules("alert")}
    asked = {entry.split("\n")[0] for entry in entries if "headroom explain --at TIME" in entry}
    assert asked == alerts


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    """Who is woken by an alert finds an entry of its name; no entry outlives its alert."""
    entries = set(re.findall(r"^### (\w+)$", (ROOT / "monitoring" / "runbook.md").read_text(), re.MULTILINE))
    assert entries == {rule["alert"] for rule in rules("alert")}
    for rule in rules("alert"):
        assert rule["annotations"]["runbook"] == f"monitoring/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_rules_and_boards_know_every_route_that_takes_slots() -> None:
    """What is offered and refused counts at every route whose requests are admitted, and at no other."""
    admitted = "|".join(served.route.value for served in SERVED if served.takes_slots)
    text = "".join(path.read_text() for path in (*RULE_FILES, *DASHBOARDS))
    assert set(re.findall(r'route=~\\?"([^"\\]+)', text)) == {admitted}
