"""The web UI in a real browser: start a scenario, watch the LLM tab fill, stop, download."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loadtests.recording.run_folder import RunFolder
from tests import browser
from tests.browser import Page
from tests.loadtests.harness import LOCUSTFILE, free_port, own_master_port, start, until, upstream

FILL = """
(values => {
  for (const [name, value] of Object.entries(values)) {
    const field = document.querySelector(`form [name=${name}]`);
    const kind = field.tagName === "SELECT" ? HTMLSelectElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
    field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", {bubbles: true}));
  }
  return true;
})(%s)
"""
PRESS = """
(label => {
  const named = e => e.innerText.trim().toUpperCase() === label;
  const found = [...document.querySelectorAll("button, [role=tab], a")].find(named);
  if (!found) return false;
  found.click();
  return true;
})(%s)
"""


@contextmanager
def web_ui(folder: Path, host: str, *flags: str) -> Iterator[tuple[str, Path]]:
    """A Locust with its web UI; the runs go below the given folder. Yields its address and that folder."""
    port = free_port()
    log = folder / "locust.log"
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--web-host", "127.0.0.1"]
    command += ["--web-port", str(port), "--host", host, "--runs-dir", str(folder / "runs")]
    process = start([*command, *flags, *own_master_port(flags)], log)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            return False
        return True

    try:
        until(answers, "the web UI answers")
        yield url, folder / "runs"
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


def post(url: str, **form: str) -> dict[str, Any]:
    content = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(urllib.request.Request(url, content), timeout=20) as answer:
        page: dict[str, Any] = json.load(answer)
        return page


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


async def press(page: Page, label: str) -> None:
    await page.until(PRESS % json.dumps(label))


FILLED = "[...document.querySelectorAll('td')].some(e => Number(e.innerText) > 30)"
OUTSIDE = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length"


async def drive(page: Page, url: str) -> tuple[str, bytes]:
    """The whole visit; returns the downloaded records and a picture of the tab."""
    await page.open(url)
    await page.until("!!document.querySelector('form [name=scenario]')")
    wanted = {
        "scenario": "burst",
        "rate": "15",
        "warmup": "1",
        "duration": "40",
        "outputTokens": "20",
        "factor": "3",
    }
    await page.run(FILL % json.dumps(wanted))
    await press(page, "START")
    await press(page, "LLM")
    await page.until("document.body.innerText.includes('TTFT')")
    await page.until(FILLED)
    await page.look(1280, 900)
    picture = await page.png(size=(1280, 900))
    rows = await page.run("[...document.querySelectorAll('tr')].map(e => e.innerText).join(' ')")
    assert all(name in rows for name in ("TTFT", "ITL", "TPOT", "E2E", "p99"))
    await press(page, "STOP")
    await page.until("fetch('/llm/series.json').then(a => a.json()).then(a => a.state === 'ended')")
    return str(await page.run("fetch('/llm/records.jsonl').then(a => a.text())")), picture


@pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")
def test_a_run_in_the_browser(tmp_path: Path) -> None:
    """Start, watch, stop, download; what was downloaded is the run folder's file, and no request
    is missing in it."""

    async def visit(url: str) -> tuple[str, bytes]:
        async with browser.page() as page:
            return await drive(page, url)

    with upstream(tmp_path, ttft_s=0.05, gap_s=0.02) as server, web_ui(tmp_path, server.url) as (url, runs):
        downloaded, picture = asyncio.run(visit(url))
        (cell,) = runs.glob("*/cells/load")
        folder = RunFolder(cell)
        until((cell / "load.json").exists, "load.json is written")
        sent = sum(record.sent_s is not None for record in folder.records())

        def statistics() -> dict[str, int]:
            return {row["name"]: row["num_requests"] for row in get(f"{url}/stats/requests")["stats"]}

        until(
            lambda: statistics()["chat"] == sent, "Locust's rows (cached for seconds) hold every request sent"
        )
        rows = statistics()
    assert (cell / "records.jsonl").read_text() == downloaded
    assert len(downloaded.splitlines()) == len(folder.plan()) == folder.load()["recorded"]
    assert folder.load()["ended"] == "stopped"
    assert {"ok", "not_sent"} <= set(folder.load()["outcomes"])
    assert rows["Aggregated"] == sent
    assert rows["chat TTFT"] == folder.load()["outcomes"]["ok"]
    (tmp_path / "llm-tab.png").write_bytes(picture)
    assert len(picture) > 20_000


QUICK = {"rate": "20", "warmup": "0", "duration": "1", "output_tokens": "4"}


def _has_runs(runs: Path, count: int) -> bool:
    return len(list(runs.glob("*/cells/load/load.json"))) == count


def test_wrong_input_gets_a_sentence(tmp_path: Path) -> None:
    """The form answers in words, a host that is not allowed is refused, and nothing is made or sent."""
    with (
        upstream(tmp_path) as server,
        web_ui(tmp_path, server.url, "--allow-host", "127.0.0.1") as (url, runs),
    ):
        for form, sentence in (
            ({"rate": "abc"}, "rate = 'abc': must be a number"),
            ({"rate": "0"}, "rate_per_s = 0.0: must be > 0"),
            ({"slo": "fast"}, "SLO term 'fast'"),
            ({"host": "http://example.com"}, "host 'example.com' is not allowed"),
            ({"host": f"http://127.0.0.1:{free_port()}"}, "is unreachable"),
        ):
            answer = post(f"{url}/swarm", **{**QUICK, "host": server.url, **form})
            assert not answer["success"]
            assert sentence in answer["message"]
        assert not runs.exists()
        assert server.log() == []


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one-process", "two-workers"])
def test_runs_follow_each_other(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Every start has a folder, a salt and a plan of its own; a second start during a run is refused."""
    with upstream(tmp_path) as server, web_ui(tmp_path, server.url, *flags) as (url, runs):
        for count in (1, 2):
            started = post(f"{url}/swarm", host=server.url, scenario="constant", **QUICK)
            assert started["success"], started
            assert "in progress" in post(f"{url}/swarm", host=server.url, **QUICK)["message"]
            until(partial(_has_runs, runs, count), "load.json is written")
            until(
                lambda: get(f"{url}/stats/requests")["state"] in ("stopped", "ready"), "Locust is ready again"
            )
    loads = [RunFolder(path) for path in runs.glob("*/cells/load")]
    assert [load.load()["outcomes"] for load in loads] == [{"ok": 20}] * 2
    assert len({record.request_id for load in loads for record in load.records()}) == 40


def test_a_master_without_workers_says_so(tmp_path: Path) -> None:
    """Instead of a run that never begins; the page knows how many there should be."""
    port = str(free_port())
    flags = ("--master", "--master-bind-port", port, "--expect-workers", "2")
    with upstream(tmp_path) as server, web_ui(tmp_path, server.url, *flags) as (url, runs):
        answer = post(f"{url}/swarm", host=server.url, **QUICK)
        assert not answer["success"]
        assert "no worker is connected" in answer["message"]
        workers = get(f"{url}/llm/series.json")["workers"]
        assert (workers["expected"], workers["connected"]) == (2, 0)
        assert not runs.exists()


def test_a_login_guards_everything(tmp_path: Path) -> None:
    """With --web-login neither page, data nor start are for strangers; a wrong password is refused,
    the right one opens."""
    with upstream(tmp_path) as server:
        flags = ("--web-login", "--web-user", "ann", "--web-password", "secret")
        with web_ui(tmp_path, server.url, *flags) as (url, runs):
            jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            names = (
                "",
                "/series.json",
                "/records.jsonl",
                "/run.zip",
                "/form.json",
                "/history.json",
                "/page/main.js",
            )
            for path in (*(f"/llm{name}" for name in names), "/llm/runs/a/load.json", "/stats/requests"):
                with urllib.request.urlopen(url + path) as page:
                    assert page.url.startswith(f"{url}/login"), path
            for path in ("/swarm", "/stop", "/llm/plan", "/llm/target"):
                with urllib.request.urlopen(url + path, b"rate=5") as page:
                    assert page.url.startswith(f"{url}/login"), path
            assert not runs.exists()
            with jar.open(f"{url}/llm/login", b"username=ann&password=wrong") as page:
                assert page.url.startswith(f"{url}/login")
            jar.open(f"{url}/llm/login", b"username=ann&password=secret").close()
            with jar.open(f"{url}/llm/series.json") as series:
                assert json.load(series)["state"] == "ready"
