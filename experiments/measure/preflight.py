"""Servers that somebody else runs are asked once before anything starts: what is wrong with an address or key
is one sentence then, and no run folder is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import httpx

from experiments.cli.sweep_args import SweepOptions
from experiments.errors import EnvironmentProblem, UserError
from experiments.measure import sweep_stack
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.gateway_lanes import GatewayLanes
from experiments.observe.prometheus import ServerMetrics
from experiments.run_folder.folder import is_begun
from experiments.spec import sweep_spec
from experiments.stack import engine as engines
from experiments.stack import gateway as gateways
from experiments.stack.providers import known
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint


def check(options: SweepOptions, tell: Callable[[str], None]) -> SweepOptions:
    """See that engine, gateway and Prometheus can be used, those that were given by their address, and told
    from others; the options with what was found out. `tell`: is told what is waited for.

    Raises:
        UserError: one cannot; the sentence says which, and why.
    """
    wanted = options.spec.engine
    try:
        if options.gateway is not None:
            gateway = gateways.external(options.gateway, options.admin_token)
            with closing(GatewayAdmin(gateway.endpoint, gateway.admin_token)) as admin:
                admin.limits()
        elif options.engine is not None:
            choice = engines.choose(
                wanted.provider, engine_url=options.engine, model=wanted.model, install=False
            )
            engines.elsewhere(choice.provider, options.engine, choice.model)
        _check_lanes(options)
        if options.prometheus is not None:
            _ask_prometheus(options.prometheus)
        return replace(options, prometheus_scope=sweep_stack.scope_beforehand(options, tell))
    except EnvironmentProblem as problem:
        raise UserError(str(problem)) from None


def sharing_as_the_gateway(options: SweepOptions) -> SweepOptions:
    """The options with the queue order that shares, where somebody else's gateway has lanes and neither spec
    nor flag says otherwise: in another order a flood would go first in every cell. A gateway that does not
    answer changes nothing here; `check` says why."""
    fair = replace(options, spec=sweep_spec.sharing(options.spec))
    if _gateway_is_ours(options) or options.spec.gateway.lanes or fair.spec == options.spec:
        return options
    try:
        with _lanes_of_others(options) as lanes:
            return fair if lanes.seen().lanes.shared else options
    except (EnvironmentProblem, UserError):
        begun = is_begun(options.runs, options.out, fair.spec, fresh=options.fresh)
        return fair if begun and options.out is None else options


def _gateway_is_ours(options: SweepOptions) -> bool:
    return options.gateway is None and options.spec.engine.provider != known.COMPOSE


@contextmanager
def _lanes_of_others(options: SweepOptions) -> Iterator[GatewayLanes]:
    gateway = sweep_stack.gateway_of_others(options)
    with closing(GatewayAdmin(gateway.endpoint, gateway.admin_token)) as admin:
        yield GatewayLanes(admin)


def _check_lanes(options: SweepOptions) -> None:
    """See that the lanes of the matrix can be put in force on somebody else's gateway. Raises UserError."""
    tables = [one.lanes for one in options.spec.gateway.lanes]
    if not tables or _gateway_is_ours(options):
        return
    with _lanes_of_others(options) as lanes:
        reason = lanes.why_not(tables)
    if reason is not None:
        raise UserError(reason)


def _ask_prometheus(at: Endpoint) -> None:
    try:
        with http_client.client(at, 5.0) as client:
            answer = client.get("/api/v1/query", params={"query": "vector(1)"})
    except httpx.HTTPError as error:
        raise UserError(f"Prometheus at {at.url} cannot be used: {why.unreachable(error, at)}") from None
    refused = why.refused(answer.status_code, answer.headers.get("www-authenticate", ""), at)
    if refused is not None:
        raise UserError(f"Prometheus at {at.url} cannot be used: {refused}")
    ServerMetrics(at).check()
