"""The page /llm as a person uses it, by mouse and keys: from Locust's first screen to a second run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loadtests.recording.run_folder import RunFolder
from tests import axe, browser
from tests.browser import Page
from tests.loadtests.harness import upstream
from tests.loadtests.web.test_web_ui import OUTSIDE, get, web_ui

pytestmark = pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")

HASH = "document.querySelector('#preview')?.dataset.hash"
LIVE = "!document.querySelector('#live').hidden"
ENDED = "!document.querySelector('#next').hidden"
PICTURES = "PAGE_PICTURES"
"""Names a folder for pictures of every state; they take ten seconds."""
SECOND_RUN = {"rate": "20", "warmup": "0", "duration": "1", "output_tokens": "4"}


@dataclass
class Seen:
    """What there was on the page during the visit."""

    url: str = ""
    runs: Path = Path()
    hashes: list[str] = field(default_factory=list)
    wrong: dict[str, list[Any]] = field(default_factory=dict)
    rows: int = 0
    target: str = ""
    live: str = ""
    ended: str = ""
    faults: dict[str, list[str]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    outside: int = -1
    wide: dict[str, int] = field(default_factory=dict)


async def look(page: Page, seen: Seen, name: str, folder: Path | None) -> None:
    """Whether the state is wider than the window, in both sizes and themes; pictures, where wanted."""
    for width in (1440, 390):
        for dark in (False, True):
            await page.look(width, 900, dark=dark)
            await page.run("new Promise(requestAnimationFrame)")
            picture = f"{name}-{width}-{'dark' if dark else 'light'}"
            if folder is not None:
                (folder / f"{picture}.png").write_bytes(await page.png())
            seen.wide[picture] = await page.run(f"document.documentElement.scrollWidth - {width}")
    await page.look(1440, 900)


async def unfold_and_check(page: Page, seen: Seen, name: str) -> None:
    """Everything that is folded away is opened; then axe looks, where it can be had."""
    await page.run("document.querySelectorAll('details').forEach(fold => { fold.open = true; }); true")
    with contextlib.suppress(pytest.skip.Exception):
        seen.faults[name] = await axe.grave_faults(page)


async def say_wrong(page: Page, name: str, value: str) -> list[Any]:
    """Type a wrong value: what its field says, whether it is marked, whether Start can be pressed."""
    await page.type(f"#field-{name}", value)
    await page.until(f"!document.querySelector('#wrong-{name}').hidden")
    return list(
        await page.run(
            f"[document.querySelector('#wrong-{name}').innerText, "
            f"document.querySelector('#field-{name}').getAttribute('aria-invalid'), "
            "document.querySelector('#start').disabled]"
        )
    )


async def visit(seen: Seen, pictures: Path | None) -> None:
    async with browser.page() as page:
        await page.look(1440, 900)
        await page.open(seen.url)
        # The first three presses of a person who wants a burst.
        await page.click("#headroom")
        await page.until("!!document.querySelector('input[value=burst]')")
        page.complaints.clear()  # those of Locust's own page are not ours
        await page.click("input[value=burst]")
        seen.hashes.append(await page.until(HASH))
        await look(page, seen, "plan", pictures)
        await page.click("#start")
        await page.until(LIVE)
        await page.until("document.querySelectorAll('#live path[data-line]').length >= 4")
        await page.until("document.querySelector('#live progress').value >= 10")
        seen.target = await page.run("document.querySelector('#target').innerText")
        await page.until("document.querySelector('#figures').innerText.includes('in SLO')")
        seen.live = await page.run("document.querySelector('#live').innerText")
        await look(page, seen, "live", pictures)
        await page.click("#stop")
        await page.until(ENDED)
        seen.ended = await page.run("document.querySelector('#live').innerText")
        await look(page, seen, "ended", pictures)
        await unfold_and_check(page, seen, "ended")
        await page.click("#next")
        for name, value in (("rate", "abc"), ("rate", "0"), ("period_s", "2"), ("slo", "fast")):
            seen.wrong[f"{name}={value}"] = await say_wrong(page, name, value)
            if value == "0":
                await look(page, seen, "wrong", pictures)
                await unfold_and_check(page, seen, "wrong")
            await page.type(f"#field-{name}", {"rate": "8", "period_s": "20", "slo": "ttft<=1s"}[name])
            await page.until(f"document.querySelector('#wrong-{name}').hidden")
        for name, value in SECOND_RUN.items():
            await page.type(f"#field-{name}", value)
        seen.hashes.append(await page.until(HASH))
        await page.click("#start")
        await page.until(f"{LIVE} && {ENDED}")
        await page.until("document.querySelectorAll('#history tbody tr').length === 2")
        seen.rows = await page.run("document.querySelectorAll('#history tbody tr').length")
        seen.outside = await page.run(OUTSIDE)
        seen.complaints = page.complaints


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One stack and one browser for all that is asked here; the stack still runs while it is asked."""
    folder = tmp_path_factory.mktemp("door")
    with (
        upstream(folder, ttft_s=0.05, gap_s=0.02) as server,
        web_ui(folder, server.url, "--rate", "8") as (url, runs),
    ):
        seen = Seen(url, runs)
        wanted = os.environ.get(PICTURES)
        asyncio.run(visit(seen, Path(wanted) if wanted else None))
        yield seen


def plans(seen: Seen) -> list[str]:
    """The hashes of the plans that were sent, in the order of the runs."""
    folders = sorted(seen.runs.glob("*/cells/load"), key=lambda path: (path / "plan.json").stat().st_mtime_ns)
    return [RunFolder(path).plan().hash for path in folders]


def test_three_presses_start_a_burst_and_what_was_drawn_is_sent(seen: Seen) -> None:
    """Both runs have the plan that the page showed before."""
    assert plans(seen) == seen.hashes
    assert len(set(seen.hashes)) == 2
    first = min(seen.runs.glob("*/cells/load"))
    assert RunFolder(first).load()["scenario"] == "burst"
    assert RunFolder(first).load()["ended"] == "stopped"
    assert seen.rows == 2


def test_a_wrong_value_is_told_at_its_field(seen: Seen) -> None:
    """In the words of the server's own check, marked for a screen reader, and Start waits."""
    assert seen.wrong == {
        "rate=abc": ["must be a number", "true", True],
        "rate=0": ["must be > 0 requests per second", "true", True],
        "period_s=2": ["must be > burst_s (5.0 s)", "true", True],
        "slo=fast": [
            "SLO term 'fast': must be ttft<=TIME, ttfv<=TIME, tpot<=TIME, e2e<=TIME, session<=TIME "
            "(in ms or s) or attainment>=SHARE",
            "true",
            True,
        ],
    }


def test_the_page_is_quiet_and_fits(seen: Seen) -> None:
    """Nothing on the console, nothing from elsewhere, nothing wider than the window."""
    assert seen.complaints == []
    assert seen.outside == 0
    assert {name: over for name, over in seen.wide.items() if over > 0} == {}


def test_axe_finds_nothing_grave(seen: Seen) -> None:
    """Neither on the form, with a wrong value and every fold open, nor on a run, in both themes."""
    if not seen.faults:
        pytest.skip("axe-core is not here, and no npm to fetch it")
    assert seen.faults == {"ended": [], "wrong": []}


def test_the_target_tells_model_and_limits(seen: Seen) -> None:
    """Before anything is sent."""
    assert "model scripted-model · 6 slots, queue of 20" in seen.target


def test_the_run_is_shown_while_it_goes_on_and_in_the_end(seen: Seen) -> None:
    """The numbers that decide, each with what there is of it; a quantile of few samples is none."""
    for words in (
        "in SLO",
        "goodput",
        "TTFT p95",
        "output tokens per second",
        "in flight",
        "own lag",
        "n too small",
    ):
        assert words in seen.live, words
        assert words in seen.ended, words
    assert "not_sent" in seen.ended
    assert not {"undefined", "NaN", "null"} & set(re.findall(r"\w+", seen.live + seen.ended))


def ask(url: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    content = None if form is None else urllib.parse.urlencode(form).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, content, named), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["/swarm", "/stop", "/llm/plan", "/stats/reset", "/user"])
def test_orders_of_another_site_are_refused(seen: Seen, path: str) -> None:
    """As a browser marks them; a program without these headers may order."""
    other = {"Origin": "http://example.com"}
    assert ask(seen.url + path, {}, **other)[0] == 403
    assert ask(seen.url + path, {}, Sec_Fetch_Site="cross-site", Origin=seen.url)[0] == 403
    own = {"Origin": seen.url, "Sec_Fetch_Site": "same-origin"}
    assert ask(seen.url + "/llm/plan", {"rate": "0"}, **own)[0] == 200


def test_another_site_cannot_read_either_but_may_link(seen: Seen) -> None:
    """Locust allows every page to read its answers; ours have folder names and addresses in them."""
    assert ask(f"{seen.url}/llm/history.json", Origin="http://example.com")[0] == 403
    assert ask(f"{seen.url}/llm", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


def test_a_start_with_another_plan_than_the_one_shown_is_refused(seen: Seen) -> None:
    """E.g. a trace file that was changed since."""
    status, answer = ask(f"{seen.url}/swarm", {"scenario": "constant", "plan_hash": "0" * 64})
    assert (status, json.loads(answer)["success"]) == (200, False)
    assert "another plan than the one shown" in json.loads(answer)["message"]


def test_the_history_never_leaves_its_folder(seen: Seen) -> None:
    """Only files that it knows by name, of runs that lie in it; nothing through `..` or a link."""
    secret = seen.runs.parent / "secret"
    (secret / "cells" / "load").mkdir(parents=True, exist_ok=True)
    (secret / "cells" / "load" / "load.json").write_text("{}")
    link = seen.runs / "link"
    if not link.exists():
        link.symlink_to(secret)
    (run, _) = (row["name"] for row in get(f"{seen.url}/llm/history.json")["runs"])
    assert ask(f"{seen.url}/llm/runs/{run}/load.json")[0] == 200
    for path in ("../secret/load.json", "..%2Fsecret/load.json", "%2e%2e/load.json", "link/load.json",
                 f"{run}/../../secret/load.json", f"{run}/report.html", f"{run}/.records.worker-0.jsonl",
                 f"{run}%2Fcells/load.json", "./load.json"):  # fmt: skip
        assert ask(f"{seen.url}/llm/runs/{path}")[0] == 404, path


def test_a_plan_that_is_too_large_for_the_page_is_told(seen: Seen) -> None:
    """It would keep the page, and the machine's only generator, busy for minutes."""
    answer = json.loads(ask(f"{seen.url}/llm/plan", {"rate": "1e6", "duration": "1e4"})[1])
    assert answer["plan"] is None
    assert answer["problem"]["field"] == "rate"
    assert "at most 200,000" in answer["problem"]["reason"]
