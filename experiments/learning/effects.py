"""What settings would do to recorded traffic: every setting in the same further periods, on engines that the
recording allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from experiments.learning.production import Floats
from experiments.learning.stretches import Played, Stretches
from experiments.spec.setting import Setting
from experiments.tuning.model import Model
from experiments.twin.footprint import Footprint
from experiments.twin.profile import Profile, slower
from experiments.twin.simulate import Offered, Player, Simulated
from experiments.twin.simulated import OK
from loadtests.latency import tpot_column_s
from loadtests.slo import SLO

LEVEL = 0.90
FORM_SD = 0.02
"""What the form of the law of steps may be wrong by under another setting than the one it was fitted under,
of the logarithm of a time."""
BEYOND_SD = 0.06
"""What it may be wrong by besides at twice the concurrency that was seen; at four times twice as much."""
MEASURES = ("goodput_per_s", "attainment", "refused_ratio", "ttft_p95_s", "tpot_p95_s", "e2e_p95_s")
_LATENCIES = ("ttft_p95_s", "tpot_p95_s", "e2e_p95_s")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A value that is expected, and the range that holds a further period with 90 %; nan: not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effects:
    """`runs`: measure → shape (settings, draws). A draw is a further period on an engine
    of the model; the same for all settings. busy: sequences that ran together, what 95 % of the requests met
    at most, on the best estimate of the engine (settings,)."""

    settings: tuple[Setting, ...]
    runs: dict[str, Floats]
    latency_sd: Mapping[str, float]
    busy: Floats

    @property
    def goodput(self) -> Floats:
        """Requests per second that meet the objective, mean of the draws (settings,)."""
        return np.asarray(self.runs["goodput_per_s"].mean(axis=1))

    def place(self, setting: Setting) -> int:
        """Of a setting."""
        return self.settings.index(setting)

    def interval(self, setting: Setting, measure: str) -> Foreseen:
        """Mean m and range of a further period: m ± t(n − 1)·√(s²·(1 + 1/n) + τ²), with s the standard
        deviation of the n draws; of the logarithms of latencies, where τ is what the model was off by on time
        that was not fitted. A rate or a share cannot leave the range that it has."""
        values = self.runs[measure][self.place(setting)]
        values = values[np.isfinite(values)]
        if len(values) < 2:
            return Foreseen(float("nan"), float("nan"), float("nan"))
        logarithmic = measure in _LATENCIES
        x = np.log(values) if logarithmic else values
        extra = self.latency_sd.get(measure, 0.0)
        n, middle = len(x), float(x.mean())
        half = float(scipy.stats.t.ppf((1 + LEVEL) / 2, n - 1))
        half *= float(np.sqrt(x.var(ddof=1) * (1 + 1 / n) + extra**2))
        if logarithmic:
            low, value, high = (float(y) for y in np.exp([middle - half, middle, middle + half]))
            return Foreseen(value, low, high)
        top = float("inf") if measure == "goodput_per_s" else 1.0
        return Foreseen(middle, max(0.0, middle - half), min(top, middle + half))


@dataclass(frozen=True, slots=True)
class Believed:
    """What is known of the engine: its model, under which setting and up to how many sequences at once it was
    seen, and by what (standard deviation of the logarithm) a p95 latency may be off beyond that, by its
    measure."""

    model: Model
    present: Setting
    seen: float
    latency_sd: Mapping[str, float]


def effects(
    stretches: Stretches, settings: Sequence[Setting], believed: Believed, slo: SLO, draws: int,
    seed: int = 1, scale: float = 1.0,
) -> Effects:  # fmt: skip
    """Play `draws` further periods with `scale` times the requests under every setting, each period on an
    engine of its own."""
    player = Player(expected=draws * len(settings))
    order = sorted(range(len(settings)), key=lambda i: settings[i].smaller_first, reverse=True)
    runs = {name: np.full((len(settings), draws), np.nan) for name in MEASURES}
    rng = np.random.default_rng([seed, 23])
    luck = scipy.stats.norm.ppf((rng.permutation(draws) + 0.5) / draws)
    busy = np.zeros(len(settings))
    for k, engine in enumerate(believed.model.sample(draws, seed)):
        judge = _Judge(stretches.at(scale, rng), slo)
        if not k:
            best: _Done = []
            for i in order:
                busy[i] = _together(judge.under(settings[i], believed.model.profile, player, best).run)
            far = np.maximum(np.log2(np.maximum(busy, 1e-9) / max(believed.seen, 1.0)), 0.0).round(1)
            sds = FORM_SD + BEYOND_SD * far
            sds[[setting == believed.present for setting in settings]] = 0.0
        done: dict[float, _Done] = {}
        for i in order:  # the widest first: what binds nowhere is played once
            sd = float(sds[i])
            own = slower(engine, float(np.exp(sd * luck[k]))) if sd else engine
            one = judge.under(settings[i], own, player, done.setdefault(sd, []))
            for name, value in one.values.items():
                runs[name][i, k] = value
    return Effects(tuple(settings), runs, believed.latency_sd, busy)


@dataclass(frozen=True, slots=True)
class _Run:
    """One setting on one engine: what it showed, and how much of each limit it used."""

    footprint: Footprint
    values: dict[str, float]
    run: Simulated


_Done = list[_Run]


class _Judge:
    """Plays a period, and says what became of its counted requests."""

    def __init__(self, played: Played, slo: SLO) -> None:
        self._offered = Offered(played.asked)
        self._counted = played.counted
        self._seconds = played.counted_s
        self._output = np.array([one.output_tokens for one in played.asked], dtype=float)
        self._slo = slo

    def under(self, setting: Setting, engine: Profile, player: Player, done: list[_Run]) -> _Run:
        """A run; one of `done` where it would be the same."""
        for one in done:
            if one.footprint.same_under(setting.limits):
                return one
        run = player.simulate(self._offered, engine, setting.limits)
        found = _Run(Footprint.of(setting.limits, run), self._measured(run), run)
        done.append(found)
        return found

    def _measured(self, run: Simulated) -> dict[str, float]:
        ok = self._counted & (run.codes == OK)
        columns = {
            "ttft_s": run.first_s - run.due_s,
            "ttfv_s": run.first_s - run.due_s,
            "tpot_s": tpot_column_s(run.first_s, run.last_s, self._output),
            "e2e_s": run.last_s - run.due_s,
            "first_s": run.first_s,
            "visible_s": run.first_s,
        }
        good = self._slo.judge_columns(ok, columns.__getitem__)
        offered = max(1, int(self._counted.sum()))
        return {
            "goodput_per_s": float(good.sum()) / self._seconds,
            "attainment": float(good.sum()) / offered,
            "refused_ratio": 1 - float(ok.sum()) / offered,
            **{f"{name}_p95_s": p95(columns[f"{name}_s"][ok]) for name in ("ttft", "tpot", "e2e")},
        }


def p95(values: Floats) -> float:
    """nan where there is none."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, 0.95)) if len(known) else float("nan")


def _together(run: Simulated) -> float:
    """Sequences on the engine, what 95 % of those that ran met at most."""
    ran = np.isfinite(run.granted_s) & np.isfinite(run.last_s)
    begin_s, end_s = np.sort(run.granted_s[ran]), np.sort(run.last_s[ran])
    if not len(begin_s):
        return 0.0
    there = np.arange(1, len(begin_s) + 1) - np.searchsorted(end_s, begin_s, side="right")
    return float(np.quantile(there, 0.95))
