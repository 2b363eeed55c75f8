"""Cells that are not just a gateway's setting: engine knobs, sentinels, an engine alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from reports import figures, labels, page, tables
from reports.run import load
from tests.reports import reading
from tests.reports.synthetic_run import LOADS, SETTINGS, write_json, write_run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two cells of two settings."""
    return write_run(tmp_path / "r", settings=SETTINGS[:2], loads=LOADS[:1], measure_s=6)


def _change(root: Path, at: int, change: dict[str, Any]) -> str:
    path = sorted(root.glob("cells/*/summary.json"))[at]
    write_json(path, json.loads(path.read_text()) | change)
    return path.parent.name


def test_engine_knobs_are_part_of_the_setting(small: Path) -> None:
    """Whatever key a setting holds beside the gateway's is shown, tells settings apart, and has its own row
    in the matrix.
    """
    _change(small, 0, {"setting": SETTINGS[0] | {"max_num_seqs": 8, "max_num_queued_reqs": None}})
    _change(small, 1, {"setting": SETTINGS[0] | {"max_num_seqs": 16}})
    run = load(small)
    names = ["4 slots · queue 8 · 0.4 s · max_num_seqs 16", "4 slots · queue 8 · 0.4 s · max_num_seqs 8"]
    assert sorted(run.cells["setting"]) == names
    grid = figures.grid(run.matrix, run.latency, "goodput_per_s")
    assert set(grid["queue"]) == {"queue 8 · 0.4 s · max_num_seqs 8", "queue 8 · 0.4 s · max_num_seqs 16"}
    assert len(set(grid["key"])) == 2
    assert labels.key(SETTINGS[0] | {"max_num_seqs": 8.0}) in set(grid["key"])
    assert all(name in reading.by_id(reading.read(page.render(run)), "cells").text for name in names)


def test_a_sentinel_is_shown_but_never_ranked(small: Path) -> None:
    """It stands in its own table and among the cells, marked; not in matrix, curves or ranking."""
    name = _change(small, 0, {"sentinel": True})
    run = load(small)
    assert name not in set(run.matrix["cell"])
    assert name not in set(figures.curves(run.matrix, run.latency)["cell"])
    root = reading.read(page.render(run))
    link = "#" + tables.anchor(name)
    ranked = {a.attributes["href"] for a in reading.by_id(root, "table-cells").all("a")}
    watched = {a.attributes["href"] for a in reading.by_id(root, "table-sentinel").all("a")}
    assert link not in ranked
    assert watched == {link}
    assert "sentinel: " in reading.by_id(root, tables.anchor(name)).text


def test_an_engine_alone_has_a_matrix_too(small: Path) -> None:
    """A run against a bare engine has no gateway limits: one column, named, instead of no matrix."""
    for at in (0, 1):
        _change(small, at, {"setting": {}})
    run = load(small)
    assert set(run.cells["setting"]) == {"engine alone"}
    assert len(figures.grid(run.matrix, run.latency, "goodput_per_s")) == 1
    matrix = reading.by_id(reading.read(page.render(run)), "matrix")
    assert "engine alone: no gateway limits" in matrix.text


def test_a_cell_of_unknown_setting_is_in_no_matrix(small: Path) -> None:
    """A damaged setting is not an engine alone."""
    _change(small, 0, {"setting": "text"})
    run = load(small)
    assert "" in set(run.cells["setting"])
    assert len(figures.grid(run.matrix, run.latency, "goodput_per_s")) == 1
