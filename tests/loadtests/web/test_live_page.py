"""The live page reads what its data declares, and only that."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from importlib import resources

import orjson

from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.recording.live import LatencyRow, Live
from loadtests.running.metrics_port import text
from loadtests.running.series import Point
from loadtests.web.live_page import LivePage, live_page, to_json

SCRIPT = resources.files("loadtests.web").joinpath("page").joinpath("live.js").read_text(encoding="utf-8")


def names(declared: type) -> set[str]:
    return {field.name for field in fields(declared)}


def test_every_name_in_the_script_is_declared() -> None:
    """A field that is renamed in the data alone would leave an empty chart."""
    charts = SCRIPT.split("const CHARTS")[1].split("];\n")[0]
    assert set(re.findall(r'key: "(\w+)"', charts)) <= names(Point)
    assert set(re.findall(r"\brun\.(\w+)", SCRIPT)) <= names(LivePage)
    assert set(re.findall(r"\br\.(\w+)", SCRIPT)) == names(LatencyRow)


def test_before_the_first_run_there_is_nothing_to_draw() -> None:
    """The page waits while the state is "ready"."""
    assert orjson.loads(to_json(live_page(None))) == {"state": "ready", "points": []}


def test_the_last_seconds_and_the_rows() -> None:
    """Two answers and a refusal, one of the answers too long ago for the window."""
    live = Live(planned=3, detailed=True)
    for k, (outcome, end_s) in enumerate(
        ((Outcome.OK, 1.0), (Outcome.OK, 9.0), (Outcome.REJECTED_FULL, 9.5))
    ):
        served = outcome is Outcome.OK
        live.add(
            RequestRecord(
                i=k, request_id="", phase="measure", cls="a", session=-1, due_s=end_s - 0.5, outcome=outcome,
                sent_s=end_s - 0.5, first_s=end_s - 0.4 if served else None, last_s=end_s if served else None,
                finished_s=end_s, output_tokens=5 if served else None,
            ),
            end_s,
        )  # fmt: skip
    last = live.last_seconds(10.0)
    assert (last.served_per_s, last.failed_per_s, last.output_tokens_per_s) == (0.2, 0.2, 1.0)
    assert last.ttft_p50_s == last.ttft_p95_s
    assert live.outcomes == Counter({Outcome.OK: 2, Outcome.REJECTED_FULL: 1})
    ttft, itl, tpot, e2e = live.latencies()
    assert [row.n for row in (ttft, itl, tpot, e2e)] == [2, 0, 2, 2]
    assert itl.p50 == "–"
    assert 99 <= float(tpot.p50) <= 101


def test_tokens_that_the_engine_does_not_report_are_a_dash() -> None:
    """Not a zero: neither in the last seconds, nor in the table, nor as a metric."""
    live = Live(planned=1, detailed=True)
    live.add(
        RequestRecord(
            i=0, request_id="", phase="measure", cls="a", session=-1, due_s=0.0, outcome=Outcome.OK,
            sent_s=0.0, first_s=0.1, last_s=0.2, finished_s=0.2,
        ),
        0.2,
    )  # fmt: skip
    assert live.last_seconds(1.0).output_tokens_per_s is None
    assert not any("loadgen_output_tokens_total" in line for line in text(live))
    assert any("loadgen_output_tokens_total 0" in line for line in text(Live()))
