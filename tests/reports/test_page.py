"""The page: true to its sources, self-contained, accessible."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from reports import labels, numbers, page, tables
from reports.cells import cell_section
from reports.each_cell import part_of
from reports.rows import AgreementRow, BreakdownRow, CellRow, LedgerRow, rows_of
from reports.run import Run, load, of_whole
from tests.reports import reading, synthetic_run
from tests.reports.reading import Element


@pytest.fixture(scope="module")
def root(html: str) -> Element:
    """The page, read."""
    return reading.read(html)


def _rows(root: Element, table: str) -> dict[str, dict[str, str]]:
    """Cell anchor → head → exact value of a table whose first column links to the cell."""
    found = reading.by_id(root, f"table-{table}")
    heads = [th.text for th in found.all("thead")[0].all("th")]
    rows = {}
    for tr in found.all("tbody")[0].all("tr"):
        entries = tr.all("td")
        values = [td.attributes.get("data-v", "") for td in entries]
        rows[entries[0].all("a")[0].attributes["href"]] = dict(zip(heads, values, strict=True))
    return rows


def test_the_numbers_of_all_cells_equal_the_summaries(root: Element, run_dir: Path) -> None:
    """Each table entry carries the exact number; it must be that of summary.json."""
    rows = _rows(root, "cells")
    summaries = [json.loads(path.read_text()) for path in run_dir.glob("cells/*/summary.json")]
    assert len(rows) == len(summaries) == 12
    for summary in summaries:
        row = rows["#" + tables.anchor(summary["cell"])]
        counts = summary["counts"]
        assert float(row["Goodput"]) == summary["rates"]["goodput_per_s"]
        assert float(row["Attainment"]) == summary["attainment"]
        for metric, head in (("ttft_s", "TTFT p95"), ("tpot_s", "TPOT p95"), ("e2e_s", "E2E p95")):
            assert float(row[head]) == summary["latency"][metric]["p95"]["value"]
        timed_out = counts["outcomes"].get("queue_timeout", 0) / counts["offered"]
        assert float(row["Timed out"]) == pytest.approx(timed_out)


@pytest.mark.parametrize("metric", ["ttft_s", "tpot_s", "e2e_s", "queue_s"])
def test_quantiles_equal_the_summaries_or_say_that_n_is_too_small(
    root: Element, run_dir: Path, metric: str
) -> None:
    """A null of the summary is never a number in the page."""
    rows = _rows(root, f"q-{metric}")
    for path in run_dir.glob("cells/*/summary.json"):
        summary = json.loads(path.read_text())
        row = rows["#" + tables.anchor(summary["cell"])]
        for quantile in ("p50", "p95", "p99"):
            value = summary["latency"][metric][quantile]["value"]
            assert row[quantile] == ("" if value is None else str(value))
    assert "n too small" in reading.by_id(root, "table-q-ttft_s").text


def test_the_answer_is_the_recommendation(root: Element, run_dir: Path) -> None:
    """Goodput, attainment and every line to copy."""
    told = json.loads((run_dir / "recommendation.json").read_text())
    assert float(reading.by_id(root, "goodput").attributes["data-v"]) == told["goodput_per_s"]["value"]
    assert float(reading.by_id(root, "attainment").attributes["data-v"]) == told["attainment"]
    lines = reading.by_id(root, "env").text.split()
    assert lines == [f"{name}={value}" for name, value in told["env"].items()]
    answer = reading.by_id(root, "answer").text
    assert all(doubt in answer for doubt in told["doubts"])


def test_the_ledger_and_both_sources_are_shown_exactly(root: Element, run: Run) -> None:
    """What the client counted and what the records say."""
    counted = _rows(root, "ledger")
    for row in rows_of(run.ledger[run.ledger["what"] == "arrivals"], LedgerRow):
        assert float(counted["#" + tables.anchor(row.cell)]["arrivals"]) == row.client
    compared = _rows(root, "agreement")
    for pair in rows_of(run.agreement[run.agreement["metric"] == "ttft_from_send_s"], AgreementRow):
        shown = compared["#" + tables.anchor(pair.cell)][f"TTFT from send {pair.quantile}"]
        assert float(shown) == pair.records_s


def test_an_emulator_is_announced_loudly_and_a_real_engine_is_not(html: str, tmp_path: Path) -> None:
    """Nobody may take the emulator's numbers for a GPU's; the label stands at every table and figure."""
    assert 'class="banner emulator"' in html
    root = reading.read(html)
    figures = root.all("figure")
    assert figures
    assert all(synthetic_run.LABEL in figure.text for figure in figures)
    assert all(synthetic_run.LABEL in t.text for t in root.all("table") if "id" in t.attributes)
    real = load(
        synthetic_run.write_run(
            tmp_path / "r", settings=synthetic_run.SETTINGS[:1], loads=synthetic_run.LOADS[:1], measure_s=8
        )
    )
    assert real.state is not None
    assert real.state.engine is not None
    engine = replace(real.state.engine, provider="vllm", label="vLLM 0.32.0")
    state = replace(real.state, engine=engine)
    assert 'class="banner emulator"' not in page.render(of_whole(replace(real.whole, state=state), Run))


def test_nothing_is_fetched_from_anywhere(root: Element, html: str) -> None:
    """One file that can be mailed and archived: no address, no import, no external source."""
    for element in reading.everything(root):
        for name in ("src", "href", "action", "data", "srcset", "poster", "xlink:href"):
            value = element.attributes.get(name, "")
            assert value.startswith(("#", "data:,")) or value == "", f"{element.tag} {name}={value}"
        assert not any(name.startswith("on") for name in element.attributes)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|WebSocket|sendBeacon|EventSource", html)
    namespaces = set(re.findall(r"https?://[^\s\"'<)]+", html))
    assert namespaces <= {"http://127.0.0.1:8000"}, "only the run's own facts may hold an address"


def test_ids_are_unique_and_every_link_leads_somewhere(root: Element) -> None:
    """Deep links to cells and clip paths of figures both live on ids."""
    ids = [e.attributes["id"] for e in reading.everything(root) if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    targets = {e.attributes["href"][1:] for e in root.all("a") if e.attributes["href"].startswith("#")}
    assert targets <= set(ids)
    named = {
        e.attributes[n]
        for e in reading.everything(root)
        for n in ("aria-controls", "aria-labelledby")
        if n in e.attributes
    }
    assert named <= set(ids)
    clips = {c for e in reading.everything(root) for c in re.findall(r"url\(#([^)]+)\)", str(e.attributes))}
    assert clips <= set(ids)


def test_every_figure_has_words_and_a_table(root: Element) -> None:
    """A screen reader hears what is drawn, and the numbers are there to read."""
    for figure in root.all("figure"):
        drawings = figure.all("svg")
        assert len(drawings) == 1
        assert drawings[0].attributes["role"] == "img"
        assert len(drawings[0].attributes["aria-label"]) > 30
        section = figure.parent
        while section is not None and section.tag not in ("section", "details"):
            section = section.parent
        assert section is not None
        assert figure.all("table") or section.all("table")
    assert all(th.attributes.get("scope") for th in root.all("th"))


def test_definitions_cover_what_the_tables_name(root: Element) -> None:
    """A number whose meaning is not printed beside it is not kept for a year."""
    told = reading.by_id(root, "definitions").text
    for word in (
        "TTFT",
        "TPOT",
        "E2E",
        "Goodput",
        "Attainment",
        "Queue wait",
        "Upstream",
        "Send lag".lower(),
        "Load ratio",
        "Shed",
        "Erlang's loss",
        "Preemption",
        "refix-cache hits",
        "engine queue",
        "prefill",
    ):
        assert word in told


def test_twelve_cells_make_a_small_file(html: str) -> None:
    """2 MB at most for twelve cells."""
    assert len(html.encode()) < 2_000_000


def test_a_disagreement_of_the_two_sources_is_flagged(run_dir: Path, tmp_path: Path) -> None:
    """Records and Prometheus further apart than a bucket: red, with both numbers."""
    root = synthetic_run.write_run(
        tmp_path / "r", settings=synthetic_run.SETTINGS[:1], loads=synthetic_run.LOADS[:1], measure_s=8
    )
    path = next((root / "cells").glob("*/summary.json"))
    summary = json.loads(path.read_text())
    summary["agreement"][0] |= {"prometheus": summary["agreement"][0]["records"] * 2, "agrees": False}
    path.write_text(json.dumps(summary))
    read = reading.read(page.render(load(root)))
    bad = [
        td
        for td in reading.by_id(read, "table-agreement").all("td")
        if "bad" in td.attributes.get("class", "")
    ]
    assert len(bad) == 1
    assert "≠" in bad[0].text
    assert "1 further apart" in reading.by_id(read, "sources").text


def test_a_cell_says_why_it_is_called_saturated(root: Element, run: Run) -> None:
    """The verdict with its reasons, the load ratio with its interval, Erlang's loss beside the seen one."""
    without_queue = 0
    for row in rows_of(run.cells, CellRow):
        text = " ".join(reading.by_id(root, tables.anchor(str(row.cell))).text.split())
        assert row.saturation_why[1:] in text
        low, high = (numbers.significant(end) for end in (row.load_ratio_low, row.load_ratio_high))
        assert f"Load ratio{numbers.significant(row.load_ratio)} ({low} to {high})" in text
        assert f"Shed, of offered{numbers.percent(row.rejected_ratio)}" in text
        assert ("Erlang's loss at this load" in text) == (row.queue == "reject")
        without_queue += row.queue == "reject"
    assert without_queue == 6


def test_a_cell_tells_preemptions_and_prefix_cache_hits(root: Element, run: Run) -> None:
    """What the engine counted of itself, also where it is nothing."""
    assert set(run.cells["preemptions"]) == {0.0, 8.0}
    for row in rows_of(run.cells, CellRow):
        text = reading.by_id(root, tables.anchor(str(row.cell))).text
        assert f"Preemptions{numbers.count(row.preemptions)}" in text
        assert "Prefix-cache hits, of prompt tokens1.0 %" in text


def test_tokens_that_the_engine_does_not_report_are_no_zero(tmp_path: Path) -> None:
    """The cell says so in words; in the table of all cells there is no number."""
    root = synthetic_run.write_run(
        tmp_path / "r", settings=synthetic_run.SETTINGS[:1], loads=synthetic_run.LOADS[:1], measure_s=8
    )
    path = next(root.glob("cells/*/summary.json"))
    summary = json.loads(path.read_text())
    summary["rates"]["output_tokens_per_s"] = None
    path.write_text(json.dumps(summary))
    run = load(root)
    assert run.cells["output_tokens_per_s"].isna().all()
    assert "Output tokensnot reported" in reading.by_id(reading.read(page.render(run)), "each").text


def test_an_engine_that_began_anew_counted_nothing_to_show(tmp_path: Path) -> None:
    """Counters that went down say nothing of the cell; without any there is no fact at all."""
    root = synthetic_run.write_run(
        tmp_path / "r", settings=synthetic_run.SETTINGS[:1], loads=synthetic_run.LOADS[:1], measure_s=8
    )
    path = next(root.glob("cells/*/summary.json"))
    summary = json.loads(path.read_text())
    for growth in (summary["engine_growth"] | {"requests": -1.0}, None):
        path.write_text(json.dumps(summary | {"engine_growth": growth}))
        run = load(root)
        assert run.cells["preemptions"].isna().all()
        assert run.cells["prefix_hit_ratio"].isna().all()
        assert "Preemptions" not in reading.by_id(reading.read(page.render(run)), "each").text


def test_what_is_handed_to_another_process_is_enough_for_its_cell(run: Run) -> None:
    """A cell drawn from its own part of the run is the one drawn from all of it."""
    row = rows_of(run.cells, CellRow)[3]
    part = part_of(run, row.cell)
    assert set(part.summaries) == {row.cell}
    assert cell_section(part, row, "x", unfold=True) == cell_section(run, row, "x", unfold=True)


def test_where_the_time_went_has_the_engines_queue_and_prefill(root: Element, run: Run) -> None:
    """A row per cell with the numbers of its summary, and the same words for who cannot see the figure."""
    figure = reading.by_id(root, "fig-time-spent")
    heads = [th.text for th in figure.all("thead")[0].all("th")]
    assert heads == ["Cell", "E2E", *labels.PARTS.values()]
    p95 = run.breakdown[run.breakdown["quantile"] == "p95"]
    parts = {row.cell: row for row in rows_of(p95, BreakdownRow)}
    cells = {name: cell for cell, name in tables.cell_names(run.shown).items()}
    rows = figure.all("tbody")[0].all("tr")
    assert len(rows) == len(run.cells)
    for tr in rows:
        name, *values = (td.attributes.get("data-v", "") for td in tr.all("td"))
        own = parts[cells[name]]
        assert [float(value) for value in values] == [
            own.e2e_s,
            *(getattr(own, part) for part in labels.PARTS),
        ]
    assert "engine queue, prefill" in figure.all("svg")[0].attributes["aria-label"]


def test_a_cell_that_was_not_taken_apart_says_so(tmp_path: Path) -> None:
    """Too few requests, or an older run: a row of dashes and a sentence, not a missing bar."""
    root = synthetic_run.write_run(
        tmp_path / "r", settings=synthetic_run.SETTINGS[:2], loads=synthetic_run.LOADS[:1], measure_s=8
    )
    path = sorted(root.glob("cells/*/summary.json"))[0]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"breakdown": None}))
    read = reading.read(page.render(load(root)))
    assert "Not taken apart: 1 of 2 cells" in reading.by_id(read, "time").text
    assert "not taken apart" in reading.by_id(read, "fig-time-spent").all("table")[0].text
    assert "Not taken apart" in reading.by_id(read, tables.anchor(path.parent.name)).text
