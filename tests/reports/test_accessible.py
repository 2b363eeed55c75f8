"""What axe-core finds on the report's pages, in both themes: nothing that shuts anybody out."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.run_folder import codec
from experiments.run_folder.block_metric import BlockMetric
from experiments.run_folder.live_run import LiveRun, LiveWay
from reports import compare, index, live
from tests import axe, browser
from tests.browser import Page
from tests.reports.synthetic_run import write_run

pytestmark = pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")

# Everything but the cells, of which the first is like the others; and one limit moved.
UNFOLD = """document.querySelectorAll('details.behind').forEach((d) => { d.open = true; });
document.querySelectorAll('details.cell').forEach((d, i) => {
  d.open = i === 0;
});
const limit = document.getElementById('judge-ttft_s');
limit.value = 200;
limit.dispatchEvent(new Event('input'));"""


@pytest.fixture(scope="module")
def pages(html: str, run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The four kinds of page → their addresses."""
    folder = tmp_path_factory.mktemp("pages")
    other = write_run(folder / "other")
    both = folder / "live"
    both.mkdir()
    for side, run in (("a", run_dir), ("b", other)):
        (both / side).symlink_to(run)
    asked = LiveRun("", ("headroom",), "A", "B", LiveWay.AT_ONCE, BlockMetric.GOODPUT, 0.03, 1, 3)
    codec.write(both / "live.json", asked)
    texts = {
        "report": html,
        "compare": compare.page(compare.compare(run_dir, other)),
        "index": index.page(run_dir.parent, folder),
        "live": live.page(live.load(both)),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


def _in_browser(do: Callable[[Page], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with browser.page() as tab:
            found = await do(tab)
            assert tab.complaints == []
            return found

    return asyncio.run(run())


def test_axe_finds_nothing_grave(pages: dict[str, str]) -> None:
    """On report, comparisons and index, in the light and in the dark scheme; of the report also what is
    folded away at first, and with an objective of the reader's own. An image without a name is found: axe
    looks.
    """

    async def look(tab: Page) -> dict[str, list[str]]:
        found = {}
        for name, address in pages.items():
            await tab.look(1440, 900)
            await tab.open(address)
            if name == "report":
                await tab.run(UNFOLD)
            found[name] = await axe.grave_faults(tab)
        await tab.run("document.querySelector('main').append(document.createElement('button'))")
        found["with a button that says nothing"] = [
            fault.split(":")[1] for fault in await axe.grave_faults(tab)
        ]
        return found

    found = _in_browser(look)
    assert found.pop("with a button that says nothing") == [" button-name"] * 2
    assert found == {"report": [], "compare": [], "index": [], "live": []}
