"""Everything a sweep runs on, started in order and always stopped: engine, gateway, Prometheus, cores."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.cli.sweep_args import SweepOptions
from experiments.errors import UserError
from experiments.measure import scrape_scope, watching
from experiments.observe import grafana
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.gateway_lanes import GatewayLanes
from experiments.observe.grafana import Annotations, Grafana
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import Scope
from experiments.observe.witness.watch import Watch
from experiments.spec.gateway_section import AUTO
from experiments.spec.load_section import LoadSection
from experiments.stack import compose, compose_targets, cores, ports
from experiments.stack import engine as engines
from experiments.stack import gateway as gateways
from experiments.stack import prometheus as prometheuses
from experiments.stack.compose import ComposeStack
from experiments.stack.cores import Cores
from experiments.stack.engine import Engine
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.engine_knobs import EngineKnobs
from experiments.stack.gateway import Gateway
from experiments.stack.providers import known
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.provider import EngineChoice
from gateway.limits import Limits
from loadtests.planning.optional_fields import AnswerLengths, OptionalFields, UsageFields
from loadtests.reach.endpoint import Endpoint

# The probe must not meet a limit; the cells set their own.
_OPEN_LIMITS = Limits(max_active=512, queue_max=1000)


@dataclass(frozen=True, slots=True)
class SweepStack:
    """The running stack.

    Attributes:
        knobs: limits that the engine was started with.
        load_ports: of the generators' metrics; two, so that the next can stand ready while one still runs.
        load_host: the address those metrics listen on.
        load_cpus: cores of a generator; None: all.
        fields: what every request asks beyond the plain API.
        watch: what its cells are watched with.
    """

    engine: Engine
    knobs: EngineKnobs
    gateway: Endpoint
    admin: GatewayAdmin
    metrics: ServerMetrics
    load_ports: tuple[int, int]
    load_host: str
    load_cpus: frozenset[int] | None
    fields: OptionalFields
    annotations: Annotations
    watch: Watch


@contextlib.contextmanager
def running(
    options: SweepOptions,
    logs: Path,
    prometheus_data: Path,
    tell: Callable[[str], None],
    knobs: EngineKnobs | None = None,
) -> Iterator[SweepStack]:
    """The stack for `options`, all of it ready; everything that was started here is stopped on leaving.

    `knobs`: what the engine is started with, one of the spec's values; None: the first of them.

    Raises:
        UserError, EnvironmentProblem: something cannot be started or reached, with the reason.
    """
    knobs = options.spec.engine.values()[0] if knobs is None else knobs
    composed = _composed(options)
    choice = _choice(options, knobs, tell) if composed is None and options.gateway is None else None
    shared = _shared(options, choice)
    with contextlib.ExitStack() as stack:
        served = (
            _ours(choice, options.spec.load.usage, shared, logs, tell)
            if choice
            else _theirs(options, composed, tell)
        )
        engine, gateway = stack.enter_context(served)
        tell("; ".join(filter(None, (f"engine ready: {engine.label}", engine.account))))
        admin = GatewayAdmin(gateway.endpoint, gateway.admin_token)
        stack.callback(admin.close)
        stack.enter_context(_restored(admin, options))
        admin.apply(_open_limits(knobs))
        load_ports, load_host = (ports.free_port(), ports.free_port()), compose_targets.LOOPBACK
        prometheus = options.prometheus
        if composed is not None:
            prometheus = prometheus or Endpoint.parse(composed.prometheus_url)
            folder = options.compose_env.parent / "targets"
            announced = compose_targets.announced(load_ports, composed.settings, tell, folder)
            load_host = stack.enter_context(announced)
        if prometheus is None:
            targets = scrape_scope.targets(gateway.endpoint, engine, load_ports)
            own = prometheuses.running(
                targets=targets, data_dir=prometheus_data, log_dir=logs, cpus=shared.others, on_progress=tell
            )
            metrics = scrape_scope.of_own(stack.enter_context(own).url, engine.metrics, targets)
        else:
            sought = scrape_scope.sought(engine, gateway.endpoint, in_compose=composed is not None)
            metrics = scrape_scope.of_shared(prometheus, engine.metrics, admin, sought, options, tell)
        notes = grafana.of_run(_grafana(options, composed, tell), prometheus_data.parent.name, tell)
        yield SweepStack(
            engine=engine,
            knobs=knobs,
            gateway=gateway.endpoint,
            admin=admin,
            metrics=metrics,
            load_ports=load_ports,
            load_host=load_host,
            load_cpus=shared.others,
            fields=fields_for(options.spec.load, engine),
            annotations=stack.enter_context(notes),
            watch=stack.enter_context(_watch(choice, engine, gateway, prometheus, shared)),
        )


def scope_beforehand(options: SweepOptions, tell: Callable[[str], None]) -> Scope | None:
    """What a Prometheus that somebody else runs will be asked about: found out without anything started,
    where gateway and engine run already. None where the sweep brings its own Prometheus.

    Raises:
        UserError, EnvironmentProblem: something cannot be reached, or told from others.
    """
    composed = _composed(options)
    at = options.prometheus or (Endpoint.parse(composed.prometheus_url) if composed is not None else None)
    if at is None:
        return None
    with contextlib.ExitStack() as stack:
        engine, gateway = stack.enter_context(_theirs(options, composed, lambda _: None))
        admin = stack.enter_context(contextlib.closing(GatewayAdmin(gateway.endpoint, gateway.admin_token)))
        stack.enter_context(_limits_restored(admin))
        admin.apply(_open_limits(options.spec.engine.values()[0]))
        sought = scrape_scope.sought(engine, gateway.endpoint, in_compose=composed is not None)
        return scrape_scope.of_shared(at, engine.metrics, admin, sought, options, tell).scope


def _composed(options: SweepOptions) -> ComposeStack | None:
    return compose.find(options.compose_env) if options.spec.engine.provider == known.COMPOSE else None


def _shared(options: SweepOptions, choice: EngineChoice | None) -> Cores:
    here = choice is not None and choice.provider.on_our_cores
    return cores.split(options.spec.engine.cpus, engine_is_here=here)


def _watch(
    choice: EngineChoice | None, engine: Engine, gateway: Gateway, prometheus: Endpoint | None, shared: Cores
) -> contextlib.AbstractContextManager[Watch]:
    """The watch over what was started here, and beside somebody else's servers. `prometheus`: None for one of
    our own."""
    found = [] if prometheus is None else [prometheus]
    found += [gateway.endpoint] if choice is None else []
    provider = None if choice is None else choice.provider
    return watching.of_stack(watching.EngineHere.of(engine.endpoint, provider), found, shared)


def fields_for(load: LoadSection, engine: Engine) -> OptionalFields:
    """What the requests ask of this engine: as the spec says, else as is known of it."""
    lengths = engine.answer_lengths if load.lengths == AUTO else load.lengths
    return OptionalFields(AnswerLengths(lengths), load.usage)


def _choice(options: SweepOptions, knobs: EngineKnobs, tell: Callable[[str], None]) -> EngineChoice:
    """The engine that this sweep starts, or the one at a URL, with what it is started with."""
    wanted = options.spec.engine
    choice = engines.choose(wanted.provider, engine_url=options.engine, model=wanted.model, on_progress=tell)
    if choice.why:
        tell(choice.why)
    if choice.provider.check_knobs is not None:
        choice.provider.check_knobs(wanted.values())
    return replace(choice, knobs=knobs)


@contextlib.contextmanager
def _ours(
    choice: EngineChoice, usage: UsageFields, shared: Cores, logs: Path, tell: Callable[[str], None]
) -> Iterator[tuple[Engine, Gateway]]:
    """The chosen engine and a gateway before it, for this run. Where the requests are not to ask for usage,
    the gateway does not either."""
    knobs = choice.knobs
    env = {"ASK_USAGE": "false"} if usage is UsageFields.NONE else {}
    tell(f"starting the engine: {choice.provider.name}" + (f" with {knobs}" if knobs.given() else ""))
    with (
        engines.running(choice, log_dir=logs, cpus=shared.engine, on_progress=tell) as engine,
        gateways.running(
            engine_url=engine.url,
            model=engine.model,
            log_dir=logs,
            cpus=shared.others,
            env=env | _before(engine),
        ) as gateway,
    ):
        yield engine, gateway


@contextlib.contextmanager
def _theirs(
    options: SweepOptions, composed: ComposeStack | None, tell: Callable[[str], None]
) -> Iterator[tuple[Engine, Gateway]]:
    """Engine and gateway that somebody else runs: those of the compose stack, or those behind a URL."""
    # The engine first: of a stack that is not up, that look says so and how to start it.
    engine = _behind(options, tell) if composed is None else compose.look(composed, options.spec.engine.model)
    yield engine, gateway_of_others(options)


def gateway_of_others(options: SweepOptions) -> Gateway:
    """The one behind --gateway-url, or that of the compose stack.

    Raises:
        UserError: it does not answer, or its limits cannot be set.
    """
    composed = _composed(options)
    if composed is None:
        assert options.gateway is not None, "else the gateway is ours"
        return gateways.external(options.gateway, options.admin_token)
    token = composed.admin_token or options.admin_token
    if token is None:
        raise UserError(
            f"{options.compose_env} sets no GATEWAY_ADMIN_TOKEN, so the gateway's limits cannot be set: "
            "give it one (8 characters or more) and start the stack again"
        )
    at = Endpoint.parse(composed.gateway_url, options.api_key or composed.api_key or "")
    return gateways.external(at, token)


def _before(engine: Engine) -> dict[str, str]:
    """The settings of our gateway that hold what the engine wants to see."""
    return {} if engine.endpoint is None else gateways.reaching(engine.endpoint)


def _grafana(
    options: SweepOptions, composed: ComposeStack | None, tell: Callable[[str], None]
) -> Grafana | None:
    """The Grafana that was named; without one that of the compose stack, if it runs and lets us write."""
    if options.grafana is not None or composed is None:
        return options.grafana
    token = composed.settings.get("GRAFANA_TOKEN")
    if not token and not composed.grafana_password:
        return None
    if not ports.answers(f"{composed.grafana_url}/api/health")():
        tell(f"no Grafana answers at {composed.grafana_url}: no annotations")
        return None
    return Grafana(composed.grafana_url, token or None, composed.grafana_password)


def _open_limits(knobs: EngineKnobs) -> Limits:
    """What an engine turns away would end the probe; it may wait at the gateway instead."""
    most = knobs.max_num_queued_reqs or _OPEN_LIMITS.max_active
    return replace(_OPEN_LIMITS, max_active=min(_OPEN_LIMITS.max_active, most))


def _behind(options: SweepOptions, tell: Callable[[str], None]) -> Engine:
    """The engine behind a gateway that somebody else runs: known by what the user says of it and, where its
    own address is given and answers, by what it says."""
    wanted, at = options.spec.engine, options.engine
    assert wanted.model is not None, "the command line asks for it"
    provider = known.named(wanted.provider) if wanted.provider in known.ELSEWHERE else EXTERNAL
    if at is not None:
        try:
            return engines.elsewhere(provider, at, wanted.model)
        except UserError as problem:
            tell(f"the engine behind the gateway is not known: {problem}")
    newest = provider.metrics.newest
    return Engine(
        endpoint=at,
        model=wanted.model,
        provider=provider,
        label=f"{provider.name} ({wanted.model})",
        facts=EngineFacts() if provider is EXTERNAL else EngineFacts(metric_names=newest.names()),
    )


@contextlib.contextmanager
def _restored(admin: GatewayAdmin, options: SweepOptions) -> Iterator[None]:
    """Its limits, and its lanes where the matrix has some."""
    lanes = GatewayLanes(admin).given_back() if options.spec.gateway.lanes else contextlib.nullcontext()
    with _limits_restored(admin), lanes:
        yield


@contextlib.contextmanager
def _limits_restored(admin: GatewayAdmin) -> Iterator[None]:
    """A gateway that lives on gets its limits back, also after a crash of the sweep."""
    before = admin.limits()
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            admin.apply(before)
