"""Runs that do not hold every setting at every load in every block: nothing is made up, nothing compared that
met different arrivals."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports import answer, blocks, export, figures, knees, labels, markdown, notebook, page, tables
from reports.figures.rate_points import pooled
from reports.run import Run, load
from tests.reports import notebooks, reading
from tests.reports.synthetic_race import BEST, CONFIRMED, HEAVY, LEFT, MATRIX, RUNNER_UP, SEARCHED, write_race

WORDS = {one: labels.setting(one) for one in (LEFT, RUNNER_UP, BEST)}


@pytest.fixture(scope="module")
def race_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_race(tmp_path_factory.mktemp("runs") / "race")


@pytest.fixture(scope="module")
def race(race_dir: Path) -> Run:
    return load(race_dir)


def test_the_matrix_says_how_many_stretches_are_behind_a_number(race: Run) -> None:
    """And has no box where nothing was measured."""
    grid = figures.grid(race.matrix, race.latency, "goodput_per_s")
    counts = {(row.setting, row.load): row.stretches for row in grid.itertuples()}
    assert counts == {
        (WORDS[one], next(at for at in grid["load"] if f" {load.rate_per_s:g}/s" in at)): len(of)
        for one, loads in MATRIX.items()
        for load, of in loads.items()
    }
    drawn = [words.text for panel in figures.heat_map(grid).panels for words in panel.words]
    assert drawn.count("–") == 3
    assert {"n 1", "n 2", "n 3", "n 4"} <= set(drawn)
    caption = blocks.heat_maps(race)[0].caption
    assert "brought to the same arrivals" in caption
    assert "dash: not measured there" in caption


def test_a_run_with_equal_data_is_drawn_without_counts(run: Run) -> None:
    """The same number under every box says nothing."""
    grid = figures.grid(run.matrix, run.latency, "goodput_per_s")
    drawn = [words.text for panel in figures.heat_map(grid).panels for words in panel.words]
    assert not any(text.startswith("n ") for text in drawn)
    assert tables.stretches(run).rows == []


def test_goodputs_in_the_matrix_and_on_the_curves_are_brought_to_the_same_arrivals(race: Run) -> None:
    """What the recommended setting is ahead by is what it was ahead by on the blocks that both met."""
    cells = race.matrix[race.matrix["rate_per_s"] == HEAVY.rate_per_s]
    by_block = cells.pivot_table(index="setting", columns="block", values="goodput_per_s")
    best, other = (by_block.T[WORDS[one]] for one in (BEST, RUNNER_UP))
    ahead = (best - other).mean()
    assert ahead != pytest.approx(best.mean() - other.mean())
    grid = figures.grid(race.matrix, race.latency, "goodput_per_s")
    points = pooled(figures.curves(race.matrix, race.latency))
    for frame, column in ((grid[grid["load"].str.contains("16/s")], "value"), (points, "goodput_per_s")):
        if "rate_per_s" in frame:
            frame = frame[frame["rate_per_s"] == HEAVY.rate_per_s]
        of = frame.set_index("setting")[column]
        assert of[WORDS[BEST]] - of[WORDS[RUNNER_UP]] == pytest.approx(ahead)


def test_no_line_is_drawn_across_a_load_that_was_not_measured(race: Run) -> None:
    """The runner-up has points at the ends and none in the middle."""
    curves = figures.curves(race.matrix, race.latency)
    goodput = figures.hockey_stick(curves, race.slo, named=list(WORDS.values())).panels[: len(WORDS)]
    lines = {line.label: np.asarray(line.y) for panel in goodput for line in panel.lines}
    assert len(lines[WORDS[BEST]]) == 3
    assert np.isnan(lines[WORDS[RUNNER_UP]]).tolist() == [False, True, False]
    assert len(lines[WORDS[LEFT]]) == 1


def test_every_setting_stands_in_the_table_with_its_stretches_and_the_reason(race: Run) -> None:
    """Also what confirmed the choice, and what searched for the largest rate."""
    table = tables.stretches(race)
    assert [head.text for head in table.heads][-3:] == ["Confirmed", "Searched", "Against the recommended"]
    rows = {row[0].text: row[1:] for row in table.rows}
    assert set(rows) == {race.naming.of(one) for one in WORDS}
    *_, confirmed, searched, standing = rows[race.naming.of(BEST)]
    assert confirmed.value == sum(len(of) for of in CONFIRMED.values())
    assert searched.value == len(SEARCHED)
    assert standing.text == "recommended"
    left = rows[race.naming.of(LEFT)]
    assert [entry.value for entry in left[:-1]].count(1.0) == 1
    assert left[-1].text == "surely worse"
    assert left[-1].small.startswith("measured on 1 stretch at sustained@1.25x: ")


def test_the_page_begins_with_how_much_and_shows_every_cell(race: Run) -> None:
    """Every cell has its section, whatever it was measured for."""
    root = reading.read(page.render(race))
    told = answer.answer(race)
    assert told.capacity.startswith("It takes about ")
    assert told.capacity in reading.by_id(root, "answer").text
    assert "stretches that took no part in the choice" in reading.by_id(root, "answer").text
    assert "surely worse" in reading.by_id(root, "table-stretches").text
    for name in race.cells["cell"]:
        assert reading.by_id(root, tables.anchor(name)).text
    assert told.capacity in markdown.summary(race).replace("\\", "")


def test_the_exported_tables_say_what_a_cell_was_measured_for(race: Run, tmp_path: Path) -> None:
    """So that nobody ranks settings by the wrong ones."""
    export.write(race, tmp_path)
    cells = pd.read_csv(tmp_path / "cells.csv")
    assert cells["purpose"].value_counts().to_dict() == {
        "matrix": sum(len(blocks) for loads in MATRIX.values() for blocks in loads.values()),
        "validation": sum(len(of) for of in CONFIRMED.values()),
        "capacity": len(SEARCHED),
    }


@pytest.mark.parametrize("name", notebooks.NAMES)
def test_what_the_notebooks_do(
    name: str, race_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of each from top to bottom."""
    monkeypatch.setenv("HEADROOM_RUN", str(shutil.copytree(race_dir, tmp_path / "race")))
    monkeypatch.setenv("HEADROOM_BASELINE", str(race_dir))
    notebooks.played(name)


def test_the_search_for_the_largest_rate_shows_the_knee(race: Run) -> None:
    """What confirmed the choice and what searched are among its points; who left was measured at one rate."""
    of = {one.setting: one for one in knees.knees(race)}
    searched = {point.rate_per_s for point in of[race.naming.of(BEST)].points}
    assert len(searched) > len({load.rate_per_s for load in MATRIX[BEST]})
    assert of[race.naming.of(BEST)].found
    assert race.recommendation is not None
    assert of[race.naming.of(BEST)].capacity == race.recommendation.capacity
    assert len(of[race.naming.of(LEFT)].points) == 1
    told = notebook.knee_table(race)
    assert isinstance(told, pd.DataFrame)
    assert set(told.index) == set(of)
    assert f"{race.naming.of(BEST)} takes about " in notebook.about_knees(race)
