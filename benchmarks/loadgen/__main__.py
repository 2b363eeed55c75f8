"""`python -m benchmarks.loadgen`: our generator beside others, against the same server, in one run.

Writes docs/benchmarks-loadgen.md. Competitors need their environments: `python -m benchmarks.loadgen
--install`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loadgen import report
from benchmarks.loadgen.generators import ALL, ROOT, TOKENIZER, Generator, Work, quantiles
from benchmarks.loadgen.measure import Run, run
from benchmarks.loadgen.server import TOOLS
from benchmarks.python_build import python_build

CHUNKS, GAP_S, TTFT_S, STREAMS = 100, 0.02, 0.02, 64
PINS = {"bench-guidellm": "guidellm==0.8.1", "bench-aiperf": "aiperf==0.13"}
RESULTS = Path(__file__).with_name("results")
EVERY, CLEAN, QUIETER = (RESULTS / f"{name}.json" for name in ("side-by-side", "realtime", "quieter"))
PAGE = ROOT / "docs" / "benchmarks-loadgen.md"
Row = dict[str, Any]


def install() -> None:
    """One environment for each competitor, and a tokenizer that needs no network."""
    from experiments.stack import tiny_model

    uv = str(ROOT / ".venv" / "bin" / "uv")
    for name, pin in PINS.items():
        home = TOOLS / name
        if not home.exists():
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(home)], check=True)
            subprocess.run(
                [uv, "pip", "install", "-q", "--python", str(home / "bin" / "python"), pin], check=True
            )
    tiny_model.build(TOKENIZER)


def streaming(generator: Generator, realtime: bool) -> Row:
    """CPU per chunk: the slope between a short and a long run of 64 streams, so that start-up drops out."""
    few = run(generator, Work("", 128, CHUNKS, STREAMS, seconds=3.0), TTFT_S, GAP_S, realtime=realtime)
    many = run(generator, Work("", 640, CHUNKS, STREAMS, seconds=19.0), TTFT_S, GAP_S, realtime=realtime)
    return {
        "cpu_us_per_chunk": slope(few, many, "chunks"),
        "first_request_s": min(few.first_request_s, many.first_request_s),
        "rss_mb": many.rss_mb,
        **errors(many),
    }


def per_request(generator: Generator, realtime: bool) -> Row:
    """CPU per request: answers of one chunk at once, 32 in flight; the slope again."""
    few = run(generator, Work("", 200, 1, 32, seconds=0.5), 0.01, 0.0, realtime=realtime)
    many = run(generator, Work("", 1200, 1, 32, seconds=3.0), 0.01, 0.0, realtime=realtime)
    return {"cpu_us_per_request": slope(few, many, "requests")}


def poisson(generator: Generator, realtime: bool) -> Row:
    """Poisson arrivals at 20/s, 20 chunks each: TTFT quantiles against the server's."""
    found = run(generator, Work("", 600, 20, rate_per_s=20.0, seconds=30.0), 0.05, GAP_S, realtime=realtime)
    gaps = np.diff(np.sort(found.server.received_s))
    return {
        "poisson": errors(found),
        "poisson_rate_per_s": float(1 / gaps.mean()),
        "poisson_cv": float(gaps.std() / gaps.mean()),
    }


def ladder(generator: Generator, realtime: bool) -> Row:
    """Doubling streams until TTFT (p50) or the gaps (p50, p95) are more than 5 % from the server's.

    Poisson arrivals, so that streams do not start and end together; closed loop where there is no other.
    """
    best, steps = 0, []
    for streams in (64, 128, 256, 512, 1024):
        rate_per_s = 0.0 if generator.name == "Locust HttpUser" else streams / (TTFT_S + CHUNKS * GAP_S)
        work = Work("", int(3.5 * streams), CHUNKS, streams, rate_per_s, seconds=7.0)
        found = run(generator, work, TTFT_S, GAP_S, realtime=realtime)
        real = {"ttft": quantiles(found.server.ttft_s), "itl": quantiles(found.server.gap_s)}
        off = {
            f"{name} {key}": found.found[name][key] / real[name][key] - 1
            for name, key in (("ttft", "p50"), ("itl", "p50"), ("itl", "p95"), ("itl", "p99"))
        }
        reached = len(found.server.gap_s) / (max(found.server.received_s) + 2 - min(found.server.received_s))
        steps.append(
            {
                "streams": streams,
                "chunks_per_s": streams / GAP_S,
                "reached_per_s": reached,
                "off": off,
                "cpu_us_per_chunk": found.cpu_s / found.server.chunks * 1e6,
            }
        )
        if max(abs(value) for name, value in off.items() if name != "itl p99") > 0.05:
            break
        best = int(streams / GAP_S)
    return {"undistorted_chunks_per_s": best, "ladder": steps}


def slope(few: Run, many: Run, what: str) -> float:
    """Microseconds of CPU per chunk or per request."""
    size = {"chunks": lambda r: r.server.chunks, "requests": lambda r: len(r.server.received_s)}[what]
    return (many.cpu_s - few.cpu_s) / (size(many) - size(few)) * 1e6


def errors(found: Run) -> Row:
    """What it measured less what the server did, in milliseconds, at p50 and p99."""
    real = {"ttft": quantiles(found.server.ttft_s), "itl": quantiles(found.server.gap_s)}
    return {
        f"{name}_{key}_error_ms": (found.found[name][key] - real[name][key]) * 1e3
        for name in ("ttft", "itl")
        for key in ("p50", "p99")
    }


def measured(generators: list[Generator], parts: list[str], realtime: bool) -> Iterator[Row]:
    """A row for each generator; what failed is in its row as text."""
    every = {"streaming": streaming, "per_request": per_request, "poisson": poisson, "ladder": ladder}
    for generator in generators:
        row: Row = {"name": generator.name, "failed": {}}
        for name in parts:
            if name == "poisson" and generator.name == "Locust HttpUser":
                continue  # it has no open loop
            try:
                row |= every[name](generator, realtime)
            except (RuntimeError, OSError, LookupError, ValueError) as error:
                row["failed"][name] = str(error)
            print(json.dumps(row), file=sys.stderr, flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--install", action="store_true", help="make the competitors' environments and leave")
    parser.add_argument("--only", default="", help="a generator's name, or a part of several")
    parser.add_argument("--parts", default="streaming,per_request,poisson,ladder")
    parser.add_argument(
        "--realtime", action="store_true", help="SCHED_FIFO for server and generator (needs root)"
    )
    parser.add_argument("--json", type=Path, help="where the figures go (default: results/, by kind of run)")
    parser.add_argument("--render", action="store_true", help="only write the page from the stored figures")
    options = parser.parse_args()
    if options.install:
        install()
        return
    if not options.render:
        named = [g for g in ALL if g.name == options.only] or [g for g in ALL if options.only in g.name]
        chosen = [g for g in named if g.needs.exists()]
        rows = list(measured(chosen, options.parts.split(","), options.realtime))
        stored = options.json or (CLEAN if options.realtime else EVERY)
        stored.write_text(json.dumps({"about": about(), "rows": rows}, indent=1) + "\n")
    if options.json is None:
        clean, quieter = (
            json.loads(path.read_text()) if path.exists() else None for path in (CLEAN, QUIETER)
        )
        PAGE.write_text(report.markdown(json.loads(EVERY.read_text()), clean, quieter))


def about() -> Row:
    """When and where."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    machine = f"{platform.machine()}, {python_build()}"
    return {"when": now, "cores": os.cpu_count(), "machine": machine, "load": os.getloadavg()[0]}


if __name__ == "__main__":
    main()
