"""Servers that somebody else runs are asked once before anything starts: what is wrong with an address or key
is one sentence then, and no run folder is left behind.
"""

from __future__ import annotations

from contextlib import closing

from experiments.cli.sweep_args import SweepOptions
from experiments.errors import EnvironmentProblem, UserError
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.prometheus import ServerMetrics
from experiments.stack import engine as engines
from experiments.stack import gateway as gateways


def check(options: SweepOptions) -> None:
    """See that engine, gateway and Prometheus can be used, those that were given by their address.

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
            engines.already_running(choice, options.engine)
        if options.prometheus is not None:
            ServerMetrics(options.prometheus).check()
    except EnvironmentProblem as problem:
        raise UserError(str(problem)) from None
