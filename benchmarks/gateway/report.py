"""The benchmark's page: where we are worse first, ratios with their range, the machine in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.medians import head, median, number, with_range

REFERENCE = "Envoy + adaptive concurrency"
OURS = "headroom gateway"
STREAM = "64 streams, 10 ms gaps"
WHOLE = "non-streamed 1 KB"
NO_GAP = "32 streams, no gaps"
REFUSED = "refused when full"

Results = dict[str, Any]
"""Of one round: peer → workload → figure."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a workload; less is better."""

    title: str
    workload: str
    key: str
    unit: str

    def of(self, results: Results, peer: str) -> float | None:
        """The peer's in one round."""
        value = results.get(peer, {}).get(self.workload, {}).get(self.key)
        return None if value is None else float(value)

    def median(self, rounds: Sequence[Results], peer: str) -> float | None:
        """The peer's over the rounds."""
        return median([self.of(results, peer) for results in rounds])

    def ratios(self, rounds: Sequence[Results], ours: str, peer: str) -> list[float]:
        """Ours ÷ the peer's, both from the same round."""
        pairs = [(self.of(results, ours), self.of(results, peer)) for results in rounds]
        return [mine / theirs for mine, theirs in pairs if mine is not None and theirs]


CHUNK = Measure(f"CPU per chunk, {STREAM}", STREAM, "cpu_us", "µs")
REQUEST = Measure(f"CPU per request, {WHOLE}", WHOLE, "cpu_us", "µs")
BUSY_CHUNK = Measure(f"CPU per chunk, {NO_GAP}", NO_GAP, "cpu_us", "µs")
REFUSAL = Measure("CPU per refusal when full", REFUSED, "cpu_us", "µs")
STREAM_KB = Measure("memory of an open stream, of 1,000", "memory", "kb_per_stream", "kB")
IDLE_KB = Measure("memory of an idle connection, of 2,000", "memory", "kb_per_idle", "kB")
MEASURES = (CHUNK, REQUEST, BUSY_CHUNK, REFUSAL, STREAM_KB, IDLE_KB)


def page(rounds: Sequence[Results], peers: Sequence[str], machine: str) -> str:
    """The whole page as Markdown. machine: where the rounds were made, in words."""
    others = [peer for peer in peers if not peer.startswith(OURS)]
    lines = [
        "# The gateway beside what a user would take instead",
        "",
        f"Made by `python -m benchmarks.gateway --write`: {len(rounds)} rounds, each starting every peer "
        "anew, in rotated order, one worker on a core of its own, engine and load on the other, plain "
        "HTTP/1.1 on loopback. Figures are medians over the rounds, ratios the median of the rounds' ratios "
        f"with their range. CPU is time on a CPU of the peer's process tree. Machine: {machine}. Absolute "
        "figures move between machines and hours: the ratios are what to read.",
        *_section("Worse than a peer", _worse(rounds, others)),
        *_section("Ours ÷ theirs (below 1 is in our favour)", _ratios(rounds, peers, others)),
        *_section("Against the goals", _goals(rounds, peers)),
        *_section("The figures behind them", _figures(rounds, peers)),
    ]
    failures = {
        f"Failed in a round: {peer}: {results[peer]['failed']}."
        for results in rounds
        for peer in peers
        if "failed" in results.get(peer, {})
    }
    if failures:
        lines += ["", *sorted(failures)]
    return "\n".join(lines).rstrip() + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _worse(rounds: Sequence[Results], others: Sequence[str]) -> list[str]:
    found = []
    for measure in MEASURES:
        worse = []
        for peer in others:
            ratio = median(measure.ratios(rounds, OURS, peer))
            if ratio is not None and ratio > 1:
                worse.append(f"{peer} {number(measure.median(rounds, peer))} ({ratio:.2f} times)")
        if worse:
            ours = number(measure.median(rounds, OURS))
            found.append(f"- {measure.title}: {ours} {measure.unit}; {', '.join(worse)}.")
    return found or ["Nowhere."]


def _ratios(rounds: Sequence[Results], peers: Sequence[str], others: Sequence[str]) -> list[str]:
    lines = []
    for ours in peers:
        if not ours.startswith(OURS):
            continue
        lines += ["", f"{ours} ÷", ""]
        lines += head("peer", *(measure.title for measure in MEASURES))
        for peer in others:
            cells = [with_range(measure.ratios(rounds, ours, peer), 2) for measure in MEASURES]
            lines.append(f"| {peer} | {' | '.join(cells)} |")
    return lines[1:]


def _goals(rounds: Sequence[Results], peers: Sequence[str]) -> list[str]:
    lines = head("what", "goal", *(peer for peer in peers if peer.startswith(OURS)))

    def row(what: str, goal: str, seen: Callable[[str], str]) -> None:
        cells = [seen(ours) for ours in peers if ours.startswith(OURS)]
        lines.append(f"| {what} | {goal} | {' | '.join(cells)} |")

    def ratio(measure: Measure, peer: str, digits: int) -> Callable[[str], str]:
        return lambda ours: with_range(measure.ratios(rounds, ours, peer), digits)

    on_pgo = "; ≤ 1.0 on a PGO Python"
    row(f"{CHUNK.title} ÷ {REFERENCE}", "≤ 1.1" + on_pgo, ratio(CHUNK, REFERENCE, 2))
    row(f"{REQUEST.title} ÷ {REFERENCE}", "≤ 1.2" + on_pgo, ratio(REQUEST, REFERENCE, 2))
    row(f"{REFUSAL.title} ÷ {REFERENCE}", "≤ 0.6", ratio(REFUSAL, REFERENCE, 2))
    row("the same, µs", "≤ 30", lambda ours: number(REFUSAL.median(rounds, ours)))
    row(
        f"time added to the first chunk, p50, more than {REFERENCE}'s, ms",
        "≤ 0.15",
        lambda ours: with_range(_more_added_ms(rounds, ours), 2),
    )
    row(f"{STREAM_KB.title}, kB", "≤ 15", lambda ours: number(STREAM_KB.median(rounds, ours)))
    row(f"{IDLE_KB.title}, kB", "≤ 8", lambda ours: number(IDLE_KB.median(rounds, ours)))
    return lines


def _figures(rounds: Sequence[Results], peers: Sequence[str]) -> list[str]:
    titles = [f"{measure.title}, {measure.unit}" for measure in MEASURES]
    lines = head("", "rounds", *titles, "first chunk added ms p50", "p99", "requests/s, 1 KB", "refusals/s")
    for peer in peers:
        cells = [str(sum(peer in results for results in rounds))]
        cells += [number(measure.median(rounds, peer)) for measure in MEASURES]
        added_ms = [
            median([_added_ms(results, peer, key) for results in rounds])
            for key in ("first_ms_p50", "first_ms_p99")
        ]
        per_s = [Measure("", workload, "per_s", "").median(rounds, peer) for workload in (WHOLE, REFUSED)]
        cells += [*(number(value, 2) for value in added_ms), *(number(value, 0) for value in per_s)]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    return lines


def _added_ms(results: Results, peer: str, key: str) -> float | None:
    """What the peer adds to the time that the engine itself takes, asked right before it."""
    through = results.get(peer, {}).get(STREAM, {}).get(key)
    return None if through is None else float(through - results[peer]["direct"][key])


def _more_added_ms(rounds: Sequence[Results], ours: str) -> list[float]:
    pairs = [
        (_added_ms(results, ours, "first_ms_p50"), _added_ms(results, REFERENCE, "first_ms_p50"))
        for results in rounds
    ]
    return [mine - theirs for mine, theirs in pairs if mine is not None and theirs is not None]
