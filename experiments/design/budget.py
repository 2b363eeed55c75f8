"""Fitting a matrix into a given time: first fewer settings, else more blocks, then longer windows."""

from dataclasses import dataclass

from experiments.design.windows import Phases
from experiments.spec.loads import Load
from experiments.spec.setting import Setting

_MOST_BLOCKS = 5
_LONGEST_STRETCH = 10.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits: the settings kept, the blocks, each load's phases, and what was done, for people."""

    settings: tuple[Setting, ...]
    blocks: int
    phases: dict[Load, Phases]
    expected_s: float
    said: str | None


def expected_s(settings: int, blocks: int, phases: dict[Load, Phases]) -> float:
    """Wall time of the whole matrix in seconds."""
    return settings * blocks * sum(phase.expected_s for phase in phases.values())


def fit(
    settings: tuple[Setting, ...], blocks: int, phases: dict[Load, Phases], budget_s: float | None
) -> Fitted:
    """The matrix for `budget_s` seconds of measuring; None means as it stands.

    Too little time drops settings evenly from the inside of the list, so that its ends stay. Spare time buys
    blocks up to five (three fresh traces say more than one long one), then windows up to ten times as long.
    """
    total_s = expected_s(len(settings), blocks, phases)
    if budget_s is None:
        return Fitted(settings, blocks, phases, total_s, None)
    one_setting_s = expected_s(1, blocks, phases)
    if total_s > budget_s:
        keep = max(1, int(budget_s / one_setting_s))
        kept = _thinned(settings, keep)
        said = f"the budget holds {len(kept)} of {len(settings)} settings" if keep < len(settings) else None
        return Fitted(kept, blocks, phases, expected_s(len(kept), blocks, phases), said)
    more_blocks = max(blocks, min(_MOST_BLOCKS, int(budget_s / expected_s(len(settings), 1, phases))))
    if more_blocks < 3:
        more_blocks = blocks
    measured_s = len(settings) * more_blocks * sum(phase.measure_s for phase in phases.values())
    spare_s = budget_s - expected_s(len(settings), more_blocks, phases)
    factor = min(_LONGEST_STRETCH, 1.0 + max(0.0, spare_s) / measured_s)
    longer = {load: phase.stretched(factor) for load, phase in phases.items()}
    return Fitted(
        settings,
        more_blocks,
        longer,
        expected_s(len(settings), more_blocks, longer),
        f"the budget buys {more_blocks} block{'s' if more_blocks > 1 else ''} and windows {factor:.1f} "
        "times the shortest",
    )


def _thinned(settings: tuple[Setting, ...], keep: int) -> tuple[Setting, ...]:
    """`keep` of the settings, evenly spread over the list, both ends included from two upwards."""
    if keep >= len(settings):
        return settings
    if keep == 1:
        return settings[len(settings) // 2 :][:1]
    picks = {round(i * (len(settings) - 1) / (keep - 1)) for i in range(keep)}
    return tuple(setting for i, setting in enumerate(settings) if i in picks)
