"""What a sweep writes into Grafana, and that nothing Grafana does can end a sweep."""

from __future__ import annotations

import pytest

from experiments.observe.grafana import Grafana
from experiments.observe.grafana import of_run as annotations_of_run
from experiments.stack.ports import free_port
from tests.experiments.observe import fake_grafana


def test_cells_and_the_run_are_regions() -> None:
    """Times in milliseconds, the dashboards' tag and the run's name; last of all one for the whole run."""
    said: list[str] = []
    with fake_grafana.running() as grafana:
        with annotations_of_run(Grafana(grafana.url, token="glsa_x"), "night", said.append) as notes:
            notes.cell(1_000.25, 1_012.25, "MAX_ACTIVE 8")
        (authorization, cell), (_, run) = grafana.posted
    assert authorization == "Bearer glsa_x"
    assert (cell["time"], cell["timeEnd"]) == (1_000_250, 1_012_250)
    assert cell["tags"] == ["headroom", "night", "cell"]
    assert cell["text"] == "MAX_ACTIVE 8"
    assert run["tags"] == ["headroom", "night", "run"]
    assert run["time"] <= run["timeEnd"]
    assert said == []


@pytest.mark.parametrize("status", [401, 500])
def test_a_grafana_that_refuses_is_told_once(status: int) -> None:
    """A sweep of a hundred cells does not print a hundred warnings, and does not end."""
    said: list[str] = []
    with fake_grafana.running(status) as grafana:
        with annotations_of_run(Grafana(grafana.url, token="x"), "night", said.append) as notes:
            notes.cell(1_000.0, 1_010.0, "one")
            notes.cell(1_010.0, 1_020.0, "two")
        assert len(grafana.posted) == 3
    (line,) = said
    assert str(status) in line
    assert "the sweep goes on" in line


def test_a_grafana_that_is_not_there_is_told_once() -> None:
    """The same for one that nobody runs."""
    said: list[str] = []
    with annotations_of_run(Grafana(f"http://127.0.0.1:{free_port()}"), "night", said.append) as notes:
        notes.cell(1_000.0, 1_010.0, "one")
    assert len(said) == 1
