"""What a sweep costs beside measuring: 48 cells on the emulator, and where their wall time went.

    python -m benchmarks.sweep_cost                        the default windows: about eight minutes
    python -m benchmarks.sweep_cost --measure 3s           other flags of the sweep may follow

Goals: less than 1.5 s between two cells, and at least 90 % of the wall time in measured windows, warm-up and
drain aside. The second line also counts what comes once: the start of the stack, the probe, the report.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.run_folder import journal
from experiments.run_folder.timeline import WallTime, wall_time

# 2 × 2 settings, 2 loads, 6 traces.
_FLAGS = (
    *("--engine", "emulator", "--max-active", "8,16", "--queue-mode", "queue,reject", "--blocks", "6"),
    *("--design", "grid", "--load", "sustained@0.7x,burst@1.2x", "--sentinel", "off", "--quiet"),
)
_BETWEEN_S = 1.5
_MEASURED = 0.9


def main() -> int:
    """Run the sweep and print what it cost; 1 when a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "experiments.sweep", "--out", str(out), *_FLAGS, *sys.argv[1:]]
        began_s = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        whole_s = time.monotonic() - began_s
        found = wall_time(journal.read(out / "journal.jsonl"))
        repeated = sum(event["event"] == "cell_repeated" for event in journal.read(out / "journal.jsonl"))
    if done.returncode != 0:
        print(f"the sweep ended with {done.returncode}")
        return 1
    _show(found, whole_s, repeated)
    print(json.dumps(found.to_json()))
    median_s = sorted(found.between_s)[len(found.between_s) // 2]
    return 0 if median_s < _BETWEEN_S and found.measured_ratio >= _MEASURED else 1


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
    own_s = whole_s - found.warm_up_s - found.drain_s
    print(f"the same over the whole command, {whole_s:.0f} s: {found.measure_s / own_s:.1%}")


if __name__ == "__main__":
    sys.exit(main())
