"""The picture of docs/explain.md: `python -m tests.docs.explain_picture` writes docs/img/explain.png.

Needs only a Chromium. The incident is planted, and played by the twin.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from reports.explain import page
from reports.explain.cause import Cause
from tests import browser
from tests.docs.pictures import DOCS, write
from tests.reports.explaining import scenario

SIZE = (1280, 1180)
SEED = 77
COMMAND = "headroom explain --at {since:%H:%M} --recording /var/lib/headroom/recording --prometheus-url http://127.0.0.1:9090"


async def taken(address: str) -> Path:
    """The page as a person at a desk sees it."""
    async with browser.page() as tab:
        await tab.look(*SIZE)
        await tab.open(address)
        if tab.complaints:
            raise RuntimeError(f"The browser complains: {tab.complaints}")
        return write(DOCS / "img" / "explain.png", await tab.png(size=SIZE))


def main() -> int:
    """Exit code 0, or 1 without a Chromium."""
    if browser.find() is None:
        print("No Chromium on this machine.", file=sys.stderr)
        return 1
    seen, said = scenario.explained(scenario.planted(Cause.TENANT_FLOOD, SEED))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "explain.html"
        span = seen.stretches.asked
        since, until = (datetime.fromtimestamp(at_s, UTC) for at_s in (span.from_s, span.until_s))
        when, command = f"{since:%Y-%m-%d %H:%M} to {until:%H:%M} UTC", COMMAND.format(since=since)
        path.write_text(page.render(seen, said, when, command), encoding="utf-8")
        print(asyncio.run(taken(path.as_uri())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
