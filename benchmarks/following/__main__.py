"""Controllers of the limit against the best fixed one, on engines drawn from seeds.

python -m benchmarks.following measure OUT.jsonl FIRST COUNT    one line for each engine; goes on where it was
python -m benchmarks.following table OUT.jsonl…                 what came of it
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.following import rivals, table
from benchmarks.following.controller import Following, Rule
from benchmarks.following.engines import Case, draw
from benchmarks.following.judge import FIXED, SEEDS, STARTS, windows
from benchmarks.following.player import Decide, play
from experiments.twin.simulate import Core, Offered, simulate
from gateway.limits import Limits

CEILING = 128


def limits(case: Case, active: int) -> Limits:
    """Of the gateway; the patience is half of the TTFT objective."""
    return Limits(max_active=active, queue_max=200, queue_timeout_s=case.patience_s, request_timeout_s=600.0)


def deciders(case: Case, start: int, seed: int) -> Iterator[tuple[str, float, Decide]]:
    """Name, seconds between two decisions, and who decides."""
    rule = Rule(1, CEILING, case.ttft_s, case.tpot_s)
    yield "ours", 2.0, rivals.Ours(rule, Following(start))
    yield "aimd .9 2s", 2.0, rivals.Aimd(start, rule)
    yield "aimd .7 5s", 5.0, rivals.Aimd(start, rule, back=0.7)
    if (seed, start) == (SEEDS[0], STARTS[0]):
        for signal in (rivals.whole_s, rivals.first_s, rivals.token_s):
            yield f"gradient {signal.__name__}", 0.5, rivals.Gradient(start, 1, CEILING, signal)


def measure(out: Path, engines: range) -> None:
    """Play all on each engine that is not in `out` yet."""
    known = {json.loads(line)["engine"] for line in out.read_text().splitlines()} if out.exists() else set()
    for engine in engines:
        if engine in known:
            continue
        case = draw(engine)
        plans = {seed: case.arrivals(seed) for seed in SEEDS}
        tokens = {seed: np.array([one.output_tokens for one in plans[seed]], float) for seed in SEEDS}
        row = {
            "engine": engine,
            "curved": type(case.profile).__name__ == "Nonlinear",
            "tpot": case.tpot_s,
            "seqs": case.profile.max_num_seqs,
            "prompt": case.prompt,
            "output": case.output,
            "fixed": {
                active: [
                    windows(
                        case,
                        simulate(
                            Offered(plans[seed]), case.profile, limits(case, active), core=Core.COMPILED
                        ),
                        tokens[seed],
                    ).tolist()
                    for seed in SEEDS
                ]
                for active in FIXED
            },
            "runs": [
                {
                    "name": name,
                    "start": start,
                    "seed": seed,
                    "windows": windows(case, done, tokens[seed]).tolist(),
                    "path": [(round(at_s), limit) for at_s, limit, _ in path if round(at_s) % 10 == 0],
                }
                for start in STARTS
                for seed in SEEDS
                for name, every_s, decide in deciders(case, start, seed)
                for done, path in [play(plans[seed], case.profile, limits(case, start), every_s, decide)]
            ],
        }
        with out.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "table":
        table.show([Path(name) for name in sys.argv[2:]])
    else:
        measure(Path(sys.argv[2]), range(int(sys.argv[3]), int(sys.argv[3]) + int(sys.argv[4])))
