"""Showing the setting to apply, and applying it."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from experiments.decide.recommendation import recommend
from experiments.decide.recommendation_text import show
from experiments.decide.recommended_files import save
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.gateway_lanes import GatewayLanes
from experiments.run_folder.reading import objective_of
from loadtests.reach.endpoint import Endpoint
from loadtests.slo import SLO


def run(folder: Path, slo: SLO | None, gateway: Endpoint | None, admin_token: str | None) -> int:
    """Print the recommendation of a run under `slo`, by default its own, write recommended.env, and set it
    live on `gateway`; exit code 0.

    Raises:
        UserError, EnvironmentProblem, UndecidedError: none can be made, or it could not be applied.
    """
    found = recommend(folder, objective_of(folder) if slo is None else slo)
    path = save(folder, found)
    print(show(found, path))
    if gateway is not None:
        setting = found.setting
        with closing(GatewayAdmin(gateway, admin_token)) as admin:
            lanes = None if setting.table is None else GatewayLanes(admin).apply(setting.table)
            in_force = admin.apply(setting.limits)
        print(f"applied to {gateway.url}: version {in_force.version} in force", file=sys.stderr)
        if setting.lanes is not None:
            print(f"its lanes ({setting.lanes.name}): version {lanes} in force", file=sys.stderr)
        if setting.engine.given():
            flags = " ".join(setting.engine.flags())
            print(f"the engine must be started anew for its part: vLLM with {flags}", file=sys.stderr)
    return 0
