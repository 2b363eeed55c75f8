"""How one gateway bears many: `python -m benchmarks.scale [--parts NAME …] [--soak-s SECONDS] [--write]`.

Each part starts a gateway and an engine of its own. What it finds is added to a file, so that parts can be
made one by one; the page is made of the last of each.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.gateway.processes import ROOT, apart
from benchmarks.machine import machine
from benchmarks.scale import standing
from benchmarks.scale.files import Sizes, fitting, open_files
from benchmarks.scale.refusals import Refusals, refusals
from benchmarks.scale.soak import Rest, Soak, soak
from benchmarks.scale.table import Row, markdown

EVIDENCE = ROOT / "docs" / "evidence" / "scale.jsonl"
PAGE = ROOT / "docs" / "benchmarks-scale.md"
PARTS = ("streams", "idle", "waiting", "waiting-without-sockets", "refusals", "soak")
Line = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description="How one gateway bears many streams, idle connections, waiting requests, refusals, time.",
        epilog="example: python -m benchmarks.scale --parts refusals soak --soak-s 3600 --write",
    )
    flags.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="none: only the page")
    flags.add_argument("--streams", type=int, default=10_000)
    flags.add_argument("--idle", type=int, default=20_000)
    flags.add_argument("--queue", type=int, default=100_000)
    flags.add_argument("--seconds", type=float, default=5.0, help="the length of one measurement")
    flags.add_argument("--refusals-per-s", type=float, default=10_000)
    flags.add_argument("--turns", type=int, default=5, help="of refusals, with and without them")
    flags.add_argument("--soak-s", type=float, default=150.0)
    flags.add_argument("--clients", type=int, default=200, help="of the soak")
    flags.add_argument("--file", type=Path, default=EVIDENCE, help="JSON lines, a part each")
    flags.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return flags


def found(part: str, options: argparse.Namespace, fits: Sizes) -> Line:
    """What a part finds, as JSON."""
    if part == "refusals":
        return {"refusals": refusals(options.refusals_per_s, options.seconds, options.turns).values()}
    if part == "soak":
        return {"soak": soak(options.soak_s, options.clients, max(2.0, options.soak_s / 30)).values()}
    if part == "waiting-without-sockets":
        return {"rows": [row.values() for row in _without_sockets(options.queue)]}
    standings: dict[str, Callable[[], Iterable[Row]]] = {
        "streams": lambda: standing.streams(fits.streams, options.seconds),
        "idle": lambda: standing.idle(fits.idle, options.seconds),
        "waiting": lambda: standing.waiting(fits.queue, options.seconds),
    }
    return {"rows": [row.values() for row in standings[part]()]}


def _without_sockets(count: int) -> Iterable[Row]:
    of_gateway, _ = apart()
    command = [sys.executable, "-m", "benchmarks.scale.queue_alone", str(count)]
    pinned = ["taskset", "-c", ",".join(map(str, of_gateway)), *command]
    told = subprocess.run(pinned, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [Row(**json.loads(line)) for line in told.stdout.splitlines()]


def page(lines: list[Line]) -> str:
    """The page, of the last line of each part."""
    last = {line["part"]: line for line in lines}
    rows = [Row(**row) for part in PARTS for row in last.get(part, {}).get("rows", ())]
    machines = "; ".join(dict.fromkeys(line["machine"] for line in last.values()))
    files = " ".join(dict.fromkeys(line["files"] for line in last.values()))
    text = [
        "# How one gateway bears many",
        "",
        "Made by `python -m benchmarks.scale --write`: the gateway on a core of its own, engine and clients "
        f"on the other. Machine: {machines}. {files} CPU is time on a CPU of the gateway's process. The two "
        "last columns say how long somebody else waited for an answer meanwhile, asked for every 10 ms "
        "(without sockets: how late a timer of 5 ms was).",
        "",
        markdown(rows),
    ]
    if "refusals" in last:
        text += ["", "## A storm of refusals", "", Refusals(**last["refusals"]["refusals"]).text()]
    if "soak" in last:
        text += ["", "## Churn", "", _soaked(last["soak"]["soak"]).text()]
    return "\n".join(text) + "\n"


def _soaked(stored: Line) -> Soak:
    rests = [Rest(*rest) for rest in stored["rests"]]
    return Soak(rests, Counter(stored["how"]), stored["changes"], stored["faults"])


def main() -> int:
    """1 where the soak found a fault."""
    options = parser().parse_args()
    fits, sentence = fitting(Sizes(options.streams, options.idle, options.queue), open_files())
    print(sentence, file=sys.stderr)
    faults = []
    for part in options.parts:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        line = {
            "part": part,
            "when": when,
            "machine": machine(),
            "files": sentence,
            **found(part, options, fits),
        }
        faults += line.get("soak", {}).get("faults", [])
        with options.file.open("a") as file:
            file.write(json.dumps(line) + "\n")
    text = page([json.loads(line) for line in options.file.read_text().splitlines()])
    print(text)
    if options.write:
        PAGE.write_text(text)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
