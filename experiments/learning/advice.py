"""Which setting to choose from predicted effects, or that they are not enough to tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from experiments.learning.effects import Effects
from experiments.spec.setting import Setting

WITHIN = 0.03
"""Part of the goodput that is no difference: within it what is in force stays."""
WORSE = 0.05
"""Part of the goodput that an advice must not risk against what is in force."""
REGRET = 0.05
"""Part of the best goodput that a choice may miss."""
SURE = 0.90
"""How sure both must be, over the engines that the recording allows."""
BEYOND = 3.0
"""Times the concurrency that was seen: a model knows little of batches larger than that."""


class AdviceVerdict(StrEnum):
    """What the prediction is good for."""

    CHANGE = "change"
    KEEP = "keep"
    NOT_ENOUGH = "not enough to tell"


@dataclass(frozen=True, slots=True)
class Advice:
    """A setting, and how sure it is; for `not enough to tell` it is what is worth trying first.

    Attributes:
        chosen, present: the settings. why: the reason of the verdict, a sentence.
        gain: of goodput over the present one's, mean; gain_low, gain_high: 90 % of the draws.
        regret_high: 90 % of the draws have no larger regret, 0 to 1.
        beyond: settings that were left out, since they need batches larger than were seen.
    """

    verdict: AdviceVerdict
    chosen: Setting
    present: Setting
    why: str
    gain: float
    gain_low: float
    gain_high: float
    regret_high: float
    beyond: tuple[Setting, ...]


def advise(effects: Effects, present: Setting, seen: float) -> Advice:
    """seen: sequences at once that the recording holds enough of."""
    goodput = effects.runs["goodput_per_s"]
    now = effects.place(present)
    known = (effects.busy <= BEYOND * seen) | (effects.busy <= effects.busy[now] * (1 + WITHIN))
    safe = known & _not_worse(goodput, now)
    means = np.where(safe, effects.goodput, -np.inf)
    best = int(np.argmax(means))
    chosen = now if means[best] <= (1 + WITHIN) * effects.goodput[now] else _simplest(effects, means, now)
    regret = _high(1 - goodput[chosen] / np.maximum(goodput[known].max(axis=0), 1e-12))
    unknown: list[int] = np.flatnonzero(~known).tolist()
    far = [i for i in unknown if _high(goodput[i] / goodput[chosen] - 1) > REGRET]
    gains = goodput[chosen] / np.maximum(goodput[now], 1e-12) - 1
    low, high = (float(x) for x in np.quantile(gains, [0.05, 0.95]))
    verdict, why = _verdict(effects, chosen == now, regret, far, seen)
    return Advice(
        verdict, effects.settings[chosen], present, why, float(gains.mean()), low, high, regret,
        tuple(effects.settings[i] for i in unknown),
    )  # fmt: skip


def _not_worse(
    goodput: np.ndarray[tuple[int, int], np.dtype[np.float64]], now: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Settings that hardly any of the engines would make worse than what is in force."""
    loss = 1 - goodput / np.maximum(goodput[now], 1e-12)
    return np.asarray(np.quantile(loss, 0.95, axis=1) <= WORSE)


def _simplest(effects: Effects, means: np.ndarray[tuple[int], np.dtype[np.float64]], now: int) -> int:
    """Of those that are as good as the best the one whose slots differ least from what is in force, then the
    one with the better goodput: a smaller step asks less of the model."""
    slots = np.array([setting.limits.max_active for setting in effects.settings], dtype=float)
    step = np.abs(np.log(slots / slots[now]))
    equal = np.flatnonzero(means >= (1 - 0.01) * means.max())
    return int(min(equal, key=lambda i: (round(float(step[i]), 6), -means[i])))


def _high(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(np.quantile(values, SURE))


def _verdict(
    effects: Effects, keeps: bool, regret: float, far: list[int], seen: float
) -> tuple[AdviceVerdict, str]:
    if far:
        most = max(effects.settings[i].limits.max_active for i in far)
        return AdviceVerdict.NOT_ENOUGH, (
            f"up to MAX_ACTIVE={most} may be better still, and more than {seen:.0f} requests at once were "
            "hardly ever seen: apply this, record on and ask again, or measure"
        )
    if regret > REGRET:
        return AdviceVerdict.NOT_ENOUGH, (
            f"among the engines that the recording allows one in ten would lose {regret:.0%} or more of the "
            "best setting's goodput with it"
        )
    if keeps:
        return AdviceVerdict.KEEP, f"no setting that is sure not to be worse promises {WITHIN:.0%} more"
    return AdviceVerdict.CHANGE, "better on nearly every engine that the recording allows"
