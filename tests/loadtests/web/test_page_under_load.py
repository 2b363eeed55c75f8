"""What the page costs while 10,000 records come in from two workers over five minutes."""

from __future__ import annotations

import asyncio
import itertools
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests import browser
from tests.browser import Page
from tests.loadtests.harness import upstream
from tests.loadtests.web.test_web_ui import get, post, web_ui

pytestmark = [
    pytest.mark.prove,
    pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine"),
]
RATE_PER_S, MEASURE_S = 34, 300
TURN_S = 20
MOST_SHARE = 0.03
MOST_GROWTH_BYTES = 8 * 2**20
HEAP = "Runtime.getHeapUsage"


@dataclass
class Observed:
    """Shares are of one core, over turns with and without the page; bytes at the ends of turns with it, while
    the run goes on."""

    with_page: list[float] = field(default_factory=list)
    without_page: list[float] = field(default_factory=list)
    master_bytes: list[int] = field(default_factory=list)
    page_bytes: list[float] = field(default_factory=list)
    pieces: int = 0
    workers: str = ""
    points: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def page_share(self) -> float:
        """What the page adds, mean over the turns."""
        return sum(self.with_page) / len(self.with_page) - sum(self.without_page) / len(self.without_page)


def of_port(url: str) -> psutil.Process:
    """The process that listens at this address: the master."""
    port = int(url.rpartition(":")[2])
    listening = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    return psutil.Process(listening[port])


async def share(master: psutil.Process) -> float:
    """CPU time of the process per second of a turn."""
    before, start_s = master.cpu_times(), asyncio.get_running_loop().time()
    await asyncio.sleep(TURN_S)
    after, end_s = master.cpu_times(), asyncio.get_running_loop().time()
    return (after.user + after.system - before.user - before.system) / (end_s - start_s)


async def turn_with_page(page: Page, url: str, master: psutil.Process, seen: Observed) -> None:
    await page.open(f"{url}/llm")
    await page.until("document.querySelectorAll('#live path[data-line]').length > 4")
    seen.with_page.append(await share(master))
    if get(f"{url}/llm/series.json")["state"] != "running":
        return  # at its end all records are read once more, for load.json
    seen.master_bytes.append(master.memory_info().rss)
    await page.ask("HeapProfiler.collectGarbage")
    seen.page_bytes.append((await page.ask(HEAP))["usedSize"])


async def watch(url: str, seen: Observed) -> None:
    """By turns with the page open and without it, to the end of the run; then the charts of all of it."""
    master = of_port(url)
    async with browser.page() as page:
        while get(f"{url}/llm/series.json")["state"] == "running":
            await turn_with_page(page, url, master, seen)
            await page.open("about:blank")
            seen.without_page.append(await share(master))
        await page.open(f"{url}/llm")
        await page.until("document.querySelectorAll('#history tbody tr').length === 1")
        seen.workers = await page.run("document.querySelector('#workers').innerText")
        seen.points = len(get(f"{url}/llm/series.json")["points"])
        seen.complaints = page.complaints
    points = get(f"{url}/llm/series.json")["points"]
    seen.pieces = 1 + sum(b["t_s"] - a["t_s"] > 2.5 for a, b in itertools.pairwise(points))


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    folder: Path = tmp_path_factory.mktemp("load")
    seen = Observed()
    with (
        upstream(folder, ttft_s=0.05, gap_s=0.01) as server,
        web_ui(folder, server.url, "--processes", "2") as (url, _),
    ):
        urllib.request.urlopen(f"{url}/llm").close()
        form = {"scenario": "constant", "rate": str(RATE_PER_S), "warmup": "0", "duration": str(MEASURE_S)}
        assert post(f"{url}/swarm", output_tokens="16", **form)["success"]
        asyncio.run(watch(url, seen))
    print(seen, f"page {seen.page_share:.4f} of a core")
    return seen


def test_the_page_takes_little_of_the_master(observed: Observed) -> None:
    """What it asks every second is answered from sums, and only with the points that are new."""
    assert observed.page_share <= MOST_SHARE, observed


def test_memory_does_not_grow(observed: Observed) -> None:
    """Of the master and of the page, from the first turn on; a record is a few numbers in histograms."""
    assert max(observed.master_bytes[1:]) - observed.master_bytes[1] <= MOST_GROWTH_BYTES, observed
    assert max(observed.page_bytes[1:]) - observed.page_bytes[1] <= MOST_GROWTH_BYTES, observed


def test_the_charts_have_no_gap(observed: Observed) -> None:
    """A point a second, the whole run through."""
    assert observed.pieces == 1, observed
    assert observed.points >= MEASURE_S * 0.98, observed
    assert observed.complaints == []
    assert observed.workers == "2 workers connected, 2 expected"
