"""The engine's model from a recording alone: fitted to what its answers say of the steps, judged by stretches
of time that were not fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.calibration import calibrated
from experiments.calibration.fit import Fit, FitRow, fit, modelled_s, table_of
from experiments.calibration.gate import ALLOWED, CalibrationGate, Deviation
from experiments.errors import UserError
from experiments.learning.effects import Believed
from experiments.learning.holds import Held, held
from experiments.learning.production import Flags, Floats, Production
from experiments.learning.windows import Rows, rows_of
from experiments.spec.setting import Setting
from experiments.tuning.model import LEAST_SPEED_SD, Discrepancy, Model
from experiments.twin.capacity import OPEN
from experiments.twin.profile import Profile
from experiments.twin.simulate import simulate
from experiments.twin.simulated import OK
from gateway.limits import Limits

BLOCKS = 24
"""Stretches of time that the bootstrap draws, and of which every third is left out for the judgement."""
HELD_OUT_EVERY, HELD_OUT = 3, 1
DRAWS = 100
LEAST_SD = {"ttft_p95_s": 0.03, "tpot_p95_s": 0.02, "e2e_p95_s": 0.02}
"""What a p95 of a further period may be off by at least, of its logarithm."""
MOST_JUDGED = 40_000
"""Requests that the judgement plays, the first of the recording."""
_MAX_NUM_SEQS = 256
_BLOCK_TOKENS = 16
_KV_TOKENS = 1_600_000


@dataclass(frozen=True, slots=True)
class EngineBounds:
    """What the engine was started with; None: nobody said, and then 256 sequences are taken (vLLM's default),
    and a KV cache that never fills."""

    max_num_seqs: int | None = None
    max_num_batched_tokens: int = 2048
    kv_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """A model and how far it goes.

    Attributes:
        fit: its parameters; the draws are of a bootstrap over blocks of time.
        profile: the engine. held: what it was learned from. gate: the verdict of what was left out.
        rows: what was fitted. speed_sd: standard deviation of the logarithm of the engine's speed between
        blocks. kept: for each block whether the judgement's fit had it.
    """

    fit: Fit
    profile: Profile
    held: Held
    gate: CalibrationGate
    rows: Sequence[FitRow]
    speed_sd: float
    kept: tuple[bool, ...]

    @property
    def model(self) -> Model:
        """With its uncertainty."""
        draws = tuple(
            calibrated.with_values(self.profile, dict(zip(self.fit.values, row, strict=True)))
            for row in self.fit.draws.tolist()
        )
        errors = [one.error for one in self.gate.held_out.values()]
        latency_sd = Discrepancy.of_held_out(1.0, errors).latency_sd
        return Model(self.profile, draws, Discrepancy(self.speed_sd, latency_sd))

    def believed(self, present: Setting, again: Mapping[str, Deviation]) -> Believed:
        """With how far it was off when the recording was played again (`played_again`) under the setting that
        was in force."""
        off = {name: abs(math.log1p(one.error)) for name, one in again.items()}
        off["tpot_p95_s"] = off.get("e2e_p95_s", 0.0)
        sds = {name: max(least, off.get(name, 0.0)) for name, least in LEAST_SD.items()}
        return Believed(self.model, present, self.held.concurrency_high, sds)


def learn(production: Production, bounds: EngineBounds, seed: int = 1, draws: int = DRAWS) -> Learned:
    """Fit, and judge.

    Raises:
        UserError: the recording does not hold enough; the sentence says what is missing.
    """
    rows = rows_of(production)
    what = held(production, rows)
    if what.refused:
        raise UserError(f"the recording does not tell enough for a model: {'; '.join(what.refused)}")
    block = _block_of(rows, production.span_s)
    kept = tuple(k % HELD_OUT_EVERY != HELD_OUT for k in range(BLOCKS))
    out = np.array([not kept[k] for k in block])
    partly = fit([*rows.first, *_chosen(rows.windows, ~out)], draws=0)
    gate = _judge(production, _profile(production, partly, bounds, what))
    best = fit(
        [*rows.first, *rows.windows], draws=draws, block=max(1, len(rows.windows) // BLOCKS), seed=seed
    )
    return Learned(
        best, _profile(production, best, bounds, what), what, gate, [*rows.first, *rows.windows],
        _speed_sd(rows, block, best), kept,
    )  # fmt: skip


def _block_of(rows: Rows, span_s: float) -> list[int]:
    places = np.minimum(BLOCKS * rows.at_s / max(span_s, 1e-9), BLOCKS - 1)
    return [int(place) for place in places]


def _chosen(rows: Sequence[FitRow], which: Flags) -> list[FitRow]:
    return [row for row, taken in zip(rows, which.tolist(), strict=True) if taken]


def _profile(production: Production, best: Fit, bounds: EngineBounds, what: Held) -> Profile:
    longest = int((production.prompt_tokens + production.output_tokens).max())
    kv_tokens = max(bounds.kv_tokens or _KV_TOKENS, longest + _BLOCK_TOKENS)
    batch = bounds.max_num_seqs or max(_MAX_NUM_SEQS, math.ceil(what.concurrency_high))
    limits = Profile(
        name="calibrated",
        source=f"recorded traffic, {what.requests} requests in {what.hours:.3g} h",
        base_s=max(best.values["base_s"], 1e-6),
        max_num_seqs=batch,
        max_num_batched_tokens=max(bounds.max_num_batched_tokens, batch),
        num_gpu_blocks=kv_tokens // _BLOCK_TOKENS,
        block_size=_BLOCK_TOKENS,
        max_model_len=max(4096, longest),
    )
    return calibrated.with_values(limits, best.values)


def _speed_sd(rows: Rows, block: Sequence[int], best: Fit) -> float:
    """Between the blocks of time, by the seconds of their windows over the modelled ones."""
    table = table_of(rows.windows)
    modelled = modelled_s(table, np.array(list(best.values.values())))
    of = np.array(block)
    logs = [
        math.log(float(table[of == k, 0].sum() / modelled[of == k].sum()))
        for k in range(BLOCKS)
        if (of == k).sum() >= LEAST_OF_BLOCK
    ]
    return float(np.std(logs)) if len(logs) > 1 else LEAST_SPEED_SD


LEAST_OF_BLOCK = 10
"""Windows below which a block's speed says nothing."""


def _judge(production: Production, profile: Profile) -> CalibrationGate:
    """Every request that ran, played from the moment at which it got its slot; judged are those of the blocks
    that were not fitted."""
    ran = production.from_slot()
    ran = ran.where(np.arange(len(ran)) < MOST_JUDGED)
    twin = simulate(ran.asked(ran.arrival_s), profile, OPEN)
    place = np.minimum(BLOCKS * ran.arrival_s / max(production.span_s, 1e-9), BLOCKS - 1).astype(int)
    judged = ran.timed & (place % HELD_OUT_EVERY == HELD_OUT)
    if judged.sum() < LEAST_OF_BLOCK:
        return CalibrationGate(False, "the blocks that were left out hold too few answers", 0, 1.0)
    table: dict[str, Deviation] = {}
    for name, measured, modelled in (
        ("ttft_s", ran.first_s - ran.arrival_s, twin.first_s - twin.due_s),
        ("e2e_s", ran.last_s - ran.arrival_s, twin.last_s - twin.due_s),
    ):
        for label, level in (("p50", 0.5), ("p95", 0.95)):
            table[f"{name}_{label}"] = _deviation(measured[judged], modelled[judged], level)
    wide = {name: table[name] for name in ALLOWED if name in table}
    failed = [
        f"{name} of the hours that were not fitted is off by {one.error:+.1%} (allowed ±{ALLOWED[name]:.0%})"
        for name, one in wide.items()
        if abs(one.error) > ALLOWED[name]
    ]
    good = ", ".join(f"{name} {one.error:+.1%}" for name, one in wide.items())
    return CalibrationGate(
        passed=not failed,
        why="; ".join(failed) or f"the hours that were not fitted came out as predicted: {good}",
        n=int(judged.sum()),
        speed_factor=1.0,
        held_out=table,
    )


def played_again(production: Production, profile: Profile, limits: Limits) -> dict[str, Deviation]:
    """The recording under the limits that were in force: p95 of TTFT and E2E as recorded and as the model has
    them, with all that waiting for a slot makes of a small error. Of at most `MOST_JUDGED` requests."""
    some = production.where(np.arange(len(production)) < MOST_JUDGED)
    twin = simulate(some.asked(some.arrival_s), profile, limits)
    measured, modelled = some.timed, twin.codes == OK
    if not (measured.any() and modelled.any()):
        return {}
    return {
        name: Deviation.between(
            float(np.quantile(of[measured], 0.95)), float(np.quantile(by[modelled], 0.95))
        )
        for name, of, by in (
            ("ttft_p95_s", some.first_s - some.arrival_s, twin.first_s - twin.due_s),
            ("e2e_p95_s", some.last_s - some.arrival_s, twin.last_s - twin.due_s),
        )
    }


def _deviation(measured: Floats, modelled: Floats, level: float) -> Deviation:
    return Deviation.between(float(np.quantile(measured, level)), float(np.quantile(modelled, level)))
