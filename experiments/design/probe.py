"""What the probe saw of the engine: the measure of loads, windows, objective and queue timeout."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Probe:
    """What the probe saw. Times in seconds, medians over a few requests; rates in requests per second.

    `tpot_s` is None where the answers have one token. `capacity_per_s` is the completion rate on the plateau
    of a closed-loop staircase, `ttft_at_capacity_s` the TTFT on its first step, and `steps` that staircase:
    (requests in flight, completions per second).
    """

    ttft_s: float
    tpot_s: float | None
    e2e_s: float
    capacity_per_s: float
    e2e_at_capacity_s: float
    ttft_at_capacity_s: float
    steps: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """As stored in run.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Probe":
        """The inverse of `to_json`."""
        steps = tuple((int(n), float(rate)) for n, rate in value["steps"])
        # Runs of the first version did not look at it.
        loaded = {"ttft_at_capacity_s": value["ttft_s"]}
        return cls(**{**loaded, **value, "steps": steps})


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
