"""Run inside a container by its own Python: who am I, what may I do, what can I write to? Prints JSON."""

import json
import os
from pathlib import Path

NOT_FILES = ("/proc", "/sys", "/dev")


def writable(folder: str) -> bool:
    """Whether a file can be made there."""
    probe = Path(folder) / "headroom-probe"
    try:
        probe.write_text("x")
    except OSError:
        return False
    probe.unlink()
    return True


lines = Path("/proc/1/status").read_text().splitlines()
status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
folders = [folder for folder, _, _ in os.walk("/") if not folder.startswith(NOT_FILES)]
seen = {
    "uid": status["Uid"].split()[1],
    "capabilities": status["CapEff"],
    "bounding": status["CapBnd"],
    "no_new_privileges": status["NoNewPrivs"],
    "writable": [folder for folder in folders if writable(folder)],
}
print(json.dumps(seen))
