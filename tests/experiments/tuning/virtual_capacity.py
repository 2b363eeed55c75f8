"""The search for the capacity under an objective, in virtual time: engines drawn by seed, the best setting of
each one's matrix, and the true rate at which its long-run attainment falls to the target.

    python -m tests.experiments.tuning.virtual_capacity OUT.jsonl --seeds 2000:2300

appends a line for each engine and condition, leaves out those that are there, and prints the table of all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from experiments.spec.setting import Setting
from experiments.stats.goodput import Trace
from experiments.stats.knee import CapacityVerdict, capacity
from experiments.stats.rate_search import next_rate
from experiments.stats.stretch import Stretch, stretch_of
from experiments.tuning.outlook import regret_of
from experiments.twin.simulate import Core, simulate
from loadtests.latency import tpot_column_s
from loadtests.planning import plan as plans
from loadtests.recording.share import wilson
from loadtests.slo import SLO
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import WARM_UP_S, Scenario
from tests.experiments.twin.nonlinear_engine import engine

WINDOW_S = 60.0
STRETCHES = 8
"""At most, beyond the cells that the race had measured of the setting."""
RACE = (0.7, 1.2)
"""Their loads, multiples of the engine's capacity: one cell of 60 s each."""
PRECISION = 0.07
_LEAST = 0.02
"""Multiple of the engine's capacity below which the objective counts as never met."""


class Condition(StrEnum):
    """What the machine did meanwhile."""

    QUIET = "quiet"
    """a speed of its own in each stretch, 0.5 to 2 %, and nobody knows it"""
    DISTURBED = "disturbed"
    """5 % from stretch to stretch, known to 1 %; a quarter of the stretches twice as slow, and left out"""
    DRIFT = "drift"
    """up to 15 % slower over the run, known to 1 %"""


@dataclass(frozen=True, slots=True)
class Found:
    """Of one engine and condition; rates per second. `truth`: None where the objective is never met."""

    seed: int
    condition: Condition
    truth: float | None
    verdict: CapacityVerdict
    value: float | None
    low: float | None
    high: float | None
    stretches: int

    @property
    def held(self) -> bool:
        """Whether the interval holds the truth; where there is none, whether that was said."""
        if self.truth is None:
            return self.verdict is CapacityVerdict.BELOW_RANGE
        return (self.low or 0.0) <= self.truth <= (self.high or float("inf"))

    @property
    def half_width(self) -> float:
        if self.value is None or self.low is None or self.high is None:
            return float("inf")
        return (self.high - self.low) / 2 / self.value


def play(seed: int) -> Iterator[Found]:
    """Every condition on the engine of that seed."""
    scenario = virtual_tuning.draw(seed, 30.0, Core.COMPILED)
    goodput, _ = virtual_tuning.truth(scenario, 1)
    setting = scenario.settings[int(np.argmin(regret_of(goodput)))]
    truth = true_capacity(scenario, setting)
    for condition in Condition:
        yield search(scenario, setting, condition, truth)


def search(scenario: Scenario, setting: Setting, condition: Condition, truth: float | None) -> Found:
    """Search as the command does, after a race measured two cells."""
    rng = np.random.default_rng([scenario.seed, 31, *condition.encode()])
    engine_per_s = (scenario.loads[0].rate_per_s or 0.0) / 0.7
    known: list[Stretch] = []
    for step, relative in enumerate(RACE):
        known += _measured(scenario, setting, float(f"{relative * engine_per_s:.3g}"), condition, step, rng)
    spent = 0
    for step in range(STRETCHES):
        rate = next_rate(known, scenario.slo.attainment, 0.7 * engine_per_s, PRECISION)
        if rate is None:
            break
        spent += 1
        known += _measured(scenario, setting, rate, condition, step + len(RACE), rng)
    found = capacity(known, scenario.slo.attainment)
    return Found(
        scenario.seed, condition, truth, found.verdict, found.value_per_s, found.low_per_s,
        found.high_per_s, spent,
    )  # fmt: skip


def _measured(
    scenario: Scenario, setting: Setting, rate_per_s: float, condition: Condition, step: int,
    rng: np.random.Generator,
) -> list[Stretch]:  # fmt: skip
    """The stretch, or none where it would be left out."""
    seed = int(rng.integers(2**31))
    if condition is Condition.QUIET:
        speed, seen = float(rng.lognormal(0.0, scenario.drift_sd)), 1.0
    else:
        drift = 0.15 * step / (STRETCHES + len(RACE) - 1)
        speed = 1 + drift if condition is Condition.DRIFT else float(rng.lognormal(0.0, 0.05))
        seen = speed * float(rng.lognormal(0.0, 0.01))
        if condition is Condition.DISTURBED and step >= len(RACE) and rng.random() < 0.25:
            return []  # twice as slow: found, and measured again, if the budget allows
    trace = _trace(scenario, setting, rate_per_s, seed, WINDOW_S, speed, scenario.slo.scaled(seen))
    return [stretch_of(rate_per_s, trace, seen)]


def _trace(
    scenario: Scenario,
    setting: Setting,
    rate_per_s: float,
    seed: int,
    window_s: float,
    speed: float,
    slo: SLO,
) -> Trace:
    plan = plans.make("sustained", rate_per_s, WARM_UP_S, window_s, seed, mix=scenario.mix)
    true = engine(scenario.physics, scenario.bounds, speed=speed, seed=seed)
    done = simulate(plan.arrivals, true, setting.limits, core=Core.COMPILED)
    tokens = np.array([arrival.output_tokens for arrival in plan.arrivals], dtype=float)
    good = done.codes == 1
    good &= ~(done.first_s - done.due_s > slo.bounds["ttft_s"])
    good &= ~(tpot_column_s(done.first_s, done.last_s, tokens) > slo.bounds["tpot_s"])
    inside = done.due_s >= WARM_UP_S
    return Trace(done.due_s[inside] - WARM_UP_S, good[inside], window_s)


def true_capacity(scenario: Scenario, setting: Setting, requests: int = 15_000) -> float | None:
    """Where a line through the attainment of long runs around it falls to the target, after a bisection;
    requests per second, None where even 2 % of the engine's capacity misses it."""
    target = scenario.slo.attainment
    engine_per_s = (scenario.loads[0].rate_per_s or 0.0) / 0.7

    def attainment(rate_per_s: float, seed: int, count: int) -> tuple[float, float]:
        window_s = count / rate_per_s
        trace = _trace(scenario, setting, rate_per_s, seed, window_s, 1.0, scenario.slo)
        return len(trace.good) / window_s, float(trace.good.mean())

    low, high = _LEAST * engine_per_s, 3.0 * engine_per_s
    if attainment(low, 7, 2000)[1] < target:
        return None
    for step in range(8):
        middle = (low * high) ** 0.5
        if attainment(middle, 70 + step, 5000)[1] >= target:
            low = middle
        else:
            high = middle
    seen = [attainment((low * high) ** 0.5 * f, 900 + k, requests) for k, f in enumerate(_AROUND)]
    rates, shares = np.log([rate for rate, _ in seen]), [share for _, share in seen]
    slope, start = np.polyfit(rates, shares, 1)
    return float(np.exp((target - start) / slope))


_AROUND = (0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06)


def table(found: Sequence[Found]) -> str:
    """A line for each condition: how often the interval held the truth (Wilson's interval), how wide it was,
    and what it took."""
    rows = []
    for condition in Condition:
        of = [f for f in found if f.condition is condition]
        if not of:
            continue
        held = sum(f.held for f in of)
        low, high = wilson(held, len(of))
        widths = [f.half_width for f in of if f.truth is not None]
        errors = [abs(f.value / f.truth - 1) for f in of if f.truth is not None and f.value is not None]
        rows.append(
            f"{condition}: held {held} of {len(of)} ({held / len(of):.1%}, 95 %: {low:.1%} to {high:.1%}); "
            f"half width median {np.median(widths):.1%}, p90 {np.quantile(widths, 0.9):.1%}; error median "
            f"{np.median(errors):.1%}, p90 {np.quantile(errors, 0.9):.1%}; stretches median "
            f"{np.median([f.stretches for f in of]):g}, mean {np.mean([f.stretches for f in of]):.1f}"
        )
    return "\n".join(rows)


def read(path: Path) -> list[Found]:
    """The lines that are there."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        Found(**{**row, "condition": Condition(row["condition"]), "verdict": CapacityVerdict(row["verdict"])})
        for row in rows
    ]


def main() -> None:
    """Go on where the file ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", default="2000:2300")
    given = parser.parse_args()
    first, last = map(int, given.seeds.split(":"))
    done = {f.seed for f in read(given.out)}
    for seed in range(first, last):
        if seed not in done:
            lines = "".join(json.dumps(asdict(f)) + "\n" for f in play(seed))
            with given.out.open("a") as file:
                file.write(lines)
    print(table(read(given.out)))


if __name__ == "__main__":
    main()
