"""docs/load-testing.md names every scenario, workload, flag, outcome, exit code and metric there is."""

from __future__ import annotations

import pytest

from loadtests.outcome import Outcome
from loadtests.planning.mix import WORKLOADS
from loadtests.planning.scenarios import SCENARIOS
from loadtests.record import RequestRecord
from loadtests.recording import result
from loadtests.recording.live import Live
from loadtests.running import options
from loadtests.running.metrics_port import text
from tests.loadtests.harness import ROOT

PAGE = (ROOT / "docs" / "load-testing.md").read_text()
FLAGS = [flag for group in (options.LOAD, options.REQUESTS, options.RUN) for flag in group]
METRICS = sorted({line.split()[2] for line in text(Live()) if line.startswith("# TYPE")})


@pytest.mark.parametrize("name", [*SCENARIOS, *WORKLOADS, *Outcome, *(f"--{flag.name}" for flag in FLAGS)])
def test_every_name_is_explained(name: str) -> None:
    """As code, in a table."""
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_defaults_are_right(flag: options.Flag) -> None:
    """The default in the page is the one in force."""
    row = next(line for line in reversed(PAGE.splitlines()) if line.startswith(f"| `--{flag.name}`"))
    shown = {"": "", "False": "off"}.get(str(flag.default), f"`{flag.default}`")
    assert row.split("|")[2].strip() == shown


def test_codes_metrics_and_record_keys_are_listed() -> None:
    """Exit codes, metric names and the keys of a record."""
    codes = (result.SLO_MISSED, result.CLIENT_SATURATED, result.RECORDS_LOST, result.UNREACHABLE)
    for code in (*codes, result.ANOTHER_WORKLOAD):
        assert f"| {code} |" in PAGE
    for name in METRICS:
        assert f"`{name}" in PAGE
    listed = PAGE.split("A record: `")[1].split("`")[0].split()
    assert set(listed) == {"class" if name == "cls" else name for name in RequestRecord.__dataclass_fields__}
