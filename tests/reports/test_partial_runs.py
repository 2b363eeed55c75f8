"""Half-finished, empty, old, damaged and hostile runs render or say what is wrong."""

import copy
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import page
from reports.cells import cell_section
from reports.rows import CellRow, rows_of
from reports.run import load
from tests.reports import reading
from tests.reports.synthetic_run import LOADS, SETTINGS, write_json, write_run

EVIL = '<script>alert("x")</script>&amp; \'"`$x^2$ \x00\x1b[31m\u202e</style></svg>{{7*7}}'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One cell."""
    return write_run(tmp_path / "small", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=8)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """Two settings under one load."""
    return write_run(tmp_path / "both", settings=SETTINGS[:2], loads=LOADS[:1], measure_s=8)


def _edit(path: Path, change: dict[str, Any]) -> None:
    write_json(path, json.loads(path.read_text()) | change)


def _text(path: Path) -> str:
    return reading.read(page.render(load(path))).text


def test_a_run_without_cells_says_so(tmp_path: Path) -> None:
    """A sweep that ended before its first cell."""
    root = tmp_path / "none"
    write_json(root / "run.json", {"schema_version": 1, "name": "none", "status": "running", "cells": []})
    text = _text(root)
    assert "no cells yet" in text
    assert "there is no recommendation yet" in text


def test_what_the_engine_does_not_tell_is_said(small: Path) -> None:
    """Once, where everybody sees it, with the reason; nothing where the engine tells it."""
    says = "What the engine does not tell."
    assert says not in _text(small)
    assert "Not reported by this engine" not in _text(small)
    engine = json.loads((small / "run.json").read_text())["engine"]
    facts = engine["facts"] | {"no_metrics": "is an HTML page and no metrics", "untold": ["its batch"]}
    _edit(small / "run.json", {"engine": engine | {"facts": facts}})
    text = _text(small)
    assert text.count(says) == 1
    assert text.count("Not reported by this engine") == 1
    _edit(small / "run.json", {"engine": engine | {"facts": facts | {"no_metrics": None}}})
    one_thing = _text(small)
    assert says not in one_thing, "a line is enough for an engine that has a page and lacks something"
    assert one_thing.count("Not reported by this engine: its batch.") == 1
    assert "Its /metrics is an HTML page and no metrics. Not reported by this engine: its batch." in text


def test_a_half_finished_run_shows_what_there_is(both: Path) -> None:
    """One cell measured, one only declared, one still being written; no recommendation."""
    _edit(both / "run.json", {"status": "partial"})
    (both / "recommendation.json").unlink()
    unfinished, _ = sorted((both / "cells").iterdir())
    shutil.rmtree(unfinished)
    (both / "cells" / ".next.partial").mkdir()
    text = _text(both)
    assert "1 of 2 cells have no summary yet" in text
    assert "not measured" in text
    assert ".next.partial" not in text


def test_a_cut_cell_is_read_from_its_spool(small: Path) -> None:
    """Records spooled line by line, the last line torn: the whole lines count."""
    cell = sorted((small / "cells").iterdir())[0]
    run = load(small)
    frame = run.cell_records(cell.name).astype(object)
    rows = frame.where(frame.notna(), None).drop(columns=["chunk_times_s"]).to_dict("records")
    (cell / "records.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + '\n{"i": 9, "du')
    (cell / "records.parquet").unlink()
    (cell / "summary.json").unlink()
    assert len(load(small).cell_records(cell.name)) == len(frame)
    page.render(load(small))


def test_an_older_run_is_read_as_far_as_it_is_understood(small: Path) -> None:
    """Another schema version is named; what is known is shown."""
    _edit(small / "run.json", {"schema_version": 0})
    text = _text(small)
    assert "schema version 0, older" in text
    assert "Recommended setting" in text


@pytest.mark.parametrize("name", ["run.json", "recommendation.json", "cells/{cell}/summary.json"])
@pytest.mark.parametrize("content", ['{"name": "x', "[1]", "\xff\xfe"])
def test_a_damaged_file_is_named(small: Path, name: str, content: str) -> None:
    """Cut off, of the wrong kind, or not text: a sentence in the page, not a traceback."""
    cell = sorted((small / "cells").iterdir())[0].name
    path = small / name.format(cell=cell)
    path.write_bytes(content.encode("latin-1"))
    run = load(small)
    assert any(path.name in problem for problem in run.problems)
    if content == "[1]":
        assert path.name in _text(small)


@pytest.mark.parametrize("name", ["records.parquet", "series.parquet"])
def test_a_damaged_table_is_named_at_its_cell(small: Path, name: str) -> None:
    """The other cells and figures stay."""
    cell = sorted((small / "cells").iterdir())[0]
    (cell / name).write_bytes(b"PAR1 not really")
    assert f"{name} cannot be read" in _text(small)
    (cell / name).unlink()
    run = load(small)
    row = next(row for row in rows_of(run.cells, CellRow) if row.cell == cell.name)
    assert "cannot be read" not in "".join(cell_section(run, row, "", unfold=False).notes)


def test_older_records_without_a_column_leave_their_figure_empty(small: Path) -> None:
    """No Server-Timing in an old run: what was admitted when cannot be told, the rest can."""
    import pandas as pd

    cell = sorted((small / "cells").iterdir())[0]
    frame = pd.read_parquet(cell / "records.parquet").drop(columns=["upstream_s", "queue_s"])
    frame.to_parquet(cell / "records.parquet")
    assert "The records have no queue_s, upstream_s" in _text(small)


def test_hostile_text_is_shown_not_run(both: Path) -> None:
    """Names, labels, models, reasons, doubts, explanations and metric names from outside stay text."""
    state = json.loads((both / "run.json").read_text())
    state |= {"name": EVIL, "command": ["x", EVIL], "spec": {EVIL: EVIL}}
    state["engine"] |= {"label": EVIL, "model": EVIL}
    state["slo"] |= {"text": EVIL, "scaled_from": EVIL}
    write_json(both / "run.json", state)
    recommended = json.loads((both / "recommendation.json").read_text())
    recommended |= {"why": EVIL, "doubts": [EVIL], "env": {EVIL: EVIL}}
    recommended["neighbours"][0] |= {"why_not": EVIL}
    write_json(both / "recommendation.json", recommended)
    path = sorted((both / "cells").glob("*/summary.json"))[0]
    summary = json.loads(path.read_text())
    summary["workload"]["scenario"] = EVIL
    summary["saturation"] |= {"why": EVIL}
    summary["doubts"] = [{"code": "drift", "severity": "warn", "text": EVIL}]
    summary["ledger"][0] |= {"what": EVIL, "explanation": EVIL}
    summary["agreement"][0] |= {"metric": EVIL}
    summary["counts"]["outcomes"][EVIL] = 1
    summary["engine"]["label"] = EVIL
    write_json(path, summary)
    html = page.render(load(both))
    root = reading.read(html)
    assert [len(script.attributes) for script in root.all("script")] == [0]
    assert "alert(" not in root.all("script")[0].text
    assert 'alert("x")' in root.text
    assert "{{7*7}}" in root.text
    assert "\x00" not in html
    assert "\x1b" not in html


def test_a_word_of_no_known_set_is_a_sentence_that_quotes_nothing_live(both: Path) -> None:
    """A mode, verdict, code or severity that nobody knows: its part is left out, and the page says so."""
    path = sorted((both / "cells").glob("*/summary.json"))[0]
    summary = json.loads(path.read_text())
    summary["setting"]["queue_mode"] = EVIL
    summary["saturation"] |= {"verdict": EVIL, "binding": EVIL}
    summary["doubts"] = [{"code": EVIL, "severity": EVIL, "text": EVIL}]
    summary["agreement"][0] |= {"quantile": EVIL}
    summary["latency"][EVIL] = summary["latency"]["ttft_s"]
    write_json(path, summary)
    run = load(both)
    assert run.summaries[path.parent.name].doubts == ()
    assert "" in set(run.cells["setting"])
    problems = "".join(run.problems)
    for part in ("setting", "saturation.verdict", "doubts.0.severity", "agreement.0.quantile"):
        assert f"cells/{path.parent.name}/summary.json: {part} cannot be used" in problems
    root = reading.read(page.render(run))
    assert [len(script.attributes) for script in root.all("script")] == [0]
    assert "cannot be used" in root.text


def test_a_cell_id_cannot_point_outside_the_run(both: Path) -> None:
    """A path in the place of a name is ignored."""
    info = json.loads((both / "run.json").read_text())
    info["cells"] += [{"id": "../../etc"}, {"id": "/etc"}, {"id": ".."}, {"id": ""}]
    write_json(both / "run.json", info)
    assert len(load(both).cells) == 2


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, leaves and branches."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    out = copy.deepcopy(value)
    at = out
    for key in path[:-1]:
        at = at[key]
    if new is _GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return out


_GONE = object()
_WRONG: tuple[Any, ...] = (_GONE, None, "text", -1, [], {}, [None], float("inf"), True)


def _break(root: Path, name: str, seed: int, tries: int) -> None:
    """Change one place of a JSON file at a time to something it should not be, and render."""
    path = root / name
    good = json.loads(path.read_text())
    rng = random.Random(seed)
    chosen = [(place, wrong) for place in _places(good) for wrong in _WRONG]
    for place, wrong in rng.sample(chosen, min(tries, len(chosen))):
        write_json(path, _changed(good, place, wrong))
        try:
            page.render(load(root))
        except Exception as error:
            raise AssertionError(f"{name}: {place} = {wrong!r} broke the report") from error
    write_json(path, good)


@pytest.mark.parametrize(
    ("name", "place", "wrong"),
    [
        ("recommendation.json", "inseparable", True),
        ("recommendation.json", "doubts", -1),
        ("cells/{cell}/summary.json", "rates", {}),
        ("cells/{cell}/summary.json", "setting", "text"),
    ],
)
def test_what_once_broke_the_report(tmp_path: Path, name: str, place: str, wrong: Any) -> None:
    """Wrong values that the larger sample found."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=6)
    _edit(root / name.format(cell=next((root / "cells").iterdir()).name), {place: wrong})
    page.render(load(root))


def test_an_infinite_part_of_a_latency_is_left_out(small: Path) -> None:
    """Found by the larger sample: no bar is drawn where a number is none."""
    path = next((small / "cells").glob("*/summary.json"))
    parts = json.loads(path.read_text())["breakdown"]
    _edit(path, {"breakdown": parts | {"p50": parts["p50"] | {"gateway_queue_s": float("inf")}}})
    run = load(small)
    assert set(run.breakdown["quantile"]) == {"p95"}
    page.render(run)


@pytest.mark.parametrize("name", ["run.json", "recommendation.json", "cells/{cell}/summary.json"])
def test_one_wrong_value_never_breaks_the_report(tmp_path: Path, name: str) -> None:
    """Whatever field is missing or of the wrong kind: a page, never a traceback (a seeded sample)."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=6)
    _break(root, name.format(cell=next((root / "cells").iterdir()).name), seed=1, tries=2)


@pytest.mark.prove
@pytest.mark.parametrize("name", ["run.json", "recommendation.json", "cells/{cell}/summary.json"])
def test_many_wrong_values_never_break_the_report(tmp_path: Path, name: str) -> None:
    """The same over a much larger sample of places and kinds of wrong values."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=6)
    _break(root, name.format(cell=next((root / "cells").iterdir()).name), seed=2, tries=150)
