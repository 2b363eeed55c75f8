"""The figures as a page."""

from __future__ import annotations

from typing import Any, TypedDict


class Measured(TypedDict):
    """A results file: `about` has when, cores, machine and load (average, 1 minute)."""

    about: dict[str, Any]
    rows: list[dict[str, Any]]


HEAD = """# Load generators, side by side

Made by `python -m benchmarks.loadgen`. One server (C, absolute schedule, its own log of every write),
loopback, the server on one core and the generator with its whole process tree on the other. Absolute
figures move between machines and hours: compare within a table.

- CPU per chunk: 64 closed-loop streams of 100 chunks, 20 ms apart; user and system time of the process
  tree, the slope between 128 and 640 requests, so that start-up is not in it. Per request: answers of one
  chunk, 32 in flight, the slope between 200 and 1,200.
- Errors: what the generator reports less what the server's log says, TTFT from the send, same quantile.
- Undistorted: Poisson arrivals that keep 64, 128, 256, 512, 1,024 streams open on average (HttpUser: a
  closed loop) until TTFT p50 or a gap's p50 or p95 is more than 5 % from the server's; the last step that
  was not. The gap's p99 is shown beside it.
- First request: from the command to the first request at the server, the quickest of the runs. RSS: peak
  of the sum over the process tree.
"""
ALL = """## All of them, in one run

On {when}, {cores} × {machine}, load average {load:.1f}: on a machine that was busy with other work, so
times (the errors, the undistorted rate) say as much about that work as about the generators; CPU is less
affected. A negative TTFT error means that the generator takes the empty first chunk, which carries only
the role, for the first token.
"""
CLEAN = """## Those under Locust, undisturbed

On {when}, the same machine (load average {load:.1f}), server and generator with real-time priority
(`--realtime`), so that the other work does not get in between. CPU per chunk is higher here: woken at
once, a generator finds one chunk at a time; woken late, it finds several.
"""


QUIETER = """## The first column again, on a quieter machine

On {when}, load average {load:.1f} (`--parts streaming --json benchmarks/loadgen/results/quieter.json`).
"""


def markdown(every: Measured, clean: Measured | None, quieter: Measured | None) -> str:
    """The page: all generators, their streaming part again, and those that were also run undisturbed."""
    lines = [HEAD, ALL.format(**every["about"]), *_tables(every["rows"])]
    if quieter is not None:
        lines += ["", QUIETER.format(**quieter["about"]), *_main(quieter["rows"])]
    if clean is not None:
        lines += ["", CLEAN.format(**clean["about"]), *_tables(clean["rows"])]
    return "\n".join([*lines, ""])


def _tables(rows: list[dict[str, Any]]) -> list[str]:
    return [*_main(rows), "", *_poisson(rows), "", *_ladder(rows), *_failed(rows)]


def _cell(row: dict[str, Any], key: str, form: str) -> str:
    return format(row[key], form) if row.get(key) is not None else "–"


def _pair(row: dict[str, Any], name: str) -> str:
    return " / ".join(_cell(row, f"{name}_{key}_error_ms", "+.2f") for key in ("p50", "p99"))


def _main(rows: list[dict[str, Any]]) -> list[str]:
    titles = (
        "generator",
        "CPU µs/chunk",
        "CPU µs/request",
        "undistorted up to, chunks/s",
        "TTFT error p50 / p99, ms",
        "gap error p50 / p99, ms",
        "first request, s",
        "RSS, MB",
    )
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for row in rows:
        pairs = (
            f"{_cell(row, f'{n}_p50_error_ms', '+.2f')} / {_cell(row, f'{n}_p99_error_ms', '+.2f')}"
            for n in ("ttft", "itl")
        )
        cells = (
            row["name"],
            _cell(row, "cpu_us_per_chunk", ".1f"),
            _cell(row, "cpu_us_per_request", ",.0f"),
            _cell(row, "undistorted_chunks_per_s", ",d"),
            *pairs,
            _cell(row, "first_request_s", ".1f"),
            _cell(row, "rss_mb", ",.0f"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _poisson(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Poisson arrivals at 20/s: rate and variation of gaps as the server saw them (Poisson: 20 and 1).",
        "",
        "| generator | rate, 1/s | CV of gaps | TTFT error p50, ms | TTFT error p99, ms |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if "poisson" in row:
            cells = (
                row["name"],
                _cell(row, "poisson_rate_per_s", ".1f"),
                _cell(row, "poisson_cv", ".2f"),
                _cell(row["poisson"], "ttft_p50_error_ms", "+.2f"),
                _cell(row["poisson"], "ttft_p99_error_ms", "+.2f"),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _ladder(rows: list[dict[str, Any]]) -> list[str]:
    titles = (
        "generator",
        "streams",
        "asked, chunks/s",
        "mean with ramp-up",
        "TTFT p50",
        "gap p50",
        "gap p95",
        "gap p99",
        "CPU µs/chunk, start included",
    )
    lines = [
        "Distortion by load:",
        "",
        f"| {' | '.join(titles)} |",
        "|" + "---|" * len(titles),
    ]
    for row in rows:
        for step in row.get("ladder", ()):
            off = [f"{value:+.1%}" for value in step["off"].values()]
            off += ["–"] * (4 - len(off)) + [_cell(step, "cpu_us_per_chunk", ".1f")]
            speed = f"{step['chunks_per_s']:,.0f} | {step['reached_per_s']:,.0f}"
            lines.append(f"| {row['name']} | {step['streams']} | {speed} | {' | '.join(off)} |")
    return lines


def _failed(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"- {row['name']}, {part}: {why}" for row in rows for part, why in row["failed"].items()]
    return ["", "Did not work:", "", *lines] if lines else []
