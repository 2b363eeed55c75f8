"""The setting to take, from the verified cells with their control-variate estimates and the outlook for the
rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.paired import DELTA, Verdict, verdict_of
from experiments.tuning.control import CorrectedEvidence, Estimate
from experiments.tuning.outlook import Outlook, regret_of

INDIFFERENCE = 0.01
"""Regret that modesty may cost. Half of what a measured sweep allows: the estimates are sharper."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Settings that were verified at the decisive load.

    Attributes:
        chosen: the most modest of those within the indifference zone of `winner`, the least regret.
        tied: those that cannot be told from the winner there, the winner among them.
        undecided: of these, those not known to be equal either: further blocks would tell.
        regret: worst over the loads, by setting. regret_of_all: the same of the whole matrix, from corrected
        predictions where nothing was measured.
        estimates: of every verified cell.
        gaps: setting → θ(chosen) − θ(setting) at the decisive load with its interval.
        best: load → the most goodput any setting of the matrix is held to reach.
    """

    chosen: Setting
    winner: Setting
    tied: tuple[Setting, ...]
    undecided: tuple[Setting, ...]
    regret: Mapping[Setting, float]
    regret_of_all: Mapping[Setting, float]
    estimates: Mapping[tuple[Setting, Load], Estimate]
    gaps: Mapping[Setting, tuple[float, float | None, float | None]]
    best: Mapping[Load, float]
    values: Mapping[tuple[Setting, Load], float]


def decide(
    outlook: Outlook, evidence: CorrectedEvidence, decisive: Load, ruled_out: Collection[Setting] = ()
) -> Decision:
    """Least worst-case regret among the settings measured at `decisive`, then modesty; those that some load
    class rules out take part only where there is no other.

    Raises:
        ValueError: nothing was measured there.
    """
    estimates = {pair: evidence.estimate(pair) for pair in evidence.expected}
    values = _values(outlook, evidence, estimates)
    regrets = regret_of(values)
    verified = [s for s in outlook.settings if (s, decisive) in estimates]
    if not verified:
        raise ValueError(f"no cell was measured at {decisive}")
    verified = [s for s in verified if s not in ruled_out] or verified
    regret = {s: float(regrets[outlook.settings.index(s)]) for s in verified}
    by_modesty = sorted(verified, key=lambda setting: setting.smaller_first)
    winner = min(by_modesty, key=lambda s: regret[s])
    chosen = next(s for s in by_modesty if regret[s] <= regret[winner] + INDIFFERENCE)
    margin = DELTA * max(values[:, outlook.loads.index(decisive)].max(), 1e-12)
    tied, undecided = [winner], []
    for other in by_modesty:
        if other == winner:
            continue
        _, low, high = evidence.gap((winner, decisive), (other, decisive), 1 / max(1, len(verified) - 1))
        verdict = Verdict.CANT_TELL if low is None or high is None else verdict_of(low, high, margin)
        if verdict is not Verdict.DIFFERENT:
            tied.append(other)
        if verdict is Verdict.CANT_TELL and regret[other] < regret[winner] + 2 * DELTA:
            undecided.append(other)
    return Decision(
        chosen,
        winner,
        tuple(tied),
        tuple(undecided),
        regret,
        dict(zip(outlook.settings, regrets.tolist(), strict=True)),
        estimates,
        {s: evidence.gap((chosen, decisive), (s, decisive)) for s in verified if s != chosen},
        {load: float(values[:, j].max()) for j, load in enumerate(outlook.loads)},
        {
            (s, load): float(values[i, j])
            for i, s in enumerate(outlook.settings)
            for j, load in enumerate(outlook.loads)
        },
    )


def _values(
    outlook: Outlook, evidence: CorrectedEvidence, estimates: Mapping[tuple[Setting, Load], Estimate]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Goodput of the matrix: verified cells by their estimates, the others as predicted times the ratio that
    the verified ones of the same load showed (of all loads, where a load has none)."""
    predicted = outlook.goodput
    values = predicted.copy()
    pairs = {outlook.place(*pair): estimate.value for pair, estimate in estimates.items()}
    for j in range(len(outlook.loads)):
        here = {place: value for place, value in pairs.items() if place[1] == j}
        base = sum(float(predicted[place]) for place in here)
        if base > 0:
            values[:, j] *= sum(here.values()) / base
    for place, value in pairs.items():
        values[place] = value
    return values
