"""What the probe saw of the engine: the measure of loads, windows, objective and queue timeout."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """What the probe saw; medians over a few requests."""

    ttft_s: float
    """of an idle engine"""
    tpot_s: float | None
    """of an idle engine; none where the answers have one token"""
    e2e_s: float
    """of an idle engine"""
    capacity_per_s: float
    """completions per second on the plateau of a closed-loop staircase"""
    e2e_at_capacity_s: float
    """on the first step of that plateau"""
    ttft_at_capacity_s: float
    """the same for the TTFT"""
    steps: tuple[tuple[int, float], ...]
    """the staircase: requests in flight, completions per second"""


ASSUMED = Probe(
    ttft_s=0.03,
    tpot_s=0.02,
    e2e_s=0.5,
    capacity_per_s=15.0,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.1,
    steps=((4, 6.0), (8, 10.0), (16, 15.0)),
)
"""The tiny model on one core, about; only a dry run uses it, and says so."""
