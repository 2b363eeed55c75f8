"""Until when a box lasts: at which multiple of its traffic a setting no longer meets its objective."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.errors import UserError
from experiments.learning.effects import Believed, effects
from experiments.learning.production import Floats
from experiments.learning.stretches import Stretches
from experiments.spec.setting import Setting
from loadtests.slo import SLO

SCALES = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
DRAWS = 12
_GROWTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*/\s*(day|week|month|year)\s*\Z")
_DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}


@dataclass(frozen=True, slots=True)
class Growth:
    """So many per cent more traffic every so many days; `text`: as it was written."""

    text: str
    per_cent: float
    days: float

    @classmethod
    def parse(cls, text: str) -> Growth:
        """`3%/week`. Raises UserError for anything else."""
        match = _GROWTH.match(text)
        if match is None or not 0 < float(match[1]) <= 1000:
            raise UserError(f"--growth {text!r}: write such as 3%/week; of day, week, month and year")
        return cls(text.replace(" ", ""), float(match[1]), _DAYS[match[2]])

    def days_until(self, scale: float) -> float:
        """Days until the traffic is `scale` times (≥ 1) today's: compound growth."""
        return self.days * math.log(scale) / math.log1p(self.per_cent / 100)


@dataclass(frozen=True, slots=True)
class Lasts:
    """Multiples of the traffic up to which a setting meets its objective: middle and 90 % of the draws. 0:
    not even as it is; inf: beyond the largest that was played."""

    setting: Setting
    scale: float
    low: float
    high: float


def lasts(
    stretches: Stretches, settings: Sequence[Setting], believed: Believed, slo: SLO, seed: int = 1
) -> tuple[Lasts, ...]:
    """For each of the settings; the objective is met as long as its attainment is, over the whole period."""
    shares = np.stack(
        [
            effects(stretches, settings, believed, slo, DRAWS, seed, scale).runs["attainment"]
            for scale in SCALES
        ]
    )
    found = []
    for i, setting in enumerate(settings):
        ends = np.array([_end(shares[:, i, k], slo.attainment) for k in range(DRAWS)])
        low, middle, high = np.quantile(ends, [0.05, 0.5, 0.95], method="inverted_cdf")
        found.append(Lasts(setting, float(middle), float(low), float(high)))
    return tuple(found)


def _end(shares: Floats, wanted: float) -> float:
    """Where the attainment, which only falls, passes the objective."""
    falling = np.minimum.accumulate(shares)
    below = np.flatnonzero(falling < wanted)
    if not len(below):
        return math.inf
    k = int(below[0])
    if not k:
        return 0.0
    part = (falling[k - 1] - wanted) / (falling[k - 1] - falling[k])
    return float(SCALES[k - 1] + part * (SCALES[k] - SCALES[k - 1]))
