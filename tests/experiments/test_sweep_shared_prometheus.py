"""A sweep whose Prometheus belongs to several teams: its numbers are those of a Prometheus of its own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments import shared_prometheus, sweeping

FLAGS = (
    *("--max-active", "2,3", "--queue-mode", "queue", "--load", "sustained@0.6x", "--slo", "ttft<=1s"),
    *("--design", "grid", "--measure", "6s", "--warm-up", "2s", "--min-requests", "10", "--quiet"),
)


@pytest.mark.prove
@pytest.mark.parametrize("engine_known", [True, False], ids=["engine known", "only its gateway known"])
def test_the_numbers_are_of_this_gateway_and_engine(tmp_path: Path, engine_known: bool) -> None:
    """The other team's gateway has two requests at work all the time, and another limit."""
    with shared_prometheus.running(tmp_path / "stack", "tiny-cpu") as shared:
        flags = ["--gateway-url", shared.gateway.url, "--admin-token", shared.gateway.admin_token or ""]
        flags += ["--model", shared.engine.model, "--prometheus-url", shared.metrics.url]
        flags += ["--engine-url", shared.engine.url] if engine_known else []
        done = sweeping.run(tmp_path / "run", *flags, *FLAGS)
    assert done.returncode == 0, done.stdout + done.stderr
    summaries = sweeping.summaries(tmp_path / "run")
    assert len(summaries) == 2
    for summary in summaries:
        limit = summary["setting"]["max_active"]
        series = pd.read_parquet(tmp_path / "run" / "cells" / summary["cell"] / "series.parquet")
        values = {name: group["value"] for name, group in series.groupby("metric")}
        assert set(values["gateway_active_limit"]) == {limit}
        assert values["gateway_active"].max() <= limit
        assert values["engine_running"].max() <= limit
        served = summary["outcomes_all_phases"]["ok"]
        assert values["ok_per_s"].mean() == pytest.approx(served / series["t_s"].max(), rel=0.5)
        assert [row for row in summary["agreement"] if not row["agrees"]] == []
        codes = {doubt["code"] for doubt in summary["doubts"]}
        assert not codes & {"limits_differ", "series_empty", "scrapes_missing", "sources_disagree"}, codes
        if engine_known:
            assert summary["engine_growth"]["requests"] == served
        else:  # between two scrapes, so without the requests at the edges
            assert 0.7 * served < summary["engine_growth"]["requests"] <= served
