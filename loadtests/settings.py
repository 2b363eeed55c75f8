"""What a load run is told: validated once, frozen. The plan is made from it unless a plan file is given."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from loadtests.bounds import Bound, WrongValueError, wrong
from loadtests.planning import plan as plans
from loadtests.planning.load_class import LoadClass, parse_mix
from loadtests.planning.mix import Mix
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields, UsageFields
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import TokenCost
from loadtests.planning.scenarios import Shape
from loadtests.planning.trace_files import reading, replay
from loadtests.planning.trace_files.replay import TraceScale
from loadtests.planning.trace_files.trace import Trace
from loadtests.planning.trace_files.units import TraceUnit
from loadtests.reach import handed_down
from loadtests.reach.endpoint import Endpoint
from loadtests.reach.handed_down import API_KEY_VARIABLE
from loadtests.slo import SLO
from loadtests.traffic.load import RecordedLoad, asked, scenario_and_rate

OWN_KEY = "headroom_api_key"
"""An option that nobody types: --api-key, taken from where the web UI's form would show it."""
CREDENTIALS = "headroom_credentials"
"""Another one: what `reach.handed_down` brought, and logins taken out of addresses."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """Where the plan comes from: a plan file, else a trace or a recording, else a drawing. Times in
    seconds."""

    scenario: str
    rate_per_s: float
    warm_up_s: float
    measure_s: float
    seed: int
    mix: Mix
    shape: Shape
    plan_file: str = ""
    trace_file: str = ""
    trace_scale: TraceScale = TraceScale.TIME
    trace_unit: TraceUnit = TraceUnit.AUTO
    recorded: RecordedLoad | None = None

    @property
    def trace_path(self) -> Path:
        """The trace file."""
        return Path(self.trace_file)

    def make(self) -> Plan:
        """The plan. Raises ValueError in one sentence."""
        if self.mix.classes and (self.plan_file or self.recorded or self.scenario == "trace"):
            brings = "a plan file" if self.plan_file else "a recording" if self.recorded else "a trace"
            sentence = f"{brings} brings its own requests and their classes: leave the mix out"
            raise WrongValueError("mix", sentence, f"mix: {sentence}")
        if self.plan_file:
            return plans.load(self.plan_file)
        if self.recorded is not None:
            return self.recorded.plan(self.warm_up_s, self.measure_s, self.seed, self.mix)
        if self.scenario == "trace":
            return self._replay()
        return plans.make(
            self.scenario,
            self.rate_per_s,
            self.warm_up_s,
            self.measure_s,
            self.seed,
            self.mix,
            shape=self.shape,
        )

    def _trace(self) -> Trace:
        if not self.trace_path.is_dir():
            return reading.read(self.trace_path, self.trace_unit, self.seed)
        from loadtests.traffic import as_trace  # with pyarrow, which nothing else here needs

        return as_trace.read(self.trace_path, self.seed)

    def _replay(self) -> Plan:
        if not self.trace_file:
            sentence = "scenario = 'trace': give the file to replay with --trace"
            raise WrongValueError("trace_file", "give the file to replay", sentence)
        return replay.replay(
            self._trace(),
            rate_per_s=self.rate_per_s,
            warm_up_s=self.warm_up_s,
            measure_s=self.measure_s,
            seed=self.seed,
            mix=self.mix,
            scale=self.trace_scale,
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """One load run. Empty strings and zeros mean "not given" where the field says so."""

    target: Endpoint
    gateway_metrics: Endpoint
    """The gateway's metrics page, for the live page and the limits that the run's folder names."""
    model: str
    plan: PlanSettings
    drain_s: float
    """How long requests in flight may go on after the last arrival; then they are cut."""
    slo: SLO
    run_dir: str = ""
    runs_dir: str = "runs"
    max_inflight: int = 0
    """Arrivals due while so many are in flight are not sent, and counted; 0 = as many as
    the process has sockets."""
    tokenizer: Endpoint | None = None
    """Whose /tokenize is asked in place of the target's."""
    engine_metrics: Endpoint | None = None
    prompt_cost_file: str = ""
    """Word costs that were measured before; the target is not asked then."""
    chunk_usage: bool = False
    fields: OptionalFields = ALL_FIELDS
    prompt_salt: str = ""
    allow_hosts: tuple[str, ...] = ()

    def prompt_cost(self) -> TokenCost | None:
        """The word costs of the file, None without one. Raises ValueError in one sentence."""
        if not self.prompt_cost_file:
            return None
        try:
            return TokenCost.from_json(json.loads(Path(self.prompt_cost_file).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"prompt-cost-file = {self.prompt_cost_file!r}: not word costs ({error})"
            ) from None

    def check_host(self) -> None:
        """Raise HostNotAllowedError when the target is not on the allow-list (empty list: anything goes)."""
        name = self.target.host
        if self.allow_hosts and name not in self.allow_hosts:
            raise HostNotAllowedError(
                f"host {name!r} is not allowed: must be one of {', '.join(self.allow_hosts)} (--allow-host)"
            )


class HostNotAllowedError(WrongValueError):
    """The target is not on the allow-list."""

    def __init__(self, sentence: str) -> None:
        super().__init__("host", sentence, sentence)


RUN_BOUNDS = {"drain": Bound(0, unit="s"), "max_inflight": Bound(0)}
"""What the numbers of a run may be that are not its plan's."""


_OPTIONS = {
    "rate_per_s": "rate",
    "warm_up_s": "warmup",
    "measure_s": "duration",
    "users": "vusers",
    "trace_file": "trace",
}


def option_of(name: str) -> str:
    """The option, as Locust's parsed options call it, that a setting or parameter of the plan comes from."""
    return _OPTIONS.get(name, name)


def from_options(options: Namespace, host: str | None) -> Settings:
    """Settings from Locust's parsed options (our own flags; see `options.py`). Raises
    ValueError in one sentence; WrongValueError where it is about one setting."""
    if not host:
        sentence = "host: give the target with --host, e.g. http://127.0.0.1:8080"
        raise WrongValueError("host", "give the target, e.g. http://127.0.0.1:8080", sentence)
    for name, bound in RUN_BOUNDS.items():
        bound.check(name, getattr(options, name))
    target = _endpoint(options, "host", host)
    fields = OptionalFields.named(options.lengths, options.usage)
    if options.chunk_usage and fields.usage is UsageFields.NONE:
        raise ValueError(
            "chunk-usage asks for usage in every chunk, usage = 'none' for none: drop one of them"
        )
    plan, slo = _plan_settings(options), SLO.parse(options.slo)
    made = Settings(
        target=target,
        gateway_metrics=_given(options, "gateway_metrics") or target.below("/metrics"),
        model=options.model,
        plan=plan,
        drain_s=options.drain,
        slo=objective_of(slo, plan.mix.classes),
        run_dir=options.run_dir,
        runs_dir=options.runs_dir,
        max_inflight=options.max_inflight,
        tokenizer=_given(options, "tokenize_url"),
        engine_metrics=_given(options, "engine_metrics"),
        prompt_cost_file=options.prompt_cost_file,
        chunk_usage=options.chunk_usage,
        fields=fields,
        prompt_salt=options.prompt_salt or f"{time.time_ns():x}",
        allow_hosts=tuple(name.strip() for name in options.allow_host.split(",") if name.strip()),
    )
    made.check_host()
    return made


def objective_of(slo: SLO, classes: Sequence[LoadClass]) -> SLO:
    """With an objective for each of these load classes. Raises WrongValueError where it names another."""
    return slo.for_classes(one.name for one in classes) if classes else slo


def _given(options: Namespace, name: str) -> Endpoint | None:
    """The server that an option names, None where it is left empty."""
    return _endpoint(options, name, getattr(options, name)) if getattr(options, name) else None


def _endpoint(options: Namespace, name: str, url: str) -> Endpoint:
    """The server at `url`, with the key of this run where nothing else was handed down for it."""
    typed = options.api_key or getattr(options, OWN_KEY, "") or os.environ.get(API_KEY_VARIABLE, "")
    own_key = typed.strip()  # files bring a line end along
    try:
        to = handed_down.endpoint(url, "", getattr(options, CREDENTIALS, ""))
    except ValueError as error:
        raise WrongValueError(name, str(error), f"{name} = {error}") from None
    return to if to.api_key or name == "engine_metrics" else replace(to, api_key=own_key)


def _plan_settings(options: Namespace) -> PlanSettings:
    for name, allowed in (("trace_scale", TraceScale), ("trace_unit", TraceUnit)):
        if getattr(options, name) not in list(allowed):
            raise wrong(name, repr(getattr(options, name)), f"one of {', '.join(allowed)}")
    shape = {f.name: getattr(options, f.name) for f in fields(Shape) if f.name != "users"}
    scenario, rate_per_s, factor = scenario_and_rate(options.load, options.scenario, options.rate)
    times = getattr(options, "from"), options.to
    return PlanSettings(
        scenario=scenario,
        rate_per_s=rate_per_s,
        warm_up_s=options.warmup,
        measure_s=options.duration,
        seed=options.seed,
        mix=Mix(
            **{f.name: getattr(options, f.name) for f in fields(Mix) if f.name != "classes"},
            classes=parse_mix(options.mix),
        ),
        shape=Shape(**shape, users=options.vusers),
        plan_file=options.plan_file,
        trace_file=options.trace,
        trace_scale=TraceScale(options.trace_scale),
        trace_unit=TraceUnit(options.trace_unit),
        recorded=asked(scenario, options.recorded, *times, factor, rate_per_s),
    )
