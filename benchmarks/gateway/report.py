"""The benchmark's page: ratios first, medians over the rounds, the machine in words."""

import statistics
from typing import Any

from benchmarks.gateway.peers import machine

REFERENCE = "Envoy + adaptive concurrency"
OURS = "headroom gateway"
STREAM = "64 streams, 10 ms gaps"
WHOLE = "non-streamed 1 KB"
NO_GAP = "32 streams, no gaps"
REFUSED = "refused when full"


def _median(rounds: list[dict[str, Any]], peer: str, workload: str, key: str) -> float | None:
    values = [
        results[peer][workload][key] for results in rounds if key in results.get(peer, {}).get(workload, {})
    ]
    return statistics.median(values) if values else None


def _added(rounds: list[dict[str, Any]], peer: str, key: str) -> float | None:
    values = [
        results[peer][STREAM][key] - results[peer]["direct"][key]
        for results in rounds
        if STREAM in results.get(peer, {})
    ]
    return statistics.median(values) if values else None


def _ratio(rounds: list[dict[str, Any]], workload: str, key: str, peer: str) -> float | None:
    """The median over the rounds of ours ÷ the peer's, both from the same round."""
    values = [
        results[OURS][workload][key] / results[peer][workload][key]
        for results in rounds
        if key in results.get(OURS, {}).get(workload, {}) and key in results.get(peer, {}).get(workload, {})
    ]
    return statistics.median(values) if values else None


def _cell(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _goals(rounds: list[dict[str, Any]]) -> list[str]:
    ours, theirs = _added(rounds, OURS, "first_ms_p50"), _added(rounds, REFERENCE, "first_ms_p50")
    added = ours / theirs if ours is not None and theirs is not None and theirs > 0 else None
    return [
        f"| CPU per chunk ÷ {REFERENCE}, {STREAM} | ≤ 1.1 "
        f"| {_cell(_ratio(rounds, STREAM, 'cpu_us', REFERENCE), 2)} |",
        f"| CPU per chunk ÷ LiteLLM, {STREAM} | ≤ 0.1 "
        f"| {_cell(_ratio(rounds, STREAM, 'cpu_us', 'LiteLLM'), 3)} |",
        f"| CPU per request ÷ {REFERENCE}, {WHOLE} | ≤ 1.2 "
        f"| {_cell(_ratio(rounds, WHOLE, 'cpu_us', REFERENCE), 2)} |",
        f"| CPU per request ÷ LiteLLM, {WHOLE} | ≤ 0.025 "
        f"| {_cell(_ratio(rounds, WHOLE, 'cpu_us', 'LiteLLM'), 3)} |",
        f"| time added to the first chunk, p50, ÷ {REFERENCE} | ≤ 2.5 | {_cell(added, 2)} |",
        f"| CPU µs per refusal when full | ≤ 30 | {_cell(_median(rounds, OURS, REFUSED, 'cpu_us'))} |",
        f"| the same ÷ {REFERENCE} | ≤ 0.6 | {_cell(_ratio(rounds, REFUSED, 'cpu_us', REFERENCE), 2)} |",
        f"| kB resident per open stream at 1,000 | ≤ 15 "
        f"| {_cell(_median(rounds, OURS, 'memory', 'kb_per_stream'))} |",
        f"| kB resident per idle connection | ≤ 8 "
        f"| {_cell(_median(rounds, OURS, 'memory', 'kb_per_idle'))} |",
    ]


def page(rounds: list[dict[str, Any]], peers: list[str]) -> str:
    """The whole page as Markdown."""
    lines = [
        "# The gateway beside what a user would take instead",
        "",
        f"Made by `python -m benchmarks.gateway --write`: {len(rounds)} rounds, each starting every peer "
        "anew, in rotated order, one worker on a core of its own, plain HTTP/1.1 on loopback; medians over "
        f"the rounds. CPU is time on a CPU of the peer's process tree. Machine: {machine()}. Timings "
        f"are noisy where others "
        "share the machine: the ratios are what to read.",
        "",
        "## Ours ÷ theirs (the median of the rounds' ratios; below 1 is in our favour)",
        "",
        f"| peer | CPU per chunk, {STREAM} | CPU per request, {WHOLE} | CPU per chunk, {NO_GAP} |",
        "|---|---|---|---|",
    ]
    for peer in peers:
        if peer != OURS:
            cells = [
                _cell(_ratio(rounds, STREAM, "cpu_us", peer), 3),
                _cell(_ratio(rounds, WHOLE, "cpu_us", peer), 3),
                _cell(_ratio(rounds, NO_GAP, "cpu_us", peer), 3),
            ]
            lines.append(f"| {peer} | {' | '.join(cells)} |")
    lines += ["", "## Against the goals", "", "| what | goal | seen |", "|---|---|---|", *_goals(rounds)]
    lines += [
        "",
        "## The figures behind them",
        "",
        "| | CPU µs per chunk, 10 ms gaps | first chunk added ms p50 | p99 | CPU µs per request, 1 KB "
        "| requests/s | CPU µs per chunk, no gaps | kB per open stream (1,000) | kB per idle connection "
        "| CPU µs per refusal | refusals/s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for peer in peers:
        cells = [
            _cell(_median(rounds, peer, STREAM, "cpu_us")),
            _cell(_added(rounds, peer, "first_ms_p50"), 2),
            _cell(_added(rounds, peer, "first_ms_p99"), 2),
            _cell(_median(rounds, peer, WHOLE, "cpu_us")),
            _cell(_median(rounds, peer, WHOLE, "per_s"), 0),
            _cell(_median(rounds, peer, NO_GAP, "cpu_us")),
            _cell(_median(rounds, peer, "memory", "kb_per_stream")),
            _cell(_median(rounds, peer, "memory", "kb_per_idle")),
            _cell(_median(rounds, peer, REFUSED, "cpu_us")),
            _cell(_median(rounds, peer, REFUSED, "per_s"), 0),
        ]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    failures = {
        f"{peer}: {results[peer]['failed']}"
        for results in rounds
        for peer in peers
        if "failed" in results.get(peer, {})
    }
    lines += ["", *(f"Failed in a round: {failure}." for failure in sorted(failures))]
    return "\n".join(lines).rstrip() + "\n"
