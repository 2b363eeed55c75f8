"""The load generators that are compared: how each is told what to do, and where it writes what it
measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loadgen.server import HERE, TOOLS
from loadtests.recording.run_folder import RunFolder

ROOT = HERE.parents[1]
TOKENIZER = TOOLS / "bench-tokenizer"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
Quantiles = dict[str, dict[str, float]]
"""ttft, itl → p50, p95 (where reported), p99, in seconds."""


@dataclass(frozen=True)
class Work:
    """`requests` answers of `chunks` chunks; closed loop of `streams`, or Poisson arrivals at
    `rate_per_s`."""

    url: str
    requests: int
    chunks: int
    streams: int = 0
    rate_per_s: float = 0.0
    seconds: float = 0.0
    """Length for generators that count time instead of requests."""


@dataclass(frozen=True)
class Generator:
    name: str
    needs: Path
    command: Callable[[Work, Path], list[str]]
    read: Callable[[Path], Quantiles]
    offline: bool = True
    """Told to ask no model hub (AIPerf then does not find a tokenizer in a folder either)."""
    many_streams: bool = True
    """Able to hold 1,024 streams on one core; the others would only be overrun."""


def ours(locustfile: Path) -> Callable[[Work, Path], list[str]]:
    def command(work: Work, folder: Path) -> list[str]:
        how = ["--scenario", "closed", "--vusers", str(work.streams)]
        if work.rate_per_s:
            how = ["--scenario", "sustained", "--rate", str(work.rate_per_s)]
        return [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(locustfile),
            "--headless",
            "--only-summary",
            "-L",
            "ERROR",
            "--host",
            work.url,
            "--model",
            "m",
            "--run-dir",
            str(folder / "run"),
            "--warmup",
            "0",
            "--duration",
            str(work.seconds),
            "--output-tokens",
            str(work.chunks),
            "--prompt-tokens",
            "64",
            *how,
        ]

    return command


def of_records(folder: Path) -> Quantiles:
    data = RunFolder(folder / "run").table()
    return {"ttft": quantiles(data.times("ttft_from_send_s")), "itl": quantiles(data.gap_s)}


def quantiles(seconds: Any) -> dict[str, float]:
    """p50, p95, p99; 0 where there is nothing (answers of one chunk have no gaps)."""
    seconds = seconds if len(seconds) else [0.0]
    return {key: float(np.quantile(seconds, q)) for key, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


def http_user(work: Work, folder: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(HERE / "locust_httpuser.py"),
        "--headless",
        "--only-summary",
        "-L",
        "ERROR",
        "--host",
        work.url,
        "-u",
        str(work.streams),
        "-r",
        str(work.streams),
        "--requests",
        str(work.requests),
        "--chunks",
        str(work.chunks),
        "--out",
        str(folder / "out.json"),
    ]


def of_http_user(folder: Path) -> Quantiles:
    found = json.loads((folder / "out.json").read_text())
    return {name: quantiles(found[name]) for name in ("ttft", "itl")}


VLLM = """
import argparse
from vllm.benchmarks import serve
parser = argparse.ArgumentParser()
serve.add_cli_args(parser)
serve.main(parser.parse_args())
"""


def vllm(work: Work, folder: Path) -> list[str]:
    how = (
        ["--request-rate", str(work.rate_per_s)]
        if work.rate_per_s
        else ["--max-concurrency", str(work.streams)]
    )
    return [
        str(ROOT / ".venv-vllm" / "bin" / "python"),
        "-c",
        VLLM,
        "--backend",
        "openai-chat",
        "--base-url",
        work.url,
        "--endpoint",
        "/v1/chat/completions",
        "--model",
        "m",
        "--tokenizer",
        str(TOKENIZER),
        "--dataset-name",
        "random",
        "--random-input-len",
        "64",
        "--random-output-len",
        str(work.chunks),
        "--num-prompts",
        str(work.requests),
        "--ignore-eos",
        "--save-result",
        "--result-dir",
        str(folder),
        "--result-filename",
        "out.json",
        "--disable-tqdm",
        "--percentile-metrics",
        "ttft,itl",
        "--metric-percentiles",
        "50,95,99",
        *how,
    ]


def of_vllm(folder: Path) -> Quantiles:
    found = json.loads((folder / "out.json").read_text())
    return {
        name: {key: found[f"{key}_{name}_ms"] / 1e3 for key in ("p50", "p95", "p99")}
        for name in ("ttft", "itl")
    }


NOTHING = {"p50": 0.0, "p95": 0.0, "p99": 0.0}


def aiperf(work: Work, folder: Path) -> list[str]:
    how = ["--concurrency", str(work.streams)]
    if work.rate_per_s:
        how = ["--request-rate", str(work.rate_per_s), "--arrival-pattern", "poisson"]
    return [
        str(TOOLS / "bench-aiperf" / "bin" / "aiperf"),
        "profile",
        "-m",
        "m",
        "-u",
        work.url,
        "--endpoint-type",
        "chat",
        "--streaming",
        "--request-count",
        str(work.requests),
        "--prompt-input-tokens-mean",
        "64",
        "--prompt-output-tokens-mean",
        str(work.chunks),
        "--tokenizer",
        str(TOKENIZER),
        "--ui",
        "none",
        "--no-server-metrics",
        "--no-gpu-telemetry",
        "--output-artifact-dir",
        str(folder / "out"),
        *how,
    ]


def of_aiperf(folder: Path) -> Quantiles:
    (path,) = (folder / "out").rglob("profile_export_aiperf.json")
    found = json.loads(path.read_text())
    names = {"ttft": "time_to_first_token", "itl": "inter_token_latency"}
    return {
        short: {key: found.get(name, NOTHING)[key] / 1e3 for key in NOTHING} for short, name in names.items()
    }


def guidellm(work: Work, folder: Path) -> list[str]:
    profile = f"kind=concurrent,streams={work.streams}"
    if work.rate_per_s:
        profile = f"kind=poisson,rate={work.rate_per_s}"
    return [
        str(TOOLS / "bench-guidellm" / "bin" / "guidellm"),
        "run",
        "--backend",
        f"kind=openai_http,target={work.url},model=m",
        "--profile",
        profile,
        "--constraint",
        f"kind=max_requests,count={work.requests}",
        "--data",
        f"kind=synthetic_text,prompt_tokens=64,output_tokens={work.chunks}",
        "--tokenizer",
        f"kind=hf_auto,model={TOKENIZER}",
        "--output",
        f"kind=json,path={folder / 'out.json'}",
        "--disable-console",
    ]


def of_guidellm(folder: Path) -> Quantiles:
    found = json.loads((folder / "out.json").read_text())["benchmarks"][0]["metrics"]
    names = {"ttft": "time_to_first_token_ms", "itl": "inter_token_latency_ms"}
    return {
        short: {key: found[name]["successful"]["percentiles"][key] / 1e3 for key in ("p50", "p95", "p99")}
        for short, name in names.items()
    }


ALL = (
    Generator("headroom", HERE, ours(ROOT / "loadtests" / "locustfile.py"), of_records),
    Generator("Locust HttpUser", HERE, http_user, of_http_user, many_streams=False),
    Generator("vllm bench serve 0.32", ROOT / ".venv-vllm", vllm, of_vllm),
    Generator("AIPerf 0.13", TOOLS / "bench-aiperf", aiperf, of_aiperf, offline=False, many_streams=False),
    Generator("GuideLLM 0.8.1", TOOLS / "bench-guidellm", guidellm, of_guidellm, many_streams=False),
)
