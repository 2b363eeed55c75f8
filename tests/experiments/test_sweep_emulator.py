"""One whole sweep on the emulator: every part real but the engine."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.experiments import sweeping
from tests.experiments.calibration_on_disk import write_calibration


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    out, model = folder / "run", write_calibration(folder / "calibration", passed=True)
    done = sweeping.run(out, *sweeping.SMALL, "--calibration", str(model / "profile.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "what-if: " in done.stdout
    assert "Recommended for" in done.stdout
    assert f"report: {out / 'report.html'}" in done.stdout
    return out


def test_every_cell_of_the_matrix_is_there(swept: Path) -> None:
    """Two slot counts × queue or reject × two loads."""
    state = json.loads((swept / "run.json").read_text())
    assert state["status"] == "complete"
    assert {cell["id"] for cell in state["cells"]} == {s["cell"] for s in sweeping.summaries(swept)}
    assert len(state["cells"]) == 8


def test_a_calibrated_run_has_a_what_if(swept: Path) -> None:
    """Made at its end: under both of its loads every setting that was measured, in the report as well."""
    found = json.loads((swept / "what_if.json").read_text())
    cells = {cell for load in found["loads"] for point in load["points"] for cell in point["cells"]}
    played = {(load["scenario"], load["rate_per_s"]) for load in found["loads"]}
    offered = {s["cell"]: s["workload"] for s in sweeping.summaries(swept)}
    assert cells
    assert cells == {
        cell for cell, load in offered.items() if (load["scenario"], load["rate_per_s"]) in played
    }
    assert 'id="what-if"' in (swept / "report.html").read_text()


def test_offered_is_the_sum_of_outcomes(swept: Path) -> None:
    """No request may vanish between the plan and the table."""
    for summary in sweeping.summaries(swept):
        counts = summary["counts"]
        assert counts["offered"] == sum(counts["outcomes"].values()) > 0, summary["cell"]


def test_client_and_gateway_counted_the_same_requests(swept: Path) -> None:
    """Arrivals and rejections exactly, every other difference explained."""
    for summary in sweeping.summaries(swept):
        failing = sweeping.disagreeing_counts(summary)
        assert failing == [], summary["cell"]
        exact = [r for r in summary["ledger"] if r["what"].startswith(("arrivals", "planned", "rejected"))]
        assert all(row["client"] == row["gateway"] for row in exact)


@pytest.mark.parametrize("place", ["client and gateway", "gateway and engine"])
def test_client_gateway_and_engine_saw_the_same_request_seconds(place: str, swept: Path) -> None:
    """Little's law as bookkeeping, in the middle one of the eight cells: within 2 % and 8 ms a request of
    each other, as in the ledger, and twice as late as the generator itself was woken in that cell: so long a
    request waits on its way in and back on a machine that is busy. A slot that is free at the first token is
    off by more than half.
    """
    shares = []
    for summary in sweeping.summaries(swept):
        records = pq.read_table(swept / "cells" / summary["cell"] / "records.parquet").to_pandas()
        there = records if "client" in place else records[records["outcome"] == "ok"]
        late_s = float((records["sent_s"] - records["due_s"]).mean())
        between_s = len(there) * (0.008 + 2 * late_s)
        for row in summary["ledger"]:
            if row["what"].endswith(place):
                beyond_s = abs(row["client"] - row["gateway"]) - between_s
                shares.append(max(0.0, beyond_s) / row["client"])
    print(f"request-seconds, {place}: beyond wake-ups " + ", ".join(f"{share:.2%}" for share in shares))
    assert len(shares) >= 6
    assert sorted(shares)[len(shares) // 2] <= 0.02


def test_every_record_and_series_is_stored(swept: Path) -> None:
    """One row per planned request; the series of gateway and engine over the whole cell."""
    for summary in sweeping.summaries(swept):
        cell = swept / "cells" / summary["cell"]
        plan = json.loads((cell / "plan.json").read_text())
        assert pq.read_metadata(cell / "records.parquet").num_rows == plan["n"]
        assert not (cell / "records.jsonl").exists()
        series = pq.read_table(cell / "series.parquet").to_pandas()
        assert {"gateway_active", "gateway_active_limit", "engine_running"} <= set(series["metric"])


@pytest.mark.skipif(sys.platform != "linux", reason="the counters are the Linux kernel's")
def test_every_cell_says_what_the_machine_was(swept: Path) -> None:
    """Who else computed on the engine's and on the harness's cores, second by second and over the window;
    what was found there does not spoil a cell. The emulator computes on no GPU."""
    for summary in sweeping.summaries(swept):
        witness = summary["witness"]
        window = summary["window"]
        # One a second; a machine on which much else runs may miss one.
        assert witness["readings"] >= int(window["end_s"] - window["start_s"]) // 2
        assert witness["gpu"] is None
        for cores in (witness["engine_cores"], witness["harness_cores"]):
            assert 0.0 <= cores["others_ratio"] <= cores["busy_ratio"] + 0.05 <= 1.05
            assert cores["others_worst_ratio"] is not None
        series = pq.read_table(swept / "cells" / summary["cell"] / "series.parquet").to_pandas()
        seconds = series[series["metric"] == "others_cpu_engine_cores_ratio"]["t_s"]
        assert len(seconds[(seconds >= window["start_s"]) & (seconds < window["end_s"])]) >= 1
        about = {"others_busy", "cpu_throttled", "swapping"}
        assert all(d["severity"] == "warn" for d in summary["doubts"] if d["code"] in about)


def test_the_limits_were_in_force(swept: Path) -> None:
    """The gateway never ran more than the setting allows, and the limit it exported is the cell's."""
    for summary in sweeping.summaries(swept):
        cell = swept / "cells" / summary["cell"]
        series = pq.read_table(cell / "series.parquet").to_pandas()
        limit = summary["setting"]["max_active"]
        assert series[series["metric"] == "gateway_active"]["value"].max() <= limit
        inside = series[(series["metric"] == "gateway_active_limit") & (series["t_s"] > 1.0)]
        assert set(inside["value"]) == {limit}


def test_settings_saw_the_same_arrivals(swept: Path) -> None:
    """One plan per load and block."""
    hashes: dict[str, set[str]] = {}
    for summary in sweeping.summaries(swept):
        hashes.setdefault(summary["workload"]["load"], set()).add(summary["workload"]["plan_hash"])
    assert all(len(found) == 1 for found in hashes.values())


def test_both_sources_are_shown_for_every_quantile(swept: Path) -> None:
    """Records and Prometheus, p50 and p95, from the same starting point."""
    for summary in sweeping.summaries(swept):
        rows = {(row["metric"], row["quantile"]) for row in summary["agreement"]}
        assert rows == {
            (m, q) for m in ("ttft_from_send_s", "e2e_from_send_s", "queue_s") for q in (0.5, 0.95)
        }


def test_the_recommendation_can_be_applied(swept: Path) -> None:
    """recommended.env holds the settings under the names the gateway reads."""
    lines = (swept / "recommended.env").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    stored = json.loads((swept / "recommendation.json").read_text())
    assert found["MAX_ACTIVE"] == str(stored["setting"]["max_active"])
    assert set(found) == {
        "MAX_ACTIVE",
        "QUEUE_MODE",
        "QUEUE_MAX",
        "QUEUE_TIMEOUT_S",
        "QUEUE_ORDER",
        "SLOT_COST",
        "REQUEST_TIMEOUT_S",
    }


def test_the_report_names_the_engine(swept: Path) -> None:
    """A number from the emulator must not be taken for one from a GPU."""
    assert "EMULATOR" in (swept / "report.html").read_text()


def test_nothing_is_left_running(swept: Path) -> None:
    """Every process of the sweep had the run's folder in its command or was started by one that had."""
    assert sweeping.processes_naming(str(swept)) == []
