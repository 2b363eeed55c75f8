"""`python -m benchmarks.loadgen`: our generator beside others, against the same server, round by round.

Rounds go into a file as they end, so that the work can be done in pieces; docs/benchmarks-loadgen.md is made
of all that are in it. Competitors need their environments: `python -m benchmarks.loadgen --install`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.loadgen.generators import ALL, ROOT, TOKENIZER, Generator
from benchmarks.loadgen.parts import PARTS, Figures
from benchmarks.loadgen.report import Results, page
from benchmarks.loadgen.server import TOOLS
from benchmarks.machine import machine

PINS = {"bench-guidellm": "guidellm==0.8.1", "bench-aiperf": "aiperf==0.13"}
EVIDENCE = ROOT / "docs" / "evidence" / "loadgen.jsonl"
PAGE = ROOT / "docs" / "benchmarks-loadgen.md"


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


def one_round(generators: list[Generator], number: int) -> Results:
    """Every generator once, beginning with another one each time; what failed is kept by its part's name."""
    turn = number % len(generators)
    results: Results = {}
    for generator in [*generators[turn:], *generators[:turn]]:
        found: dict[str, Figures] = {}
        for name, measure in PARTS.items():
            if name == "1,024 streams" and not generator.many_streams:
                continue
            try:
                found[name] = measure(generator)
            except (RuntimeError, OSError, LookupError, ValueError) as error:
                found.setdefault("failed", {})[name] = 1.0
                print(f"{generator.name}, {name}: {error}", file=sys.stderr)
        print(f"round {number + 1}: {generator.name}: {json.dumps(found)}", file=sys.stderr, flush=True)
        results[generator.name] = found
    return results


def main() -> None:
    """Adds the rounds and writes the page of all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loadgen",
        description="Our load generator beside others, against one server, round by round.",
        epilog="example: python -m benchmarks.loadgen --rounds 1 --only headroom --write",
    )
    parser.add_argument("--install", action="store_true", help="make the competitors' environments and leave")
    parser.add_argument("--rounds", type=int, default=5, help="how many to add to the file; 0: only the page")
    parser.add_argument("--only", nargs="*", help="names of generators")
    parser.add_argument("--rounds-file", type=Path, default=EVIDENCE, help="JSON lines, a round each")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks-loadgen.md")
    options = parser.parse_args()
    if options.install:
        install()
        return
    generators = [g for g in ALL if g.needs.exists() and (options.only is None or g.name in options.only)]
    if not generators:
        parser.error(f"no generator of that name is installed; there are {', '.join(g.name for g in ALL)}")
    file: Path = options.rounds_file
    file.touch()
    made = len(file.read_text().splitlines())
    for number in range(made, made + options.rounds):
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        line = {"when": when, "machine": machine(), "results": one_round(generators, number)}
        with file.open("a") as rounds:
            rounds.write(json.dumps(line) + "\n")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    machines = "; ".join(dict.fromkeys(line["machine"] for line in lines))
    text = page([line["results"] for line in lines], machines)
    print(text)
    if options.write:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
