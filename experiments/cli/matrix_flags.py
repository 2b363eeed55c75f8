"""The flags of a matrix, in one wording for every command that takes one: the gateway's limits as axes, and
the loads that each setting meets."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from experiments.errors import UserError
from experiments.spec.gateway_section import GatewaySection
from experiments.spec.load_section import SESSION_KEYS
from experiments.stack.engine_knobs import flag_of
from gateway.limits import LIMIT_NAMES
from gateway.settings import LiveSettings
from loadtests.planning.rate import parse_rate

Values = Mapping[str, str | list[str] | None]
"""Keys of a section of the spec → what was given; None where nothing was."""

# What the description of a limit does not say of the values in a matrix.
_OF_A_LIMIT = {"queue_timeout_s": "auto derives it from the SLO"}


_OF_SESSIONS = {
    "--turns": (
        "N",
        "mean messages of a session, each after the answer to the last (default 1: no sessions)",
    ),
    "--turn-gap-s": ("SECONDS", "mean pause between an answer and the next message (default 5)"),
    "--tool-calls": ("N", "mean calls of a tool before the last answer to a message (default 0)"),
    "--tool-s": ("SECONDS", "mean time from a call of a tool to its result (default 2)"),
    "--turn-tokens": ("N", "tokens that a message or a result adds (default 0: as many as a prompt has)"),
    "--branches": ("N", "requests that each call makes side by side (default 0)"),
}
"""Of `SESSION_KEYS`: the sessions that requests belong to."""


def limit_flag(name: str) -> str:
    """`queue_timeout_s` → `--queue-timeout`: a span of time is given with its unit."""
    return flag_of(name.removesuffix("_s"))


def add_limits(add_argument: Callable[..., argparse.Action]) -> None:
    """A flag for each of the gateway's limits."""
    for name in LIMIT_NAMES:
        default = GatewaySection.model_fields[name].default
        described = [LiveSettings.model_fields[name].description or "", _OF_A_LIMIT.get(name, "")]
        add_argument(
            limit_flag(name),
            dest=name,
            metavar="LIST" if isinstance(default, tuple) else "TIME",
            help=f"{'; '.join(filter(None, described))} (default {_shown(default)})",
        )


def add_lanes(add_argument: Callable[..., argparse.Action]) -> None:
    """The gateway's lanes, an axis beside its limits."""
    add_argument(
        "--lanes",
        metavar="LIST",
        help="tables of lanes: none, mix (a lane for each that --mix names), or lanes.toml files; with lanes "
        "the queue order is fair unless it is given (default those that the gateway has; mix where it is "
        "started here)",
    )


def add_rates(add_argument: Callable[..., argparse.Action], *, without: str) -> None:
    """--load, or --scenario and --rate; `without`: what happens without them, for the help."""
    add_argument(
        "--load",
        metavar="LIST",
        help="SCENARIO@RATE, RATE in requests/s or as a multiple of capacity (0.7x), for recorded of the "
        f"recorded rate (recorded@1.0x); {without}",
    )
    add_argument("--scenario", metavar="LIST", help="with --rate: every scenario at every rate")
    add_argument(
        "--rate", metavar="LIST", help="requests per second, or multiples of capacity such as 0.7x,1.2x"
    )


def add_recording(add_argument: Callable[..., argparse.Action]) -> None:
    """Which recording the loads named recorded play."""
    add_argument(
        "--recorded",
        metavar="DIR",
        help="folder of a gateway's recording (its RECORD_DIR), for --load recorded@1.0x: its arrivals, "
        "lengths, lanes, sessions, shared prefixes and clients that leave; each block plays another stretch",
    )
    for flag, end in (("--from", "begin"), ("--to", "end")):
        add_argument(
            flag,
            dest=f"recorded_{flag[2:]}",
            metavar="TIME",
            help=f"{end} of what is played: 2026-11-30T14:05 (UTC), 14:05, or 10m after its first request",
        )


def add_workloads(add_argument: Callable[..., argparse.Action]) -> None:
    """Lengths of prompts and answers, of one kind of request or of several."""
    add_argument(
        "--workload",
        metavar="LIST",
        help="PROMPTxOUTPUT in tokens such as 64x24,512x128, or chat, code, long …: every load under each",
    )
    add_argument(
        "--mix",
        metavar="CLASSES",
        help="load classes that every load mixes: NAME:SHARE or NAME=WORKLOAD:SHARE[@TENANT/PRIORITY], "
        "such as chat:0.9,agent-long:0.1; an objective of its own goes into --slo",
    )
    add_argument("--prompt-tokens", metavar="N", help="tokens in each prompt (default 64)")
    add_argument("--output-tokens", metavar="N", help="tokens in each answer (default 24)")
    for flag, (metavar, text) in _OF_SESSIONS.items():
        add_argument(flag, metavar=metavar, help=text)


def gateway_values(args: argparse.Namespace) -> Values:
    """The gateway section of the spec, as far as its flags were given."""
    return {**limit_values(args), "lanes": listed(args.lanes)}


def limit_values(args: argparse.Namespace) -> Values:
    """The limits of that section, as far as their flags were given."""
    defaults = {name: GatewaySection.model_fields[name].default for name in LIMIT_NAMES}
    given = {name: getattr(args, name) for name in LIMIT_NAMES}
    return {
        name: listed(given[name]) if isinstance(default, tuple) else given[name]
        for name, default in defaults.items()
    }


def load_values(args: argparse.Namespace) -> Values:
    """The load section of the spec, as far as its flags were given.

    Raises:
        UserError: they contradict each other, or a rate is none.
    """
    return {
        "loads": _loads(args),
        "workloads": listed(args.workload),
        "mix": args.mix,
        "prompt_tokens": args.prompt_tokens,
        "output_tokens": args.output_tokens,
        "seed": args.seed,
        **{name: getattr(args, name) for name in SESSION_KEYS},
    }


def listed(text: str | None) -> list[str] | None:
    """`2,8,16` → those; `""` → an empty list, which the spec refuses with a sentence."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _shown(default: object) -> str:
    """A default as it is typed."""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}s" if isinstance(default, float) else str(default)


def _loads(args: argparse.Namespace) -> list[str] | None:
    if args.load is not None:
        if args.scenario is not None or args.rate is not None:
            raise UserError("--load already says scenario and rate; leave --scenario and --rate out")
        return listed(args.load)
    if args.scenario is None and args.rate is None:
        return None
    scenarios, rates = listed(args.scenario or "sustained"), listed(args.rate or "0.7x,1.2x")
    assert scenarios is not None
    assert rates is not None
    try:
        for rate in rates:
            parse_rate(rate)
    except ValueError as error:
        raise UserError(f"--rate: {error}") from None
    return [f"{scenario}@{rate}" for scenario in scenarios for rate in rates]
