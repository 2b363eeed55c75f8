"""The acceptance test of a calibration: a burst of arrivals that was not fitted, measured and predicted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.calibration.drive import Driver, Lengths
from experiments.calibration.fit import FitRow
from experiments.calibration.gate import ALLOWED, CalibrationGate, Deviation
from experiments.calibration.step_rows import rows_of_steps
from experiments.observe.ask import StreamedAnswer
from experiments.twin.capacity import OPEN, Planned, predicted_capacity
from experiments.twin.profile import Profile, slower
from experiments.twin.simulate import simulate
from loadtests.planning import plan as plans
from loadtests.planning.plan import Plan
from loadtests.planning.scenarios import Shape

SPEED_CHANGE = 0.10


Burst = Sequence[tuple[Planned, StreamedAnswer]]
"""What was sent when, and its answer, in order of sending."""


async def measure(
    driver: Driver, profile: Profile, lengths: Lengths, seconds: float, seed: int
) -> list[tuple[Planned, StreamedAnswer]]:
    """Send Poisson arrivals at 0.7 of the predicted capacity, in the middle third at 1.3 of it."""
    arrivals = burst_plan(predicted_capacity(profile, lengths), seconds, seed + 1000)
    begin_s, answers = await driver.open_loop(arrivals, lengths)
    return [(Planned(a.sent_s - begin_s, a.prompt_tokens, a.output_tokens), a) for a in answers]


def burst_plan(capacity_per_s: float, seconds: float, seed: int) -> Plan:
    """The arrivals of `measure`: its rate outside the middle third, in it, and so the mean over it all."""
    outside, inside = 0.7, 1.3
    shape = Shape(factor=inside / outside, burst_s=seconds / 3, period_s=seconds)
    mean_per_s = (2 * outside + inside) / 3 * capacity_per_s
    return plans.make("spike", mean_per_s, 0.0, seconds, seed, shape=shape)


def judge(burst: Burst, profile: Profile) -> CalibrationGate:
    """Predicted against measured, and whether that is good enough; times in seconds from
    the moment of sending.

    Machines are not always equally fast. The factor by which the burst's own steps were slower than the
    model says is put into the prediction before it is judged, since it is the machine's and not the model's
    error; a factor beyond `SPEED_CHANGE` fails by itself.
    """
    factor = speed_factor(burst, profile)
    table = _table(burst, slower(profile, factor))
    failed = [
        f"{name} is off by {table[name].error:+.1%} (allowed ±{allowed:.0%})"
        for name, allowed in ALLOWED.items()
        if abs(table[name].error) > allowed
    ]
    if abs(factor - 1) > SPEED_CHANGE:
        failed.insert(0, f"the engine's steps took {factor:.2f} times what they took while it was calibrated")
    good = ", ".join(f"{name} {table[name].error:+.1%}" for name in ALLOWED)
    return CalibrationGate(
        passed=not failed,
        why="; ".join(failed) or f"the held-out burst came out as predicted: {good}",
        n=len(burst),
        speed_factor=factor,
        held_out=table,
        as_calibrated=_table(burst, profile),
    )


def speed_factor(burst: Burst, profile: Profile) -> float:
    """Measured over modelled seconds of all the burst's steps together; 1 where no step can be told."""
    return speed_of_steps(rows_of_steps([answer for _, answer in burst]), profile)


def speed_of_steps(rows: Sequence[FitRow], profile: Profile) -> float:
    """Measured over modelled seconds of the steps together: above 1 the engine was slower; 1 without any."""
    timing = profile.step_time
    modelled_s = sum(
        timing.duration_s(int(row.decoded), int(row.decoded + row.prompt), int(row.context))
        + profile.per_pair_s * row.pairs
        + profile.arrival_work_s * row.arrived
        + profile.end_work_s * row.ended
        for row in rows
    )
    return sum(row.seconds for row in rows) / modelled_s if rows else 1.0


def _table(burst: Burst, profile: Profile) -> dict[str, Deviation]:
    predicted = simulate([planned for planned, _ in burst], profile, OPEN)
    measured_ttft_s = np.array([answer.first_s - answer.sent_s for _, answer in burst])
    measured_e2e_s = np.array([answer.last_s - answer.sent_s for _, answer in burst])
    begin_s = burst[0][1].sent_s - burst[0][0].due_s
    table: dict[str, Deviation] = {}
    for name, measured_s, twin_s in (
        ("ttft_s", measured_ttft_s, predicted.first_s - predicted.due_s),
        ("e2e_s", measured_e2e_s, predicted.last_s - predicted.due_s),
    ):
        for label, level in (("p50", 0.5), ("p95", 0.95)):
            pair = float(np.quantile(measured_s, level)), float(np.quantile(twin_s, level))
            table[f"{name}_{label}"] = Deviation.between(*pair)
    end_s = max(answer.last_s for _, answer in burst) - begin_s
    table["seconds_for_all_tokens"] = Deviation.between(end_s, float(np.max(predicted.last_s)))
    return table
