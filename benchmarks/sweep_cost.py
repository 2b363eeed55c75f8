"""What a sweep costs beside measuring: 16 cells on the emulator, and where their wall time went.

    python -m benchmarks.sweep_cost                        the default windows: about three minutes
    python -m benchmarks.sweep_cost --measure 3s           other flags of the sweep may follow
    python -m benchmarks.sweep_cost --blocks 6             48 cells

Goals: less than 1.5 s between two cells; at least 90 % of the wall time in measured windows, warm-up and
drain aside; at least 70 % of the whole command in them, warm-up, drain, start, probe and report counted; and
at most 15 s for what comes once, the engine's own start aside.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.run_folder import journal
from experiments.run_folder.reading import read_run
from experiments.run_folder.timeline import WallTime, wall_time

# 2 × 2 settings, 2 loads, 2 traces.
_FLAGS = (
    *("--engine", "emulator", "--max-active", "8,16", "--queue-mode", "queue,reject", "--blocks", "2"),
    *("--design", "grid", "--load", "sustained@0.7x,burst@1.2x", "--sentinel", "off", "--quiet"),
)
_BETWEEN_S = 1.5
_MEASURED = 0.9
_OF_ALL = 0.7
_ONCE_S = 15.0


def main() -> int:
    """Run the sweep and print what it cost; 1 when a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "experiments.sweep", "--out", str(out), *_FLAGS, *sys.argv[1:]]
        began_s = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        whole_s = time.monotonic() - began_s
        events = list(journal.read(out / "journal.jsonl"))
        found = wall_time(events)
        repeated = sum(event["event"] == "cell_repeated" for event in events)
        engine = read_run(out).engine
    if done.returncode != 0:
        print(f"the sweep ended with {done.returncode}")
        return 1
    _show(found, whole_s, repeated)
    once_s = whole_s - found.warm_up_s - found.measure_s - found.drain_s - sum(found.between_s)
    start_s = (engine.facts.ready_after_s if engine is not None else None) or 0.0
    print(f"once: {once_s:.1f} s, of it the engine's start {start_s:.1f} s (goal {_ONCE_S:g} s beside it)")
    print(json.dumps(found.to_json()))
    median_s = sorted(found.between_s)[len(found.between_s) // 2]
    met = median_s < _BETWEEN_S and found.measured_ratio >= _MEASURED
    return 0 if met and found.measure_s >= _OF_ALL * whole_s and once_s - start_s <= _ONCE_S else 1


def _show(found: WallTime, whole_s: float, repeated: int) -> None:
    between = sorted(found.between_s)
    print(
        f"{found.cells} cells ({repeated} of them repeated as invalid): measured {found.measure_s:.0f} s, "
        f"warm-up {found.warm_up_s:.0f} s, drain {found.drain_s:.0f} s"
    )
    print(
        f"between cells: median {between[len(between) // 2]:.2f} s, 95 % below "
        f"{between[int(0.95 * len(between))]:.2f} s, longest {between[-1]:.2f} s (goal {_BETWEEN_S:g})"
    )
    print(f"measured, warm-up and drain aside: {found.measured_ratio:.1%} (goal {_MEASURED:.0%})")
    share = found.measure_s / whole_s
    print(f"measured, of the whole command of {whole_s:.0f} s: {share:.1%} (goal {_OF_ALL:.0%})")


if __name__ == "__main__":
    sys.exit(main())
