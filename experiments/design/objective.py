"""The default SLO, fitted to engines that are not a GPU's.

`ttft<=1s,tpot<=60ms` is meant for a model of about 14 B parameters on one GPU, where a token takes some 25
ms and an answer several seconds when idle. The tiny model on a CPU and the emulator answer much faster, and
the same objective would find every setting good.
"""

import math
from dataclasses import dataclass

from experiments.design.probe import IdleLatencies, Probe
from loadtests.slo import SLO

DEFAULT_SLO = "ttft<=1s,tpot<=60ms,attainment>=0.95"

# TPOT of an idle GPU of the intended size; the default objective is 2.4 times that.
_REFERENCE_TPOT_S = 0.025


def objective(
    text: str | None, scaled_to_engine: bool, idle_ttft_s: float, idle_tpot_s: float | None, idle_e2e_s: float
) -> tuple[str, str | None]:
    """The SLO in force as text, and the text it was scaled from (None where it was not).

    A given SLO is never touched. The default is scaled only where `scaled_to_engine` is set: the first
    token may take as long as an idle engine takes for the whole answer, at most the default's 1 s; a token
    2.4 times what an idle engine takes, at most the default's 60 ms unless the idle engine itself needs
    more than half of that. Answers of one token have no TPOT: there the default's 60 ms stay.
    """
    if text is not None:
        return text, None
    if not scaled_to_engine:
        return DEFAULT_SLO, None
    ttft_s = min(1.0, max(idle_e2e_s, 4 * idle_ttft_s))
    tpot_s = 0.060
    if idle_tpot_s is not None:
        tpot_s = max(tpot_s * min(1.0, idle_tpot_s / _REFERENCE_TPOT_S), 2 * idle_tpot_s)
    scaled = f"ttft<={_rounded(ttft_s, 0.01):g}s,tpot<={_rounded(tpot_s * 1e3, 1.0):g}ms,attainment>=0.95"
    SLO.parse(scaled)
    return scaled, DEFAULT_SLO


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """An objective that an idle engine misses. `missed`: latency (its name in `SLO.bounds`) → seconds that
    the idle engine took; `within_reach`: the nearest that leaves it some room; `load_class`: whose it is, ""
    where it is everybody's."""

    slo: SLO
    missed: dict[str, float]
    within_reach: SLO
    load_class: str = ""

    def __str__(self) -> str:
        rows = [
            f"{_NAMES[name]} {_span(seconds)}, where at most {_span(self.slo.bounds[name])} are asked for"
            for name, seconds in self.missed.items()
        ]
        whose = f" of {self.load_class}" if self.load_class else ""
        return (
            f"even when idle the engine misses the objective{whose} ({'; '.join(rows)}), so that no setting "
            f"meets it and nothing was measured; one within its reach{whose}: "
            f"{'' if self.load_class else '--slo '}'{self.within_reach}'"
        )


_NAMES = {"ttft_s": "TTFT", "ttfv_s": "first visible token", "tpot_s": "TPOT", "e2e_s": "E2E"}
# What a bound has to leave beside other requests: the first token waits for a slot and for steps of others,
# tokens for a fuller batch.
_ROOM = {"ttft_s": 3.0, "ttfv_s": 3.0, "tpot_s": 1.5, "e2e_s": 2.0}


def out_of_reach(slo: SLO, seen: Probe | IdleLatencies, load_class: str = "") -> OutOfReach | None:
    """What of the objective an idle engine misses in the middle of its answers; None where it meets all."""
    idle = {"ttft_s": seen.ttft_s, "ttfv_s": seen.ttft_s, "tpot_s": seen.tpot_s, "e2e_s": seen.e2e_s}
    missed: dict[str, float] = {}
    wider: dict[str, float] = {}
    for name, bound in slo.bounds.items():
        seconds = idle[name]
        if seconds is not None and seconds > bound:
            missed[name] = seconds
            wider[name] = _rounded_up(seconds * _ROOM[name])
    return OutOfReach(slo, missed, slo.with_bounds(wider), load_class) if missed else None


def _rounded_up(seconds: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(seconds)) - 1)
    return float(f"{math.ceil(seconds / unit - 1e-9) * unit:.2g}")


def _span(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def queue_timeout_s(slo_ttft_s: float | None, loaded_ttft_s: float) -> float:
    """QUEUE_TIMEOUT_S that lets a request wait as long as it can still meet its TTFT objective, in seconds.

    The objective less the TTFT of the engine at capacity, at least a tenth of the objective; 120 s without
    an objective. An idle engine's TTFT would leave too little: whoever gets a slot from the queue meets a
    full batch.
    """
    if slo_ttft_s is None:
        return 120.0
    return _rounded(max(slo_ttft_s - loaded_ttft_s, 0.1 * slo_ttft_s), 0.01)


def _rounded(value: float, step: float) -> float:
    return round(max(step, round(value / step) * step), 6)
