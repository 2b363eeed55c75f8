"""The page in a real browser: no complaint, no sideways scrolling, and the script does its work."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests import browser
from tests.browser import Page

pytestmark = pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")

OPEN_ALL = "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
WIDTH = "document.documentElement.scrollWidth"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
# The browser tells a page of a new hash in its own time.
SOON = """(is) => new Promise((done) => {
  const look = () => (is() ? done(true) : setTimeout(look, 10));
  setTimeout(() => done(false), 5000);
  look();
})"""
TABLE = "document.querySelector('#table-cells')"
FILTER = f"{TABLE}.closest('.scroll').previousElementSibling.querySelector('input')"


@pytest.fixture(scope="module")
def address(html: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the synthetic report lies."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html)
    return path.as_uri()


def _in_browser(do: Callable[[Page], Awaitable[Any]]) -> Any:
    """Do something in a fresh browser, which must stay silent: no console message, exception or log entry."""

    async def run() -> Any:
        async with browser.page() as page:
            found = await do(page)
            assert page.complaints == []
            return found

    return asyncio.run(run())


def test_nothing_sticks_out_sideways_in_silence(address: str) -> None:
    """At desk, tablet and phone width, folded and unfolded: wide tables and figures scroll inside themselves,
    the page does not, and the console stays empty.
    """

    async def widths(page: Page) -> dict[int, list[int]]:
        found = {}
        for width_px in (1440, 768, 390):
            await page.look(width_px, 900)
            await page.open(address)
            folded = await page.run(WIDTH)
            await page.run(OPEN_ALL)
            found[width_px] = [folded, await page.run(WIDTH)]
        return found

    found = _in_browser(widths)
    assert len(found) == 3
    assert all(max(shown) <= asked for asked, shown in found.items()), found


def test_the_script_adds_filters_sorting_and_tabs(address: str) -> None:
    """A filter hides rows, a click on a head sorts by the exact value, one panel of each group of tabs shows,
    and a deep link unfolds its cell. (Without the script the page is still whole.)
    """

    async def use(page: Page) -> dict[str, Any]:
        await page.look(1440, 900)
        await page.open(address)
        anchor = await page.run(f"{TABLE}.tBodies[0].rows[0].cells[0].querySelector('a').hash")
        await page.run(f"{FILTER}.value = 'slots, REJECT'")
        await page.run(f"{FILTER}.dispatchEvent(new Event('input'))")
        shown = await page.run(f"[...{TABLE}.tBodies[0].rows].filter((row) => !row.hidden).length")
        await page.run(f"{TABLE}.tHead.rows[0].cells[2].querySelector('button').click()")
        goodput = await page.run(f"[...{TABLE}.tBodies[0].rows].map((row) => Number(row.cells[2].dataset.v))")
        panels = "document.querySelectorAll('.panel:not([hidden])').length"
        tabs = await page.run(f"[{panels}, document.querySelectorAll('[role=tablist]').length]")
        await page.open(address + anchor)
        unfolded = await page.run(f"({SOON})(() => document.querySelector('{anchor}').open)")
        return {"shown": shown, "goodput": goodput, "tabs": tabs, "unfolded": unfolded}

    found = _in_browser(use)
    assert found["shown"] == 6
    assert found["goodput"] == sorted(found["goodput"])
    assert found["tabs"][0] == found["tabs"][1] > 1
    assert found["unfolded"] is True


def test_text_is_readable_in_both_themes(address: str) -> None:
    """Every visible text of the page and of its figures has the contrast that WCAG AA asks: 4.5, or 3 where
    it is large. (Colours of the palette are tested one by one too; this is what they become together.)
    """

    async def worst(page: Page) -> list[Any]:
        found = []
        for dark in (False, True):
            await page.look(1440, 900, dark=dark)
            await page.open(address)
            found += await page.run(CONTRAST)
        return found

    assert _in_browser(worst) == []
