"""A keyed engine behind nginx with TLS, a login and a path, in a Prometheus that others share, swept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest

from experiments.stack import engine, gateway, prometheus
from experiments.stack.providers.external import EXTERNAL
from loadtests.reach.endpoint import Endpoint
from tests.experiments import sweeping
from tests.experiments.shared_prometheus import kept_busy
from tests.reaching import nginx
from tests.reaching.authority import Authority
from tests.reaching.planted import CLIENT_KEY, KEY, LOGIN, TOKEN, found_in, found_under, with_login
from tests.reaching.test_sweep import engine_with_key, environment, swept

LIMIT = 3
FLAGS = (
    *("--max-active", str(LIMIT), "--queue-mode", "queue", "--load", "sustained@0.2x", "--slo", "ttft<=5s"),
    *(
        "--design",
        "grid",
        "--measure",
        "10s",
        "--warm-up",
        "2s",
        "--min-requests",
        "10",
        "--drain",
        "20s",
        "--quiet",
    ),
)


@contextmanager
def neighbours(folder: Path) -> Iterator[tuple[str, str]]:
    """URLs of another team's gateway and engine, with two requests at work all the time."""
    with ExitStack() as stack:
        served = stack.enter_context(engine.running(engine.choose("emulator"), log_dir=folder))
        front = stack.enter_context(
            gateway.running(engine_url=served.url, model=served.model, log_dir=folder, env={})
        )
        stack.enter_context(kept_busy(front, served.model))
        yield front.url, served.url


@pytest.mark.prove
@pytest.mark.parametrize("name", ["emulator", pytest.param("vllm-cpu", marks=pytest.mark.vllm)])
def test_the_numbers_are_right_and_no_secret_is_anywhere(
    name: str, own_ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is ours, the Prometheus is not, and the engine is reached by one description."""
    monkeypatch.setenv("SSL_CERT_FILE", str(own_ca.ca))
    out = tmp_path / "run"
    with ExitStack() as stack:
        port = stack.enter_context(engine_with_key(name, tmp_path))
        url = stack.enter_context(nginx.before(port, own_ca, LOGIN, tmp_path / "nginx"))
        engine_at = Endpoint.parse(with_login(url), KEY)
        env = gateway.reaching(engine_at) | {"GATEWAY_API_KEYS": CLIENT_KEY, "GATEWAY_ADMIN_TOKEN": TOKEN}
        model = engine.elsewhere(EXTERNAL, engine_at, None).model
        front = stack.enter_context(
            gateway.running(engine_url=url, model=model, log_dir=tmp_path / "gateway", env=env)
        )
        their_gateway, their_engine = stack.enter_context(neighbours(tmp_path / "others"))
        targets: dict[str, str | Endpoint] = {
            "ours": front.url,
            "llm": engine_at,
            "theirs": their_gateway,
            "llm-b": their_engine,
        }
        shared = stack.enter_context(
            prometheus.running(targets=targets, data_dir=tmp_path / "shared", log_dir=tmp_path / "shared")
        )
        prometheus.await_scrapes(shared, list(targets))
        given = ("--gateway-url", front.url, "--engine-url", with_login(url), "--prometheus-url", shared.url)
        command = sweeping.command(out, *given, "--model", model, *FLAGS)
        keys = {"GATEWAY_ADMIN_TOKEN": front.admin_token or "", "GATEWAY_API_KEY": CLIENT_KEY}
        code, output, titles = swept(command, environment(own_ca, UPSTREAM_API_KEY=KEY, **keys))
    assert code == 0, output
    (summary,) = sweeping.summaries(out)
    assert sweeping.disagreeing_counts(summary) == []
    assert set(json.loads(next(out.glob("cells/*/load.json")).read_text())["outcomes"]) == {"ok"}
    assert [row for row in summary["agreement"] if not row["agrees"]] == []
    series = pd.read_parquet(out / "cells" / summary["cell"] / "series.parquet")
    values = {metric: group["value"] for metric, group in series.groupby("metric")}
    assert set(values["gateway_active_limit"]) == {LIMIT}
    assert values["gateway_active"].max() <= LIMIT
    assert values["engine_running"].max() <= LIMIT
    assert summary["engine_growth"]["requests"] == summary["outcomes_all_phases"]["ok"]
    doubts = {doubt["code"] for doubt in summary["doubts"]}
    assert not doubts & {"limits_differ", "series_empty", "scrapes_missing", "sources_disagree", "lengths"}
    assert found_in(output.encode()) == []
    assert found_under(out) == {}
    assert found_under(tmp_path / "gateway") == {}
    assert titles == {}
