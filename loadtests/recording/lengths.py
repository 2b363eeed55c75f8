"""Prompt and answer lengths as the engine reports them, against those that it was asked for.

An engine that ignores `min_tokens`, cuts prompts or counts otherwise serves another workload than the plan
says, and every number of the run belongs to that one. Only served requests that report their usage are
compared: what broke off or was refused has no length, and what is not told is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.optional_fields import AnswerLengths
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import TokenCost
from loadtests.recording.table import Table

OFF_RATIO = 0.10
"""A length that differs by no more than this is as asked for: servers in between that count with a tokenizer
of their own differ by some percent, and a load that differs by so little costs the same within the noise."""
OFF_PROMPT_TOKENS, OFF_OUTPUT_TOKENS = 2, 1
"""Nor does one that differs by so many tokens: a mark at each end of a prompt, the end mark of an answer, are
counted or not."""
TEMPLATE_TOKENS = 64
"""A prompt may be longer by as many where no tokenizer could be asked, so that the chat template is unknown;
most have 4 to 40. One that is twice as long as meant is another prompt, whatever made it so."""
DOUBTFUL_SHARE, INVALID_SHARE = 0.01, 0.05
"""Of the compared requests: what decides a p99, and a p95."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class LengthVerdict(StrEnum):
    """What lengths say of a run."""

    UNKNOWN = "unknown"
    """they could not be checked"""
    DOUBTFUL = "doubtful"
    """some are not as asked for, or the chat template explains it"""
    ANOTHER_WORKLOAD = "another_workload"
    """too many are not as asked for"""


@dataclass(frozen=True, slots=True)
class LengthFinding:
    """One thing to know about the lengths."""

    verdict: LengthVerdict
    text: str
    """a sentence, with what was reported and what was asked for"""


@dataclass(frozen=True, slots=True)
class LengthCheck:
    """Prompts or answers of the served requests, tokens."""

    compared: int
    """requests whose length the engine reported"""
    off: int
    """of these, of another length than asked for"""
    unexplained: int
    """of these, by more than a chat template adds"""
    asked_mean: float | None
    """of the compared ones, or of all where there are none; none where nothing was served"""
    reported_mean: float | None
    off_asked: int | None
    """of the request in the middle of those that are off; none where there is none"""
    off_reported: int | None


@dataclass(frozen=True, slots=True)
class ComparedLengths:
    """Lengths as reported against as asked for, over the served requests of the measured phase."""

    served: int
    prompts: LengthCheck
    outputs: LengthCheck
    findings: tuple[LengthFinding, ...]
    """empty where everything is as it was asked for"""

    @property
    def another_workload(self) -> bool:
        """Whether the run's numbers belong to another workload than the planned one."""
        return any(finding.verdict is LengthVerdict.ANOTHER_WORKLOAD for finding in self.findings)


def compare(data: Table, plan: Plan, lengths: AnswerLengths, cost: TokenCost) -> ComparedLengths:
    """What the records say of the plan's lengths. `lengths`: whether answers were forced to theirs;
    `cost`: what the prompts were made with."""
    measured = data.phases.index("measure") if "measure" in data.phases else -1
    served = data.ok() & np.asarray(data.phase == measured)
    # A user of a closed loop goes round and round in the plan's arrivals.
    planned = [plan.arrivals[i % len(plan.arrivals)] for i in data.i[served].tolist()]
    asked = np.array([(a.prompt_tokens, a.output_tokens, a.turn) for a in planned], dtype=float).reshape(
        -1, 3
    )
    prompts = _prompts(asked[:, 0], data.numbers["prompt_tokens"][served], asked[:, 2], cost)
    outputs = _outputs(asked[:, 1], data.numbers["output_tokens"][served], lengths)
    return ComparedLengths(len(planned), prompts, outputs, _findings(len(planned), prompts, outputs, cost))


def _prompts(asked: Floats, reported: Floats, turn: Floats, cost: TokenCost) -> LengthCheck:
    """Each message of a session has marks of the template around it, which the plan does not know of."""
    more = reported - asked
    off = np.abs(more) > np.maximum(OFF_PROMPT_TOKENS, OFF_RATIO * asked)
    if cost.exact:
        shortest = np.maximum(asked, cost.template + min(cost.by_price)) + 2 * turn * cost.template
        explained = reported <= shortest + np.maximum(OFF_PROMPT_TOKENS, OFF_RATIO * shortest)
    else:
        explained = (more <= TEMPLATE_TOKENS * (1 + 2 * turn)) & (more < asked)
    return _check(asked, reported, off, off & ~((more > 0) & explained))


def _outputs(asked: Floats, reported: Floats, lengths: AnswerLengths) -> LengthCheck:
    off = outputs_off(asked, reported, lengths)
    return _check(asked, reported, off, off)


def outputs_off(asked: Floats, reported: Floats, lengths: AnswerLengths) -> Bools:
    """Which answers are not as long as asked for, or longer where that is only a bound; tokens, (n,) each."""
    more = reported - asked
    differs = np.abs(more) if lengths is AnswerLengths.FORCED else more
    return np.asarray(differs > np.maximum(OFF_OUTPUT_TOKENS, OFF_RATIO * asked))


def _check(asked: Floats, reported: Floats, off: Bools, unexplained: Bools) -> LengthCheck:
    """nan is not reported, and neither off nor compared."""
    told = ~np.isnan(reported)
    of = told if told.any() else np.ones(len(asked), dtype=bool)
    shown = np.flatnonzero(unexplained if unexplained.any() else off)
    middle = (
        shown[np.argsort(reported[shown] / asked[shown], kind="stable")[len(shown) // 2]]
        if len(shown)
        else None
    )
    return LengthCheck(
        compared=int(told.sum()),
        off=int(off.sum()),
        unexplained=int(unexplained.sum()),
        asked_mean=float(asked[of].mean()) if of.any() else None,
        reported_mean=float(reported[told].mean()) if told.any() else None,
        off_asked=None if middle is None else int(asked[middle]),
        off_reported=None if middle is None else int(reported[middle]),
    )


def _findings(
    served: int, prompts: LengthCheck, outputs: LengthCheck, cost: TokenCost
) -> tuple[LengthFinding, ...]:
    tokenizer = "" if cost.exact else "; no tokenizer could be asked, so the chat template comes on top"
    found = [
        *_of_side(prompts, "prompt", "meant", f"prompts are not what the plan says{tokenizer}"),
        *_of_side(outputs, "output", "asked", _why_outputs(outputs)),
    ]
    if served:
        found += _untold(served, prompts, outputs)
    return tuple(found)


def _of_side(check: LengthCheck, side: str, asked: str, why: str) -> list[LengthFinding]:
    if not check.compared or check.off / check.compared <= DOUBTFUL_SHARE:
        return []
    tokens = "token" if check.off_reported == 1 else "tokens"
    text = (
        f"{check.off_reported} {side} {tokens} reported where {check.off_asked} were {asked}, so or alike in "
        f"{check.off} of {check.compared} served requests: {why}"
    )
    if check.unexplained / check.compared > INVALID_SHARE:
        return [LengthFinding(LengthVerdict.ANOTHER_WORKLOAD, f"{text}; this is another workload")]
    return [LengthFinding(LengthVerdict.DOUBTFUL, text)]


def _why_outputs(check: LengthCheck) -> str:
    if (check.off_reported or 0) > (check.off_asked or 0):
        return "the engine does not keep to max_tokens"
    return "the engine does not keep to min_tokens and ignore_eos (--lengths free: planned ones as a bound)"


def _untold(served: int, prompts: LengthCheck, outputs: LengthCheck) -> list[LengthFinding]:
    """Requests without usage, where they are more than a few."""
    least = min(prompts.compared, outputs.compared)
    if 1 - least / served <= DOUBTFUL_SHARE:
        return []
    if max(prompts.compared, outputs.compared) == 0:
        what = "no served request reports its usage"
    elif least == 0:
        side = "prompt" if not prompts.compared else "output"
        what = f"no served request reports its {side} tokens"
    else:
        what = f"{served - least} of {served} served requests do not report their usage"
    text = f"{what}: lengths could not be checked against the plan"
    if not outputs.compared:
        text += ", and without a TPOT no objective on it was judged"
    return [LengthFinding(LengthVerdict.UNKNOWN, text)]
