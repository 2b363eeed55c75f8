"""The command line, which is also the form of the web UI: our flags, with units, on top of Locust's own."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from loadtests.planning.mix import RETRIES, WORKLOADS, Mix
from loadtests.planning.optional_fields import ALL_FIELDS, AnswerLengths, UsageFields
from loadtests.planning.scenarios import SCENARIOS, Shape
from loadtests.planning.trace_files.replay import TraceScale
from loadtests.planning.trace_files.units import TraceUnit
from loadtests.slo import DEFAULT

_SHAPE, _MIX, _FIELDS = Shape(), Mix(), ALL_FIELDS
_WHAT = "; ".join(f"{name}: {scenario.title}" for name, scenario in SCENARIOS.items())


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. Its type is its default's: the UI casts to that, so no default is None. `ui`:
    shown in the form."""

    name: str
    default: str | int | float | bool
    help: str
    choices: tuple[str, ...] = ()
    ui: bool = True
    secret: bool = False


def _values(choices: type[StrEnum]) -> tuple[str, ...]:
    return tuple(choice.value for choice in choices)


LOAD = (
    Flag("scenario", "sustained", _WHAT, tuple(SCENARIOS)),
    Flag("rate", 2.0, "Mean offered rate, requests/s (trace, recorded: 0 = as recorded)"),
    Flag(
        "load",
        "",
        "SCENARIO@RATE in place of both; recorded@1.0x: so many times the recorded rate",
        ui=False,
    ),
    Flag("warmup", 5.0, "Warm-up, s: sent and recorded, not counted"),
    Flag("duration", 30.0, "Measured window, s"),
    Flag("drain", 60.0, "Longest wait for requests in flight after it, s; then they are cut"),
    Flag("seed", 1, "Seed of the plan; 0 is a seed too"),
    Flag("factor", _SHAPE.factor, "burst, spike: rate inside a burst over the rate outside"),
    Flag("burst-s", _SHAPE.burst_s, "burst, spike, on-off: length of a burst, s"),
    Flag("period-s", _SHAPE.period_s, "burst, on-off, diurnal: period, s"),
    Flag("cv", _SHAPE.cv, "gamma: coefficient of variation of the gaps"),
    Flag("swing", _SHAPE.swing, "ramp, step, diurnal: the rate moves by ± this share, 0..1"),
    Flag("steps", _SHAPE.steps, "step: number of stairs"),
    Flag("vusers", _SHAPE.users, "closed: number of users"),
    Flag("think-s", _SHAPE.think_s, "closed: mean think time, s"),
    Flag(
        "max-inflight", 0, "Cap on requests in flight (0: none); arrivals beyond it are not sent, and counted"
    ),
    Flag("plan-file", "", "Send exactly this plan", ui=False),
    Flag(
        "trace",
        "",
        "trace: CSV or JSON lines, also .gz, or a recording's folder (see python -m loadtests.traces)",
    ),
    Flag("recorded", "", "recorded: folder of a gateway's recording (its RECORD_DIR)"),
    Flag("from", "", "recorded: begin: 2026-11-30T14:05 (UTC), 14:05, or 10m after its first request"),
    Flag("to", "", "recorded: end, the same way"),
    Flag("trace-scale", TraceScale.TIME.value, "trace: how --rate is reached", _values(TraceScale)),
    Flag("trace-unit", TraceUnit.AUTO.value, "trace: unit of stamps that are numbers", _values(TraceUnit)),
)
REQUESTS = (
    Flag("model", "", "Model name (empty: the first that the target's /v1/models names)"),
    Flag("workload", _MIX.workload, "Lengths: fixed, lognormal, or a published profile", WORKLOADS),
    Flag(
        "mix",
        "",
        "Load classes in place of one workload, e.g. chat:0.9,agent-long:0.1; or, each with its lane, "
        "NAME=64x24:0.5@TENANT/PRIORITY",
    ),
    Flag("prompt-tokens", _MIX.prompt_tokens, "Prompt length, tokens (lognormal: median)"),
    Flag("output-tokens", _MIX.output_tokens, "Answer length, tokens (lognormal: median)"),
    Flag(
        "lengths",
        _FIELDS.lengths.value,
        "forced: min_tokens and ignore_eos make answers as long as planned; free: the engine ends them",
        _values(AnswerLengths),
    ),
    Flag(
        "usage",
        _FIELDS.usage.value,
        "none: for engines that refuse stream_options; tokens stay unknown where they are not told",
        _values(UsageFields),
    ),
    Flag("length-sigma", _MIX.length_sigma, "lognormal: standard deviation of the log length"),
    Flag("max-prompt-tokens", _MIX.max_prompt_tokens, "Longer prompts are clipped, tokens"),
    Flag("max-output-tokens", _MIX.max_output_tokens, "Longer answers are clipped, tokens"),
    Flag("prefix-groups", _MIX.prefix_groups, "Groups of requests that share a prefix (0: unique prompts)"),
    Flag("prefix-tokens", _MIX.prefix_tokens, "Length of a shared prefix, tokens"),
    Flag("turns", _MIX.turns, "Mean messages of a session (1, and no tool calls: no sessions)"),
    Flag("turn-gap-s", _MIX.turn_gap_s, "Mean pause between an answer and the next message, s"),
    Flag("tool-calls", _MIX.tool_calls, "Mean calls of a tool before the last answer to a message"),
    Flag("tool-s", _MIX.tool_s, "Mean time from a call of a tool to its result, s"),
    Flag("turn-tokens", _MIX.turn_tokens, "Tokens that a further message or a result adds (0: as a prompt)"),
    Flag("branches", _MIX.branches, "Requests that each call makes side by side, each a prompt of its own"),
    Flag("cancel-rate", _MIX.cancel_rate, "Share of clients that hang up, 0..1"),
    Flag("cancel-after-s", _MIX.cancel_after_s, "… on average this long after they sent, s"),
    Flag("deadline-s", _MIX.deadline_s, "Clients give up this long after the request was due, s (0: never)"),
    Flag("retry", _MIX.retry, "What clients do after a refusal", RETRIES),
    Flag("chunk-usage", False, "Ask for usage in every chunk, which gives ITL per token", ui=False),
    Flag("prompt-salt", "", "Fixes the prompt texts (default: new ones in every run)", ui=False),
    Flag("tokenize-url", "", "Engine whose /tokenize makes prompts token-exact (default: HOST)", ui=False),
    Flag("prompt-cost-file", "", "Word costs measured before, as JSON (default: ask /tokenize)", ui=False),
)
RUN = (
    Flag(
        "slo",
        DEFAULT,
        "Objective, judged per request over the offered ones; ';NAME:TERMS' behind it for a load class's own",
    ),
    Flag("run-dir", "", "Folder of the run (default: a new one under --runs-dir)", ui=False),
    Flag("runs-dir", "runs", "Where new run folders are made", ui=False),
    Flag("api-key", "", "Sent as a bearer token (default: $GATEWAY_API_KEY)", secret=True),
    Flag("go-file", "", "Prepare, write FILE.ready, start when FILE exists", ui=False),
    Flag("metrics-port", 0, "Prometheus metrics of the generator on this port (0: none)", ui=False),
    Flag("metrics-host", "127.0.0.1", "… on this address", ui=False),
    Flag("gate", False, "Exit with code 10 when the SLO is missed", ui=False),
    Flag("allow-host", "", "Comma-separated host names that may be loaded (empty: any)", ui=False),
    Flag("web-user", "", "Ask for this user name in the web UI (with --web-login)", ui=False),
    Flag("web-password", "", "… and this password", ui=False, secret=True),
    Flag("gateway-metrics", "", "Gateway's metrics for the live page (default: HOST/metrics)", ui=False),
    Flag("engine-metrics", "", "Engine's metrics for the live page", ui=False),
)


def add(parser: ArgumentParser) -> None:
    """Add every flag to Locust's parser, in three groups of `--help`."""
    load = parser.add_argument_group("Load (times in seconds, rates in requests per second)")
    requests = parser.add_argument_group("Requests (lengths in tokens)")
    run = parser.add_argument_group("Run")
    for group, flags in ((load, LOAD), (requests, REQUESTS), (run, RUN)):
        _add(group.add_argument, flags)


def _add(add_argument: Callable[..., Action], flags: tuple[Flag, ...]) -> None:
    for flag in flags:
        if isinstance(flag.default, bool):
            action = add_argument(f"--{flag.name}", action="store_true", default=flag.default, help=flag.help)
        else:
            action = add_argument(
                f"--{flag.name}",
                type=type(flag.default),
                default=flag.default,
                choices=flag.choices or None,
                help=flag.help.replace("%", "%%"),
            )
        # Locust's parser keeps these on the action; its groups do not take them as arguments.
        vars(action).update(
            include_in_web_ui=flag.ui, is_secret=flag.secret, is_required=False, is_multiple=False
        )
