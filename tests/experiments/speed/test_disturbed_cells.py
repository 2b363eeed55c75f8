"""How surely disturbed cells are told from quiet ones, on engines whose step law the curve does not share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from experiments.speed.judge import SpeedVerdict
from experiments.twin.simulate import Core
from loadtests.recording.share import wilson
from tests.experiments.speed.virtual_cells import judged, virtual_run

HIT = 0.20
"""Share of a cell's window that is at least 1.3 times slower, from which on it has to be flagged."""


@dataclass(slots=True)
class Counted:
    """Cells of one kind, those flagged, and those without a verdict."""

    n: int = 0
    flagged: int = 0
    unknown: int = 0

    def add(self, verdict: SpeedVerdict) -> None:
        self.n += 1
        self.flagged += verdict is SpeedVerdict.DISTURBED
        self.unknown += verdict is SpeedVerdict.UNKNOWN

    def __str__(self) -> str:
        low, high = wilson(self.flagged, self.n)
        return (
            f"{self.flagged:5d} of {self.n:5d} flagged: {self.flagged / self.n:.2%} "
            f"(95 %: {low:.2%} to {high:.2%}), {self.unknown} without a verdict"
        )


def counted(
    seeds: range, *, share: float, drift: float, cells: int, core: Core
) -> tuple[Counted, Counted, Counted]:
    """Cells that were hit, those that nothing touched, and those between."""
    hit, quiet, between = Counted(), Counted(), Counted()
    for seed in seeds:
        run = virtual_run(seed, share=share, drift=drift, cells=cells, core=core)
        for truth, found in judged(run):
            kind = hit if truth.hit >= HIT else between if truth.touched else quiet
            kind.add(found.verdict)
    return hit, quiet, between


@pytest.mark.prove
@pytest.mark.parametrize(("share", "drift"), [(0.0, 0.0), (0.0, 0.15), (0.1, 0.0), (0.35, 0.0), (0.35, 0.15)])
def test_disturbed_cells_are_flagged_and_quiet_ones_are_not(share: float, drift: float) -> None:
    """On 50 engines by 40 cells, at 0.5 to 1.3 of capacity and under bursts; with `pytest -s` the figures."""
    hit, quiet, between = counted(range(9000, 9050), share=share, drift=drift, cells=40, core=Core.COMPILED)
    print(f"\ndisturbed {share:.0%} of the time, drift {drift:.0%}")
    for name, kind in (("hit", hit), ("quiet", quiet), ("between", between)):
        if kind.n:
            print(f"  {name:8} {kind}")
    assert quiet.flagged <= 0.01 * quiet.n
    assert hit.flagged >= 0.95 * hit.n


def test_a_disturbed_run_is_told_from_a_quiet_one() -> None:
    """The same, small and without the compiled core."""
    hit, quiet, _ = counted(range(2, 3), share=0.3, drift=0.1, cells=12, core=Core.REFERENCE)
    assert (hit.n, hit.flagged) == (hit.n, hit.n)
    assert hit.n >= 2
    assert (quiet.flagged, quiet.unknown) == (0, 0)
    assert quiet.n >= 4
