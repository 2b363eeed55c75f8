"""A small sweep of each kind of engine, from the probe to the report."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from experiments.stack import gateway
from experiments.stack.providers import known
from tests.engines.foreign_engine import KINDS, served
from tests.experiments import sweeping

FLAGS = (
    *("--max-active", "2,6", "--queue-mode", "queue", "--load", "sustained@0.6x", "--slo", "ttft<=1s"),
    *("--measure", "5s", "--warm-up", "1s", "--min-requests", "10", "--drain", "4s", "--design", "grid"),
)
SERIES = {"engine_running", "engine_waiting", "engine_tokens_per_s"}


@pytest.mark.prove
@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_of_each_kind_ends_in_a_report_that_says_what_is_missing(kind: str, tmp_path: Path) -> None:
    """Its first lines say what it was taken for; the cells have its series, or do without."""
    out = tmp_path / "run"
    with served(KINDS[kind]) as (url, _):
        done = sweeping.run(out, "--engine-url", url, *FLAGS)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads((out / "run.json").read_text())["engine"]["facts"]
    row = {row.name: row for row in known.PROVIDERS}.get(facts["engine_kind"])
    said = done.stdout + done.stderr
    assert (f"taken for {row.title}" if row else "it is of no known kind") in said
    measured = KINDS[kind].exposition is not None
    for cell in sorted(out.glob("cells/[!.]*")):
        summary = json.loads((cell / "summary.json").read_text())
        assert summary["counts"]["outcomes"].keys() <= {"ok", "queue_timeout"}, summary["counts"]
        assert sweeping.disagreeing_counts(summary) == []
        series = pd.read_parquet(cell / "series.parquet")
        found = {str(name) for name in series["metric"].unique() if name.startswith("engine_")}
        assert (found >= SERIES) if measured else not found
        assert ("engine_kv_use_ratio" in found) == (kind in ("vllm", "sglang"))
        counted = summary["engine_growth"]
        assert (counted is not None) == (kind in ("vllm", "sglang", "tgi"))
        if counted is not None:
            assert counted["requests"] == summary["outcomes_all_phases"]["ok"]
            assert counted["preemptions"] == (0.0 if kind == "vllm" else None)
        means = (summary["saturation"]["engine_running_mean"], summary["saturation"]["kv_use_max"])
        assert [mean is not None for mean in means] == [measured, kind in ("vllm", "sglang")]
    page = (out / "report.html").read_text()
    assert f"Not reported by this engine: {', '.join(facts['untold'])}." in page


@pytest.mark.prove
def test_an_engine_behind_somebody_elses_gateway_is_read_by_its_own_names(tmp_path: Path) -> None:
    """Where its address is given beside the gateway's; one that does not answer is said, and done without."""
    out = tmp_path / "run"
    with (
        served(KINDS["sglang"]) as (url, _),
        gateway.running(engine_url=url, model="served", log_dir=tmp_path) as front,
    ):
        flags = ("--gateway-url", front.url, "--admin-token", front.admin_token or "", "--model", "served")
        done = sweeping.run(out, *flags, "--engine-url", url, *FLAGS[2:], "--max-active", "6")
        lost = ("--engine-url", "http://127.0.0.1:9")
        missed = sweeping.run(tmp_path / "other", *flags, *lost, *FLAGS[2:], "--max-active", "6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "taken for SGLang" in done.stdout + done.stderr
    (summary,) = sweeping.summaries(out)
    assert summary["engine_growth"]["requests"] == summary["outcomes_all_phases"]["ok"]
    assert summary["saturation"]["kv_use_max"] is not None
    assert missed.returncode == 0, missed.stdout + missed.stderr
    assert "the engine behind the gateway is not known" in missed.stdout + missed.stderr
