"""One run of two workers, headless and in the web UI: the same numbers wherever somebody looks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import reports.__main__
from loadtests.recording.run_folder import RunFolder
from reports.run import load
from tests.loadtests.harness import LOCUSTFILE, ROOT, free_port, own_master_port, until, upstream
from tests.loadtests.web.test_web_ui import get, post, web_ui

LOAD = {
    "scenario": "constant", "rate": "40", "warmup": "0.5", "duration": "3", "output_tokens": "6",
    "retry": "openai", "slo": "ttft<=60ms,attainment>=0.5",
}  # fmt: skip
BEHAVIOURS = ["ok", "ok", "ok", "429"]


@dataclass(frozen=True)
class Shown:
    """What was seen of a run: its folder, its numbers, and what a terminal said to people."""

    run: Path
    numbers: dict[str, Any]
    people: str = ""

    @property
    def load(self) -> dict[str, Any]:
        return RunFolder(self.run / "cells" / "load").load()


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("headless")
    flags = [word for name, value in LOAD.items() for word in (f"--{name.replace('_', '-')}", value)]
    workers = ["--processes", "2"]
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--json", *flags]
    command += [*workers, *own_master_port(workers), "--runs-dir", str(folder / "runs")]
    with upstream(folder, behaviours=BEHAVIOURS, ttft_s=0.03, gap_s=0.005) as server:
        done = subprocess.run(
            [*command, "--host", server.url],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    (line,) = done.stdout.splitlines()
    end = json.loads(line)
    (run,) = (folder / "runs").iterdir()
    assert end["exit_code"] == done.returncode
    return Shown(run, end["numbers"], done.stderr), end


@pytest.fixture(scope="module")
def on_page(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("page")
    with (
        upstream(folder, behaviours=BEHAVIOURS, ttft_s=0.03, gap_s=0.005) as server,
        web_ui(folder, server.url, "--processes", "2") as (url, runs),
    ):
        assert post(f"{url}/swarm", host=server.url, **LOAD)["success"]
        until(lambda: get(f"{url}/llm/series.json")["state"] == "ended", "the run's end")
        page = get(f"{url}/llm/series.json")
        (run,) = runs.iterdir()
        tab = {row["name"]: row for row in get(f"{url}/stats/requests")["extended_stats"][0]["data"]}
    assert tab["TTFT"]["n"] == page["numbers"]["summary"]["latency"]["ttft_s"]["n"]
    assert tab["TTFT"] == page["table"][0]
    return Shown(run, page["numbers"])


def report(run: Path) -> Any:
    """The only row of the report's cells."""
    return load(run).cells.iloc[0]


@pytest.mark.parametrize("where", ["headless", "on_page"])
def test_what_is_shown_is_load_json_and_the_report(where: str, request: pytest.FixtureRequest) -> None:
    """Summary, lags and verdict to the last digit; shares, rates and their intervals as in the report."""
    found = request.getfixturevalue(where)
    shown: Shown = found[0] if isinstance(found, tuple) else found
    numbers, stored, row = shown.numbers, shown.load, report(shown.run)
    assert numbers["final"]
    assert numbers["summary"] == stored["summary"]
    assert numbers["summary"]["counts"]["retries"] > 0
    for name in ("send_lag", "hub_lag", "cpu", "reasons"):
        assert numbers["generator"][name] == stored[name]
    attained, goodput = numbers["attainment"], numbers["goodput"]
    assert (attained["hits"], attained["n"]) == (row["served_in_slo"], row["offered"])
    assert (attained["share"], attained["low"], attained["high"]) == pytest.approx(
        (row["attainment"], row["attainment_low"], row["attainment_high"])
    )
    assert tuple(goodput.values()) == pytest.approx(
        (row["goodput_per_s"], row["goodput_low_per_s"], row["goodput_high_per_s"])
    )
    assert numbers["objective"] == {
        "text": "ttft<=60ms,attainment>=0.5", "bounds_s": {"ttft_s": 0.06}, "attainment": 0.5
    }  # fmt: skip


def test_the_text_says_them_too(headless: tuple[Shown, dict[str, Any]]) -> None:
    """In words, on the other output: stdout has the one line of JSON alone, also with workers."""
    shown, end = headless
    attained, counts = shown.numbers["attainment"], shown.numbers["summary"]["counts"]
    ttft = shown.numbers["summary"]["latency"]["ttft_s"]
    for said in (
        f"{attained['share']:.1%} ({attained['low']:.1%} to {attained['high']:.1%}): {attained['hits']} of "
        f"{attained['n']} offered requests",
        f"ok {counts['outcomes']['ok']}",
        f"retries {counts['retries']}",
        f"n too small: {ttft['n']} of 299",
        "2 processes",
        f"folder      {end['folder']}",
        f"next        {end['next'][0]}",
    ):
        assert said in shown.people, (said, shown.people)
    assert "Aggregated" not in shown.people


def test_the_next_commands_exist(
    headless: tuple[Shown, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The report of a load run is made by another test; here the page over all runs."""
    shown, end = headless
    of_run, over_all = end["next"]
    assert of_run == f"python -m reports {shown.run}"
    assert reports.__main__.main(over_all.split()[3:]) == 0
    assert Path(capsys.readouterr().out.strip()).exists()


def test_a_wrong_flag_leaves_stdout_empty(tmp_path: Path) -> None:
    """A program that reads the line finds none, and exit code 2."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--json", "--rate", "0"]
    done = subprocess.run(
        [*command, "--host", f"http://127.0.0.1:{free_port()}", "--runs-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "rate_per_s = 0" in done.stderr
