"""What a sweep writes into Grafana, and that nothing Grafana does can end a sweep."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.observe.grafana import Grafana
from experiments.observe.grafana import of_run as annotations_of_run
from experiments.stack.ports import free_port
from tests.experiments.observe import fake_grafana

SUMMARY: dict[str, Any] = {
    "setting": {"max_active": 8, "queue_mode": "queue", "queue_max": 50, "queue_timeout_s": 2.0}
    | {"queue_order": "fifo", "request_timeout_s": 300.0},
    "workload": {"scenario": "burst", "rate_per_s": 3.5},
    "window": {"start_s": 2.0, "end_s": 12.0, "started_unix_s": 1_000.25, "warm_up_s": 2.0},
    "rates": {"goodput_per_s": 3.25},
    "attainment": 0.93,
    "doubts": [{"code": "client_saturated", "severity": "invalid", "text": "…"}],
}


def test_a_cell_is_a_region_that_says_setting_load_and_result() -> None:
    """Times in milliseconds, the dashboards' tag and the run's name; then one region for the whole run."""
    said: list[str] = []
    with fake_grafana.running() as grafana:
        with annotations_of_run(Grafana(grafana.url, token="glsa_x"), "night", said.append) as notes:
            notes.cell(SUMMARY)
        (authorization, cell), (_, run) = grafana.posted
    assert authorization == "Bearer glsa_x"
    assert (cell["time"], cell["timeEnd"]) == (1_000_250, 1_012_250)
    assert cell["tags"] == ["headroom", "night", "cell"]
    for part in (
        "MAX_ACTIVE 8",
        "queue 50, 2 s, fifo",
        "burst at 3.50",
        "goodput 3.25/s",
        "93%",
        "INVALID: client_saturated",
    ):
        assert part in cell["text"]
    assert run["tags"] == ["headroom", "night", "run"]
    assert run["time"] <= run["timeEnd"]
    assert said == []


@pytest.mark.parametrize("status", [401, 500])
def test_a_grafana_that_refuses_is_told_once(status: int) -> None:
    """A sweep of a hundred cells does not print a hundred warnings, and does not end."""
    said: list[str] = []
    with fake_grafana.running(status) as grafana:
        with annotations_of_run(Grafana(grafana.url, token="x"), "night", said.append) as notes:
            notes.cell(SUMMARY)
            notes.cell(SUMMARY)
        assert len(grafana.posted) == 3
    (line,) = said
    assert str(status) in line
    assert "the sweep goes on" in line


def test_a_grafana_that_is_not_there_is_told_once() -> None:
    """The same for one that nobody runs."""
    said: list[str] = []
    with annotations_of_run(Grafana(f"http://127.0.0.1:{free_port()}"), "night", said.append) as notes:
        notes.cell(SUMMARY)
    assert len(said) == 1
