"""Is the generator itself the bottleneck? Its lags, and the verdict `client_saturated`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.recording.quantiles import of_sorted
from loadtests.slo import SLO

SEND_LAG_LIMIT_S = 5e-3
HUB_LAG_LIMIT_S = 20e-3


@dataclass(frozen=True, slots=True)
class Lags:
    """p50, p99 and maximum of a set of lags in seconds (order statistics); None without samples."""

    n: int
    p50: float | None
    p99: float | None
    max: float | None

    @staticmethod
    def of(lags: Sequence[float]) -> Lags:
        ordered = sorted(lags)
        return Lags(len(ordered), *(of_sorted(ordered, q) for q in (0.5, 0.99, 1.0)))


def send_lag_limit_s(slo: SLO) -> float:
    """5 ms, or 1 % of the TTFT objective where that is less; of several load classes the strictest."""
    bounds_s = [own.ttft_s for own in slo.every if own.ttft_s is not None]
    return min([SEND_LAG_LIMIT_S, *(0.01 * bound_s for bound_s in bounds_s)])


def reasons(send: Lags, hub: Lags, slo: SLO) -> list[str]:
    """Why the generator bent its own numbers, in words; empty when it did not."""
    causes = []
    limit_s = send_lag_limit_s(slo)
    if send.p99 is not None and send.p99 > limit_s:
        causes.append(f"p99 send lag {send.p99 * 1e3:.1f} ms is over {limit_s * 1e3:g} ms")
    if hub.p99 is not None and hub.p99 > HUB_LAG_LIMIT_S:
        causes.append(f"p99 hub lag {hub.p99 * 1e3:.1f} ms is over {HUB_LAG_LIMIT_S * 1e3:g} ms")
    return causes


def load_average() -> float:
    """Runnable tasks of the machine, mean of the last minute."""
    return os.getloadavg()[0]
