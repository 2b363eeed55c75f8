"""Judging a run by another objective inside the page: the same numbers as `python -m reports RUN --slo …`."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.decide.recommendation import recommend
from experiments.decide.recommended_files import save
from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.reading import read_run
from loadtests.look.palette import COOL
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.slo import SLO
from reports import figures, numbers, page, tables
from reports.__main__ import main
from reports.answer import LoadLine, answer, load_words
from reports.cells import line
from reports.judged import judged
from reports.rows import CellRow, rows_of
from reports.run import Run, load
from tests import browser
from tests.browser import Page
from tests.reports.synthetic_race import write_race
from tests.reports.synthetic_run import LOADS, OBJECTIVE, SETTINGS, write_run
from tests.reports.test_browser import CONTRAST, WIDTH

pytestmark = pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")

STATE = (Path(__file__).parent / "judging_page.js").read_text()
MOVED = "document.documentElement.classList.contains('moved')"
FIELDS = {"ttft_s": 1e3, "tpot_s": 1e3, "e2e_s": 1.0, "attainment": 100.0}
# The two bounds of the run's own objective, one alone, all three, none but a late one, and no limit at some.
OBJECTIVES = (
    "ttft<=120ms,tpot<=60ms,attainment>=0.95",
    "ttft<=500ms,tpot<=31.4ms,attainment>=0.95",
    "ttft<=500ms,tpot<=60ms,e2e<=900ms,attainment>=0.95",
    "ttft<=500ms,tpot<=60ms,attainment>=0.6",
    "ttft<=87.3ms,attainment>=0.9",
    "tpot<=27ms,attainment>=0.99",
    "e2e<=1.07s,attainment>=0.8",
    "ttft<=333ms,tpot<=29.1ms,e2e<=1.25s,attainment>=0.75",
    "ttft<=250ms,e2e<=777ms,attainment>=0.5",
    "tpot<=40ms,e2e<=1s,attainment>=1",
    "ttft<=2s,tpot<=100ms,e2e<=30s,attainment>=0.999",
    "ttft<=61ms,tpot<=35ms,e2e<=801ms,attainment>=0.845",
    "ttft<=1ms,attainment>=0.95",
)


@pytest.fixture(scope="module", params=[1, 3, 0], ids=["one block", "three blocks", "unequal"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Settings at two loads; with three blocks intervals are over blocks, and one cell is invalid. And a run
    without all cells, of unequal windows, with some that confirm the choice.
    """
    root = tmp_path_factory.mktemp("runs") / f"blocks{request.param}"
    if not request.param:
        return load(write_race(root))
    settings = SETTINGS if request.param == 1 else SETTINGS[::2]
    write_run(root, settings=settings, measure_s=20, blocks=request.param)
    if request.param == 3:
        _spoil(root, next(cell.id for cell in read_run(root).cells if cell.id.endswith("--b1")))
    return load(root)


def _spoil(run: Path, cell: str) -> None:
    """Stamp a cell invalid, and recommend anew."""
    path = run / "cells" / cell / "summary.json"
    doubt = Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, "the generator was late")
    codec.write(path, replace(codec.read(CellSummary, path), doubts=(doubt,)))
    save(run, recommend(run, OBJECTIVE))


@pytest.fixture(scope="module")
def address(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where its report lies."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.render(run))
    return path.as_uri()


def _in_browser(do: Callable[[Page], Awaitable[Any]]) -> Any:
    """Do something in a fresh browser at desk width, which must stay silent."""

    async def visit() -> Any:
        async with browser.page() as tab:
            await tab.look(1440, 900)
            found = await do(tab)
            assert tab.complaints == []
            return found

    return asyncio.run(visit())


async def _type(tab: Page, slo: SLO) -> Any:
    """Put an objective into the fields, and see the page."""
    for name, scale in FIELDS.items():
        value = getattr(slo, name)
        text = "" if value is None else f"{value * scale:.6g}"
        field = f"document.getElementById('judge-{name}')"
        await tab.run(f"{field}.value = '{text}'; {field}.dispatchEvent(new Event('input'))")
    return await tab.run(STATE)


def _heat(run: Run, what: str) -> dict[str, Any]:
    """Texts, shades and values of a heat map as the figure has them."""
    grid = figures.grid(run.naming.columns(run.matrix), run.latency, what)
    show = numbers.significant if what == "goodput_per_s" else numbers.percent
    usable = grid.loc[grid["valid"], "value"].dropna()
    low, high = float(usable.min()), float(usable.max())
    shares = [(value - low) / (high - low) if high > low else 0.0 for value in grid["value"]]
    return {
        # A fitted mean differs in its last digit from the sum of its weighed values: both sides of a tie
        # are right.
        "texts": [{show(value * (1 + off)) for off in (-1e-12, 0.0, 1e-12)} for value in grid["value"]],
        "fills": [f"var(--cool{min(int(share * len(COOL)), len(COOL) - 1)})" for share in shares],
        "values": [float(value) for value in grid["value"]],
    }


def _expected(run: Run) -> dict[str, Any]:
    """What a page of this run shows."""
    recommended = answer(run)
    rows = {row[0].link: (row[2], row[3]) for row in tables.overview(run).rows}
    return {
        "goodput": _heat(run, "goodput_per_s"),
        "attainment": _heat(run, "attainment"),
        "cells": {
            link: [[entry.text, entry.small, entry.value, entry.tone == "good"] for entry in entries]
            for link, entries in rows.items()
        },
        "best": f"Best setting: {recommended.words}.",
        "under": [
            [_where(at), at.goodput, f"{at.attainment} {'meets' if at.meets else 'misses'}"]
            for at in recommended.under
        ],
        "lines": {f"#{tables.anchor(row.cell)}": line(row) for row in rows_of(run.cells, CellRow)},
    }


def _where(at: LoadLine) -> str:
    """What took no part in the choice is said to; else the cells of the choice are told, which are counted
    above.
    """
    return f"{at.load} {at.stretches}" if "no part" in at.stretches else at.load


def _compare(shown: Any, run: Run, slo: SLO) -> None:
    again = judged(run, slo)
    expected = _expected(again)
    for what in ("goodput", "attainment"):
        assert shown[what]["fills"] == expected[what]["fills"], (str(slo), what)
        for text, right in zip(shown[what]["texts"], expected[what]["texts"], strict=True):
            assert text in right, (str(slo), what)
        found = [float(value) for value in shown[what]["values"]]
        assert found == pytest.approx(expected[what]["values"], rel=1e-12)
    cells = {
        link: [[text, small, float(value), good] for text, small, value, good in entries]
        for link, entries in shown["cells"].items()
    }
    for link, entries in expected["cells"].items():
        for entry, other in zip(cells[link], entries, strict=True):
            assert entry == [other[0], other[1], pytest.approx(other[2], rel=1e-15), other[3]], str(slo)
    assert shown["lines"] == expected["lines"]
    if any(expected["goodput"]["values"]):
        assert shown["best"] == expected["best"], str(slo)
        assert shown["under"] == expected["under"]
        grid = figures.grid(again.naming.columns(again.matrix), again.latency, "goodput_per_s")
        framed = {grid["setting"][at] for at in shown["goodput"]["framed"]}
        assert framed == {answer(again).words}
    else:
        assert "No setting is the best." in shown["answer"]


def test_every_number_is_that_of_the_command(run: Run, address: str) -> None:
    """A dozen other objectives: cells, matrix, lines and the best setting are exactly those of `--slo`."""

    async def move(tab: Page) -> list[Any]:
        await tab.open(address)
        return [await _type(tab, SLO.parse(text)) for text in OBJECTIVES]

    for text, shown in zip(OBJECTIVES, _in_browser(move), strict=True):
        assert shown["moved"]
        assert set(shown["said"]) == {str(SLO.parse(text))}
        assert shlex.split(shown["command"])[-1] == str(SLO.parse(text))
        assert shown["goodput"]["own"] == 0
        _compare(shown, run, SLO.parse(text))


def test_back_at_the_run_s_own_objective_the_page_is_as_it_was(run: Run, address: str) -> None:
    """By the button, by typing the own limits again, and on paper while limits are moved."""

    async def come_and_go(tab: Page) -> list[Any]:
        await tab.open(address)
        states = [await tab.run(STATE)]
        moved = await _type(tab, SLO.parse(OBJECTIVES[0]))
        await tab.look(794, 1123, paper=True)
        await tab.until(f"!{MOVED}")
        states.append(await tab.run(STATE))
        await tab.look(1440, 900)
        await tab.until(MOVED)
        assert await tab.run(STATE) == moved
        await tab.run("document.getElementById('judge-reset').click()")
        states.append(await tab.run(STATE))
        await _type(tab, SLO.parse(OBJECTIVES[0]))
        states.append(await _type(tab, OBJECTIVE))
        return states

    first, *others = _in_browser(come_and_go)
    assert not first["moved"]
    assert all(state == first for state in others)
    own = _expected(run)
    texts = zip(first["goodput"]["texts"], own["goodput"]["texts"], strict=True)
    assert all(text in right for text, right in texts)
    assert first["goodput"]["own"] > 0


CLASSES = parse_mix("chat=64x24:0.7@alice,batch=64x24:0.3@bob")
OF_CLASSES = SLO.parse(
    "ttft<=500ms,attainment>=0.95;chat:ttft<=500ms,tpot<=60ms,attainment>=0.95;batch:e2e<=2s,attainment>=0.5"
)
MOVED_CLASSES = (
    {"chat": "ttft<=120ms,tpot<=60ms,attainment>=0.9"},
    {"batch": "ttft<=90ms,e2e<=900ms,attainment>=0.8"},
    {"chat": "ttft<=87.3ms,attainment>=0.5", "batch": "tpot<=27ms,attainment>=0.2"},
    {"chat": "e2e<=1.07s,attainment>=0.3", "batch": "ttft<=2s,attainment>=0.99"},
)


@pytest.fixture(scope="module")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two load classes, each with an objective of its own."""
    root = tmp_path_factory.mktemp("mixed") / "run"
    return load(write_run(root, settings=SETTINGS[::2], slo=OF_CLASSES, mix=Mix(classes=CLASSES), blocks=3))


def _by_class(at: LoadLine, again: Run) -> str:
    """`97 % misses (batch)`."""
    assert again.recommendation is not None
    one = next(one for one in again.recommendation.loads if load_words(one) == at.load)
    missed = [of.name for of in one.classes if not of.met]
    verdict = f"misses ({', '.join(missed)})" if missed else "meets"
    return f"{at.attainment} {verdict}"


def test_the_limits_of_one_load_class_move_and_every_number_follows(mixed_run: Run, tmp_path: Path) -> None:
    """Each request is judged by the bounds of its class, whichever class is moved: the numbers are those of
    the command with that objective, and so is the setting where the classes rule one out."""
    path = tmp_path / "report.html"
    path.write_text(page.render(mixed_run))

    async def move(tab: Page) -> list[Any]:
        seen = []
        for moved in MOVED_CLASSES:
            await tab.open(path.as_uri())
            for name, text in moved.items():
                at = [name for name, _ in OF_CLASSES.classes].index(name)
                select = "document.getElementById('judge-class')"
                await tab.run(f"{select}.selectedIndex = {at}; {select}.dispatchEvent(new Event('change'))")
                await _type(tab, SLO.parse(text))
            seen.append(await tab.run(STATE))
        return seen

    for moved, shown in zip(MOVED_CLASSES, _in_browser(move), strict=True):
        own = {name: SLO.parse(moved[name]) if name in moved else slo for name, slo in OF_CLASSES.classes}
        slo = replace(OF_CLASSES, classes=tuple(own.items()))
        assert shown["moved"]
        assert shlex.split(shown["command"])[-1] == str(slo)
        again = judged(mixed_run, slo)
        under = [[at.load, at.goodput, _by_class(at, again)] for at in answer(again).under]
        assert shown["under"] == under, str(slo)
        _compare({**shown, "under": _expected(again)["under"]}, mixed_run, slo)


@pytest.mark.parametrize("text", OBJECTIVES[:4])
def test_each_control_alone_changes_what_follows(run: Run, text: str) -> None:
    """The objectives that move one control only differ from the run's own in what the page shows: so a
    control that the script ignored would fail the comparison above.
    """
    slo, own = SLO.parse(text), _expected(run)
    assert sum(getattr(slo, name) != getattr(OBJECTIVE, name) for name in FIELDS) == 1
    changed = _expected(judged(run, slo))
    assert changed["cells"] != own["cells"]


SLIDER = "document.getElementById('judge-ttft_s-slider')"
SLID = f"""[{SLIDER}.getAttribute('aria-valuetext'), document.getElementById('judge-ttft_s').value,
  document.getElementById('judge-command').textContent]"""
LABELLED = "[...document.querySelectorAll('#judge input')].every((at) => at.labels.length || at.ariaLabel)"
LIVE = "document.getElementById('judge-answer').getAttribute('aria-live')"
KEYS = {"ArrowLeft": 37, "End": 35}


def test_the_keyboard_moves_a_slider_and_the_answer_is_announced(address: str) -> None:
    """A stop of the slider is a bound of two digits; it says its value, the field follows, and the last one
    is no limit at all.
    """

    async def press(tab: Page) -> list[Any]:
        await tab.open(address)
        await tab.run(f"{SLIDER}.focus()")
        seen = []
        for key, code in KEYS.items():
            for kind in ("keyDown", "keyUp"):
                await tab.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)
            seen.append(await tab.run(SLID))
        return [*seen, await tab.run(LIVE), await tab.run(LABELLED)]

    (left, typed, command), (end, empty, unlimited), live, labelled = _in_browser(press)
    assert (left, typed) == ("490ms", "490")
    assert "ttft<=490ms" in command
    assert (end, empty) == ("no limit", "")
    assert "ttft" not in unlimited
    assert live == "polite"
    assert labelled is True


def test_moved_limits_are_readable_and_stay_inside_the_page(address: str) -> None:
    """At phone and desk width, light and dark: contrast as WCAG AA asks, and nothing sticks out sideways."""

    async def visit(tab: Page) -> list[Any]:
        found = []
        for width_px, dark in ((1440, False), (390, True)):
            await tab.look(width_px, 900, dark=dark)
            await tab.open(address)
            await _type(tab, SLO.parse(OBJECTIVES[0]))
            found.append([max(0, await tab.run(WIDTH) - width_px), await tab.run(CONTRAST)])
        return found

    assert _in_browser(visit) == [[0, []], [0, []]]


def test_without_the_script_there_are_no_controls(address: str) -> None:
    """The page is then what it always was."""

    async def visit(tab: Page) -> Any:
        await tab.ask("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(address)
        heights = "(at) => at.getBoundingClientRect().height"
        return await tab.run(f"[...document.querySelectorAll('#judge, .when-moved')].map({heights})")

    assert set(_in_browser(visit)) == {0}


def test_the_command_judges_a_run_by_another_objective(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own file, the objective on top; the run's own report is left alone."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:2], loads=LOADS[:1], measure_s=8)
    text = "ttft<=90ms,attainment>=0.9"
    assert main([str(root), "--slo", text, "--no-data"]) == 0
    target = root / "report-slo.html"
    assert capsys.readouterr().out == f"{target}\n"
    shown = target.read_text()
    assert "Judged by another objective" in shown
    assert f"SLO <code>{text.replace('<', '&lt;').replace('>', '&gt;')}</code>" in shown
    assert not (root / "report.html").exists()
    assert main([str(root), "--slo", "fast"]) == 2
    assert "SLO term 'fast'" in capsys.readouterr().err
