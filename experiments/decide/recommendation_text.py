"""The recommendation as a terminal shows it."""

from pathlib import Path
from typing import Any


def show(found: dict[str, Any], env_path: Path) -> str:
    """The recommendation for a terminal."""
    lines = [f"Recommended for {found['slo']} on {found['engine']}:"]
    lines += [f"  {key}={value}" for key, value in found["env"].items()]
    for load in found["loads"]:
        goodput = load["goodput_per_s"]
        interval = (
            f" (95 %: {goodput['low']:.2f}–{goodput['high']:.2f})" if goodput["low"] is not None else ""
        )
        lines.append(
            f"  at {load['load']}, {load['rate_per_s']:.3g}/s planned: goodput "
            f"{goodput['value']:.2f}/s{interval}, "
            f"attainment {load['attainment']:.1%}"
        )
    lines.append(f"  {found['why']}")
    lines += [f"  doubt: {doubt}" for doubt in found["doubts"]]
    lines.append(f"  to apply: {env_path}")
    return "\n".join(lines)
