"""The live page reads what its data declares, and only that."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from importlib import resources

import orjson
import pytest

from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.record import RequestRecord
from loadtests.recording.live import LastSeconds, Live
from loadtests.recording.numbers import LatencyRow
from loadtests.recording.so_far import SoFar
from loadtests.running.metrics_port import text
from loadtests.running.series import Point
from loadtests.slo import SLO
from loadtests.web.live_page import LivePage, live_page, to_json

PAGE = resources.files("loadtests.web").joinpath("page")
SCRIPTS = {name: PAGE.joinpath(name).read_text() for name in ("charts.js", "live.js", "figures.js")}


def names(declared: type) -> set[str]:
    return {field.name for field in fields(declared)}


def test_every_name_in_the_script_is_declared() -> None:
    """A field that is renamed in the data alone would leave an empty chart."""
    charts = SCRIPTS["charts.js"]
    spread = [
        f"{name}_{of}_s" for name in re.findall(r'spread\("(\w+)"\)', charts) for of in ("p50", "p95", "max")
    ]
    assert {*re.findall(r'key: "(\w+)"', charts), *spread} <= names(Point) | names(LastSeconds)
    assert len(spread) == 9
    assert set(re.findall(r"\brun\.(\w+)", "".join(SCRIPTS.values()))) <= names(LivePage)
    assert set(re.findall(r"\br\.(\w+)", SCRIPTS["figures.js"])) == names(LatencyRow)


def test_before_the_first_run_there_is_nothing_to_draw() -> None:
    """The page waits while the state is "ready"."""
    assert orjson.loads(to_json(live_page(None, None))) == {"workers": None, "state": "ready", "points": []}


GOAL = SLO.parse("ttft<=300ms,attainment>=0.5")


def ended(i: int, end_s: float, outcome: Outcome = Outcome.OK, tokens: int | None = 5) -> RequestRecord:
    """A request of the measured phase, due half a second before its end; its first token came after 0.1 s."""
    served = outcome is Outcome.OK
    return RequestRecord(
        i=i, request_id="", phase="measure", cls="a", session=-1, due_s=end_s - 0.5, outcome=outcome,
        sent_s=end_s - 0.5, first_s=end_s - 0.4 if served else None, last_s=end_s if served else None,
        finished_s=end_s, output_tokens=tokens if served else None, attempts=1,
    )  # fmt: skip


def live() -> Live:
    return Live(measured=SoFar(plans.make("constant", 1.0, 0.0, 20.0, 0), GOAL))


def test_the_last_seconds() -> None:
    """Answers and a refusal, one answer too long ago for the window; few have no p50, but a largest."""
    shown = live()
    for k, (outcome, end_s) in enumerate(
        ((Outcome.OK, 1.0), (Outcome.OK, 9.0), (Outcome.REJECTED_FULL, 9.5))
    ):
        shown.add(ended(k, end_s, outcome), end_s)
    last = shown.last_seconds(10.0)
    assert (last.served_per_s, last.good_per_s, last.failed_per_s) == (0.2, 0.2, 0.2)
    assert last.output_tokens_per_s == 1.0
    assert (last.ttft_p50_s, last.ttft_p95_s) == (None, None)
    assert last.ttft_max_s == pytest.approx(0.1)
    assert shown.outcomes == Counter({Outcome.OK: 2, Outcome.REJECTED_FULL: 1})
    for k in range(3, 10):
        shown.add(ended(k, 9.6), 9.6)
    again = shown.last_seconds(10.0)
    assert again.ttft_p50_s == pytest.approx(0.1)
    assert again.ttft_p95_s is None


def test_tokens_that_the_engine_does_not_report_are_a_dash() -> None:
    """Not a zero: neither in the last seconds, nor in the summary so far, nor as a metric."""
    shown = live()
    shown.add(ended(0, 0.6, tokens=None), 0.6)
    assert shown.last_seconds(1.0).output_tokens_per_s is None
    numbers = shown.numbers(1.0, GOAL)
    assert numbers is not None
    assert numbers.summary.rates.output_tokens_per_s is None
    tpot = numbers.summary.latency.tpot_s
    assert tpot is not None
    assert (tpot.p50.why or "").startswith("not reported")
    assert not any("loadgen_output_tokens_total" in line for line in text(shown))
    assert any("loadgen_output_tokens_total 0" in line for line in text(Live()))
