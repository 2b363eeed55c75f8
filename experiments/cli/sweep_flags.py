"""The flags of a sweep and their help."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from experiments.cli import matrix_flags, optional_field_flags, secrets
from experiments.cli.one_sentence import OneSentenceParser
from experiments.stack import paths
from experiments.stack.engine_knobs import DESCRIPTION, EngineKnobs, flag_of
from experiments.stack.providers import known

_EXAMPLES = """examples:
  %(prog)s                                   all defaults, a few minutes
  %(prog)s --engine emulator --dry-run       what would be measured, and for how long
  %(prog)s --max-active 4,8,16 --queue-timeout auto,2,10 --rate 0.7x,1.2x --budget 20m
  %(prog)s --preset standard --slo 'ttft<=2s,tpot<=80ms,attainment>=0.95'
  %(prog)s --gateway-url http://127.0.0.1:8080 --model qwen25-14b
  %(prog)s --max-num-seqs 16,32 --max-active 8,16,32      the engine's batch, in two starts
  %(prog)s --queue-order fifo,lifo --scenario sustained,burst --rate 6,0.7x,1.2x --blocks 3
  %(prog)s --workload 64x24,512x64 --rate 0.7x,1.1x   each at its own capacity
  %(prog)s --mix 'chat:0.9,agent-long:0.1' --slo 'ttft<=1s,tpot<=60ms;agent-long:ttft<=20s'
  %(prog)s --load recorded@1.0x,recorded@1.5x --recorded /var/lib/headroom/recording --from 14:00 --to 15:00
  %(prog)s --mix 'chat:0.9@a,agent-long:0.1@b' --lanes none,mix,lanes.toml --slot-cost requests,tokens
  %(prog)s --engine compose                  the compose stack that runs on this machine

A sweep that was interrupted goes on where it stopped when the same command is given again.
"""


def parser(prog: str = "python -m experiments.sweep") -> argparse.ArgumentParser:
    """Every flag of a sweep, which help calls `prog`, with defaults from the environment."""
    flags = OneSentenceParser(
        prog=prog,
        description="Measure a matrix of gateway settings under load and recommend one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_spec(flags)
    _add_settings(flags)
    _add_loads(flags)
    _add_cells(flags)
    _add_engine(flags, os.environ)
    _add_services(flags, os.environ)
    _add_running(flags)
    return flags


def _add_spec(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("what is measured (the flags below replace values of the spec)")
    group.add_argument("--spec", type=Path, metavar="FILE", help="TOML spec; see experiments/specs/")
    group.add_argument("--preset", metavar="NAME", help="quick (the default's values), standard, thorough")


def _add_settings(flags: argparse.ArgumentParser) -> None:
    """The axes: the gateway's limits and lanes, then the engine's."""
    group = flags.add_argument_group("settings: every combination of these comma-separated lists")
    matrix_flags.add_limits(group.add_argument)
    matrix_flags.add_lanes(group.add_argument)
    for item in fields(EngineKnobs):
        group.add_argument(
            flag_of(item.name),
            metavar="LIST",
            help=f"{item.metadata[DESCRIPTION]}; a start of the engine each (default its own)",
        )


def _add_loads(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("loads: each meets every setting")
    unnamed = "a race without it takes one that should be met and one that is missed, by what the probe saw"
    matrix_flags.add_rates(group.add_argument, without=unnamed)
    matrix_flags.add_recording(group.add_argument)
    matrix_flags.add_workloads(group.add_argument)
    optional_field_flags.add(group.add_argument)
    group.add_argument(
        "--slo",
        metavar="SLO",
        help="such as 'ttft<=1s,tpot<=60ms,e2e<=20s,attainment>=0.95'; for a load class of its own "
        "';agent-long:ttft<=20s' behind it",
    )


def _add_cells(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("cells: how often and how long each is measured")
    group.add_argument("--seed", metavar="N", help="of arrivals and of the running order (default 1)")
    group.add_argument(
        "--design",
        metavar="KIND",
        help="race (default): all settings start, the surely worse leave, until the best is found within "
        "3 %%; "
        "grid: every cell, --blocks times; model: python -m experiments.tune",
    )
    group.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="profile.json of python -m experiments.calibrate: a race begins with what it expects to be "
        "best, and the report says what it expects of other settings and loads",
    )
    group.add_argument(
        "--blocks",
        metavar="N",
        help="a grid's repeats, each with a fresh arrival trace (default 1); a race may take as long",
    )
    group.add_argument(
        "--current",
        metavar="SETTING",
        help="the gateway's setting of today, such as MAX_ACTIVE=4,QUEUE_MAX=50: each of two or more blocks "
        "holds one cell of it, to see drift (default: the environment's, else MAX_ACTIVE=2 …)",
    )
    group.add_argument(
        "--sentinel", choices=("on", "off"), help="whether blocks hold that cell (default on; not in one)"
    )
    group.add_argument(
        "--budget",
        metavar="TIME",
        help="end the race so that all is over after this time, such as 20m",
    )
    group.add_argument(
        "--warm-up", metavar="TIME", help="arrivals that are not counted, per cell (default auto)"
    )
    group.add_argument("--measure", metavar="TIME", help="arrivals that are counted, per cell (default auto)")
    group.add_argument(
        "--drain", metavar="TIME", help="longest wait for the requests in flight at the end (default auto)"
    )
    group.add_argument(
        "--min-requests", metavar="N", help="measured requests in each cell, at least (default 85)"
    )


def _add_engine(flags: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    group = flags.add_argument_group("engine")
    group.add_argument(
        "--engine",
        metavar="NAME",
        help=f"{', '.join(known.SWEEP_CHOICES)} (default {known.AUTO}: what this machine has)",
    )
    group.add_argument(
        "--engine-url",
        metavar="URL",
        default=environment.get("ENGINE_URL") or None,
        help="an engine that is already running: http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]",
    )
    group.add_argument(
        "--model",
        metavar="NAME",
        default=environment.get("MODEL") or None,
        help="model to serve or to ask for",
    )
    secrets.add_engine_key(group, environment)
    group.add_argument(
        "--engine-cpus",
        metavar="CORES",
        help="cores of an engine on the CPU, such as 0 or 0-3 (default auto: half of them)",
    )


def _add_services(flags: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Gateway, Prometheus, compose stack and Grafana that are already there."""
    group = flags.add_argument_group("gateway, Prometheus, Grafana")
    group.add_argument(
        "--gateway-url", metavar="URL", help="a gateway that is already running, set through its admin API"
    )
    group.add_argument(
        "--admin-token",
        metavar="TOKEN",
        default=environment.get("GATEWAY_ADMIN_TOKEN"),
        help="default $GATEWAY_ADMIN_TOKEN",
    )
    group.add_argument(
        "--prometheus-url", metavar="URL", help="a Prometheus that scrapes gateway and engine each second"
    )
    group.add_argument(
        "--prometheus-selector",
        metavar="MATCHERS",
        action="append",
        default=[],
        help="which of its series are this gateway's and engine's, where it cannot tell: label matchers such "
        "as 'namespace=\"team-a\"', for one part 'engine{job=\"vllm-a\"}' (gateway, engine, gpu); may be "
        "repeated",
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help="key that a gateway wants of its clients (default $GATEWAY_API_KEY); without --gateway-url the "
        "engine's",
    )
    group.add_argument(
        "--compose-env",
        type=Path,
        metavar="FILE",
        default=paths.compose_env(),
        help="with --engine compose: the stack's variables (default compose/.env)",
    )
    group.add_argument(
        "--grafana-url",
        metavar="URL",
        default=environment.get("GRAFANA_URL") or None,
        help="a Grafana that gets an annotation for each cell; needs $GRAFANA_TOKEN",
    )


def _add_running(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("how it runs")
    group.add_argument(
        "--like",
        type=Path,
        metavar="RUN",
        help="take rates, windows and derived limits from that run's probe, to compare with it",
    )
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="run folder (default: a new one under --runs, or an unfinished one)",
    )
    group.add_argument(
        "--runs", type=Path, metavar="DIR", default=Path("runs"), help="where run folders are (default runs)"
    )
    group.add_argument(
        "--fresh", action="store_true", help="begin anew even if an unfinished run of this spec is there"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="show the cells and the time they take, start nothing"
    )
    group.add_argument("--quiet", action="store_true", help="only the result")
