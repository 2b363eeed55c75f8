"""The figures that a notebook gets from a run, which are those of its page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.run_folder import codec
from gateway.limits import Limits
from reports import load, page
from reports.drawing import Figure
from reports.plots import Plots
from reports.run import Run
from tests.reports.synthetic_race import story, write_race
from tests.reports.synthetic_run import write_load_run

OF_A_RUN: dict[str, Callable[[Plots], Figure]] = {
    "heat_map": Plots.heat_map,
    "hockey_stick": Plots.hockey_stick,
    "outcomes": Plots.outcomes,
    "time_spent": Plots.time_spent,
    "agreement": Plots.agreement,
}
OF_A_CELL: dict[str, Callable[[Plots, str], Figure]] = {
    "over_time": Plots.over_time,
    "tail": Plots.tail,
    "parts": Plots.parts,
}


@pytest.mark.parametrize("name", OF_A_RUN)
def test_a_figure_of_a_run_is_drawn(name: str, run: Run) -> None:
    """There is something in it: axes, and more than a sentence."""
    assert OF_A_RUN[name](Plots(run)).panels


@pytest.mark.parametrize("name", OF_A_CELL)
def test_a_figure_of_a_cell_is_drawn(name: str, run: Run) -> None:
    """From the id of the cell alone."""
    assert OF_A_CELL[name](Plots(run), run.cells["cell"][0]).panels


def test_the_page_has_the_same_figures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is asked for where the page is made: there is no second definition. What its table needs
    too comes with it."""
    asked = []
    names = {"of_grid", "of_curves", "outcomes", "time_spent", "agreement", "of_series", "parts"}
    for name in names:
        drawn = getattr(Plots, name)

        def noted(*words: object, name: str = name, drawn: Callable[..., Figure] = drawn) -> Figure:
            asked.append(name)
            return drawn(*words)

        monkeypatch.setattr(Plots, name, noted)
    page.render(run)
    assert set(asked) == names


def test_a_race_is_drawn_and_a_run_without_one_says_so(run: Run, tmp_path: Path) -> None:
    """No figure of a run that has nothing of the kind is an error, or empty without a word."""
    root = write_race(tmp_path / "race")
    codec.write(root / "race.json", story())
    raced = load(root)
    assert raced.plot.race().panels
    assert Plots(run).predicted().panels
    for figure in (Plots(run).race(), Plots(raced).race(1), Plots(raced).predicted()):
        assert not figure.panels
        assert "this run" in figure.words[0].text


def test_a_load_run_of_its_own_has_figures_too(tmp_path: Path) -> None:
    """Without a matrix, a recommendation, or series."""
    run = load(write_load_run(tmp_path / "load", Limits(max_active=4)))
    (cell,) = run.cells["cell"]
    for draw in OF_A_RUN.values():
        assert isinstance(draw(Plots(run)), Figure)
    for of_cell in OF_A_CELL.values():
        assert isinstance(of_cell(Plots(run), cell), Figure)
    assert (Plots(run).best, Plots(run).inseparable, Plots(run).named) == (None, [], [])
