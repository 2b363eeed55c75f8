"""Tables of the documentation from the simulator, and from the runs that are kept; `python -m
tests.docs.tables` writes, `--check` compares.

The simulator runs the gateway's own admission code and a model of the tiny CPU engine in virtual time, on
seeded plans: the figures are the same on every machine. Quantiles are over all requests of all traces.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.first_try import lines
from benchmarks.first_try import table as runs_table
from experiments.twin.profile import TINY_CPU
from experiments.twin.simulate import simulate
from gateway.limits import Limits
from loadtests.planning import plan
from loadtests.planning.arrival import Arrival
from loadtests.planning.mix import Mix

DOCS = Path(__file__).resolve().parents[2] / "docs"
TRACE_S = 120.0
SEEDS = (1, 2, 3, 4, 5, 6)
TTFT_S, TPOT_S = 0.5, 0.040
SLOTS = 8
# Completions per second of the model with eight slots always taken.
CAPACITY_PER_S = 12.5
MIX = Mix(prompt_tokens=64, output_tokens=24, workload="fixed")


@dataclass(frozen=True, slots=True)
class Result:
    """Requests of all traces together: shares 0–1 of the offered ones, seconds, requests per second."""

    attainment: float
    goodput_per_s: float
    slots_busy: float
    wait_p95_s: float
    ttft_p95_s: float
    shed: float


def main() -> int:
    """Exit status 1 when `--check` finds a table that the code would write differently."""
    flags = argparse.ArgumentParser(
        prog="python -m tests.docs.tables", description=(__doc__ or "").split("\n\n")[0]
    )
    flags.add_argument("--check", action="store_true", help="write nothing; exit 1 if a table is out of step")
    check = flags.parse_args().check
    made = {name: make() for name, make in TABLES.items()}
    different = [path.name for path in sorted(DOCS.glob("*.md")) if _write(path, made, check)]
    print("\n".join(different) if different else "in step", file=sys.stderr)
    return 1 if check and different else 0


def limits(slots: int = SLOTS, queue_max: int = 100, queue_timeout_s: float = TTFT_S - 0.05) -> Limits:
    """A setting; the queue timeout is what TTFT leaves unless told otherwise."""
    return Limits(max_active=slots, queue_max=queue_max, queue_timeout_s=queue_timeout_s)


def measure(rate_per_s: float, setting: Limits, traces: Sequence[Sequence[Arrival]] | None = None) -> Result:
    """Every trace through gateway and engine."""
    traces = traces or [arrivals(rate_per_s, seed) for seed in SEEDS]
    runs = [simulate(trace, TINY_CPU, setting) for trace in traces]
    ok = np.concatenate([np.array(run.outcome) == "ok" for run in runs])
    ttft_s = np.concatenate([run.first_s - run.due_s for run in runs])
    tokens = np.concatenate([[arrival.output_tokens for arrival in trace] for trace in traces])
    tpot_s = np.concatenate([run.last_s - run.first_s for run in runs]) / np.maximum(tokens - 1, 1)
    good = ok & (ttft_s <= TTFT_S) & (tpot_s <= TPOT_S)
    return Result(
        attainment=float(good.mean()),
        goodput_per_s=float(good.sum() / (TRACE_S * len(traces))),
        slots_busy=sum(run.active_seconds for run in runs)
        / sum(run.end_s * setting.max_active for run in runs),
        wait_p95_s=_p95(np.concatenate([run.granted_s - run.due_s for run in runs])),
        ttft_p95_s=_p95(ttft_s[ok]),
        shed=float(1 - ok.mean()),
    )


def arrivals(rate_per_s: float, seed: int, mix: Mix = MIX) -> Sequence[Arrival]:
    """A Poisson trace."""
    return plan.make("sustained", rate_per_s, 0.0, TRACE_S, seed=seed, mix=mix).arrivals


def capacity() -> str:
    """Goodput by MAX_ACTIVE and load."""
    loads = (0.5, 0.8, 1.0, 1.2, 1.5)
    rows = []
    for slots in (1, 2, 4, 8, 16):
        found = [measure(load * CAPACITY_PER_S, limits(slots)).goodput_per_s for load in loads]
        rows.append([str(slots), *(f"{value:.1f}" for value in found)])
    return _table(["`MAX_ACTIVE`", *(f"{load * CAPACITY_PER_S:.1f}/s offered" for load in loads)], rows)


def timeouts() -> str:
    """Goodput by queue timeout and queue length at 1.2 times capacity."""
    lengths = (0, 2, 4, 8, 32, 100)
    rows = []
    for timeout_s in (TTFT_S - 0.05, 1.0, 2.0, 120.0):
        settings = [limits(queue_max=length, queue_timeout_s=timeout_s) for length in lengths]
        found = [measure(1.2 * CAPACITY_PER_S, setting).goodput_per_s for setting in settings]
        rows.append([f"{timeout_s:g} s", *(f"{value:.1f}" for value in found)])
    return _table(["`QUEUE_TIMEOUT_S`", *(f"`QUEUE_MAX` {length}" for length in lengths)], rows)


def saturation() -> str:
    """What a growing load looks like from the gateway."""
    rows = []
    for load in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3):
        found = measure(load * CAPACITY_PER_S, limits())
        rows.append(
            [
                f"{load:g}",
                f"{found.slots_busy:.2f}",
                f"{found.wait_p95_s * 1e3:.0f} ms",
                f"{found.ttft_p95_s * 1e3:.0f} ms",
                f"{found.shed:.1%}",
                f"{found.attainment:.1%}",
            ]
        )
    heads = ["Load / capacity", "Slots busy", "Queue wait p95", "TTFT p95 (served)", "Shed", "Attainment"]
    return _table(heads, rows)


def balancing() -> str:
    """Four gateways, each with an engine of its own, behind two kinds of balancer."""
    rows = []
    for load in (0.6, 0.8, 0.9, 1.0):
        whole = [arrivals(4 * load * CAPACITY_PER_S, seed) for seed in SEEDS]
        at_random = [
            _dealt(trace, _random(len(trace), seed), k) for seed, trace in enumerate(whole) for k in range(4)
        ]
        in_turn = [_dealt(trace, np.arange(len(trace)) % 4, k) for trace in whole for k in range(4)]
        found = [measure(0.0, limits(), traces) for traces in (at_random, in_turn)]
        rows.append([f"{load:g}", *(f"{one.attainment:.1%}, {one.wait_p95_s * 1e3:.0f} ms" for one in found)])
    return _table(
        ["Load / capacity", "At random: attainment, wait p95", "In turn: attainment, wait p95"], rows
    )


def first_try() -> str:
    """Real first sweeps, quiet and with work planted beside them."""
    return runs_table.markdown(lines.read())


def _dealt(trace: Sequence[Arrival], owner: npt.NDArray[np.int64], k: int) -> Sequence[Arrival]:
    return [arrival for arrival, whose in zip(trace, owner, strict=True) if whose == k]


def _random(count: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 4, count)


def _p95(values_s: npt.NDArray[np.float64]) -> float:
    return float(np.nanquantile(values_s, 0.95))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _write(path: Path, made: dict[str, str], check: bool) -> bool:
    """Whether the page's tables differ from `made`; put in unless `check`."""
    text = path.read_text()
    wanted = text
    for name, table in made.items():
        begin = f"<!-- table: {name} -->\n"
        pattern = re.escape(begin) + r".*?<!-- end -->"
        wanted = re.sub(pattern, f"{begin}{table}\n<!-- end -->", wanted, flags=re.DOTALL)
    if wanted != text and not check:
        path.write_text(wanted)
    return wanted != text


TABLES: dict[str, Callable[[], str]] = {
    "capacity": capacity,
    "timeouts": timeouts,
    "saturation": saturation,
    "balancing": balancing,
    "first-try": first_try,
}

if __name__ == "__main__":
    sys.exit(main())
