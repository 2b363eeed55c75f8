"""Puts work on a live engine, fits the model to it, and tries the model on a burst that was not fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from experiments.calibration import calibrated, held_out
from experiments.calibration.calibration_file import Calibration
from experiments.calibration.counter_rows import rows_of_counters
from experiments.calibration.drive import Driver
from experiments.calibration.fit import Fit, FitRow, fit
from experiments.calibration.step_rows import rows_of_single_prompts, rows_of_steps
from experiments.calibration.undisturbed import fit_undisturbed
from experiments.observe.ask import StreamedAnswer
from experiments.stack.engine import Engine
from experiments.stack.engine_facts import EngineFacts, argument, max_num_seqs
from experiments.twin.capacity import predicted_capacity
from experiments.twin.profile import Profile
from loadtests.planning import plan as plans

PROMPT_LENGTHS = (16, 32, 64, 128, 256, 384, 512, 768)
LENGTHS = ((64, 24), (256, 48), (24, 12), (512, 32), (128, 64), (40, 40))
SHORT = ((24, 64), (32, 48))
LONG = ((1024, 48), (768, 64))
# Different lengths at the same concurrency tell the cost of a sequence from that of its context.
CLOSED_LOOPS = (
    (1, LENGTHS),
    (2, SHORT),
    (4, LONG),
    (4, LENGTHS),
    (8, SHORT),
    (12, LONG),
    (16, LENGTHS),
    (16, SHORT),
    (32, LENGTHS),
)
PASSES = 2
"""Machines drift: two short passes over all closed loops say more than a long one."""
OPEN_LOADS = (0.4, 0.75)
"""In a closed loop a request comes when another ends; arrivals of their own tell the two costs apart."""
BLOCKS = {"steps": 30, "counters": 4}
"""Rows that the bootstrap draws together: about a second, because neighbours share disturbances."""


@dataclass(frozen=True, slots=True)
class CalibrationEffort:
    """How long the parts take: seconds of each closed and open loop and of the burst, repeats of each single
    prompt; `rows` is what is fitted, "steps" or "counters"."""

    loop_s: float = 8.0
    burst_s: float = 20.0
    repeats: int = 3
    rows: str = "steps"
    seed: int = 1


@dataclass(slots=True)
class Observations:
    """What the parts showed: rows of the prompts alone and of each part, the most requests that ran together,
    and every answer by the name of its part."""

    alone: list[FitRow]
    parts: list[list[FitRow]] = field(default_factory=list)
    most_running: int = 1
    answers: list[tuple[str, list[StreamedAnswer]]] = field(default_factory=list)

    @property
    def rows(self) -> list[FitRow]:
        """All of them."""
        return [*self.alone, *(row for part in self.parts for row in part)]


async def calibrate(
    driver: Driver, served: Engine, effort: CalibrationEffort, say: Callable[[str], None]
) -> Calibration:
    """Fit a live engine and judge the fit.

    Raises:
        EnvironmentProblem: the engine fails.
    """
    await driver.closed_loop(8, 3.0, LENGTHS)  # the engine's own warm-up, not used
    observed = await _closed_loops(driver, served, effort, say)
    rough = profile_of(fit(observed.rows, draws=0), served.label, served.facts, observed.most_running)
    if effort.rows == "steps":
        await _open_loops(driver, rough, effort, observed, say)
    fitted = fit_undisturbed(observed.alone, observed.parts, seed=effort.seed, block=BLOCKS[effort.rows])
    profile = profile_of(fitted.fit, served.label, served.facts, observed.most_running)
    say("a burst that is not fitted")
    burst = await held_out.measure(driver, profile, LENGTHS, effort.burst_s, effort.seed)
    observed.answers.append(("burst", [answer for _, answer in burst]))
    gate = held_out.judge(burst, profile)
    return Calibration(
        profile, served.label, served.facts, fitted, observed.rows, gate, tuple(observed.answers)
    )


async def _closed_loops(
    driver: Driver, served: Engine, effort: CalibrationEffort, say: Callable[[str], None]
) -> Observations:
    say("prompts alone")
    longest = (served.facts.max_model_len or 4096) // 2
    lengths = [tokens for tokens in PROMPT_LENGTHS if tokens <= longest]
    alone = await driver.single_prompts(lengths, effort.repeats)
    observed = Observations(rows_of_single_prompts(alone), answers=[("alone", alone)])
    kv_tokens, block_size = served.facts.kv_cache_size_tokens or 0, served.facts.block_size or 0
    for users, pairs in CLOSED_LOOPS * PASSES:
        say(f"closed loop of {users}, prompts of {min(pairs)[0]} to {max(pairs)[0]} tokens")
        answers, readings = await driver.closed_loop(users, effort.loop_s / PASSES, pairs)
        if effort.rows == "counters":
            observed.parts.append(rows_of_counters(readings, users, kv_tokens, block_size))
        else:
            observed.parts.append(rows_of_steps(answers))
        running = [int(reading.running) for reading in readings]
        observed.most_running = max(observed.most_running, *running, 1)
        observed.answers.append((f"closed {users}", answers))
    return observed


async def _open_loops(
    driver: Driver,
    rough: Profile,
    effort: CalibrationEffort,
    observed: Observations,
    say: Callable[[str], None],
) -> None:
    capacity_per_s = predicted_capacity(rough, LENGTHS)
    for k, load in enumerate(OPEN_LOADS):
        say(f"arrivals at {load:g} of capacity")
        arrivals = plans.make("sustained", load * capacity_per_s, 0.0, effort.loop_s, effort.seed + k)
        _, answers = await driver.open_loop(arrivals, LENGTHS)
        observed.parts.append(rows_of_steps(answers))
        observed.answers.append((f"open {load:g}", answers))


def profile_of(best: Fit, label: str, facts: EngineFacts, most_running: int) -> Profile:
    """The fitted values with what the engine says of its limits; what it does not say is taken to be what
    was observed, or vLLM's default.
    """
    batched_tokens = argument(facts.command, "--max-num-batched-tokens")
    limits = Profile(
        name="calibrated",
        source=f"calibration of {label}",
        base_s=best.values["base_s"],
        max_num_seqs=max_num_seqs(facts.command) or max(most_running, 1),
        max_num_batched_tokens=int(batched_tokens or 2048),
        num_gpu_blocks=facts.num_gpu_blocks or 100_000,
        block_size=facts.block_size or 16,
        max_model_len=facts.max_model_len or 4096,
    )
    return calibrated.with_values(limits, best.values)
