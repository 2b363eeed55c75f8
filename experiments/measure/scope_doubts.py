"""Whether what was scraped in a cell is this cell's: its gateway with its limits and lanes, and no series
without a sample."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.observe.gateway_admin import GatewayMoment
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from gateway.limits import Limits

_SCRAPED_LIMIT = "gateway_active_limit"


@dataclass(frozen=True, slots=True)
class GatewayEdges:
    """The gateway at both edges of a cell, asked itself, the limits that were set for it, and the version of
    its lanes; None where none were set."""

    in_force: Limits
    before: GatewayMoment
    after: GatewayMoment
    lanes_version: int | None = None


def of_cell(
    edges: GatewayEdges | None,
    limits: Limits,
    series: Mapping[str, npt.NDArray[np.float64]],
    expected: Collection[str],
) -> list[Doubt]:
    """Doubts about whose numbers the cell has. `series`: samples inside the measured window by name."""
    scraped = series.get(_SCRAPED_LIMIT, np.array([], dtype=float))
    why = [*_not_the_limit(limits, scraped), *(_not_the_same(edges) if edges is not None else ())]
    return [*_limits_differ(why), *_empty([name for name in expected if not np.size(series.get(name, ()))])]


def _not_the_limit(limits: Limits, scraped: npt.NDArray[np.float64]) -> list[str]:
    wrong = sorted({f"{value:g}" for value in scraped if value != limits.max_active})
    if not wrong:
        return []
    return [f"{limits.max_active} slots were set and Prometheus scraped {', '.join(wrong)} in the window"]


def _not_the_same(edges: GatewayEdges) -> list[str]:
    found = []
    instances = {edges.before.instance, edges.after.instance} - {None}
    if len(instances) > 1:
        found.append("the gateway restarted in the cell, or two answer at its address")
    versions = [edges.before.limits_version, edges.after.limits_version]
    other = [version for version in versions if version not in (None, edges.in_force.version)]
    if other and len(instances) < 2:
        found.append(
            f"its limits were changed in the cell (version {other[-1]} in place of {edges.in_force.version})"
        )
    told = edges.before.lanes_version if edges.lanes_version is None else edges.lanes_version
    lanes = [v for v in (edges.before.lanes_version, edges.after.lanes_version) if v not in (None, told)]
    if told is not None and lanes and len(instances) < 2:
        found.append(f"its lanes were changed in the cell (version {lanes[-1]} in place of {told})")
    return found


def _limits_differ(why: Sequence[str]) -> list[Doubt]:
    if not why:
        return []
    text = (
        f"{'; '.join(why)}: no number is known to be of this setting; see that nobody else sets the limits "
        "or the lanes, and that it is one gateway"
    )
    return [Doubt(DoubtCode.LIMITS_DIFFER, Severity.INVALID, text)]


def _empty(names: Sequence[str]) -> list[Doubt]:
    if not names:
        return []
    text = (
        f"no sample of {', '.join(names)} in the window: Prometheus scrapes too seldom, or what exports them "
        "has no such metric; nothing is concluded from them"
    )
    return [Doubt(DoubtCode.SERIES_EMPTY, Severity.WARN, text)]
