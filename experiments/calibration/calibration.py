"""Puts work on a live engine, fits the model to what it showed, and tries it on a burst it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from experiments.calibration import calibrated, held_out
from experiments.calibration.drive import Answer, Driver, Reading, rows_of_ladder, rows_of_stair
from experiments.calibration.fit import Fit, Row, fit
from experiments.calibration.step_rows import rows_of_steps
from experiments.calibration.undisturbed import fit_undisturbed
from experiments.stack.engine import Engine
from experiments.stack.engine_facts import EngineFacts, argument, max_num_seqs
from experiments.twin.profile import Profile

LADDER = (16, 32, 64, 128, 256, 384, 512, 768)
LENGTHS = ((64, 24), (256, 48), (24, 12), (512, 32), (128, 64), (40, 40))
SHORT = ((24, 64), (32, 48))
LONG = ((1024, 48), (768, 64))
# Different lengths at the same concurrency tell the cost of a sequence from that of its context.
STAIRS = (
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
"""Machines drift: two short passes over all stairs say more than a long one."""
OPEN_LOADS = (0.4, 0.75)
"""In a closed loop a request comes when another ends; arrivals of their own tell the two costs apart."""
BLOCKS = {"steps": 30, "counters": 4}
"""Rows that the bootstrap draws together: about a second, because neighbours share disturbances."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the parts take: seconds of each stair and of the burst, repeats of each single prompt; `rows`
    is what is fitted, "steps" or "counters"."""

    stair_s: float = 8.0
    burst_s: float = 20.0
    repeats: int = 3
    rows: str = "steps"
    seed: int = 1


@dataclass(slots=True)
class Seen:
    """What the parts showed: rows of each, the last counters, and every answer by the name of its part."""

    ladder: list[Row]
    parts: list[list[Row]]
    readings: list[Reading]
    answers: list[tuple[str, list[Answer]]]

    @property
    def rows(self) -> list[Row]:
        """All of them."""
        return [*self.ladder, *(row for part in self.parts for row in part)]


async def calibrate(driver: Driver, served: Engine, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """The content of calibration.json, with the profile and the raw answers as further keys."""
    await driver.stair(8, 3.0, LENGTHS)  # the engine's own warm-up, not used
    seen = await _closed_loops(driver, served, plan, say)
    rough = profile_of(fit(seen.rows, draws=0), served.label, served.facts, _most_running(seen))
    if plan.rows == "steps":
        await _open_loops(driver, rough, plan, seen, say)
    steady = fit_undisturbed(seen.ladder, seen.parts, seed=plan.seed, block=BLOCKS[plan.rows])
    profile = profile_of(steady.fit, served.label, served.facts, _most_running(seen))
    say("a burst that is not fitted")
    burst = await held_out.measure(driver, profile, LENGTHS, plan.burst_s, plan.seed)
    seen.answers.append(("burst", [answer for _, answer in burst]))
    return {
        "profile": profile.model_dump(),
        "engine": {"label": served.label, "facts": served.facts.to_json()},
        "fit": calibrated.fit_facts(steady),
        "rows": [asdict(row) for row in seen.rows],
        "gate": held_out.judge(burst, profile),
        "answers": [{"part": part, **asdict(answer)} for part, answers in seen.answers for answer in answers],
    }


async def _closed_loops(driver: Driver, served: Engine, plan: Plan, say: Callable[[str], None]) -> Seen:
    say("prompts alone")
    longest = (served.facts.max_model_len or 4096) // 2
    ladder = await driver.ladder([n for n in LADDER if n <= longest], plan.repeats)
    seen = Seen(rows_of_ladder(ladder), [], [], [("ladder", ladder)])
    kv_tokens = served.facts.kv_cache_size_tokens or 0
    block_size = served.facts.block_size or 0
    for users, lengths in STAIRS * PASSES:
        say(f"closed loop of {users}, prompts of {min(lengths)[0]} to {max(lengths)[0]} tokens")
        answers, counted = await driver.stair(users, plan.stair_s / PASSES, lengths)
        counters = plan.rows == "counters"
        seen.parts.append(
            rows_of_stair(counted, users, kv_tokens, block_size) if counters else rows_of_steps(answers)
        )
        seen.readings += counted
        seen.answers.append((f"closed {users}", answers))
    return seen


async def _open_loops(
    driver: Driver, rough: Profile, plan: Plan, seen: Seen, say: Callable[[str], None]
) -> None:
    capacity_per_s = held_out.predicted_capacity(rough, LENGTHS)
    for k, load in enumerate(OPEN_LOADS):
        say(f"arrivals at {load:g} of capacity")
        due_s = held_out.poisson([(plan.stair_s, load * capacity_per_s)], plan.seed + k)
        pairs = await held_out.send(driver, due_s, LENGTHS)
        answers = [answer for _, answer in pairs]
        seen.parts.append(rows_of_steps(answers))
        seen.answers.append((f"open {load:g}", answers))


def _most_running(seen: Seen) -> int:
    return int(max((reading.values["running"] for reading in seen.readings), default=1))


def profile_of(found: Fit, label: str, facts: EngineFacts, most_running: int) -> Profile:
    """The fitted values with what the engine says of its limits; what it does not say is taken to be what
    was seen, or vLLM's default.
    """
    batched_tokens = argument(facts.command, "--max-num-batched-tokens")
    limits = Profile(
        name="calibrated",
        source=f"calibration of {label}",
        base_s=found.values["base_s"],
        max_num_seqs=max_num_seqs(facts.command) or max(most_running, 1),
        max_num_batched_tokens=int(batched_tokens or 2048),
        num_gpu_blocks=facts.num_gpu_blocks or 100_000,
        block_size=facts.block_size or 16,
        max_model_len=facts.max_model_len or 4096,
    )
    return calibrated.with_values(limits, found.values)
