"""A sweep under a mixed load on the emulator, from the command line to the report and to what reads it."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from reports import notebook
from reports.run import load
from tests.experiments import sweeping

CLASSES = "short=32x8:0.8@alice/interactive,long=128x32:0.2@bob"
OBJECTIVE = "ttft<=2s,attainment>=0.9;long:ttft<=20ms,attainment>=0.9"
FLAGS = (
    *("--engine", "emulator", "--max-active", "4", "--queue-mode", "queue", "--queue-timeout", "1s"),
    *("--lanes", "none,mix", "--mix", CLASSES, "--slo", OBJECTIVE.replace("20ms", "9s")),
    *("--load", "sustained@0.7x", "--measure", "3s", "--warm-up", "1s", "--drain", "3s"),
    *("--min-requests", "10", "--design", "grid", "--quiet"),
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mixed") / "run"
    done = sweeping.run(out, *FLAGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "short: " in done.stdout, "the answer tells each class"
    return out


def test_cells_tell_each_class_by_its_own_objective(swept: Path) -> None:
    """Plan, records, summary and run.json agree on classes, shares and objectives."""
    state = json.loads((swept / "run.json").read_text())
    assert state["slo"]["text"].split(";") == [
        "ttft<=2s,attainment>=0.9", "short:ttft<=2s,attainment>=0.9", "long:ttft<=9s,attainment>=0.9",
    ]  # fmt: skip
    for summary in sweeping.summaries(swept):
        assert summary["workload"]["mix"] == CLASSES
        classes = summary["classes"]
        offered = {name: of["counts"]["offered"] for name, of in classes.items()}
        records = pq.read_table(swept / "cells" / summary["cell"] / "records.parquet").to_pandas()
        measured = records[records["phase"] == "measure"]["class"].value_counts().to_dict()
        assert measured == offered
        assert sum(offered.values()) == summary["counts"]["offered"]
        good = sum(of["counts"]["served_in_slo"] for of in classes.values())
        assert good == summary["counts"]["served_in_slo"]
        assert [one["tenant"] for one in summary["fairness"]["tenants"]] == ["alice", "bob"]


def test_lanes_are_an_axis_from_the_flag_to_the_file_that_is_applied(swept: Path) -> None:
    """What was set was read back and seen by the requests, in the order that shares without a flag for it;
    the answer brings its lanes along, as the gateway reads them."""
    orders, versions = {}, {}
    for summary in sweeping.summaries(swept):
        applied = json.loads((swept / "cells" / summary["cell"] / "cell.json").read_text())
        assert applied["setting"] == summary["setting"]
        name = summary["setting"]["lanes"]["name"]
        orders[name], versions[name] = applied["in_force"]["queue_order"], applied["lanes_version"]
        seen = pq.read_table(swept / "cells" / summary["cell"] / "records.parquet")["lanes_version"]
        assert set(seen.to_pylist()) == ({None} if name == "none" else {applied["lanes_version"]})
        assert not {"limits_differ"} & {doubt["code"] for doubt in summary["doubts"]}
    assert orders == {"none": "fifo", "mix": "fair"}
    assert versions["none"] != versions["mix"]
    chosen = json.loads((swept / "recommendation.json").read_text())["setting"]
    lanes = swept / "recommended-lanes.toml"
    assert lanes.exists() == (chosen["lanes"]["name"] == "mix")
    page = (swept / "report.html").read_text()
    assert "lanes mix" in page
    assert "no lanes" in page


def test_the_answer_and_the_report_have_a_table_for_each_class(swept: Path) -> None:
    """One in the recommendation, one on the page; Jain's index over the tenants."""
    found = json.loads((swept / "recommendation.json").read_text())
    (at,) = found["loads"]
    assert [one["name"] for one in at["classes"]] == ["short", "long"]
    page = (swept / "report.html").read_text()
    assert 'id="table-class-short"' in page
    assert 'id="table-class-long"' in page
    assert 'id="table-tenants"' in page
    assert "<caption>long, by <code>" in page


def test_the_same_command_goes_on_and_measures_nothing_anew(swept: Path) -> None:
    """A mix is part of what a run is, and another mix is another run."""
    before = {path.name: sweeping.digests(path) for path in (swept / "cells").iterdir()}
    again = sweeping.run(swept, *FLAGS)
    assert again.returncode == 0, again.stderr
    assert {path.name: sweeping.digests(path) for path in (swept / "cells").iterdir()} == before
    other = sweeping.run(swept, *FLAGS, "--mix", "short=32x8:0.5@alice,long=128x32:0.5@bob")
    assert other.returncode == 2
    assert "load.mix" in other.stderr


def test_an_objective_of_one_class_changes_what_is_recommended_of_it(swept: Path) -> None:
    """`reports --slo`, `recommend --slo` and the notebook judge by class; what no setting meets is said."""
    command = [sys.executable, "-m", "experiments.recommend", str(swept), "--slo", OBJECTIVE]
    done = subprocess.run(command, cwd=sweeping.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the objective of long asks for 90%" in done.stdout
    assert "no setting satisfies it" in done.stdout
    shown = notebook.load_classes(load(swept))
    assert isinstance(shown, pd.DataFrame)
    assert set(shown["class"]) == {"short", "long"}
    assert len(shown) == 4
    assert notebook.recommendation(load(swept)).count("long: ") == 1


def test_a_run_compares_with_itself_class_by_class_objective_and_all(swept: Path) -> None:
    """The pairs are judged by the objective of the classes; a copy of a run is the same run."""
    command = [sys.executable, "-m", "experiments.compare", str(swept), str(swept)]
    done = subprocess.run(command, cwd=sweeping.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "long:ttft<=9s" in done.stdout + done.stderr
