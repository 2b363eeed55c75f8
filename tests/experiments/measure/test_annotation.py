"""A measured cell as a dashboard shows it."""

from __future__ import annotations

from dataclasses import replace

from experiments.measure.annotation import annotate, text
from experiments.observe.grafana import Grafana
from experiments.observe.grafana import of_run as annotations_of_run
from experiments.run_folder.cell_summary import CellSummary, MeasuredWindow
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.spec.setting import Setting
from gateway.limits import Limits, QueueMode
from loadtests.recording.summary import Rates
from tests.experiments import plain
from tests.experiments.observe import fake_grafana


def summary(limits: Limits, doubts: tuple[Doubt, ...] = ()) -> CellSummary:
    """Warm-up of 2 s, 10 s measured, 3.25 good requests a second."""
    window = MeasuredWindow(start_s=2.0, end_s=12.0, warm_up_s=2.0, started_unix_s=1_000.25)
    offered = plain.workload(3.5, scenario="burst")
    known = plain.summary("c", Setting(limits), offered, window)
    return replace(known, rates=Rates(3.5, 3.4, 3.25, 80.0), attainment=0.93, doubts=doubts)


LIMITS = Limits(max_active=8, queue_max=50, queue_timeout_s=2.0)
LATE = Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, "…")
CUT = Doubt(DoubtCode.CUT, Severity.WARN, "…")


def test_a_cell_is_a_region_that_says_setting_load_and_result() -> None:
    """From its first arrival to its last, warm-up included; times in milliseconds."""
    said: list[str] = []
    with fake_grafana.running() as grafana:
        with annotations_of_run(Grafana(grafana.url, token="glsa_x"), "night", said.append) as notes:
            annotate(notes, summary(LIMITS, (LATE,)))
        (_, cell), _ = grafana.posted
    assert (cell["time"], cell["timeEnd"]) == (1_000_250, 1_012_250)
    for part in (
        "MAX_ACTIVE 8",
        "queue 50, 2 s, fifo",
        "burst at 3.50",
        "goodput 3.25/s",
        "93%",
        "INVALID: client_saturated",
    ):
        assert part in cell["text"]
    assert said == []


def test_only_what_makes_the_numbers_unusable_is_called_invalid() -> None:
    """A warning stands in the report; a mark on the dashboard would hide the one that counts."""
    assert text(summary(LIMITS, (CUT, LATE))).endswith("; INVALID: client_saturated")
    assert "INVALID" not in text(summary(LIMITS, (CUT,)))


def test_a_gateway_without_a_queue_has_no_queue_to_name() -> None:
    """Its length, patience and order mean nothing there."""
    rejecting = Limits(max_active=8, queue_mode=QueueMode.REJECT, queue_max=50)
    assert text(summary(rejecting)).startswith("MAX_ACTIVE 8, reject: burst at 3.50 requests/s")


def test_a_cell_without_rates_says_what_was_offered() -> None:
    """A summary of which the rates could not be read is still a cell on the time axis."""
    unknown = replace(summary(LIMITS), rates=None)
    assert text(unknown).endswith(": burst at 3.50 requests/s")
