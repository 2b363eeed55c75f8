"""How it was decided: the race of a run, drawn, in a table and in sentences."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.run_folder import codec
from experiments.run_folder.race_story import EngineRace, RaceEnd, RaceStory
from experiments.spec.setting import Setting
from loadtests.slo import SLO
from reports import figures, labels, page, tables
from reports.drawing import Bars
from reports.figures.race import led
from reports.judged import judged
from reports.race import race_sections
from reports.run import Run, load
from tests import browser
from tests.reports import reading
from tests.reports.synthetic_race import BEST, LEFT, RUNNER_UP, story, write_race
from tests.reports.test_browser import CONTRAST, WIDTH

WORDS = {one.name: labels.setting(one) for one in (LEFT, RUNNER_UP, BEST)}
RIGHT = "document.getElementById('race').scrollWidth"
MOVE = """(() => { const field = document.getElementById('judge-ttft_s');
  field.value = '300'; field.dispatchEvent(new Event('input'));
  return document.getElementById('judge-answer').textContent; })()"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run as a race leaves it, its story beside it."""
    root = write_race(tmp_path_factory.mktemp("runs") / "raced")
    codec.write(root / "race.json", story())
    return load(root)


def _raced(end: RaceEnd = RaceEnd.BUDGET) -> EngineRace:
    return story(end).races[0]


def _said(run: Run, raced: EngineRace) -> str:
    told = replace(run, whole=replace(run.whole, race=RaceStory((raced,))))
    return " ".join(race_sections(told)[0].sentences)


def test_bars_end_where_their_settings_left(run: Run) -> None:
    """The one that was taken first, then who stayed; the nearer to the leader's score, the darker."""
    bars, sure = figures.race(_raced(), WORDS).panels
    assert bars.y.names == [WORDS[one.name] for one in (BEST, RUNNER_UP, LEFT)]
    drawn = [mark for mark in bars.marks if isinstance(mark, Bars)]
    assert [bar.length for bar in drawn] == [[5.0], [5.0], [1.5]]
    assert [bar.role for bar in drawn] == ["cool6", "cool6", "cool1"]
    ((x, y),) = [(line.x, line.y) for line in sure.lines if line.width]
    assert np.asarray(x).tolist() == [0.5, 1.5, 3.0, 5.0, 5.0]
    assert np.asarray(y).tolist() == [0.0, 0.41, 0.73, 0.88, 0.88]


def test_a_setting_led_from_the_look_that_says_so_to_the_next_that_does_not() -> None:
    """Two looks with the same leader are one span."""
    looks = _raced().looks
    assert led(looks, BEST.name) == [(180.0, 300.0)]
    assert led(looks, RUNNER_UP.name) == [(90.0, 180.0)]
    assert led(looks, LEFT.name) == []
    assert led((), BEST.name) == []


def test_the_table_says_how_far_each_came_and_what_it_would_still_take() -> None:
    """Stretches by load, the score over the leader's with its interval, when it left and why."""
    table = tables.places(_raced(), WORDS, "engine")
    heads = [head.text for head in table.heads]
    rows = {row[0].text: dict(zip(heads, row, strict=True)) for row in table.rows}
    left, near, best = (rows[WORDS[one.name]] for one in (LEFT, RUNNER_UP, BEST))
    assert [left["sustained@0.3x"].text, left["sustained@1.25x"].text] == ["–", "1"]
    assert (left["Measured until"].text, left["Measured until"].small) == ("90.0 s", "left: surely worse")
    assert (near["Score / leader's"].text, near["Score / leader's"].small) == ("98.5 %", "94.0–103.0 %")
    assert near["Better by > 2 %"].text == "12.0 %"
    assert near["Time to tell"].text == "about 13 min"
    assert best["Measured until"].small == "taken"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (RaceEnd.SEPARATED, "that was sure enough"),
        (RaceEnd.BUDGET, "its time was used up"),
        (RaceEnd.ROUNDS, "differ by less than can be seen"),
        (RaceEnd.NOTHING, "Nothing that can be used"),
    ],
)
def test_why_it_ended_and_what_was_not_told_apart_is_said(run: Run, end: RaceEnd, words: str) -> None:
    """With the time that would tell; one that no time would tell says so."""
    said = _said(run, _raced(end))
    assert words in said
    assert "1 of 3 settings left as surely worse" in said
    near = run.naming.of(RUNNER_UP)
    assert f"Not told apart from the leader: {near} (about 13 min more would tell)." in said
    never = tuple(replace(one, further_s=None) for one in _raced().places)
    assert "too close for more measuring to tell" in _said(run, replace(_raced(end), places=never))


def test_a_race_without_looks_or_settings_is_a_sentence(run: Run) -> None:
    """Whatever a killed run left."""
    none = replace(_raced(RaceEnd.NOTHING), looks=(), places=(), winner=None)
    assert "Nothing that can be used" in _said(run, none)
    assert figures.race(none, {}).words[0].text == "Nothing was judged in this race."


def test_a_run_that_was_no_race_has_no_such_section(run: Run) -> None:
    """Nor one that is judged by another objective than the race's."""
    without = replace(run, whole=replace(run.whole, race=None))
    assert "How it was decided" not in page.render(without)
    again = judged(run, SLO.parse("ttft<=300ms,attainment>=0.9"))
    assert race_sections(again) == []
    assert any("How the race went is left out" in problem for problem in again.problems)


def test_a_story_that_cannot_be_read_is_a_problem(run: Run, tmp_path: Path) -> None:
    """The rest of the report stands."""
    root = write_race(tmp_path / "broken")
    (root / "race.json").write_text('{"races": 3')
    broken = load(root)
    assert any("race.json" in problem for problem in broken.problems)
    assert race_sections(broken) == []


@pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")
def test_the_section_in_a_browser(run: Run, tmp_path: Path) -> None:
    """Silent, readable, inside the page at every width; under moved limits the page says what it does not
    do.
    """
    path = tmp_path / "report.html"
    path.write_text(page.render(run))
    assert run.naming.of(RUNNER_UP) in reading.by_id(reading.read(path.read_text()), "race").text

    async def visit() -> tuple[list[list[object]], str]:
        async with browser.page() as tab:
            found: list[list[object]] = []
            for width_px, dark, paper in ((1440, False, False), (390, True, False), (794, False, True)):
                await tab.look(width_px, 900, dark=dark, paper=paper)
                await tab.open(path.as_uri())
                shown = await tab.run("document.getElementById('race').getBoundingClientRect().height")
                wide = await tab.run(RIGHT if paper else WIDTH) - width_px
                found.append([shown > 200, max(0, wide), [] if paper else await tab.run(CONTRAST)])
            await tab.look(1440, 900)
            moved = await tab.run(MOVE)
            assert tab.complaints == []
            return found, moved

    found, moved = asyncio.run(visit())
    assert found == [[True, 0, []]] * 3
    assert "not drawn anew" in moved
    assert "cannot tell from it" not in moved


def test_settings_come_in_the_order_of_their_end() -> None:
    """The last to leave before the first; without a winner the best of those that stayed is on top."""
    raced = _raced()
    early = replace(raced.places[0], left_at=1)
    order = figures.in_order(replace(raced, winner=None, places=(early, *raced.places)))
    assert [one.left_at for one in order] == [None, None, 2, 1]
    settings: list[Setting] = [one.setting for one in order[:2]]
    assert settings == [BEST, RUNNER_UP]
