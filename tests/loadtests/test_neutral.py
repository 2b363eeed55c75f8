"""The modules that others build on need neither Locust nor gevent, and the arithmetic of the
live view is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loadtests.outcome import Outcome
from loadtests.recording import scrape
from loadtests.recording.histogram import Histogram, bucket_ms
from loadtests.recording.live import Live, Progress
from loadtests.running.metrics_port import text
from tests.loadtests.harness import ROOT

NEUTRAL = """
bulk latency outcome planning.arrivals planning.mix planning.plan planning.prompts planning.scenarios
planning.trace_files.reading planning.trace_files.replay planning.workloads record recording.histogram
recording.live recording.load_run recording.quantiles recording.recorder recording.result
recording.run_folder recording.saturation recording.scrape recording.summary recording.table
running.locust_types running.messages sending.answer sending.bodies sending.request sending.retry
sending.sse sending.target_facts settings slo traces
reach.endpoint reach.proxy reach.why reach.control reach.handed_down reach.own_arguments running.logins
"""


def test_the_neutral_modules_import_no_locust() -> None:
    """`import locust` patches the whole interpreter: a sweep must be able to use plans
    and records without it."""
    program = f"""
import sys
from pathlib import Path
for name in {NEUTRAL.split()!r}:
    __import__(f"loadtests.{{name}}")
heavy = {{"gevent", "locust", "pandas", "scipy", "pyarrow"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_live_histogram_is_within_a_percent() -> None:
    """Good enough to look at; decisions use exact samples."""
    values = np.random.default_rng(0).lognormal(-2, 1, 20_000)
    histogram = Histogram()
    for value in values:
        histogram.add(float(value))
    for q in (0.5, 0.95, 0.99):
        assert abs((histogram.quantile(q) or 0) / np.quantile(values, q) - 1) < 0.01


def test_locusts_rounding_is_a_percent() -> None:
    """1,050 ms stays 1,050 within a percent; Locust's own rounding makes 1,000 of it."""
    for ms in (1.5, 10.5, 147.0, 1050.0, 3432.0):
        assert abs(bucket_ms(ms) / ms - 1) < 0.006


def test_metrics_text_and_its_reader_agree() -> None:
    """What the port writes is Prometheus text; label sets add up."""
    live = Live(due_s=[0.0, 1.0, 2.0], planned=3, now_s=1.5)
    live.senders["a"], live.senders["b"] = Progress(2, 1), Progress(1, 0)
    live.outcomes.update({Outcome.OK: 2, Outcome.CUT: 1})
    page = "\n".join(text(live))
    wanted = ("loadgen_due_requests_total", "loadgen_sent_requests_total", "loadgen_requests_total")
    assert scrape.parse(page, {name: name for name in wanted}) == dict(
        zip(wanted, (2.0, 3.0, 3.0), strict=True)
    )


@pytest.mark.parametrize(
    ("folder", "labels"),
    [
        ("runs/night/cells/.ma2--b0.partial", 'run="night",cell="ma2--b0"'),
        ("runs/load-1/cells/load", 'run="load-1",cell="load"'),
        ('some "folder"', r'run="some \"folder\"",cell=""'),
    ],
)
def test_the_run_is_named_while_it_is_played(folder: str, labels: str) -> None:
    """By its folder: a sweep's cell carries its run's name, also while the cell is not whole yet."""
    assert f"loadgen_run_info{{{labels}}} 1" in list(text(Live(), Path(folder)))
    assert not [line for line in text(Live()) if line.startswith("loadgen_run_info")]
