"""One offered load of a sweep: a scenario, a workload and a rate, absolute or relative to the measured
capacity.
"""

from dataclasses import dataclass, replace

from loadtests.planning.rate import parse_rate


@dataclass(frozen=True, slots=True)
class Load:
    """What is offered to a cell.

    `rate_per_s` is in requests per second; `relative` is a multiple of the probe's capacity. Exactly one of
    the two is set until `at_capacity` has filled in the rate. `workload` names one of several that the sweep
    varies; None: the one it has.
    """

    scenario: str
    rate_per_s: float | None
    relative: float | None
    workload: str | None = None

    def at_capacity(self, capacity_per_s: float) -> "Load":
        """The same load with its rate in requests per second, three significant digits."""
        if self.relative is None:
            return self
        return replace(self, rate_per_s=float(f"{self.relative * capacity_per_s:.3g}"))

    def __str__(self) -> str:
        name = self.scenario if self.workload is None else f"{self.scenario}/{self.workload}"
        if self.relative is not None:
            return f"{name}@{self.relative:g}x"
        return f"{name}@{self.rate_per_s:g}"


def parse_load(text: str, scenarios: tuple[str, ...]) -> Load:
    """`sustained@0.7x` → that load.

    Raises:
        ValueError: with a sentence naming the text and what is allowed.
    """
    scenario, at, rate = str(text).strip().partition("@")
    if scenario not in scenarios or not at:
        raise ValueError(
            f"load {text!r}: write SCENARIO@RATE, the scenario one of {', '.join(scenarios)}, such as "
            "sustained@0.7x"
        )
    rate_per_s, relative = parse_rate(rate)
    return Load(scenario, rate_per_s, relative)
