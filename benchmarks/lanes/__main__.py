"""What lanes do to each other, in virtual time, beside what theory says:

    python -m benchmarks.lanes              a few minutes; ends with 1 where a goal is missed
    python -m benchmarks.lanes --quick      with a tenth of the arrivals

Exactly solved queues with priority classes, the shares of tenants that always wait beside round robin by
requests, a flood on the twin, slots in tokens beside slots of requests, and the CPU time of the core with
1,000 lanes. Intervals are 95 %.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

import scipy

from benchmarks.lanes import closed_forms, cost, flood, shares, token_slots
from benchmarks.lanes.virtual import mean_and_error
from experiments.twin.simulate import Player

KEPT, TOTAL, JAIN, GAIN, ALIKE = 0.95, 0.99, 0.98, 1.2, 0.99


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lanes", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the arrivals")
    parser.add_argument("--skip-cost", action="store_true", help="without the CPU times")
    asked = parser.parse_args(argv)
    size = (20, 4_000) if asked.quick else (40, 10_000)
    met = [_theory(*size), _shares(5 if asked.quick else 20), _flood(3 if asked.quick else 20)]
    met.append(_token_slots(2 if asked.quick else 10))
    if not asked.skip_cost:
        met.append(_cost())
    return 0 if all(met) else 1


def _theory(runs: int, arrivals: int) -> bool:
    print(f"Closed forms, {runs} runs of {arrivals} arrivals; goal: within 3 standard errors + 0.5 %\n")
    print("| system | measure | exact | found | standard error | |\n| --- | --- | --- | --- | --- | --- |")
    met = True
    for case in closed_forms.cases():
        for row in closed_forms.rows(case, runs, arrivals):
            verdict = "agrees" if row.agrees else "DIFFERS"
            figures = f"{row.exact:.5f} | {row.found:.5f} | {row.error:.5f}"
            print(f"| {row.case} | {row.measure} | {figures} | {verdict} |", flush=True)
            met &= row.agrees
    return met


def _shares(runs: int) -> bool:
    print(
        f"\nThree tenants that always wait, weights 1 : 2 : 4, requests of 20 and 200 tokens,"
        f" {shares.SLOTS} slots, {runs} runs of {shares.LENGTH_S} s\n"
    )
    print("| inside the class | worst error of a share in any 60 s | of what is allowed | least Jain index |"
          " error over the whole | Jain |\n| --- | --- | --- | --- | --- | --- |")  # fmt: skip
    met = True
    for name, by_request in (("by tokens", False), ("round robin by requests", True)):
        found = [shares.run(seed, by_request=by_request) for seed in range(1, runs + 1)]
        worst = max(each.worst_of_allowed for each in found)
        least = min(each.least_jain for each in found)
        whole = _interval([each.whole_error for each in found])
        print(f"| {name} | {max(each.worst_error for each in found):.1%} | {worst:.2f} | {least:.4f} |"
              f" {whole} | {_interval([each.whole_jain for each in found])} |")  # fmt: skip
        met &= by_request or (worst <= 1 and least >= JAIN)
    return met


def _flood(runs: int) -> bool:
    player = Player()
    found = [flood.run(seed, player) for seed in range(1, runs + 1)]
    print(
        f"\nFlood on the twin: A offers {flood.FLOOD:g} × capacity, B {flood.OWN:g} ×, equal weights,"
        f" {runs} traces of {flood.LENGTH_S:g} s; {player}\n"
    )
    rows = {
        f"B's goodput beside A, of B's alone (goal {KEPT})": [each.kept for each in found],
        "the same without lanes (FIFO)": [each.kept_fifo for each in found],
        f"goodput of both, of that without lanes (goal {TOTAL})": [each.total for each in found],
    }
    print("| measure | mean, 95 % interval |\n| --- | --- |")
    for name, values in rows.items():
        print(f"| {name} | {_interval(values)} |")
    kept, _, total = (mean_and_error(values)[0] for values in rows.values())
    return kept >= KEPT and total >= TOTAL


def _token_slots(traces: int) -> bool:
    player = Player()
    print(
        f"\nSlots in tokens (budget: the KV cache, {token_slots.KV_TOKENS} tokens) beside the best of"
        f" {len(token_slots.ACTIVES)} x {len(token_slots.QUEUES)} fixed settings, at {token_slots.LOAD:g} x"
        f" capacity, {traces} traces of {token_slots.LENGTH_S:g} s\n"
    )
    print(
        "| requests | goodput by tokens, per s | by the best MAX_ACTIVE | gain | preemptions by tokens |"
        " by the best | by as many slots |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    met = True
    for name, lengths, goal in (
        (f"90 % short, 10 % long (goal {GAIN})", token_slots.MIXED, GAIN),
        (f"all alike (goal {ALIKE})", token_slots.EQUAL, ALIKE),
    ):
        seen = token_slots.run(lengths, traces, player)
        print(f"| {name} | {seen.tokens_per_s:.2f} | {seen.fixed_per_s:.2f} ({seen.fixed}) |"
              f" {seen.gain:.3f} | {seen.tokens_preempt:g} | {seen.fixed_preempt:g} |"
              f" {seen.as_many_preempt:g} ({seen.as_many}) |")  # fmt: skip
        met &= seen.gain >= goal and not seen.tokens_preempt
    return met


def _cost() -> bool:
    found = cost.measured()
    print(
        f"\nCPU time of the core for a request that waits: {found.without_us:.2f} µs without lanes,"
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
