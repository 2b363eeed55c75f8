"""Whether a race finds the better cost of a slot, over engines drawn by seed whose KV cache is scarce: a line
of JSON for each, appended to a file.

    python -m tests.experiments.racing.axis_evidence docs/evidence/slot-cost-axis.jsonl

A line that is there is not made again. In virtual time; the truth of a setting is its goodput on traces that
no race sees.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from experiments.racing.race import race
from experiments.run_folder.race_story import RaceEnd
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.tuning.outlook import regret_of
from experiments.twin.simulate import Core
from gateway.limits import Limits, SlotCost
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.recording.share import wilson
from loadtests.slo import SLO
from tests.experiments.racing import virtual_race
from tests.experiments.racing.virtual_race import GRID_S, Floats, VirtualTrack
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import Scenario
from tests.experiments.twin.nonlinear_engine import engine

CLEAR = 0.10
"""Part of the score by which one cost has to be better to be looked for."""
LIVES, BLOCKS = (5.0, 25.0), 3
"""Of a request in a stretch, as it is without this axis and with it; blocks of the grid whose time the race
may take."""
MOST_S = 370.0


@dataclass(frozen=True, slots=True)
class AxisLine:
    """Of one engine. `lives`: of a request, that a stretch lasts at least. `better`: the cost of the best
    setting in truth; `by`: 1 − the other cost's best score over its own; `chosen`: the cost that the race
    chose; `regret`: of its choice, 0-1; `claimed`: whether the race ended sure; `spent`: part of the time
    that it had; `took_s`: of computing."""

    seed: int
    lives: float
    commit: str
    better: SlotCost
    by: float
    chosen: SlotCost
    regret: float
    claimed: bool
    spent: float
    took_s: float


def draw(seed: int) -> Scenario:
    """An engine of the tuning's scenarios with a KV cache for a quarter to two thirds of its batch, people of
    whom 5 to 15 % send 8 to 30 times as much, two loads around what it takes."""
    rng = np.random.default_rng([seed, 1616])
    plain = virtual_tuning.draw(seed, GRID_S, Core.COMPILED)
    prompt, output = int(rng.integers(60, 160)), int(rng.integers(60, 140))
    times, share = float(rng.uniform(8, 30)), round(float(rng.uniform(0.05, 0.15)), 2)
    long = (min(6000, round(prompt * times)), min(1200, round(output * times / 4)))
    classes = parse_mix(f"short={prompt}x{output}:{1 - share:g},long={long[0]}x{long[1]}:{share:g}")
    mean_tokens = (1 - share) * (prompt + output) + share * sum(long)
    held = float(rng.uniform(0.25, 0.66)) * plain.bounds.max_num_seqs
    blocks = max(1.2 * sum(long), held * mean_tokens) / plain.bounds.block_size
    bounds = plain.bounds.model_copy(update={"num_gpu_blocks": math.ceil(blocks)})
    mix = Mix(classes=classes)
    fitting = engine(plain.physics, bounds.model_copy(update={"max_num_seqs": max(2, int(held))}))
    capacity_per_s = virtual_tuning.closed_loop_capacity(fitting, mix)
    slo = SLO(
        ttft_s=round(float(rng.uniform(1.0, 3.0)), 2),
        tpot_s=round(plain.physics.weights_s * float(rng.uniform(1.6, 3.0)), 4),
        attainment=0.95,
    )
    slots = sorted({max(2, round(held * part)) for part in (0.5, 1.0, 2.0)} | {bounds.max_num_seqs})
    assert slo.ttft_s is not None
    settings = tuple(
        Setting(Limits(max_active=n, queue_max=64, queue_timeout_s=slo.ttft_s, slot_cost=cost))
        for n in slots
        for cost in SlotCost
    )
    loads = tuple(Load("sustained", None, relative).at_capacity(capacity_per_s) for relative in (0.9, 1.1))
    return replace(
        plain, bounds=bounds, mix=mix, slo=slo, settings=settings, loads=loads, default=settings[0]
    )


def play(seed: int, commit: str) -> list[AxisLine]:
    """Race both costs, in stretches of each length; look the choices up in the truth."""
    scenario = draw(seed)
    score: Floats = 1 - regret_of(virtual_race.truth(scenario, traces=2, measure_s=100.0))
    best = {cost: max(score[i] for i in _of(scenario, cost)) for cost in SlotCost}
    better = max(best, key=lambda cost: best[cost])
    by = float(1 - min(best.values()) / best[better])
    budget_s = BLOCKS * virtual_race.grid_s(scenario)
    found = []
    for lives in LIVES:
        begun_s = time.monotonic()
        track = VirtualTrack(scenario, measure_s=_stretch_s(scenario, lives))
        raced = race(virtual_race.course(scenario, budget_s), track)
        chosen = raced.winner if raced.winner is not None else 0
        found.append(
            AxisLine(
                seed,
                lives,
                commit,
                better,
                round(by, 4),
                scenario.settings[chosen].limits.slot_cost,
                round(float(1 - score[chosen] / score.max()), 4),
                raced.ended is RaceEnd.SEPARATED,
                round(track.spent_s / budget_s, 3),
                round(time.monotonic() - begun_s, 1),
            )
        )
    return found


def _stretch_s(scenario: Scenario, lives: float) -> float:
    """As `design.windows` has it, for so many lives of a request at capacity."""
    capacity_per_s = max((load.rate_per_s or 0.0) / (load.relative or 1.0) for load in scenario.loads)
    life_s = 0.6 * scenario.bounds.max_num_seqs / capacity_per_s
    return max(virtual_race.LEAST_STRETCH_S, lives * life_s)


def _of(scenario: Scenario, cost: SlotCost) -> list[int]:
    return [i for i, setting in enumerate(scenario.settings) if setting.limits.slot_cost is cost]


def read(path: Path) -> list[AxisLine]:
    """The lines of the file; none where there is no file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    kinds = ("better", "chosen")
    return [AxisLine(**{**row, **{name: SlotCost(row[name]) for name in kinds}}) for row in rows]


def summary(lines: Sequence[AxisLine]) -> str:
    """Where one cost is clearly better: how often the race takes it; and what its choices lose."""
    clear = [line for line in lines if line.by > CLEAR]
    found = sum(line.chosen is line.better for line in clear)
    low, high = wilson(found, len(clear)) if clear else (0.0, 0.0)
    of = {cost: sum(line.better is cost for line in clear) for cost in SlotCost}
    close = sum(line.regret <= 0.03 for line in lines)
    return (
        f"{len(lines)} engines; one cost is better by more than {CLEAR:.0%} on {len(clear)} "
        f"({', '.join(f'{cost} {count}' for cost, count in of.items())}); the race takes it on {found} "
        f"(95 %: {low:.0%} to {high:.0%}); regret ≤ 3 % on {close} of {len(lines)}, "
        f"median time {np.median([line.spent for line in lines]):.0%} of the grid's"
    )


def main() -> None:
    """Make the lines that are missing, as long as there is time; print the summary."""
    parser = argparse.ArgumentParser(description="Whether a race finds the better cost of a slot.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", default="1:31", help="first:end (default 1:31)")
    parser.add_argument("--most-s", type=float, default=MOST_S, help="of computing, s (default 380)")
    args = parser.parse_args()
    begin, end = map(int, args.seeds.split(":"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    begun_s, took_s, spent_s = time.monotonic(), 0.0, 0.0
    there = {line.seed for line in read(args.file)}
    for seed in range(begin, end):
        if seed in there or time.monotonic() - begun_s + took_s > args.most_s:
            continue
        lines, at_s = play(seed, commit), time.monotonic() - begun_s
        took_s, spent_s = max(took_s, at_s - spent_s), at_s
        with args.file.open("a") as out:
            out.writelines(json.dumps(asdict(line)) + "\n" for line in lines)
    for lives in sorted({line.lives for line in read(args.file)}):
        print(f"{lives:g} lives: {summary([line for line in read(args.file) if line.lives == lives])}")


if __name__ == "__main__":
    main()
