"""How near a search comes to the largest rate of sessions, over engines and sessions drawn by seed: one line
of JSON for each, appended to a file.

    python -m tests.experiments.stats.session_evidence docs/evidence/sessions.jsonl --seeds 4000:4100

A line that is there is not made again, so the evidence may grow over many days. `summary` reads the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from experiments.stats.goodput import Trace
from experiments.stats.knee import Capacity, capacity
from experiments.stats.rate_search import next_rate
from experiments.stats.stretch import Stretch, stretch_of
from experiments.twin.profile import Profile
from experiments.twin.sessions_played import played_sessions
from experiments.twin.simulate import Core, simulate
from gateway.limits import Limits
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.session_shape import SessionShape
from loadtests.recording.share import wilson
from loadtests.session_outcome import SessionsJudged
from loadtests.slo import SLO
from tests.experiments.stats.simulated_truth import Machine

TARGET = 0.9
PRECISION = 0.03
"""Half of the interval's width, part of the rate, at which a search ends."""
WARM_UP_S, MEASURE_S = 240.0, 1200.0
BRACKET_S, TRUTH_S = 3000.0, 9000.0
_MOST = 40


@dataclass(frozen=True, slots=True)
class Drawn:
    """An engine, its gateway, sessions, and what they are judged by."""

    seed: int
    profile: Profile
    limits: Limits
    mix: Mix
    slo: SLO
    start_per_s: float
    """sessions per second at which a search begins"""

    @property
    def shape(self) -> SessionShape:
        found = self.mix.session_shape()
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Line:
    """What the search found, and the truth, sessions per second."""

    seed: int
    commit: str
    truth: float
    value: float | None
    low: float | None
    high: float | None
    stretches: int

    @property
    def near(self) -> bool:
        """Within 5 % of the truth."""
        return self.value is not None and abs(self.value / self.truth - 1) <= 0.05

    @property
    def held(self) -> bool:
        """Whether the interval holds the truth."""
        return (self.low or 0.0) <= self.truth <= (self.high or np.inf)


def draw(seed: int) -> Drawn:
    """Of a seed: three kinds of sessions (chats, tool loops, loops with branches); judged by their requests,
    or every second one by its length."""
    rng = np.random.default_rng([seed, 77])
    machine = Machine(alpha_s=float(rng.uniform(0.01, 0.03)), beta_s=float(rng.uniform(5e-4, 2e-3)))
    slots = int(rng.choice([8, 16, 32]))
    mixes = (
        Mix(turns=float(rng.uniform(2, 5)), turn_gap_s=float(rng.uniform(1, 4))),
        Mix(turns=float(rng.uniform(1, 2)), tool_calls=float(rng.uniform(1, 4)), tool_s=1.0, turn_gap_s=3.0),
        Mix(tool_calls=float(rng.uniform(0.5, 2)), branches=int(rng.integers(2, 4)), tool_s=0.5),
    )
    mix = replace(
        mixes[seed % 3], workload="lognormal", prompt_tokens=100, output_tokens=30, length_sigma=0.6,
        turn_tokens=50,
    )  # fmt: skip
    shape = mix.session_shape()
    assert shape is not None
    served_per_s = slots / (machine.alpha_s + machine.beta_s * slots) / 36.0
    case = Drawn(
        seed,
        machine.profile(),
        Limits(max_active=slots, queue_max=1000, queue_timeout_s=20.0),
        mix,
        SLO(ttft_s=float(rng.uniform(0.3, 1.5)), attainment=TARGET),
        float(f"{0.6 * served_per_s / shape.requests:.3g}"),
    )
    if seed % 2:
        return case
    # Sessions that are long by themselves miss it under any load: one in a hundred.
    idle_s = _judged(case, 0.02 * case.start_per_s, 1000 / (0.02 * case.start_per_s), seed).length_s
    return replace(case, slo=SLO(session_s=float(np.nanquantile(idle_s, 0.99)), attainment=TARGET))


def played(case: Drawn, rate_per_s: float, measure_s: float, seed: int) -> Stretch:
    """A stretch of sessions at that rate (sessions per second), as a measured cell would be judged."""
    judged = _judged(case, rate_per_s, measure_s, seed)
    order = np.argsort(judged.start_s, kind="stable")
    trace = Trace(judged.start_s[order] - WARM_UP_S, judged.good[order], measure_s)
    return stretch_of(rate_per_s, trace)


def _judged(case: Drawn, rate_per_s: float, measure_s: float, seed: int) -> SessionsJudged:
    rate_of_requests = rate_per_s * case.shape.requests
    plan = plans.make("sustained", rate_of_requests, WARM_UP_S, measure_s, seed, case.mix)
    done = simulate(plan.arrivals, case.profile, case.limits, core=Core.COMPILED)
    return played_sessions(plan, done, case.slo)


def searched(case: Drawn) -> tuple[Capacity, int]:
    """The answer of the search that `capacity --unit sessions` makes, and how many stretches it took."""
    known: list[Stretch] = []
    while len(known) < _MOST:
        rate_per_s = next_rate(known, TARGET, case.start_per_s, PRECISION)
        if rate_per_s is None:
            break
        known.append(played(case, rate_per_s, MEASURE_S, case.seed * 1000 + len(known)))
    return capacity(known, TARGET), len(known)


def true_rate(case: Drawn, near_per_s: float) -> float:
    """Where the attainment of long stretches falls to the target, sessions per second: bracketed from a first
    guess, halved, then a line through the log-odds at four rates."""

    def share(rate_per_s: float, k: int, length_s: float = BRACKET_S) -> float:
        return played(case, rate_per_s, length_s, 10**8 + case.seed * 100 + k).attainment

    low = high = near_per_s
    if share(near_per_s, 0) >= TARGET:
        while share(high, 0) >= TARGET:
            low, high = high, high * 1.12
    else:
        while share(low, 0) < TARGET:
            low, high = low / 1.12, low
    middle = (low * high) ** 0.5
    low, high = (middle, high) if share(middle, 0) >= TARGET else (low, middle)
    centre = (low * high) ** 0.5
    rates = centre * np.array([0.95, 0.985, 1.015, 1.05])
    shares = np.array([share(float(r), 1 + k, TRUTH_S) for k, r in enumerate(rates)])
    slope, level = np.polyfit(np.log(rates / centre), np.log(shares / (1 - shares)), 1)
    return float(centre * np.exp((np.log(TARGET / (1 - TARGET)) - level) / slope))


def line(seed: int, commit: str) -> Line:
    """Search, and the truth."""
    case = draw(seed)
    found, stretches = searched(case)
    values = (found.value_per_s, found.low_per_s, found.high_per_s)
    value, low, high = (None if one is None else round(one, 5) for one in values)
    truth = true_rate(case, value or case.start_per_s)
    return Line(seed, commit, round(truth, 5), value, low, high, stretches)


def read(path: Path) -> list[Line]:
    """The lines of the file; none where there is no file."""
    if not path.exists():
        return []
    return [Line(**json.loads(text)) for text in path.read_text().splitlines()]


def summary(lines: Sequence[Line]) -> str:
    """For a terminal."""
    n = len(lines)
    told = []
    for name, hits in (
        ("within 5 %", sum(x.near for x in lines)),
        ("interval holds", sum(x.held for x in lines)),
    ):
        low, high = wilson(hits, n)
        told.append(f"{name}: {hits} of {n} ({low:.1%} to {high:.1%})")
    return f"{'; '.join(told)}; stretches {np.median([x.stretches for x in lines]):g} in the median"


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("file", type=Path)
    flags.add_argument("--seeds", default="4000:4100", help="FROM:TO, the last one not included")
    options = flags.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    first, last = (int(part) for part in options.seeds.split(":"))
    there = {one.seed for one in read(options.file)}
    for seed in range(first, last):
        if seed not in there:
            made = line(seed, commit)
            with options.file.open("a") as file:
                file.write(json.dumps(asdict(made)) + "\n")
    print(summary(read(options.file)))


if __name__ == "__main__":
    main()
