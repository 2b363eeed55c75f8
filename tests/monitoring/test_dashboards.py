"""The dashboards: in step with their code, made of metrics that exist, and right about units and limits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from experiments.drift.exporter import Exporter
from gateway.metrics import HELP as GATEWAY_METRICS
from loadtests.recording.live import Live
from loadtests.running import metrics_port
from monitoring.grafana import boards
from monitoring.grafana.model import Board
from tests.monitoring.expressions import Expression, of_panels, of_rules, recorded

ROOT = Path(__file__).resolve().parents[2]
EXPOSITIONS = Path(__file__).with_name("expositions")
GRAFANA = ROOT / "monitoring" / "grafana"
PROMETHEUS_OWN = {"up", "scrape_duration_seconds", "prometheus_tsdb_head_samples_appended_total"}
# Of DCGM 3, and of exporters that collect more than ours.
OTHER_EXPORTERS = {
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
    "DCGM_FI_DEV_FB_TOTAL",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
}
EVERY = [*of_panels(), *of_rules()]


def families(text: str) -> set[str]:
    """The series names that an exposition gives, histogram suffixes included."""
    return set(re.findall(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{| )", text, re.MULTILINE))


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every name that some exposition or recording rule provides."""
    names = PROMETHEUS_OWN | OTHER_EXPORTERS | recorded()
    names |= families("\n".join(metrics_port.text(Live(), Path("runs/night/cells/ma2"))))
    names |= families(generate_latest(Exporter("a model").registry).decode())
    for path in EXPOSITIONS.glob("*.prom"):
        names |= families(path.read_text())
    # As a router or a collector that allows no colon passes them on.
    names |= {name.replace(":", "_") for name in names if name.startswith("sglang:")}
    parts = {"histogram": ("bucket", "sum", "count"), "summary": ("sum", "count")}
    for name, (kind, _) in GATEWAY_METRICS.items():
        names |= {f"{name}_{part}" for part in parts[kind]} if kind in parts else {name}
    return names


def test_the_files_are_what_the_code_writes() -> None:
    """Whoever edits a dashboard's JSON, or its code without running it, is told."""
    done = subprocess.run(
        [sys.executable, "-m", "monitoring.grafana", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("expression", EVERY, ids=lambda expression: expression.where)
def test_every_metric_exists(expression: Expression, known: set[str]) -> None:
    """A renamed metric shows up as a failed test, not as a panel that says 0 for ever."""
    assert expression.metrics(), f"no metric found in {expression.promql}"
    assert expression.metrics() <= known


def test_prometheus_parses_every_query(promtool: str, tmp_path: Path) -> None:
    """With Grafana's variables put in, every query of every panel is PromQL."""
    queries = [
        {"record": f"panel:query:{number}", "expr": expression.promql}
        for number, expression in enumerate(of_panels())
    ]
    path = tmp_path / "queries.rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": queries}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules found" in done.stdout


@pytest.mark.parametrize("board", boards.every(), ids=lambda board: board.uid)
def test_no_two_panels_overlap_or_leave_the_screen(board: Board) -> None:
    """Grafana moves overlapping panels about; the layout written is the layout seen."""
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((GRAFANA / "dashboards" / f"{board.uid}.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("board", boards.every(), ids=lambda board: board.uid)
def test_ratios_are_shown_as_percent_units_and_each_panel_is_explained(board: Board) -> None:
    """A ratio 0–1 under unit "percent" would show 1 % for a full house; each panel says what it shows."""
    for panel in board.panels():
        assert len(panel.description) > 10
        for query in panel.queries:
            if re.search(r":ratio", query.expr):
                assert panel.unit == "percentunit", panel.title


def test_the_limit_is_read_never_written_down() -> None:
    """No query compares with, divides by or subtracts from a constant number of slots."""
    for expression in of_panels():
        assert not re.search(
            r"gateway_active\b[^_].*[/-]\s*\d|\d\s*-\s*sum\(gateway_active\b", expression.promql
        )
        assert "vector(0)" not in expression.promql


def test_no_gpu_field_that_consumer_cards_lack() -> None:
    """Profiling fields exist on data-centre cards only: what is collected is what every card answers, and
    what else is asked for stands beside a collected field, for other people's exporters."""
    collected = set(
        re.findall(r"^(DCGM_FI_\w+)", (ROOT / "monitoring/dcgm/counters.csv").read_text(), re.MULTILINE)
    )
    assert not [name for name in collected if "_PROF_" in name]
    for expression in EVERY:
        used = {name for name in expression.metrics() if name.startswith("DCGM")}
        assert not used or used & collected, expression.where
        assert used <= collected or " or " in expression.promql, expression.where


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    """The provisioned source has a name of its own and the scrape interval that rates need."""
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"][
        0
    ]
    assert (source["uid"], source["jsonData"]["timeInterval"]) == ("headroom-prometheus", "1s")
    for path in (GRAFANA / "dashboards").glob("*.json"):
        sources = set(re.findall(r'"type": "prometheus",\s+"uid": "([^"]+)"', path.read_text()))
        assert sources == {"${source}"}, path.name
