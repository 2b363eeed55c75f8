"""A load of several classes on the page /llm: its form, its plan, and each class while the run goes on."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import browser
from tests.loadtests.harness import upstream
from tests.loadtests.web.test_web_ui import get, post, web_ui

pytestmark = pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")

FORM = {
    "scenario": "constant", "rate": "30", "warmup": "0", "duration": "3",
    "mix": "short=16x4:0.8,long=32x8:0.2", "slo": "ttft<=5s;long:ttft<=1ms,attainment>=0.9",
}  # fmt: skip
ROWS = "document.querySelectorAll('[aria-label=\"Load classes\"] tbody tr')"
TEXTS = f"[...{ROWS}].map((row) => [...row.cells].map((cell) => cell.textContent))"
FACTS = "document.querySelector('#preview .facts').textContent"
CHANGE = """(name, text) => {
  const field = document.getElementById(`field-${name}`);
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


async def look(url: str) -> tuple[str, str, list[list[str]], str]:
    """What the form says of a mix that cannot be, the plan of one that can, and the run's classes."""
    async with browser.page() as page:
        await page.look(1440, 900)
        await page.open(f"{url}/llm")
        await page.until("document.getElementById('field-mix') !== null")
        await page.run(f"({CHANGE})('mix', 'short=16x4:0.5')")
        wrong = "document.getElementById('wrong-mix')"
        await page.until(f"{wrong} !== null && !{wrong}.hidden")
        said = await page.run(f"{wrong}.textContent")
        await page.run(f"({CHANGE})('mix', '{FORM['mix']}')")
        await page.until(f"{FACTS}.includes('short') && {FACTS}.includes('long')")
        planned = await page.run(FACTS)
        assert post(f"{url}/swarm", **FORM)["success"]
        await page.until(f"{ROWS}.length === 2", 60)
        await page.until("!document.getElementById('next').hidden", 60)
        rows = await page.run(TEXTS)
        verdict = await page.run("document.querySelector('#figures').textContent")
        assert page.complaints == []
        return said, planned, rows, verdict


def test_the_page_plans_and_shows_load_classes(tmp_path: Path) -> None:
    """A wrong mix is said at its field; each class has a row, by its own objective; the worst decides."""
    with upstream(tmp_path) as server, web_ui(tmp_path, server.url) as (url, _):
        urllib.request.urlopen(f"{url}/llm").close()
        said, planned, rows, verdict = asyncio.run(look(url))
        numbers: dict[str, Any] = get(f"{url}/llm/series.json")["numbers"]
    assert "sum to 0.5" in said
    assert "prompts 16 tokens each" in planned
    assert [row[0] for row in rows] == ["short", "long"]
    assert rows[0][-1].startswith("ttft<=5s,attainment>=0.95: met")
    assert rows[1][-1].startswith("ttft<=1ms,attainment>=0.9: missed")
    assert "every class by its own objective: missed" in verdict
    assert [one["name"] for one in numbers["classes"]] == ["short", "long"]
    assert sum(one["offered"] for one in numbers["classes"]) == numbers["summary"]["counts"]["offered"]
