"""Load generators of others through the gateway: what they count as served is what the gateway served."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.stack import engine, tiny_model, vllm_install
from tests.clients.environment import OFFLINE, programs
from tests.gateway.process import GatewayProcess, gateway, until

REQUESTS, INPUT_TOKENS, OUTPUT_TOKENS, AT_ONCE = 24, 32, 8, 4
ONLINE = {"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": ""}
"""AIPerf takes a tokenizer's folder for a name on the hub where it is told to stay offline."""
VLLM_BENCH = """
import argparse
from vllm.benchmarks import serve
parser = argparse.ArgumentParser()
serve.add_cli_args(parser)
serve.main(parser.parse_args())
"""

pytestmark = pytest.mark.prove


@dataclass(frozen=True)
class Target:
    """What is to be loaded. model: the served name; tokenizer: a folder; out: for results."""

    url: str
    model: str
    tokenizer: Path
    out: Path


@dataclass(frozen=True)
class Counted:
    """What a generator says."""

    served: int
    failed: int
    output_tokens: float


def vllm_bench(target: Target) -> tuple[list[str], Callable[[], Counted]]:
    if not vllm_install.is_installed(vllm_install.CPU):
        pytest.skip("no vLLM: make engine")
    command = [
        *(str(vllm_install.python_of()), "-c", VLLM_BENCH),
        *("--backend", "openai-chat", "--base-url", target.url, "--endpoint", "/v1/chat/completions"),
        *("--model", target.model, "--tokenizer", str(target.tokenizer), "--dataset-name", "random"),
        *("--random-input-len", str(INPUT_TOKENS), "--random-output-len", str(OUTPUT_TOKENS)),
        *("--num-prompts", str(REQUESTS), "--max-concurrency", str(AT_ONCE), "--ignore-eos"),
        *(
            "--save-result",
            "--result-dir",
            str(target.out),
            "--result-filename",
            "out.json",
            "--disable-tqdm",
        ),
    ]

    def read() -> Counted:
        found = json.loads((target.out / "out.json").read_text())
        return Counted(found["completed"], found["failed"], found["total_output_tokens"])

    return command, read


def aiperf(target: Target) -> tuple[list[str], Callable[[], Counted]]:
    command = [
        *(str(programs("aiperf") / "aiperf"), "profile", "-m", target.model, "-u", target.url),
        *("--endpoint-type", "chat", "--streaming", "--request-count", str(REQUESTS)),
        *("--concurrency", str(AT_ONCE), "--prompt-input-tokens-mean", str(INPUT_TOKENS)),
        *("--prompt-output-tokens-mean", str(OUTPUT_TOKENS), "--tokenizer", str(target.tokenizer)),
        *("--extra-inputs", "ignore_eos:true", "--use-server-token-count"),
        *(
            "--ui",
            "none",
            "--no-server-metrics",
            "--no-gpu-telemetry",
            "--output-artifact-dir",
            str(target.out),
        ),
    ]

    def read() -> Counted:
        (path,) = target.out.rglob("profile_export_aiperf.json")
        found = json.loads(path.read_text())
        errors = found.get("error_request_count") or {"avg": 0}
        return Counted(found["request_count"]["avg"], errors["avg"], found["total_output_tokens"]["avg"])

    return command, read


def guidellm(target: Target) -> tuple[list[str], Callable[[], Counted]]:
    command = [
        *(str(programs("guidellm") / "guidellm"), "run"),
        *("--backend", f"kind=openai_http,target={target.url},model={target.model}"),
        *("--profile", f"kind=concurrent,streams={AT_ONCE}"),
        *("--constraint", f"kind=max_requests,count={REQUESTS}"),
        *("--data", f"kind=synthetic_text,prompt_tokens={INPUT_TOKENS},output_tokens={OUTPUT_TOKENS}"),
        *("--tokenizer", f"kind=hf_auto,model={target.tokenizer}"),
        *("--output", f"kind=json,path={target.out / 'out.json'}", "--disable-console"),
    ]

    def read() -> Counted:
        (found,) = json.loads((target.out / "out.json").read_text())["benchmarks"]
        totals = found["metrics"]["request_totals"]
        tokens = found["metrics"]["output_token_count"]["successful"]["total_sum"]
        return Counted(totals["successful"], totals["errored"] + totals["incomplete"], tokens)

    return command, read


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, str, Path]]:
    folder = tmp_path_factory.mktemp("target")
    tokenizer = tiny_model.build(folder / "tokenizer")
    with (
        engine.running(engine.choose("emulator"), log_dir=folder) as served,
        gateway(served.url, max_active=AT_ONCE) as running,
    ):
        until(lambda: running.get("/v1/models")[0] == 200, 20)
        yield running, served.model, tokenizer


@pytest.mark.parametrize("generator", [vllm_bench, aiperf, guidellm])
def test_a_generator_counts_what_the_gateway_served(
    generator: Callable[[Target], tuple[list[str], Callable[[], Counted]]],
    target: tuple[GatewayProcess, str, Path],
    tmp_path: Path,
) -> None:
    """Every request that it sent was served and is counted on both sides, with the same output tokens."""
    running, model, tokenizer = target
    command, read = generator(Target(running.url, model, tokenizer, tmp_path))
    before, tokens_before = running.state()["outcomes"], _output_tokens(running)
    _run(command, tmp_path)
    counted, after = read(), running.state()["outcomes"]
    print(counted)
    assert (counted.served, counted.failed) == (REQUESTS, 0)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"ok": REQUESTS}
    assert counted.output_tokens == _output_tokens(running) - tokens_before


def _output_tokens(running: GatewayProcess) -> float:
    page = running.get("/metrics")[2].decode()
    (line,) = (
        line for line in page.splitlines() if line.startswith('gateway_tokens_total{kind="completion"}')
    )
    return float(line.split()[-1])


def _run(command: Sequence[str], folder: Path) -> None:
    log = folder / "generator.log"
    with log.open("wb") as output:
        ended = subprocess.run(
            command,
            env={**os.environ, **OFFLINE, **(ONLINE if "aiperf" in command[0] else {})},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=560,
        )
    assert ended.returncode == 0, log.read_text()[-3000:]
