"""`headroom explain`: the right cause for planted incidents, and silence where nothing happened."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pytest

from experiments.errors import UndecidedError, UserError
from gateway import record_row
from headroom.commands import COMMANDS
from loadtests.traffic.segments import Span
from reports.explain import answer, stretches, when
from reports.explain.__main__ import main
from reports.explain.cause import Cause
from reports.explain.observed import change
from reports.explain.signal import Signal
from tests import axe, browser
from tests.reports import reading as pages
from tests.reports.explaining import recorded, scenario
from tests.reports.explaining.incidents import INCIDENTS
from tests.reports.explaining.scenario import ZERO_UNIX_S, Scenario

NOON_S = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def flood() -> Scenario:
    """A tenant that asks for far too much."""
    return scenario.planted(Cause.TENANT_FLOOD, 77)


@pytest.fixture(scope="module")
def folder(flood: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was recorded of it."""
    path = tmp_path_factory.mktemp("flood") / "recording"
    recorded.write(path, flood.scene.world, flood.scene.traffic, flood.scene.played, ZERO_UNIX_S)
    return path


def test_a_flood_is_explained_by_its_tenant(flood: Scenario, folder: Path, tmp_path: Path) -> None:
    """From the recording alone: cause, who, stage and percentiles; as text, JSON and a page that says the
    same, and what could not be looked at."""
    found = answer.of(folder, None, flood.asked, flood.now_s, ("headroom", "explain"))
    first = found.judgement.causes[0]
    offered = Counter(flood.scene.traffic.lane[flood.scene.inside].tolist())
    usual = Counter(flood.scene.traffic.lane[~flood.scene.inside].tolist())
    grew = max(offered, key=lambda lane: offered[lane] / usual[lane])
    assert (first.cause, first.who) == (Cause.TENANT_FLOOD, flood.scene.world.lanes[grew][0])
    text = answer.as_text(found)
    assert text.startswith("One tenant asked for far more than usual")
    assert "not looked at: Prometheus tells nothing of the GPU's clocks and memory" in text
    document = json.loads(answer.as_json(found))
    assert document["causes"][0]["cause"] == "tenant_flood"
    assert {one["stage"] for one in document["stages"]} == {"queue", "prefill", "decode"}
    assert any(one["moved"] and one["metric"] == "queue_s" for one in document["percentiles"])
    target = tmp_path / "why.html"
    answer.write_page(found, target)
    root = pages.read(target.read_text())
    rows = pages.by_id(root, "table-moved").all("tbody")[0].all("tr")
    assert len(rows) == len({(one["lane"], one["metric"]) for one in document["percentiles"]})
    assert "http" not in target.read_text().replace("http://www.w3.org", "")


@pytest.fixture(scope="module")
def address(flood: Scenario, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where its page lies."""
    target = tmp_path_factory.mktemp("page") / "why.html"
    answer.write_page(answer.of(folder, None, flood.asked, flood.now_s, ("headroom", "explain")), target)
    return target.as_uri()


@pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")
def test_the_page_in_a_browser(address: str) -> None:
    """It complains of nothing and sticks out nowhere, on a desk and on a phone."""

    async def look() -> list[object]:
        async with browser.page() as tab:
            found: list[object] = []
            for width_px, dark in ((1440, False), (390, True)):
                await tab.look(width_px, 900, dark=dark)
                await tab.open(address)
                found.append(await tab.run("document.documentElement.scrollWidth") <= width_px)
            return [*found, tab.complaints]

    assert asyncio.run(look()) == [True, True, []]


@pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")
def test_axe_finds_nothing_grave(address: str) -> None:
    """Nothing that shuts anybody out, in either theme."""

    async def look() -> list[str]:
        async with browser.page() as tab:
            await tab.look(1440, 900)
            await tab.open(address)
            return await axe.grave_faults(tab)

    assert asyncio.run(look()) == []


def test_an_ordinary_hour_is_nothing_unusual() -> None:
    """With both sources; and what changed in it is told as such."""
    seen, said = scenario.explained(scenario.quiet(78))
    assert said.headline == "Nothing unusual."
    assert not said.causes
    assert seen.unseen == ()


def test_the_command_line(folder: Path, flood: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                          capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """It prints, writes the page where it is told to, and takes a time in either form."""
    monkeypatch.setattr(time, "time", lambda: flood.now_s)
    begin, end = (
        datetime.fromtimestamp(at, UTC).isoformat() for at in (flood.asked.from_s, flood.asked.until_s)
    )
    target = tmp_path / "deep" / "page.html"
    words = ["--from", begin, "--to", end, "--recording", str(folder), "-o", str(target), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["causes"][0]["cause"] == "tenant_flood"
    assert target.exists()
    at = datetime.fromtimestamp(flood.asked.from_s + 600, UTC).isoformat()
    assert main(["--at", at, "--recording", str(folder), "--no-page"]) == 0
    assert capsys.readouterr().out.startswith("One tenant asked")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "25:00", "--recording", "."], "'25:00' is not a time such as"),
        (["--at", "noon", "--recording", "."], "'noon' is not a time such as"),
        (["--recording", "."], "which time"),
        (["--at", "12:00", "--from", "12:00", "--recording", "."], "--at goes alone"),
        (["--from", "2026-01-01T10:00Z", "--to", "2026-01-01T09:00Z"], "one minute to one day"),
        (["--at", "2999-01-01T00:00Z", "--recording", "."], "still to come"),
        (["--at", "12:00"], "nothing to look at"),
        (["--at", "12:00", "--recording", ".", "--prometheus-selector", 'a="b"'], "needs --prometheus-url"),
        (["--at", "12:00", "--recording", "no/such/folder"], "no/such/folder: No such file"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's, before anything is read."""
    monkeypatch.delenv("RECORD_DIR", raising=False)
    with pytest.raises(UserError, match=said):
        main(words)


def test_an_empty_recording_decides_nothing(tmp_path: Path) -> None:
    """Exit code 3, and why."""
    with pytest.raises(UndecidedError, match="holds no request of that time"):
        answer.of(tmp_path, None, Span(NOON_S, NOON_S + 900), NOON_S + 1000, ())


def test_times_are_the_last_that_were() -> None:
    """A clock time of this day, or of the day before where it has not come yet."""
    assert when.moment("11:30", NOON_S, UTC) == NOON_S - 1800
    assert when.moment("12:30:15", NOON_S, UTC) == NOON_S - 86_400 + 1815
    assert when.moment("2026-03-01T11:00:00+02:00", NOON_S, UTC) == NOON_S - 3 * 3600
    assert when.around("11:58", NOON_S, UTC) == Span(NOON_S - 120 - 600, NOON_S)


def test_other_days_are_compared_with_where_there_are_enough() -> None:
    """Three stretches of each; with two days only the hours around, without the neighbours."""
    asked, now_s = Span(NOON_S, NOON_S + 900), NOON_S + 3600
    days = stretches.around(asked, now_s, lambda span: span.from_s > NOON_S - 5 * 86_400)
    assert days.usual == "the same time on 4 other days"
    assert sorted(days.from_s[1:] - NOON_S)[:3] == [-4 * 86_400 + at for at in (-900, 0, 900)]
    hours = stretches.around(asked, now_s, lambda span: span.from_s > NOON_S - 2.5 * 86_400)
    assert sorted((hours.from_s[1:] - NOON_S) / 900) == [*range(-13, -1), 2, 3]
    assert len(hours.runs()) == 1


def test_a_change_is_measured_against_stretches_of_the_same_length() -> None:
    """Two bad bins of four beside means of two; unknown ones do not count."""
    values = np.array([[1.0, 9.0, 11.0, np.nan], [1, 1, 3, 3], [2, 2, np.nan, 2], [2, 2, 2, 2]])
    one = change(values, np.array([False, True, True, False]))
    assert (one.value, one.usual) == (10.0, 2.0)
    assert one.z > 10
    nothing = change(values, np.array([False, False, False, True]))
    assert not nothing.known
    assert np.isnan(nothing.z)


def test_it_is_a_command_and_every_signal_has_words() -> None:
    """What is looked at can be told."""
    assert "explain" in {command.name for command in COMMANDS}
    assert all(signal.words for signal in Signal)
    assert all(cause.words and cause.advice for cause in Cause)
    assert set(INCIDENTS) == set(Cause)


EVIDENCE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "explain.jsonl"


def test_what_is_claimed_is_in_the_evidence() -> None:
    """Of every kind at least five, in 85 % the right cause first; of 100 quiet windows at most three."""
    lines = [json.loads(line) for line in EVIDENCE.read_text().splitlines()]
    kinds = Counter(line["kind"] for line in lines)
    assert all(kinds[cause.value] >= 5 for cause in Cause)
    planted = [line for line in lines if line["kind"] != "quiet"]
    assert sum(line["first"] == line["kind"] for line in planted) >= 0.85 * len(planted)
    quiet = [line for line in lines if line["kind"] == "quiet"]
    assert len(quiet) >= 100
    assert sum(line["first"] is not None for line in quiet) <= 0.03 * len(quiet)


@pytest.mark.prove
@pytest.mark.parametrize("cause", list(Cause))
def test_every_kind_of_incident_is_found(cause: Cause) -> None:
    """Drawn anew, from seeds that neither the rules nor the evidence have seen; three of five."""
    seeds = range(9000, 9005)
    said = [scenario.explained(scenario.planted(cause, seed))[1] for seed in seeds]
    assert sum(bool(one.causes) and one.causes[0].cause is cause for one in said) >= 3


@pytest.mark.prove
def test_a_million_rows_are_read_and_judged_within_five_seconds(tmp_path: Path) -> None:
    """As tables, as a gateway's closed segments are."""
    from loadtests.traffic import table
    from loadtests.traffic.segments import LINES, TABLE

    folder = tmp_path / "recording"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for part in range(_PARTS):
        begin_s = ZERO_UNIX_S + part * _PART_S
        stamp = datetime.fromtimestamp(begin_s, UTC).strftime("%Y%m%dT%H%M%S.%f")
        path = folder / f"{stamp}Z-{part:06x}{LINES}"
        path.write_bytes(record_row.head("0" * 16, "0" * 12) + b"".join(_rows(rng, begin_s)))
        assert table.pack(path) == path.with_suffix(TABLE)
    end_s = ZERO_UNIX_S + _PARTS * _PART_S
    asked = Span(end_s - 1000, end_s)
    begin_s = time.process_time()
    found = answer.of(folder, None, asked, end_s, ())
    took_s = time.process_time() - begin_s
    assert found.observed.rows is not None
    assert found.observed.rows.rows > 900_000, "all but those of the skipped neighbour"
    print(f"{found.observed.rows.rows:,} rows judged in {took_s:.2f} s of CPU")
    assert took_s < 5


_PARTS, _PART_S = 4, 3500.0
"""A million rows in fourteen stretches of a thousand seconds."""


def _rows(rng: np.random.Generator, begin_s: float, count: int = 250_000) -> list[bytes]:
    at = np.sort(rng.uniform(0, _PART_S, count)) + begin_s
    numbers = rng.gamma(4, 0.1, (count, 3)).round(6).tolist()
    lengths = rng.integers(20, 900, (count, 2)).tolist()
    return [
        orjson.dumps(
            [
                round(at_s, 6), "chat", f"tenant{k % 7}/chat", f"s{k % 211:07d}", "ok", 200,
                4 * prompt + k % 300, 4 * prompt, 1, None, prompt, output, queue, first, queue + first,
                queue + first + decode * 5, queue + first + decode * 5, 1, f"{k % 50:08d}{k:08d}",
            ],
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for k, (at_s, (queue, first, decode), (prompt, output)) in enumerate(
            zip(at.tolist(), numbers, lengths, strict=True)
        )
    ]  # fmt: skip
