"""What a recommendation leaves in its run folder for gateway and compose."""

from __future__ import annotations

from pathlib import Path

from experiments.files import write_bytes
from experiments.run_folder import codec
from experiments.run_folder.recommendation import Recommendation
from experiments.spec.named_lanes import NamedLanes

LANES_FILE = "recommended-lanes.toml"


def save(run: Path, recommended: Recommendation) -> Path:
    """Write recommendation.json, recommended.env, and recommended-lanes.toml where lanes were varied; returns
    the path of the second."""
    codec.write(run / "recommendation.json", recommended)
    lines = [f"# From {run.name}, under {recommended.slo}, on {recommended.engine}"]
    flags = recommended.setting.engine.flags()
    if flags:
        lines.append(f"# The engine reads its part when it starts: vLLM with {' '.join(flags)}")
    if recommended.setting.lanes is not None:
        lines += _lanes_kept(run, recommended.setting.lanes)
    lines += [f"{key}={value}" for key, value in recommended.env.items()]
    path = run / "recommended.env"
    write_bytes(path, ("\n".join(lines) + "\n").encode())
    return path


def _lanes_kept(run: Path, lanes: NamedLanes) -> list[str]:
    """Write the file of the lanes, in which nobody's key is; what is to be done with it, as comments."""
    if not lanes.lanes.shared:
        return ["# No lanes: without LANES_FILE everybody is alike."]
    head = [
        f"# Lanes {lanes.name!r}, from {run.name}. Whose key is in which: add key_sha256 to each tenant.",
        "# A gateway that runs and has their keys: PUT /admin/lanes, or headroom recommend RUN --apply URL.",
    ]
    write_bytes(run / LANES_FILE, ("\n".join(head) + "\n" + lanes.to_toml()).encode())
    return [
        f"# Lanes {lanes.name!r}: {LANES_FILE} beside this file. Add the keys, then LANES_FILE is its path",
        f"# (compose: put it into compose/lanes/, LANES_FILE=/etc/headroom/lanes/{LANES_FILE}).",
    ]
