"""The command line of a sweep: flags over a TOML spec."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli import current_setting, engine_axis, matrix_flags, secrets
from experiments.cli.sweep_flags import parser
from experiments.errors import UserError
from experiments.observe.selector import GivenSelectors, Scope
from experiments.spec import sweep_spec
from experiments.spec.design_kind import DesignKind
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import NAMES as ENGINE_KEYS
from experiments.stack.engine_knobs import flag_of
from experiments.stack.providers import known
from loadtests.reach.endpoint import Endpoint, without_login
from loadtests.slo import SLO

if TYPE_CHECKING:
    from experiments.observe.grafana import Grafana

_PRESETS = Path(__file__).parents[1] / "specs"


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """The spec, and what does not change the result: where to write, what to reach, how to run.

    `engine`, `gateway` and `prometheus` are those that somebody else runs. Their credentials are in them
    alone: the spec's own address is without. `prometheus_scope` is what that Prometheus will be asked about,
    once it is found out; it is on no command line. `calibration`: of the engine, which a race starts
    from.
    """

    spec: SweepSpec
    runs: Path
    out: Path | None
    fresh: bool
    dry_run: bool
    quiet: bool
    engine: Endpoint | None
    gateway: Endpoint | None
    admin_token: str | None = field(repr=False)
    api_key: str = field(repr=False)
    prometheus: Endpoint | None
    prometheus_selectors: GivenSelectors
    compose_env: Path
    grafana: Grafana | None
    like: Path | None
    command: tuple[str, ...]
    prometheus_scope: Scope | None = None
    calibration: Path | None = None


def parse(argv: Sequence[str], prog: str = "python -m experiments.sweep") -> SweepOptions:
    """The options of this command line; `prog`: what help and mistakes call the command.

    Raises:
        UserError: a value is wrong; the message names it and what is allowed.
    """
    secrets.hide(argv)
    args = parser(prog).parse_args(argv)
    spec = _with_current(sweep_spec.load(_spec_file(args), _overrides(args)))
    engine = _engine(args, spec)
    if engine is not None:
        spec = sweep_spec.with_engine_url(spec, without_login(spec.engine.url or ""))
    if args.gateway_url is None and spec.engine.provider != known.COMPOSE:
        spec = sweep_spec.with_lanes_of_mix(spec)
    engine_axis.check(spec, args.gateway_url)
    if spec.design.kind is DesignKind.GRID and spec.design.budget_s is not None:
        raise UserError(
            "--budget goes with --design race, which it ends; a grid measures everything, --blocks times"
        )
    _check_recording(spec)
    _check_slo(spec)
    if args.like is not None:
        _check_has_rates(args.like)
    if args.fresh and args.out is not None and (args.out / "run.json").exists():
        raise UserError(f"--fresh with --out {args.out}: that folder holds a run already; name another one")
    _check_servers(args, spec)
    client_key = secrets.client_key(args.api_key, os.environ)
    gateway_url, prometheus_url = args.gateway_url, args.prometheus_url
    gateway = secrets.endpoint("--gateway-url", gateway_url, client_key) if gateway_url else None
    if gateway is not None and spec.engine.model is None:
        raise UserError("--gateway-url needs --model: the model name that its engine serves")
    return SweepOptions(
        spec=spec,
        runs=args.runs,
        out=args.out,
        fresh=args.fresh,
        dry_run=args.dry_run,
        quiet=args.quiet,
        engine=engine,
        gateway=gateway,
        admin_token=secrets.key("--admin-token", args.admin_token) or None,
        api_key=client_key,
        prometheus=secrets.endpoint("--prometheus-url", prometheus_url) if prometheus_url else None,
        prometheus_selectors=GivenSelectors.parse(args.prometheus_selector),
        compose_env=args.compose_env,
        grafana=_grafana(args.grafana_url),
        like=args.like,
        calibration=_calibration(args.calibration),
        command=("python", "-m", "experiments.sweep", *secrets.without_secrets(argv)),
    )


def _check_has_rates(like: Path) -> None:
    """See that a run has been probed. Raises UserError."""
    from experiments.run_folder.reading import read_run  # a run folder's types: seldom, and slow to import

    if read_run(like).probe is None:
        raise UserError(
            f"--like {like}: that run has no probe, so it has no rates to take; name the run of a sweep"
        )


def _calibration(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise UserError(
            f"--calibration {path}: there is no such file; name the profile.json of a calibration"
        )
    return path


def _check_servers(args: argparse.Namespace, spec: SweepSpec) -> None:
    """See that the addresses that are given go together.

    Raises:
        UserError: they do not, or one is missing.
    """
    provider = spec.engine.provider
    if provider in known.ELSEWHERE and not (spec.engine.url or args.gateway_url):
        raise UserError(
            f"engine.provider = {provider!r} is never started here: say where it runs with --engine-url, for "
            "example http://127.0.0.1:8000"
        )
    if provider == known.COMPOSE and (args.gateway_url or spec.engine.url):
        raise UserError(
            "--engine compose takes gateway and engine from compose/.env: leave "
            "--gateway-url and --engine-url out"
        )
    if args.prometheus_selector and args.prometheus_url is None and spec.engine.provider != "compose":
        raise UserError(
            "--prometheus-selector goes with --prometheus-url: a Prometheus of the sweep's own scrapes "
            "nothing else"
        )
    if args.prometheus_url and args.gateway_url is None and provider != known.COMPOSE:
        raise UserError(
            "--prometheus-url goes with --gateway-url: a gateway of the sweep's own listens where no other "
            "Prometheus looks"
        )


def _engine(args: argparse.Namespace, spec: SweepSpec) -> Endpoint | None:
    """The engine that somebody else runs. Where the sweep starts the gateway itself, `--api-key` can only
    mean the engine's: nobody else asks for one."""
    if spec.engine.url is None:
        return None
    own_gateway = args.gateway_url is None
    given = args.api_key if own_gateway and args.api_key else args.upstream_api_key
    return secrets.endpoint("--engine-url", spec.engine.url, secrets.key("--upstream-api-key", given))


def _grafana(url: str | None) -> Grafana | None:
    """Where annotations go. The token is taken from the environment alone: a command line can be seen."""
    token = os.environ.get("GRAFANA_TOKEN") or None
    if url is not None and token is None and "@" not in url:
        raise UserError(f"--grafana-url {url}: annotations need GRAFANA_TOKEN, a service account's token")
    if url is None:
        return None
    from experiments.observe.grafana import Grafana  # with an HTTP client, which is slow to import

    endpoint = secrets.endpoint("--grafana-url", url)
    return Grafana(endpoint.url, token, login=endpoint.login)


def _spec_file(args: argparse.Namespace) -> Path | None:
    if args.preset is None:
        return None if args.spec is None else Path(args.spec)
    if args.spec is not None:
        raise UserError("--preset and --spec both name a spec; give one of them")
    presets = sorted(path.stem for path in _PRESETS.glob("*.toml"))
    if args.preset not in presets:
        raise UserError(f"--preset {args.preset}: must be one of {', '.join(presets)}")
    return _PRESETS / f"{args.preset}.toml"


def _check_recording(spec: SweepSpec) -> None:
    """Read what is to be played, before anything is started."""
    try:
        spec.load.traffic  # noqa: B018  # it is kept
    except ValueError as error:
        raise UserError(f"--recorded {error}") from None


def _check_slo(spec: SweepSpec) -> None:
    if spec.slo.text is None:
        return
    try:
        spec.load.objective(SLO.parse(spec.slo.text))
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
            **{name: _knob(name, getattr(args, name)) for name in ENGINE_KEYS},
        },
        "gateway": {**matrix_flags.gateway_values(args)},
        "load": {
            **matrix_flags.load_values(args),
            **{name: getattr(args, name) for name in ("recorded", "recorded_from", "recorded_to")},
            "lengths": args.lengths,
            "usage": args.usage,
        },
        "window": {
            "warm_up_s": args.warm_up,
            "measure_s": args.measure,
            "drain_s": args.drain,
            "min_requests": args.min_requests,
        },
        "design": {
            "kind": args.design,
            "blocks": args.blocks,
            "budget_s": args.budget,
            "sentinel": None if args.sentinel is None else args.sentinel == "on",
            "current": current_setting.given(args.current, os.environ) if args.current else None,
        },
        "slo": {"text": args.slo},
    }
    given = {section: {k: v for k, v in values.items() if v is not None} for section, values in flags.items()}
    return {section: values for section, values in given.items() if values}


def _with_current(spec: SweepSpec) -> SweepSpec:
    """The spec with the gateway's variables of the environment as its current setting, where a block will
    hold it and nobody has said it.

    A sweep without a sentinel does not look at them: what is left in a shell must not decide a sweep.
    """
    design = spec.design
    watched = design.kind is DesignKind.GRID and design.sentinel and design.blocks > 1
    found = current_setting.given(None, os.environ) if watched else {}
    if not found or "current" in design.model_fields_set:
        return spec
    return sweep_spec.with_current(spec, found)


def _knob(name: str, text: str | None) -> list[str] | None:
    values = matrix_flags.listed(text)
    if values == []:
        raise UserError(f"{flag_of(name)} is an empty list; give at least one value, or leave it out")
    return values
