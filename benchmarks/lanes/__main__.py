"""What lanes do to each other, in virtual time, beside what theory says:

    python -m benchmarks.lanes                      all parts, about a quarter of an hour
    python -m benchmarks.lanes flood tokens         these parts, up to some minutes each
    python -m benchmarks.lanes --quick              with a tenth of the arrivals, or few traces

theory: exactly solved queues with priority classes; shares: of tenants that always wait, beside round robin
by requests; flood: on the twin; tokens, tokens-alike: slots in tokens beside slots of requests; cost: CPU
time of the core with 1,000 lanes; beside-…: a batch beside people. Intervals are 95 %. What a part finds is a
line of docs/evidence/lanes.jsonl; a part that misses its goal ends the command with 1.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path

import scipy

from benchmarks.lanes import beside, closed_forms, cost, flood, shares, token_slots
from benchmarks.lanes.virtual import mean_and_error
from experiments.run_folder import provenance
from experiments.twin.simulate import Player

KEPT, TOTAL, JAIN, GAIN, ALIKE = 0.95, 0.99, 0.98, 1.2, 0.99
ROOT = Path(__file__).resolve().parents[2]
EVIDENCE = ROOT / "docs" / "evidence" / "lanes.jsonl"
Told = Generator[str, None, bool]
"""Lines of Markdown, and at the end whether the goal is met."""


def parts() -> Mapping[str, Callable[[bool], Told]]:
    """Each by its name; asked for with whether it is to be quick."""
    return {
        "theory": _theory,
        "shares": _shares,
        "flood": _flood,
        "tokens": partial(_token_slots, f"90 % short, 10 % long (goal {GAIN})", token_slots.MIXED, GAIN),
        "tokens-alike": partial(_token_slots, f"all alike (goal {ALIKE})", token_slots.EQUAL, ALIKE),
        "cost": _cost,
        **{f"beside-{case.key}": partial(_beside, case) for case in beside.CASES},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where a goal is missed."""
    known = parts()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lanes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the arrivals, or few traces")
    parser.add_argument("--file", type=Path, default=EVIDENCE, help="JSON lines, a part each")
    asked = parser.parse_args(argv)
    if unknown := set(asked.parts) - set(known):
        parser.error(f"there is no part {min(unknown)!r}; allowed: {', '.join(known)}")
    found = [_found(name, known[name], asked.quick, asked.file) for name in asked.parts or known]
    return 0 if all(found) else 1


def _found(name: str, part: Callable[[bool], Told], quick: bool, file: Path) -> bool:
    """Prints a part while it is played, and adds it to the file."""
    lines: list[str] = []

    def listened() -> Told:
        met = yield from part(quick)
        verdict.append(met)
        return met

    verdict: list[bool] = []
    for line in listened():
        print(line, flush=True)
        lines.append(line)
    made = provenance.collect(ROOT)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    row = {"part": name, "when": when, "commit": made.commit, "changed": made.uncommitted_changes}
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({**row, "quick": quick, "met": verdict[0], "lines": lines}) + "\n")
    print(f"\n{name}: the goal is {'met' if verdict[0] else 'MISSED'}\n", flush=True)
    return verdict[0]


def _theory(quick: bool) -> Told:
    runs, arrivals = (20, 4_000) if quick else (40, 10_000)
    yield f"Closed forms, {runs} runs of {arrivals} arrivals; goal: within 3 standard errors + 0.5 %\n"
    yield "| system | measure | exact | found | standard error | |\n| --- | --- | --- | --- | --- | --- |"
    met = True
    for case in closed_forms.cases():
        for row in closed_forms.rows(case, runs, arrivals):
            verdict = "agrees" if row.agrees else "DIFFERS"
            figures = f"{row.exact:.5f} | {row.found:.5f} | {row.error:.5f}"
            yield f"| {row.case} | {row.measure} | {figures} | {verdict} |"
            met &= row.agrees
    return met


def _shares(quick: bool) -> Told:
    runs = 5 if quick else 20
    yield (
        f"Three tenants that always wait, weights 1 : 2 : 4, requests of 20 and 200 tokens,"
        f" {shares.SLOTS} slots, {runs} runs of {shares.LENGTH_S} s\n"
    )
    yield (
        "| inside the class | worst error of a share in any 60 s | of what is allowed | least Jain index |"
        " error over the whole | Jain |\n| --- | --- | --- | --- | --- | --- |"
    )
    met = True
    for name, by_request in (("by tokens", False), ("round robin by requests", True)):
        found = [shares.run(seed, by_request=by_request) for seed in range(1, runs + 1)]
        worst = max(each.worst_of_allowed for each in found)
        least = min(each.least_jain for each in found)
        whole = _interval([each.whole_error for each in found])
        yield (
            f"| {name} | {max(each.worst_error for each in found):.1%} | {worst:.2f} | {least:.4f} |"
            f" {whole} | {_interval([each.whole_jain for each in found])} |"
        )
        met &= by_request or (worst <= 1 and least >= JAIN)
    return met


def _flood(quick: bool) -> Told:
    runs, player = 3 if quick else 20, Player()
    found = [flood.run(seed, player) for seed in range(1, runs + 1)]
    yield (
        f"Flood on the twin: A offers {flood.FLOOD:g} × capacity, B {flood.OWN:g} ×, equal weights,"
        f" {runs} traces of {flood.LENGTH_S:g} s; {player}\n"
    )
    rows = {
        f"B's goodput beside A, of B's alone (goal {KEPT})": [each.kept for each in found],
        "the same without lanes (FIFO)": [each.kept_fifo for each in found],
        f"goodput of both, of that without lanes (goal {TOTAL})": [each.total for each in found],
    }
    yield "| measure | mean, 95 % interval |\n| --- | --- |"
    for name, values in rows.items():
        yield f"| {name} | {_interval(values)} |"
    kept, _, total = (mean_and_error(values)[0] for values in rows.values())
    return kept >= KEPT and total >= TOTAL


def _token_slots(name: str, lengths: token_slots.Lengths, goal: float, quick: bool) -> Told:
    traces, player = 2 if quick else 10, Player()
    yield (
        f"Slots in tokens (budget: the KV cache, {token_slots.KV_TOKENS} tokens) beside the best of"
        f" {len(token_slots.ACTIVES)} x {len(token_slots.QUEUES)} fixed settings, at {token_slots.LOAD:g} x"
        f" capacity, {traces} traces of {token_slots.LENGTH_S:g} s\n"
    )
    yield (
        "| requests | goodput by tokens, per s | by the best MAX_ACTIVE | gain | preemptions by tokens |"
        " by the best | by as many slots |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    seen = token_slots.run(lengths, traces, player)
    yield (
        f"| {name} | {seen.tokens_per_s:.2f} | {seen.fixed_per_s:.2f} ({seen.fixed}) |"
        f" {seen.gain:.3f} | {seen.tokens_preempt:g} | {seen.fixed_preempt:g} |"
        f" {seen.as_many_preempt:g} ({seen.as_many}) |"
    )
    return seen.gain >= goal and seen.tokens_preempt <= seen.fixed_preempt


def _beside(case: beside.Case, quick: bool) -> Told:
    traces = 2 if quick else 10
    yield (
        f"A batch beside people at {case.load:g} x capacity: {case.name}; first token within"
        f" {case.ttft_s:g} s for {beside.ATTAINMENT:.0%}; {traces} traces of {case.length_s:g} s\n"
    )
    yield (
        "| people alone | at once that fit | tokens per s that fit | people beside those | beside the paced |"
        f" fall (goal {beside.FALL:g}) | used of what fits (goal {beside.USED:g}) |"
        "\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    seen = beside.run(case, traces)
    fixed = f"{seen.fixed} | {seen.fits.tokens_per_s:.1f} | {seen.fits.attainment:.4f}"
    used = _interval(seen.used) if seen.fixed else "nothing fits"
    paced = _interval([one.attainment for one in seen.paced])
    yield f"| {_interval(seen.alone)} | {fixed} | {paced} | {_interval(seen.falls)} | {used} |"
    return seen.met


def _cost(quick: bool) -> Told:
    found = cost.measured(5 if quick else 15)
    yield (
        f"CPU time of the core for a request that waits: {found.without_us:.2f} µs without lanes,"
        f" {found.more_us:.2f} µs more with {cost.LANES} of them"
        f" (goal {cost.MOST_US:g}; medians of {found.rounds} paired rounds)"
    )
    return found.more_us <= cost.MOST_US


def _interval(values: Sequence[float]) -> str:
    mean, error = mean_and_error(values)
    half = error * float(scipy.stats.t.ppf(0.975, len(values) - 1))
    digits = 3 if math.isnan(half) or half > 5e-4 else 4
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
