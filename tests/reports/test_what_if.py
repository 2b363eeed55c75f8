"""The what-if of a page: what its controls show is what_if.json, and so what `predict` prints."""

import asyncio
import itertools
import json
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import predict
from experiments.calibration import what_if
from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.what_if import WhatIf, WhatIfPoint
from experiments.spec.simulated_traces import SimulatedTraces
from loadtests.slo import SLO
from reports import numbers, page
from reports.judged import judged
from reports.measured_points import MEASURES, errors
from reports.run import Run, load
from reports.what_if import WhatIfSection, what_if_section
from tests import axe, browser
from tests.browser import Page
from tests.experiments.calibration_on_disk import write_calibration
from tests.reports import reading
from tests.reports.synthetic_run import LOADS, SETTINGS, write_run
from tests.reports.test_browser import CONTRAST, WIDTH

FEW = SimulatedTraces(count=3, measure_s=8.0, warm_up_s=2.0, seed=7)
CONTROLS = ("rate", "slots", "queue")
SHOWN = """({
  rows: [...document.querySelectorAll('#what-if-table tbody tr')].map((row) => [...row.cells].map((cell) =>
    [cell.textContent, cell.dataset.v ?? null])),
  command: document.getElementById('what-if-command').textContent,
  said: document.getElementById('what-if-said').textContent,
  rate: document.getElementById('what-if-rate-text').textContent,
  slots: document.getElementById('what-if-slots-text').textContent,
  queue: document.querySelector('#what-if-queue option:checked').textContent,
})"""
needs_browser = pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight cells, and the what-if that a calibration beside them gives."""
    folder = tmp_path_factory.mktemp("what-if")
    root = write_run(folder / "run", settings=SETTINGS[:4], measure_s=8)
    what_if.keep(root, write_calibration(folder / "tiny", passed=True), FEW)
    return root


@pytest.fixture(scope="module")
def run(run_dir: Path) -> Run:
    return load(run_dir)


@pytest.fixture(scope="module")
def made(run: Run) -> WhatIf:
    assert run.what_if is not None
    return run.what_if


@pytest.fixture(scope="module")
def html(run: Run) -> str:
    return page.render(run)


@pytest.fixture(scope="module")
def address(html: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html)
    return path.as_uri()


def _section(run: Run) -> WhatIfSection:
    section = what_if_section(run)
    assert section is not None
    return section


def _in_browser(do: Callable[[Page], Awaitable[Any]]) -> Any:
    async def visit() -> Any:
        async with browser.page() as tab:
            found = await do(tab)
            assert tab.complaints == []
            return found

    return asyncio.run(visit())


def _move(name: str, at: int) -> str:
    control = f"document.getElementById('what-if-{name}')"
    return f"{control}.value = {at}; {control}.dispatchEvent(new Event('input')); true"


@needs_browser
def test_the_page_shows_what_predict_prints(
    address: str, run: Run, made: WhatIf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At four places of the grid: the numbers under the controls are, to the last digit, those of the command
    that stands there to be copied, and the words are those of the report's numbers."""
    section = _section(run)
    places = [(0, 0, 0), (3, 2, 1), (len(made.loads) - 1, len(section.grid.slots) - 1, 2), (2, 1, 3)]

    async def move(tab: Page) -> list[Any]:
        await tab.open(address)
        seen = []
        for place in places:
            for name, at in zip(CONTROLS, place, strict=True):
                await tab.run(_move(name, at))
            seen.append(await tab.run(SHOWN))
        return seen

    monkeypatch.chdir(run.path)
    for place, shown in zip(places, _in_browser(move), strict=True):
        words = shlex.split(shown["command"])
        assert words[:3] == ["python", "-m", "experiments.predict"]
        assert predict.main(words[3:]) == 0
        printed = capsys.readouterr().out
        (cell,) = json.loads((Path(made.calibration) / "predictions.json").read_text())["cells"]
        assert cell["rate_per_s"] == made.loads[place[0]].rate_per_s
        assert str(cell["setting"]["max_active"]) == shown["slots"]
        for row, (name, (label, kind)) in zip(shown["rows"], MEASURES.items(), strict=True):
            told = cell["expected"][name]
            assert row[0][0] == label
            assert (None if row[1][1] is None else float(row[1][1])) == told["mean"], (place, name)
            if told["mean"] is not None:
                assert row[2][0] == numbers.between(told["low"], told["high"], kind)
                assert f"{told['mean']:.3g}" in printed


@needs_browser
def test_controls_say_where_they_stand(address: str, run: Run, made: WhatIf) -> None:
    """It begins at the recommended setting under the highest measured rate; the keyboard moves a slider, and
    what is predicted there is announced."""

    async def press(tab: Page) -> list[Any]:
        await tab.open(address)
        seen = [await tab.run(SHOWN)]
        await tab.run("document.getElementById('what-if-slots').focus()")
        for kind in ("keyDown", "keyUp"):
            await tab.ask("Input.dispatchKeyEvent", type=kind, key="Home", windowsVirtualKeyCode=36)
        seen.append(await tab.run(SHOWN))
        seen.append(await tab.run("document.getElementById('what-if-slots').getAttribute('aria-valuetext')"))
        seen.append(await tab.run("document.getElementById('what-if-said').getAttribute('aria-live')"))
        return seen

    first, moved, spoken, live = _in_browser(press)
    assert run.recommendation is not None
    best = run.recommendation.setting.limits
    assert first["slots"] == str(best.max_active)
    rate = f"{LOADS[1].rate_per_s:.3g}/s"
    assert first["rate"] == f"{rate} · measured"
    assert (moved["slots"], spoken) == ("2", "2")
    assert moved["said"].startswith(f"Predicted for sustained, 64x24 tokens, {rate}, MAX_ACTIVE 2")
    assert live == "polite"
    assert [row[0] for row in moved["rows"]] != [row[1] for row in moved["rows"]]


@needs_browser
def test_it_is_readable_and_stays_inside_the_page(address: str) -> None:
    """At phone and desk width, light and dark: contrast as WCAG AA asks, nothing sticks out sideways; and axe
    finds nothing grave."""

    async def visit(tab: Page) -> list[Any]:
        found = []
        for width_px, dark in ((1440, False), (1440, True), (390, False), (390, True)):
            await tab.look(width_px, 900, dark=dark)
            await tab.open(address)
            found.append([max(0, await tab.run(WIDTH) - width_px), await tab.run(CONTRAST)])
        return [found, await axe.grave_faults(tab)]

    assert _in_browser(visit) == [[[0, []]] * 4, []]


@needs_browser
def test_without_the_script_and_on_paper_it_is_not_there(address: str) -> None:
    """Controls that do nothing would be worse, and on paper there is what was measured."""

    async def visit(tab: Page) -> list[Any]:
        height = "document.getElementById('what-if').getBoundingClientRect().height"
        await tab.open(address)
        heights = [await tab.run(height)]
        await tab.look(794, 1123, paper=True)
        heights.append(await tab.run(height))
        await tab.look(1440, 900)
        await tab.ask("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(address)
        return [*heights, await tab.run(height)]

    shown, paper, scriptless = _in_browser(visit)
    assert shown > 100
    assert (paper, scriptless) == (0, 0)


def test_it_is_marked_as_predicted(html: str, made: WhatIf) -> None:
    """First of all, with the errors that the calibration has seen, and those against this run's cells."""
    section = reading.by_id(reading.read(html), "what-if")
    text = " ".join(section.text.split())
    assert text.startswith("What if? Predicted by the simulator, not measured.")
    assert "TTFT p95 -6.3 %; E2E p95 -0.9 %" in text
    assert "Served in SLO, of offered: off by" in text
    assert f"{made.traces.count} simulated traces of 8.00 s" in text


def test_what_was_measured_stands_beside(run: Run, made: WhatIf) -> None:
    """Wherever a cell measured the point, and nowhere else: the cell's own numbers."""
    grid = _section(run).grid
    queues = len(grid.queues)
    for stored, rate in zip(made.loads, grid.kinds[0].rates, strict=True):
        for at, point in enumerate(stored.points):
            values = rate.points[at // queues][at % queues]
            if not point.cells:
                assert {value.measured for value in values} == {""}
                continue
            (cell,) = point.cells
            summary = run.summaries[cell]
            assert summary.rates is not None
            assert values[0].measured == numbers.percent(summary.attainment)
            assert values[1].measured == numbers.rate(summary.rates.goodput_per_s)
    assert sum(bool(point.cells) for one in made.loads for point in one.points) == 8


def _at(run: Run) -> tuple[WhatIfPoint, CellSummary]:
    """A point that one cell measured, and that cell."""
    assert run.what_if is not None
    points = itertools.chain.from_iterable(one.points for one in run.what_if.loads)
    point = next(point for point in points if point.cells)
    return point, run.summaries[point.cells[0]]


def _shown_at(run: Run, point: WhatIfPoint) -> str:
    grid = _section(run).grid
    assert run.what_if is not None
    for stored, rate in zip(run.what_if.loads, grid.kinds[0].rates, strict=True):
        if point in stored.points:
            at = stored.points.index(point)
            return rate.points[at // len(grid.queues)][at % len(grid.queues)][0].measured
    raise AssertionError("no such point")


def test_an_invalid_cell_was_not_measured(run: Run) -> None:
    """Its numbers must not be used: neither shown beside, nor held against the prediction."""
    point, summary = _at(run)
    doubted = replace(summary, doubts=(Doubt(DoubtCode.LEDGER, Severity.INVALID, "one request"),))
    whole = replace(run.whole, summaries={**run.summaries, summary.cell: doubted})
    without = replace(run, whole=whole)
    assert _shown_at(run, point) != ""
    assert _shown_at(without, point) == ""
    assert run.what_if is not None
    counted = {one.measure: one.n for one in errors(run, run.what_if)}
    left = {one.measure: one.n for one in errors(without, run.what_if)}
    assert left["attainment"] == counted["attainment"] - 1


def test_errors_are_those_of_prediction_against_cell(run: Run, made: WhatIf) -> None:
    """A prediction that is twice what was measured is off by 100 %, and outside of its interval."""
    point, summary = _at(run)
    assert summary.rates is not None
    assert summary.rates.goodput_per_s is not None
    double = replace(
        point.goodput_per_s, mean=2 * summary.rates.goodput_per_s, low=1.9 * summary.rates.goodput_per_s
    )
    only = replace(made.loads[0], points=(replace(point, goodput_per_s=double),))
    found = {one.measure: one for one in errors(run, replace(made, loads=(only,)))}
    assert found["goodput_per_s"].median == pytest.approx(1.0)
    assert (found["goodput_per_s"].n, found["goodput_per_s"].inside) == (1, 0)


def test_another_objective_has_none(run: Run) -> None:
    """It was predicted for the run's own, and that is said."""
    other = judged(run, SLO.parse("ttft<=90ms,attainment>=0.9"))
    assert other.what_if is None
    assert what_if_section(other) is None
    assert any("what-if is left out" in problem for problem in other.problems)


def test_without_a_calibration_there_is_no_section(tmp_path: Path) -> None:
    """Nor where the file is damaged, or holds no whole grid: the page says so or is as ever."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=6)
    assert 'id="what-if"' not in page.render(load(root))
    (root / "what_if.json").write_text("{")
    damaged = load(root)
    assert 'id="what-if"' not in page.render(damaged)
    assert any("what_if.json is damaged" in problem for problem in damaged.problems)


def test_half_a_grid_is_none(run_dir: Path, made: WhatIf, tmp_path: Path) -> None:
    """A point that is missing under one load would put the others in its place."""
    torn = replace(made, loads=(replace(made.loads[0], points=made.loads[0].points[1:]), *made.loads[1:]))
    (tmp_path / "run.json").write_bytes((run_dir / "run.json").read_bytes())
    (tmp_path / "cells").mkdir()
    codec.write(tmp_path / "what_if.json", torn)
    assert what_if_section(load(tmp_path)) is None
