"""Every PromQL expression of the project, and the metrics each names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from monitoring.grafana import boards

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "monitoring" / "prometheus").glob("*.rules.yml"))
# What Grafana puts in: "All" for the variables, and at a scrape a second an interval of some seconds.
VARIABLES = {"$__rate_interval": "10s", "$instance": ".*", "$model": ".*", "$run": ".*"}
METRIC = re.compile(
    r"\b(?:gateway|headroom|vllm|sglang|llamacpp|tgi|engine|gpu|slo|loadgen|process|node|prometheus|scrape|up|DCGM_FI)[a-zA-Z0-9_:]*"
)


@dataclass(frozen=True, slots=True)
class Expression:
    """`where` it stands, for people; `promql` without Grafana's variables."""

    where: str
    promql: str
    recorded: bool = False
    """Whether a recording rule makes a series of it (an alert's expression is empty when all is well)."""

    def metrics(self) -> set[str]:
        """The names of the series it reads (labels and their values left out)."""
        bare = re.sub(r"\{[^}]*\}|\b(?:by|on|without|ignoring)\s*\([^)]*\)|\[[^\]]*\]", "", self.promql)
        return set(METRIC.findall(bare))


def of_panels() -> Iterator[Expression]:
    """Every query of every panel of every dashboard."""
    for board in boards.every():
        for panel in board.panels():
            for query in panel.queries:
                promql = query.expr
                for name, value in VARIABLES.items():
                    promql = promql.replace(name, value)
                yield Expression(f"{board.title}: {panel.title}: {query.legend}", promql)


def of_rules() -> Iterator[Expression]:
    """The expression of every recording rule and alert."""
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("record") or rule["alert"]
                yield Expression(f"{path.name}: {name}", rule["expr"], recorded="record" in rule)


def recorded() -> set[str]:
    """The names that recording rules make."""
    return {
        rule["record"]
        for path in RULE_FILES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
