"""What learning from recordings is worth, over simulated productions drawn by seed: one line of JSON for
each.

    python -m tests.experiments.learning.evidence docs/evidence/learn.jsonl --seeds 4000:4060

A line that is there is not made again. `summary` reads the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from experiments.errors import UserError
from experiments.learning import advice, effects, fitted, production, stretches
from experiments.learning.learning import DRAWS, REQUESTS
from experiments.spec.setting import Setting
from experiments.twin.footprint import Footprint
from experiments.twin.simulate import Offered
from experiments.twin.simulated import OK, Simulated
from tests.experiments.learning import simulated_production
from tests.experiments.learning.simulated_production import DAY_S, DAYS, SimulatedProduction

TRUE_PERIODS = (1, 2)
_WORST = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """Of one production. `verdict`: of the advice, or `refused`. Regrets are of the advised setting in truth,
    `against_present`: how much of the present setting's goodput it loses (below 0: gains). `ttft`, `e2e`:
    p95 of a further period under the present setting and the ends of its predicted interval, seconds. gain:
    predicted of goodput, with its range; gained: true."""

    seed: int
    commit: str
    verdict: str
    why: str
    regret: float
    against_present: float
    present_regret: float
    ttft: tuple[float, float, float]
    e2e: tuple[float, float, float]
    chosen: str
    present: str
    peak: float
    gate: str
    gain: tuple[float, float, float]
    gained: float

    def inside(self, name: str) -> bool:
        """Whether the further period's p95 is in its interval."""
        value, low, high = self.ttft if name == "ttft" else self.e2e
        return low <= value <= high


def play(seed: int, commit: str) -> Line:
    """Record a period, learn, predict, advise; then see what further periods are like."""
    drawn = simulated_production.draw(seed)
    scenario = drawn.scenario
    arrivals = drawn.arrivals(0)
    recording = simulated_production.recorded(arrivals, drawn.play(arrivals, drawn.present, 0))
    seen = production.of(recording, "production")
    bounds = fitted.EngineBounds(
        scenario.bounds.max_num_seqs, scenario.bounds.max_num_batched_tokens,
        scenario.bounds.num_gpu_blocks * scenario.bounds.block_size,
    )  # fmt: skip
    settings = tuple(dict.fromkeys((*scenario.settings, drawn.present)))
    true, ttft_s, e2e_s = truth(drawn, settings)
    now = settings.index(drawn.present)
    nothing = (0.0, 0.0, 0.0)
    try:
        learned = fitted.learn(seen, bounds, seed)
    except UserError as error:
        return Line(
            seed, commit, "refused", str(error), 0.0, 0.0, _lost(true, now), nothing, nothing,
            "", drawn.present.name, drawn.peak, "", nothing, 0.0,
        )  # fmt: skip
    parts = stretches.Stretches(seen, REQUESTS, seed)
    again = fitted.played_again(seen, learned.profile, drawn.present.limits)
    found = effects.effects(
        parts, settings, learned.believed(drawn.present, again), scenario.slo, DRAWS, seed
    )
    said = advice.advise(found, drawn.present, learned.held.concurrency_high)
    at = settings.index(said.chosen)
    ttft, e2e = (found.interval(drawn.present, name) for name in ("ttft_p95_s", "e2e_p95_s"))
    return Line(
        seed, commit, said.verdict, said.why, _lost(true, at), round(float(1 - true[at] / true[now]), 4),
        _lost(true, now), (ttft_s, ttft.low, ttft.high), (e2e_s, e2e.low, e2e.high),
        said.chosen.name, drawn.present.name, round(drawn.peak, 3),
        learned.gate.why, (said.gain, said.gain_low, said.gain_high),
        round(float(true[at] / true[now] - 1), 4),
    )  # fmt: skip


def truth(
    drawn: SimulatedProduction, settings: Sequence[Setting], scale: float = 1.0
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float, float]:
    """Mean goodput of further periods under each setting (settings,), and p95 of TTFT and E2E of the first of
    them under the present one, seconds."""
    goodput = np.zeros(len(settings))
    tails = (float("nan"), float("nan"))
    order = sorted(range(len(settings)), key=lambda i: settings[i].smaller_first, reverse=True)
    for period in TRUE_PERIODS:
        arrivals = drawn.arrivals(period, scale)
        outputs = np.array([one.output_tokens for one in arrivals], dtype=float)
        offered = Offered(arrivals)
        done: list[tuple[Footprint, float]] = []
        for i in order:
            value = next((v for used, v in done if used.same_under(settings[i].limits)), None)
            if value is None or (settings[i] == drawn.present and period == TRUE_PERIODS[0]):
                run = drawn.play(offered, settings[i], period)
                value = _good(drawn, run, outputs) / (DAYS * DAY_S)
                done.append((Footprint.of(settings[i].limits, run), value))
                if settings[i] == drawn.present and period == TRUE_PERIODS[0]:
                    tails = _tails(run)
            goodput[i] += value / len(TRUE_PERIODS)
    return goodput, *tails


def _good(
    drawn: SimulatedProduction, run: Simulated, outputs: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> int:
    slo = drawn.scenario.slo
    assert slo.ttft_s is not None
    assert slo.tpot_s is not None
    tpot_s = (run.last_s - run.first_s) / np.maximum(outputs - 1, 1)
    return int(((run.codes == OK) & (run.first_s - run.due_s <= slo.ttft_s) & (tpot_s <= slo.tpot_s)).sum())


def _tails(run: Simulated) -> tuple[float, float]:
    ok = run.codes == OK
    return (
        float(np.quantile((run.first_s - run.due_s)[ok], 0.95)),
        float(np.quantile((run.last_s - run.due_s)[ok], 0.95)),
    )


def _lost(true: np.ndarray[tuple[int], np.dtype[np.float64]], chosen: int) -> float:
    return round(float(1 - true[chosen] / true.max()), 4)


def read(path: Path) -> list[Line]:
    """The lines of the file; none where there is no file."""
    if not path.exists():
        return []
    return [Line(**json.loads(line)) for line in path.read_text().splitlines()]


def summary(lines: Sequence[Line]) -> str:
    """The three figures, and what they are made of."""
    told = [line for line in lines if line.verdict in ("change", "keep")]
    made = [line for line in lines if line.verdict != "refused"]
    little = [line for line in told if line.regret <= _WORST]
    return "\n".join(
        [
            f"{len(lines)} productions; refused {len(lines) - len(made)}, not enough to tell "
            f"{len(made) - len(told)}, keep {sum(x.verdict == 'keep' for x in lines)}, change "
            f"{sum(x.verdict == 'change' for x in lines)}",
            f"p95 of a further period in its interval: TTFT {np.mean([x.inside('ttft') for x in made]):.1%}, "
            f"E2E {np.mean([x.inside('e2e') for x in made]):.1%} of {len(made)}",
            f"regret ≤ 5 %: {len(little)} of {len(told)} told; or not told: "
            f"{(len(little) + len(lines) - len(told)) / max(1, len(lines)):.1%}",
            f"worse than the present setting by > 5 %: {sum(x.against_present > _WORST for x in made)}",
            f"present setting's own regret: median {np.median([x.present_regret for x in lines]):.1%}, "
            f"> 5 % in {sum(x.present_regret > _WORST for x in lines)}",
        ]
    )


def main() -> None:
    """Make the lines that are missing; print the summary."""
    parser = argparse.ArgumentParser(description="What learning from recordings is worth.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", default="4000:4060", help="first:end (default 4000:4060)")
    args = parser.parse_args()
    begin, end = map(int, args.seeds.split(":"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    there = {line.seed for line in read(args.file)}
    for seed in range(begin, end):
        if seed not in there:
            with args.file.open("a") as file:
                file.write(json.dumps(asdict(play(seed, commit))) + "\n")
    print(summary([line for line in read(args.file) if begin <= line.seed < end]))


if __name__ == "__main__":
    main()
