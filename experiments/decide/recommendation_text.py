"""The recommendation as a terminal shows it."""

from pathlib import Path

from experiments.run_folder.recommendation import Recommendation


def show(recommended: Recommendation, env_path: Path) -> str:
    """The recommendation for a terminal."""
    lines = [f"Recommended for {recommended.slo} on {recommended.engine}:"]
    lines += [f"  {key}={value}" for key, value in recommended.env.items()]
    for at in recommended.loads:
        goodput = at.goodput_per_s
        interval = "" if goodput.low is None else f" (95 %: {goodput.low:.2f}–{goodput.high:.2f})"
        lines.append(
            f"  at {at.load}, {at.rate_per_s:.3g}/s planned: goodput {goodput.value:.2f}/s{interval}, "
            f"attainment {at.attainment:.1%}"
        )
    lines.append(f"  {recommended.why}")
    lines += [f"  doubt: {doubt}" for doubt in recommended.doubts]
    lines.append(f"  to apply: {env_path}")
    return "\n".join(lines)
