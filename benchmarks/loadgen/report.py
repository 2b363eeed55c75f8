"""The rounds as a page: where we are worse first, then the goals, then all figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.medians import head, median, number, with_range

OURS = "headroom"
Results = dict[str, dict[str, dict[str, float]]]
"""Of one round: generator → part → figure. What failed has a part `failed` with its name as key."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One column; less is better, of errors nearer to 0. goal: what ours shall not exceed."""

    title: str
    part: str
    key: str
    digits: int
    goal: float | None = None
    scale: float = 1.0

    def values(self, rounds: Sequence[Results], generator: str) -> list[float]:
        """In the rounds that have it."""
        found = [results.get(generator, {}).get(self.part, {}).get(self.key) for results in rounds]
        return [value * self.scale for value in found if value is not None]


CHUNK = Measure("CPU µs a chunk, 64 streams", "64 streams", "cpu_us_per_chunk", 1, 20)
MANY_CHUNK = Measure("CPU µs a chunk, 1,024 streams", "1,024 streams", "cpu_us_per_chunk", 1, 15)
REQUEST = Measure("CPU µs a short request", "requests", "cpu_us_per_request", 0, 100)
GAP = Measure("gap p99 off, ms, 64 streams", "64 streams", "gap_p99_off_ms", 3, 0.05)
MANY_GAP = Measure("gap p99 off, %, 1,024 streams", "1,024 streams", "gap_p99_off_ratio", 1, 2, 100)
TTFT = Measure("TTFT p50 off, ms, 64 streams", "64 streams", "ttft_p50_off_ms", 2)
MANY_TTFT = Measure("TTFT p99 off, %, 1,024 streams", "1,024 streams", "ttft_p99_off_ratio", 1, None, 100)
START = Measure("first request after, s", "64 streams", "first_request_s", 1)
MEMORY = Measure("memory, MB", "64 streams", "rss_mb", 0)
MEASURES = (CHUNK, MANY_CHUNK, REQUEST, GAP, MANY_GAP, TTFT, MANY_TTFT, START, MEMORY)

HEAD = """# Load generators, side by side

Made by `python -m benchmarks.loadgen --write`: {rounds} rounds, in each every generator anew, in rotated
order. One server (C, absolute schedule, its own log of every write), plain HTTP on loopback, the server on
one core and the generator with its whole process tree on the other. Figures are medians over the rounds with
their range.
Machine: {machine}. Absolute figures move between machines and hours: compare within a table.

- CPU: user and system time of the process tree; the slope between a short and a long run, so that start-up is
  not in it. 64 streams: closed loop, answers of 100 chunks, 20 ms apart. 1,024: the same answers, Poisson
  arrivals that keep as many open on average. Short requests: answers of one chunk, 32 in flight.
- Off: what the generator reports less what the server's log says, the same quantile, TTFT from the send. A
  negative TTFT means that the generator takes the empty first chunk, which carries only the role, for the
  first token.
- First request: from the command to the first request at the server. Memory: the peak of the tree's sum.
- A generator without figures for 1,024 streams cannot hold them on one core.
"""


def page(rounds: Sequence[Results], machine: str) -> str:
    """As Markdown. machine: where the rounds were made, in words."""
    names = list(dict.fromkeys(name for results in rounds for name in results))
    names.sort(key=lambda name: name != OURS)
    lines = [HEAD.format(rounds=len(rounds), machine=machine), "## Worse than a peer", ""]
    lines += _worse(rounds, names)
    lines += ["", "## Against the goals", "", *head("what", "goal", OURS)]
    for measure in MEASURES:
        if measure.goal is not None:
            seen = with_range(measure.values(rounds, OURS), measure.digits)
            lines.append(f"| {measure.title} | {measure.goal:g} | {seen} |")
    lines += ["", "## All of them", "", *head("", "rounds", *(measure.title for measure in MEASURES))]
    for name in names:
        cells = [str(sum(name in results for results in rounds))]
        cells += [with_range(measure.values(rounds, name), measure.digits) for measure in MEASURES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    failures = {
        f"- Failed in a round: {name}, {part}."
        for results in rounds
        for name, parts in results.items()
        for part in parts.get("failed", {})
    }
    return "\n".join([*lines, *([""] if failures else []), *sorted(failures)]) + "\n"


def _worse(rounds: Sequence[Results], names: Sequence[str]) -> list[str]:
    found = []
    for measure in MEASURES:
        ours = _size(measure, rounds, OURS)
        theirs = {name: _size(measure, rounds, name) for name in names if name != OURS}
        better = [
            f"{name} {number(median(measure.values(rounds, name)), measure.digits)}"
            for name, size in theirs.items()
            if size is not None and ours is not None and size < ours
        ]
        if better:
            own = number(median(measure.values(rounds, OURS)), measure.digits)
            found.append(f"- {measure.title}: {own}; {', '.join(better)}.")
    return found or ["Nowhere."]


def _size(measure: Measure, rounds: Sequence[Results], name: str) -> float | None:
    value = median(measure.values(rounds, name))
    return None if value is None else abs(value)
