"""`python -m tests.reports.explaining FROM UNTIL [KINDS [FILE]]`: plants incidents of every kind with these
seeds, asks, and adds a line each to docs/evidence/explain.jsonl; goes on where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.twin.simulate import Core, Player
from reports.explain.cause import Cause, Finding
from tests.reports.explaining import scenario

FILE = Path(__file__).resolve().parents[3] / "docs" / "evidence" / "explain.jsonl"
_LONGEST_S = 380.0


def main(begin: int, end: int, kinds: list[str], out: Path) -> None:
    """One line per seed and kind that has none yet, with the commit of the rules; stops in time for the next
    piece."""
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%h", "--", "reports/explain"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    known = (
        {(line["kind"], line["seed"]) for line in map(json.loads, out.read_text().splitlines())}
        if out.exists()
        else set()
    )
    player, until_s = Player(Core.AUTO, expected=1000), time.monotonic() + _LONGEST_S
    for seed in range(begin, end):
        for kind in kinds:
            if (kind, seed) in known or time.monotonic() > until_s:
                continue
            made = (
                scenario.quiet(seed, player)
                if kind == "quiet"
                else scenario.planted(Cause(kind), seed, player)
            )
            _, said = scenario.explained(made)
            line = {
                "kind": kind,
                "seed": seed,
                "commit": commit,
                "rows": len(made.scene.traffic),
                "first": said.causes[0].cause if said.causes else None,
                "harm": said.harm.any,
                "causes": _short(said.causes),
                "also": _short(said.without_effect),
            }
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    _tell(out)


def _short(findings: Sequence[Finding]) -> list[tuple[str, float, float]]:
    return [(one.cause, round(one.weight, 3), round(one.certainty, 3)) for one in findings]


def _tell(out: Path) -> None:
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    right = total = 0
    for kind in [*Cause, "quiet"]:
        mine = [line for line in lines if line["kind"] == kind]
        if not mine:
            continue
        if kind == "quiet":
            claimed, harmed = (sum(bool(line[name]) for line in mine) for name in ("first", "harm"))
            print(f"quiet: {claimed} claimed of {len(mine)}, worse in {harmed}")
            continue
        good = sum(line["first"] == kind for line in mine)
        right, total = right + good, total + len(mine)
        wrong = [line["first"] for line in mine if line["first"] != kind]
        print(f"{kind}: {good} of {len(mine)}", wrong)
    if total:
        print(f"right cause first: {right} of {total} ({right / total:.1%})")


if __name__ == "__main__":
    first, last, *rest = sys.argv[1:]
    chosen = [*(cause.value for cause in Cause), "quiet"]
    if rest and rest[0] != "all":
        chosen = rest[0].split(",")
    main(int(first), int(last), chosen, Path(rest[1]) if len(rest) > 1 else FILE)
