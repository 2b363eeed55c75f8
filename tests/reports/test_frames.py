"""`reports.load`: tidy frames with documented columns."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtests.record import RequestRecord
from loadtests.recording.share import wilson
from reports import columns, export
from reports.errors import NotARunError
from reports.run import Run, load
from tests.reports.synthetic_run import LOADS, SETTINGS, write_run


@pytest.mark.parametrize("table", columns.TABLES)
def test_every_column_is_documented(run: Run, table: str) -> None:
    """A frame has exactly the columns that the documentation names, in that order."""
    assert list(getattr(run, table).columns) == list(columns.TABLES[table])


def test_records_and_series_have_documented_columns(run: Run) -> None:
    """The per-request and per-sample frames as well; `cell` stands in front of those of the whole run."""
    cell = run.cells["cell"][0]
    assert set(run.cell_records(cell).columns) <= set(columns.RECORDS)
    stored = {"class" if field.name == "cls" else field.name for field in fields(RequestRecord)}
    assert stored <= set(columns.RECORDS)
    assert list(run.cell_series(cell).columns) == list(columns.SERIES)
    assert run.records().columns[0] == "cell"
    assert set(run.series()["cell"]) == set(run.cells["cell"])


def test_cells_say_what_their_summaries_say(run: Run, run_dir: Path) -> None:
    """Numbers pass through unchanged."""
    by_cell = run.cells.set_index("cell")
    for path in run_dir.glob("cells/*/summary.json"):
        summary = json.loads(path.read_text())
        row = by_cell.loc[summary["cell"]]
        assert row["goodput_per_s"] == summary["rates"]["goodput_per_s"]
        assert row["attainment"] == summary["attainment"]
        assert row["offered"] == summary["counts"]["offered"]
        assert row["offered"] == row[["served_in_slo", "served_late", "rejected", "timed_out", "other"]].sum()


def test_cells_come_in_the_same_order_whatever_the_order_of_running(run_dir: Path, tmp_path: Path) -> None:
    """A sweep runs cells in random order; a reader wants them by load and setting."""
    frame = load(run_dir).cells
    assert frame["rate_per_s"].is_monotonic_increasing
    at_one_load = frame[frame["rate_per_s"] == frame["rate_per_s"].max()]
    assert at_one_load["max_active"].is_monotonic_increasing


def test_outcomes_add_up_to_the_offered_requests(run: Run) -> None:
    """Served in SLO and late stand for `ok`, so nothing is counted twice."""
    sums = run.outcomes.groupby("cell")["count"].sum()
    assert sums.to_dict() == run.cells.set_index("cell")["offered"].to_dict()
    assert "ok" not in set(run.outcomes["outcome"])


def test_latencies_count_from_the_due_time(run: Run) -> None:
    """The derived columns of records follow their definitions."""
    frame = run.cell_records(run.cells["cell"][0])
    assert np.allclose(frame["ttft_s"].dropna(), (frame["first_s"] - frame["due_s"]).dropna())
    assert frame.loc[frame["outcome"] != "ok", "e2e_s"].isna().all()


def test_a_cell_without_an_interval_of_its_own_gets_wilsons(run: Run) -> None:
    """And the value lies inside it."""
    row = run.cells.iloc[0]
    assert (row["attainment_low"], row["attainment_high"]) == wilson(row["served_in_slo"], row["offered"])
    assert row["goodput_low_per_s"] <= row["goodput_per_s"] <= row["goodput_high_per_s"]


def test_a_cell_to_which_nothing_was_offered_has_no_interval(tmp_path: Path) -> None:
    """Nothing of nothing is no share."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=8)
    path = next(root.glob("cells/*/summary.json"))
    summary = json.loads(path.read_text())
    summary["counts"] |= {"offered": 0, "served_in_slo": 0}
    path.write_text(json.dumps(summary))
    row = load(root).cells.iloc[0]
    assert np.isnan([row["attainment_low"], row["attainment_high"], row["goodput_low_per_s"]]).all()


def test_csv_and_parquet_hold_the_frames(run: Run, tmp_path: Path) -> None:
    """What a spreadsheet opens equals what the report shows, and a file explains the columns."""
    written = export.write(run, tmp_path)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "cells.parquet"), run.cells, check_dtype=False, check_column_type=False
    )
    read = pd.read_csv(tmp_path / "cells.csv")
    assert np.allclose(read["goodput_per_s"], run.cells["goodput_per_s"])
    explained = pd.read_csv(tmp_path / "columns.csv", keep_default_na=False)
    assert set(zip(explained["table"], explained["column"], strict=True)) >= {("cells", "attainment")}
    assert (explained["meaning"] != "").all()
    assert all(path.exists() for path in written)


def test_repeats_stay_apart(tmp_path: Path) -> None:
    """Blocks are rows of their own: nothing is averaged on the way in."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=8)
    first = next((root / "cells").iterdir())
    summary = json.loads((first / "summary.json").read_text())
    summary["workload"]["block"] = 1
    again = root / "cells" / "again"
    again.mkdir()
    (again / "summary.json").write_text(json.dumps(summary | {"cell": "again"}))
    assert list(load(root).cells["block"]) == [0, 1]


@pytest.mark.parametrize("what", ["nowhere", "empty", "file"])
def test_what_is_no_run_is_refused_in_one_sentence(what: str, tmp_path: Path) -> None:
    """A wrong path is the user's mistake, not a traceback."""
    path = tmp_path / what
    if what == "empty":
        path.mkdir()
    if what == "file":
        path.write_text("")
    with pytest.raises(NotARunError) as error:
        load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
