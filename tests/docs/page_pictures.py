"""Pictures of the page /llm: `python -m tests.docs.page_pictures` writes docs/img/page-*.png.

Needs a Chromium. Plays two loads on the local stack of `make ui`, emulator and gateway, for about a minute.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import browser
from tests.browser import Page
from tests.docs.pictures import DOCS, write
from tests.loadtests.harness import ROOT, free_port, start, until

FOLDER = DOCS / "img"
WIDE, NARROW = (1440, 1000), (390, 844)
PLANNED = "document.querySelector('#preview')?.dataset.hash"
ENDED = "!document.querySelector('#live').hidden && !document.querySelector('#next').hidden"
QUICK = {"rate": "6", "warmup": "2", "duration": "10", "output_tokens": "16"}
BURST = {"rate": "2", "factor": "6", "warmup": "5", "duration": "60", "output_tokens": "24"}


@contextmanager
def local_stack(home: Path) -> Iterator[str]:
    """The stack of `make ui`; yields the address of Locust."""
    ports = [str(free_port()) for _ in range(2)]
    command = [sys.executable, "-m", "experiments.ui", "--web-port", ports[0], "--gateway-port", ports[1]]
    limits = {"MAX_ACTIVE": "4", "QUEUE_MAX": "12", "QUEUE_MODE": "queue"}
    process = start(command, home / "log", HEADROOM_HOME=str(home), **limits)
    try:
        until(lambda: b"open this" in (home / "log").read_bytes(), "the stack is ready", 60.0)
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


async def _fill(page: Page, scenario: str, values: dict[str, str]) -> None:
    await page.click(f"input[value={scenario}]")
    for name, value in values.items():
        await page.type(f"#field-{name}", value)
    await page.until(PLANNED)
    await page.run("scrollTo(0, 0)")


async def _take(page: Page, name: str, size: tuple[int, int], *, dark: bool = False) -> Path:
    await page.look(*size, dark=dark)
    await page.run("new Promise(requestAnimationFrame)")
    return write(FOLDER / f"page-{name}.png", await page.png(size=size))


async def visit(url: str) -> list[Path]:
    """A short run for the history, then a burst; a picture of each state."""
    async with browser.page() as page:
        await page.look(*WIDE)
        await page.open(f"{url}/llm")
        await page.until(PLANNED)
        await _fill(page, "sustained", QUICK)
        await page.click("#start")
        await page.until(ENDED, 60.0)
        await page.click("#next")
        await _fill(page, "burst", BURST)
        made = [await _take(page, "plan", WIDE), await _take(page, "plan-390-dark", NARROW, dark=True)]
        await page.look(*WIDE)
        await page.click("#start")
        await page.until("document.querySelector('#live progress').value >= 100", 90.0)
        made += [await _take(page, "live", WIDE), await _take(page, "live-390", NARROW)]
        made += [await _take(page, "live-dark", WIDE, dark=True)]
        if page.complaints:
            raise RuntimeError(f"The browser complains: {page.complaints}")
    return made


def main() -> int:
    """Write the pictures."""
    with tempfile.TemporaryDirectory(prefix="headroom-") as place, local_stack(Path(place)) as url:
        urllib.request.urlopen(f"{url}/llm").close()
        for path in asyncio.run(visit(url)):
            print(f"{path.relative_to(ROOT)} {path.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
