"""Side by side: `python -m benchmarks.gateway [--rounds 5] [--seconds 4] [--only NAME …] [--also-python PATH]
[--rounds-file FILE] [--write]`.

Each round starts every peer anew, one at a time, in an order that rotates, and measures three workloads,
refusals and memory. CPU is time on a CPU of the peer's whole process tree over the measured window, divided
by what passed through in it. Rounds go into a file as they end, so that the work can be done in pieces; the
page is made of all that are in it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gateway.peers import PEERS, Peer, ours_on
from benchmarks.gateway.processes import ROOT, apart, free_port, process, wait_for_answer
from benchmarks.gateway.report import page
from benchmarks.gateway.workloads import one_peer
from benchmarks.machine import machine

EVIDENCE = ROOT / "docs" / "evidence" / "gateway.jsonl"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.gateway",
        description="The gateway beside what a user would take instead, paired round by round.",
        epilog="example: python -m benchmarks.gateway --rounds 1 --seconds 1.5 "
        "--also-python /usr/bin/python3.11 --write",
    )
    flags.add_argument("--rounds", type=int, default=5, help="how many to add to the file; 0: only the page")
    flags.add_argument("--seconds", type=float, default=4.0, help="the length of one workload")
    flags.add_argument("--only", nargs="*", default=None, help="names of peers")
    flags.add_argument("--also-python", help="one more peer: ours on this interpreter of the same version")
    flags.add_argument("--rounds-file", type=Path, default=EVIDENCE, help="JSON lines, a round each")
    flags.add_argument("--write", action="store_true", help="write docs/benchmarks-gateway.md")
    return flags


def one_round(peers: list[Peer], number: int, seconds: float) -> dict[str, Any]:
    """Every peer once, beginning with another one each time."""
    of_peer, of_the_others = apart()
    os.sched_setaffinity(0, of_the_others)
    engine_port = free_port()
    results: dict[str, Any] = {}
    with process([sys.executable, "-m", "benchmarks.gateway.engine", str(engine_port)]) as engine:
        wait_for_answer(engine_port, engine)
        turn = number % len(peers)
        for peer in [*peers[turn:], *peers[:turn]]:
            try:
                results[peer.name] = one_peer(peer, engine, engine_port, seconds, of_peer)
            except RuntimeError as error:
                results[peer.name] = {"failed": str(error)}
            print(
                f"round {number + 1}: {peer.name}: {json.dumps(results[peer.name])}",
                file=sys.stderr,
                flush=True,
            )
    return results


def main() -> int:
    """Adds the rounds and prints the page of all."""
    flags = parser()
    options = flags.parse_args()
    peers = list(PEERS)
    if options.also_python:
        try:
            peers.insert(1, ours_on(options.also_python))
        except (ValueError, OSError) as error:
            flags.error(str(error))
    if options.only is not None:
        peers = [peer for peer in peers if peer.name in options.only or peer not in PEERS]
    for peer in peers:
        peer.provide()
    file: Path = options.rounds_file
    file.touch()
    made = len(file.read_text().splitlines())
    for number in range(made, made + options.rounds):
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        results = one_round(peers, number, options.seconds)
        line = {"when": when, "machine": machine(), "seconds": options.seconds, "results": results}
        with file.open("a") as rounds:
            rounds.write(json.dumps(line) + "\n")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    names = list(dict.fromkeys(name for line in lines for name in line["results"]))
    order = [peer.name for peer in PEERS]
    names.sort(key=lambda name: order.index(name) if name in order else 0.5)
    machines = "; ".join(dict.fromkeys(line["machine"] for line in lines))
    text = page([line["results"] for line in lines], names, machines)
    missing = [name for name in order if name not in names]
    notes = list(dict.fromkeys(line["note"] for line in lines if "note" in line))
    if missing:
        notes.append(f"Not in these rounds: {', '.join(missing)}.")
    if notes:
        text += f"\n{' '.join(notes)}\n"
    print(text)
    if options.write:
        (ROOT / "docs" / "benchmarks-gateway.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
