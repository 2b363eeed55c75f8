"""From a recording to what is told of it: fit, predict, advise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from experiments.learning import lasting, recorded
from experiments.learning.advice import BEYOND, Advice, advise
from experiments.learning.around import settings_around
from experiments.learning.effects import MEASURES, Believed, Effects, effects
from experiments.learning.fitted import EngineBounds, Learned, learn, played_again
from experiments.learning.lasting import Growth, Lasts
from experiments.learning.recorded import Recorded
from experiments.learning.stretches import Stretches
from experiments.learning.told import (
    SCHEMA_VERSION,
    ToldAdvice,
    ToldCheck,
    ToldEffect,
    ToldLasting,
    ToldLearning,
    ToldLoad,
    ToldRange,
)
from experiments.spec.setting import Setting
from loadtests.slo import SLO

Matrix = Callable[[float], Sequence[Setting]]
"""The settings that were asked for, once it is known when an idle engine sends a first token (seconds)."""
REQUESTS, DRAWS = 8_000, 20
"""Requests of a further period that is played, and how many such periods."""
CHECK_BLOCKS, CHECK_CELL_S = 3, 150.0
"""Repeats and seconds of a verifying sweep's cells, warm-up and drain included."""
COMPARED = 2
"""Settings beside the present one that a verifying sweep measures."""
_LONG = 0.95
_MOST_DAYS = 36_500.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a recording. `settings`: None for those around the present one."""

    present: Setting
    slo: SLO
    bounds: EngineBounds
    settings: Matrix | None
    scales: tuple[float, ...]
    growth: Growth | None
    seed: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The model, and what is told of it."""

    learned: Learned
    told: ToldLearning


def answer(of: Recorded, question: Question, say: Callable[[str], None]) -> Findings:
    """Everything that was asked.

    Raises:
        UserError: the recording does not hold enough, or another setting was in force.
    """
    recorded.check_current(of, question.present)
    say(f"fitting {len(of.production)} requests")
    learned = learn(of.production, question.bounds, question.seed)
    again = played_again(of.production, learned.profile, question.present.limits)
    believed = learned.believed(question.present, again)
    settings = _settings(of, question, learned)
    stretches = Stretches(of.production, REQUESTS, question.seed)
    loads, choices = [], []
    for scale in dict.fromkeys((1.0, *question.scales)):
        say(f"playing {len(settings)} settings at {scale:g} × the traffic")
        found = effects(stretches, settings, believed, question.slo, DRAWS, question.seed, scale)
        choice = advise(found, question.present, believed.seen)
        choices.append(choice)
        loads.append(_load(scale, found, choice, believed))
    lasting_ = _lasting(of, question, stretches, believed, choices[0], say) if question.growth else ()
    utc = [_utc(at_s) for at_s in (of.from_unix_s, of.until_unix_s)]
    told = ToldLearning(
        SCHEMA_VERSION, str(of.folder), utc[0], utc[1], str(question.slo), question.present.name,
        learned.held, learned.gate, again, tuple(loads), question.growth.text if question.growth else None,
        lasting_, _check(of, question, loads[0], settings), _notes(of, learned, question),
    )  # fmt: skip
    return Findings(learned, told)


def _settings(of: Recorded, question: Question, learned: Learned) -> tuple[Setting, ...]:
    prompt = int(np.quantile(of.production.prompt_tokens, _LONG))
    profile = learned.profile
    if question.settings is None:
        return settings_around(question.present, profile, question.slo, prompt)
    idle_s = profile.ingest_s + profile.step_time.duration_s(0, prompt, prompt)
    asked = (question.present, *question.settings(idle_s))
    return tuple({setting.name: setting for setting in asked}.values())


def _load(scale: float, found: Effects, choice: Advice, believed: Believed) -> ToldLoad:
    order = sorted(range(len(found.settings)), key=lambda i: -found.goodput[i])
    told = [
        ToldEffect(
            found.settings[i].name,
            found.settings[i].to_json(),
            bool(found.busy[i] <= BEYOND * believed.seen),
            {name: _range(found, found.settings[i], name) for name in MEASURES},
        )
        for i in order
    ]
    gain = ToldRange.of(choice.gain, choice.gain_low, choice.gain_high)
    advice = ToldAdvice(choice.verdict, choice.chosen.name, choice.why, gain, round(choice.regret_high, 4))
    return ToldLoad(scale, advice, tuple(told))


def _range(found: Effects, setting: Setting, measure: str) -> ToldRange:
    one = found.interval(setting, measure)
    return ToldRange.of(one.value, one.low, one.high)


def _lasting(
    of: Recorded,
    question: Question,
    stretches: Stretches,
    believed: Believed,
    choice: Advice,
    say: Callable[[str], None],
) -> tuple[ToldLasting, ...]:
    assert question.growth is not None
    settings = tuple(dict.fromkeys((question.present, choice.chosen)))
    say(f"playing {len(settings)} settings at up to {max(lasting.SCALES):g} × the traffic")
    found = lasting.lasts(stretches, settings, believed, question.slo, question.seed)
    growth = question.growth
    return tuple(_told_lasting(one, growth, of.until_unix_s) for one in found)


def _told_lasting(one: Lasts, growth: Growth, now_unix_s: float) -> ToldLasting:
    def until(scale: float) -> str | None:
        if not (math.isfinite(scale) and scale >= 1):
            return None
        days = timedelta(days=min(growth.days_until(scale), _MOST_DAYS))
        return (datetime.fromtimestamp(now_unix_s, UTC) + days).date().isoformat()

    scales = ToldRange.of(one.scale, one.low, one.high)
    return ToldLasting(
        one.setting.name, scales.value, scales.low, scales.high,
        until(one.scale), until(one.low), until(one.high),
    )  # fmt: skip


def _check(of: Recorded, question: Question, load: ToldLoad, settings: Sequence[Setting]) -> ToldCheck:
    """The present setting, the chosen one, and the next best: on the recorded traffic, on the real engine."""
    names = [question.present.name, load.advice.chosen, *(one.name for one in load.effects)]
    chosen = list(dict.fromkeys(names))[: COMPARED + 1]
    by_name = {setting.name: setting.limits for setting in settings}
    limits = [by_name[name] for name in chosen]
    axes_of: dict[str, set[float]] = {
        "--max-active": {one.max_active for one in limits},
        "--queue-max": {one.queue_max for one in limits},
        "--queue-timeout": {one.queue_timeout_s for one in limits},
    }
    axes = " ".join(
        f"{flag} {','.join(f'{value:g}' for value in sorted(values))}" for flag, values in axes_of.items()
    )
    command = (
        f"headroom sweep --load recorded@1.0x --recorded {of.folder} --slo '{question.slo}' "
        f"--queue-mode queue {axes} --blocks {CHECK_BLOCKS}"
    )
    cells = math.prod(len(values) for values in axes_of.values()) * CHECK_BLOCKS
    return ToldCheck(tuple(chosen), cells * CHECK_CELL_S, command)


def _notes(of: Recorded, learned: Learned, question: Question) -> tuple[str, ...]:
    found = list(of.notes)
    if question.bounds.max_num_seqs is None:
        found.append(
            f"nobody said how large the engine's batch may be (--max-num-seqs): "
            f"{learned.profile.max_num_seqs} sequences are taken"
        )
    if question.bounds.kv_tokens is None:
        found.append("nobody said how large its KV cache is (--kv-tokens): it never fills here")
    if not learned.gate.passed:
        found.append(f"the model is doubtful: {learned.gate.why}")
    return tuple(found)


def _utc(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
