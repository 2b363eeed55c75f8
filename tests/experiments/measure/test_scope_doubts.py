"""Whose numbers a cell has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.measure import scope_doubts
from experiments.measure.scope_doubts import GatewayEdges
from experiments.measure.summary import KnownEngine, summarise_cell
from experiments.observe.gateway_admin import Counters, GatewayMoment
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import Scope
from experiments.run_folder.doubt import DoubtCode, Severity
from gateway.limits import Limits
from loadtests.slo import SLO
from tests.experiments.measure import hand_made

LIMITS = Limits(max_active=16, version=7)
OURS = GatewayMoment("one", 16, 7, 3)
ENGINE = KnownEngine("EMULATOR", 64, None)


def texts(edges: GatewayEdges, *scraped: float) -> list[str]:
    series = {"gateway_active_limit": np.array(scraped, dtype=float)}
    found = scope_doubts.of_cell(edges, LIMITS, series, ())
    assert all((one.code, one.severity) == (DoubtCode.LIMITS_DIFFER, Severity.INVALID) for one in found)
    return [one.text for one in found]


def test_the_gateway_of_the_cell_is_not_doubted() -> None:
    """Nor one of a version without an id or a version number."""
    assert texts(GatewayEdges(LIMITS, OURS, OURS), 16, 16) == []
    old = GatewayMoment(None, 16, None)
    assert texts(GatewayEdges(LIMITS, old, old), 16) == []


@pytest.mark.parametrize(
    ("before", "after", "scraped", "said"),
    [
        (OURS, OURS, (16, 4, 16, 8), "16 slots were set and Prometheus scraped 4, 8 in the window"),
        (OURS, replace(OURS, limits_version=9), (16,), "changed in the cell (version 9 in place of 7)"),
        (replace(OURS, limits_version=6), OURS, (16,), "changed in the cell (version 6 in place of 7)"),
        (
            OURS,
            replace(OURS, lanes_version=4),
            (16,),
            "lanes were changed in the cell (version 4 in place of 3)",
        ),
        (OURS, GatewayMoment("two", 16, 1, 1), (16,), "restarted in the cell, or two answer at its address"),
    ],
)
def test_every_other_is(
    before: GatewayMoment, after: GatewayMoment, scraped: tuple[float, ...], said: str
) -> None:
    """Another limit in the scrapes, a change by hand, a restart, a second one at the address: one doubt."""
    (text,) = texts(GatewayEdges(LIMITS, before, after), *scraped)
    assert said in text


def test_a_moment_is_read_from_the_gateways_page() -> None:
    """What is not there is not known."""
    page = 'gateway_instance_info{id="x"} 1\ngateway_active_limit 4\ngateway_limits_version 12\n'
    assert GatewayMoment.of(Counters.parse(page)) == GatewayMoment("x", 4, 12)
    lanes = GatewayMoment.of(Counters.parse(page + "gateway_lanes_version 5\n"))
    assert lanes == GatewayMoment("x", 4, 12, 5)
    assert GatewayMoment.of(Counters.parse("gateway_active_limit NaN\n")) == GatewayMoment(None, None, None)


def test_a_series_that_should_be_there_is_named_once() -> None:
    """In the measured window; one that nobody exports here is not expected."""
    material = hand_made.material(hand_made.records())
    in_warm_up = material.series[material.series["metric"] == "engine_waiting"].index
    material.series.loc[in_warm_up, "t_s"] = hand_made.WARM_UP_S / 2
    expected = ("engine_running", "engine_waiting", "engine_tokens_per_s")
    summary = summarise_cell(
        hand_made.CELL, hand_made.PLAN, SLO.parse("ttft<=1s"), replace(material, expected=expected), ENGINE
    )
    (empty,) = [doubt for doubt in summary.doubts if doubt.code is DoubtCode.SERIES_EMPTY]
    assert empty.severity is Severity.WARN
    assert "no sample of engine_waiting, engine_tokens_per_s in the window" in empty.text


def test_what_is_expected_is_what_the_scope_has() -> None:
    """Of an engine that is not scraped nothing; of a GPU nothing: its exporter may leave anything out."""
    every = ServerMetrics("http://127.0.0.1:1").expected
    assert {"gateway_active_limit", "engine_running", "engine_kv_use_ratio"} <= set(every)
    without = ServerMetrics("http://127.0.0.1:1", scope=Scope(engine=None)).expected
    assert set(every) - set(without) == {name for name in every if name.startswith("engine_")}
