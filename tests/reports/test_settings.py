"""Cells that are not just a gateway's setting: engine limits, sentinels, load runs, an engine alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary
from experiments.spec.named_lanes import NONE, of_mix
from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import LIMIT_NAMES, Limits
from loadtests.planning.load_class import parse_mix
from reports import columns, figures, labels, naming, page, tables
from reports.run import load
from tests.reports import reading
from tests.reports.synthetic_run import LOADS, SETTINGS, write_json, write_load_run, write_run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two cells of two settings."""
    return write_run(tmp_path / "r", settings=SETTINGS[:2], loads=LOADS[:1], measure_s=6)


def _path(root: Path, at: int) -> Path:
    return sorted(root.glob("cells/*/summary.json"))[at]


def _set(root: Path, at: int, setting: Setting) -> None:
    path = _path(root, at)
    codec.write(path, replace(codec.read(CellSummary, path), setting=setting))


def _edit(path: Path, change: dict[str, object]) -> str:
    write_json(path, json.loads(path.read_text()) | change)
    return path.parent.name


def test_engine_limits_are_part_of_the_setting(small: Path) -> None:
    """What the engine was given is shown, tells settings apart, and has its own row in the matrix."""
    for at, batch in enumerate((8, 16)):
        _set(small, at, SETTINGS[0].on(EngineKnobs(max_num_seqs=batch)))
    run = load(small)
    names = ["4 slots · queue 8 · 0.4 s · max_num_seqs 16", "4 slots · queue 8 · 0.4 s · max_num_seqs 8"]
    assert sorted(run.cells["setting"]) == names
    assert sorted(run.cells["knobs"]) == ["max_num_seqs 16", "max_num_seqs 8"]
    grid = figures.grid(run.matrix, run.latency, "goodput_per_s")
    assert set(grid["queue"]) == {"queue 8 · 0.4 s · max_num_seqs 8", "queue 8 · 0.4 s · max_num_seqs 16"}
    assert sorted(grid["setting"]) == names
    shown = reading.by_id(reading.read(page.render(run)), "cells").text
    assert all(f"4 slots · queue · max_num_seqs {batch}" in shown for batch in (8, 16))


def test_every_limit_of_the_gateway_has_a_column_with_its_meaning(small: Path) -> None:
    """Their names come from the gateway, and so do the words: a new limit has its column by itself."""
    assert list(columns.SETTING) == list(LIMIT_NAMES)
    assert all(meaning for _, meaning in columns.SETTING.values())
    assert columns.SETTING["queue_timeout_s"][0] == "s"
    row = load(small).cells.iloc[0]
    assert {name: row[name] for name in LIMIT_NAMES} == SETTINGS[0].limits.values()


def test_a_sentinel_is_shown_but_never_ranked(small: Path) -> None:
    """It stands in its own table and among the cells, marked; not in matrix, curves or ranking."""
    name = _edit(_path(small, 0), {"sentinel": True})
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


@pytest.mark.parametrize("purpose", ["validation", "capacity"])
def test_a_cell_of_another_purpose_is_shown_but_never_ranked(purpose: str, small: Path) -> None:
    """Among the cells, marked; not in matrix or curves."""
    offered = json.loads(_path(small, 0).read_text())["workload"]
    name = _edit(_path(small, 0), {"workload": offered | {"purpose": purpose}})
    run = load(small)
    assert name not in set(run.matrix["cell"])
    assert name not in set(figures.curves(run.matrix, run.latency)["cell"])
    root = reading.read(page.render(run))
    (row,) = (
        row
        for row in reading.by_id(root, "table-cells").all("tr")
        if any(a.attributes["href"] == "#" + tables.anchor(name) for a in row.all("a"))
    )
    assert purpose in row.text
    assert f"{purpose}: " in reading.by_id(root, tables.anchor(name)).text


@pytest.mark.parametrize(
    ("limits", "words", "queue"),
    [
        (Limits(max_active=6, queue_max=20), "6 slots · queue 20", "queue 20"),
        (Limits(max_active=1, queue_max=0), "1 slot · reject", "reject"),
    ],
)
def test_a_load_run_of_its_own_has_the_limits_that_were_seen(
    tmp_path: Path, limits: Limits, words: str, queue: str
) -> None:
    """The gateway's metrics tell three of them; nobody knows the timeout, so none is shown."""
    run = load(write_load_run(tmp_path / "r", limits))
    row = run.cells.iloc[0]
    assert (row["setting"], row["queue"], row["max_active"]) == (words, queue, limits.max_active)
    assert row["queue_order"] == ""
    assert run.cells["queue_timeout_s"].isna().all()
    root = reading.read(page.render(run))
    assert words in reading.by_id(root, "table-cells").text
    assert reading.by_id(root, "fig-heat-goodput_per_s").all("tbody")[0].text.split()[0] == "sustained"


def test_an_engine_alone_has_a_matrix_too(tmp_path: Path) -> None:
    """A load run against a bare engine has no gateway limits: one column, named, instead of no matrix."""
    run = load(write_load_run(tmp_path / "r", None))
    assert set(run.cells["setting"]) == {"engine alone"}
    assert len(figures.grid(run.matrix, run.latency, "goodput_per_s")) == 1
    matrix = reading.by_id(reading.read(page.render(run)), "matrix")
    assert "engine alone: no gateway limits" in matrix.text


def test_an_old_load_run_held_a_part_of_a_setting(small: Path) -> None:
    """It wrote run.json and summary.json as a sweep does, with three limits, or with none."""
    state = json.loads((small / "run.json").read_text())
    parts: tuple[dict[str, object], ...] = ({"max_active": 6, "queue_max": 20, "queue_mode": "queue"}, {})
    for at, part in enumerate(parts):
        name = _edit(_path(small, at), {"setting": part})
        next(cell for cell in state["cells"] if cell["id"] == name)["setting"] = part
    write_json(small / "run.json", state)
    assert set(load(small).cells["setting"]) == {"6 slots · queue 20", "engine alone"}


def test_a_cell_of_unknown_setting_is_in_no_matrix(small: Path) -> None:
    """A damaged setting is not an engine alone."""
    _edit(_path(small, 0), {"setting": "text"})
    run = load(small)
    assert "" in set(run.cells["setting"])
    assert len(figures.grid(run.matrix, run.latency, "goodput_per_s")) == 1


def test_only_what_is_unusual_is_said_of_a_queue() -> None:
    """The order where it is not FIFO; a single slot is not plural; nothing of the engine's own limits."""
    limits = Limits(max_active=1, queue_max=8, queue_timeout_s=2.0)
    assert labels.setting(Setting(limits)) == "1 slot · queue 8 · 2 s"
    last_first = Limits.of(limits.values() | {"queue_order": "lifo"})
    assert labels.setting(Setting(last_first)) == "1 slot · queue 8 · 2 s · lifo"
    assert labels.queue(None) == "no queue"
    fair = Limits.of(limits.values() | {"queue_order": "fair", "slot_cost": "tokens"})
    shared = of_mix(parse_mix("a=8x8:0.5@x,b=8x8:0.5@y"))
    said = "1 slot · queue 8 · 2 s · slots in tokens · lanes mix"
    assert labels.setting(Setting(fair, lanes=shared)) == said
    assert labels.queue(Setting(limits, lanes=NONE)) == "queue 8 · 2 s · no lanes"
    assert labels.queue(Setting(limits, lanes=shared)).startswith("queue 8 · 2 s · fifo")
    same = naming.shared([Setting(fair, lanes=shared), Setting(replace(fair, max_active=2), lanes=shared)])
    assert labels.setting(Setting(fair, lanes=shared), same) == "1 slot · queue"
    assert labels.engine_limits(None) == ""
