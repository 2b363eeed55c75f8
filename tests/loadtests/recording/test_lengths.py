"""Lengths as reported against as asked for: what is off, from which share on, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.planning.prompts import ONE_EACH, WORDS, TokenCost
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.lengths import ComparedLengths, LengthVerdict, compare

PLAN = plans.make("constant", 10.0, 0.0, 10.0, 0, mix=Mix.fixed(20, 32))
EXACT = TokenCost({1: WORDS}, template=5, exact=True)
FORCED, FREE = AnswerLengths.FORCED, AnswerLengths.FREE


def served(prompt: int | None = 20, output: int | None = 32, n: int = 100) -> list[RequestRecord]:
    return [
        RequestRecord(
            i=i, request_id="", phase="measure", cls="a", session=-1, due_s=0.1 * i, outcome=Outcome.OK,
            prompt_tokens=prompt, output_tokens=output,
        )
        for i in range(n)
    ]  # fmt: skip


def found(
    records: Sequence[RequestRecord],
    lengths: AnswerLengths = FORCED,
    cost: TokenCost = EXACT,
    plan: plans.Plan = PLAN,
) -> ComparedLengths:
    return compare(table.from_records(records), plan, lengths, cost)


def verdict(lengths: ComparedLengths) -> str | None:
    assert len(lengths.findings) < 2
    return lengths.findings[0].verdict if lengths.findings else None


def test_an_engine_that_ignores_min_tokens_serves_another_workload() -> None:
    """Both numbers are said, in words and as fields."""
    seen = found(served(output=3))
    assert seen.another_workload
    assert "3 output tokens reported where 32 were asked" in seen.findings[0].text
    assert "100 of 100" in seen.findings[0].text
    assert "--lengths free" in seen.findings[0].text
    assert (seen.outputs.off, seen.outputs.asked_mean, seen.outputs.reported_mean) == (100, 32.0, 3.0)
    assert (seen.outputs.off_asked, seen.outputs.off_reported) == (32, 3)
    assert seen.prompts.off == 0


def test_a_prompt_that_came_to_something_else_is_another_workload() -> None:
    seen = found(served(prompt=3))
    assert "3 prompt tokens reported where 20 were meant" in seen.findings[0].text
    assert seen.another_workload


def test_more_than_asked_is_off_too() -> None:
    seen = found(served(output=40))
    assert "40 output tokens reported where 32 were asked" in seen.findings[0].text
    assert "max_tokens" in seen.findings[0].text
    assert verdict(found(served(output=40), FREE)) == LengthVerdict.ANOTHER_WORKLOAD


@pytest.mark.parametrize(
    ("output", "expected"), [(32, 0), (31, 0), (33, 0), (29, 0), (35, 0), (28, 100), (36, 100)]
)
def test_a_tenth_is_as_asked(output: int, expected: int) -> None:
    assert found(served(output=output)).outputs.off == expected


def test_the_end_mark_of_a_short_answer_is_counted_or_not() -> None:
    """One token of two is half, and no difference; two are."""
    short = plans.make("constant", 10.0, 0.0, 10.0, 0, mix=Mix.fixed(20, 2))
    assert verdict(found(served(output=3), plan=short)) is None
    assert verdict(found(served(output=4), plan=short)) == LengthVerdict.ANOTHER_WORKLOAD


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        (0, None),
        (1, None),
        (2, LengthVerdict.DOUBTFUL),
        (5, LengthVerdict.DOUBTFUL),
        (6, LengthVerdict.ANOTHER_WORKLOAD),
        (50, LengthVerdict.ANOTHER_WORKLOAD),
    ],
)
def test_the_share_decides(off: int, expected: str | None) -> None:
    """More than what decides a p99 is said, more than what decides a p95 makes another workload."""
    records = [*served(output=3)[:off], *served()[off:]]
    assert verdict(found(records)) == expected


def test_free_lengths_are_a_bound() -> None:
    assert found(served(output=3), FREE).findings == ()
    assert found(served(output=32), FREE).findings == ()


def test_what_was_not_served_is_not_compared() -> None:
    """A cancelled, cut or broken answer is shorter for another reason; warm-up does not count."""
    others = [
        replace(r, outcome=o)
        for o in (Outcome.CANCELLED, Outcome.TRUNCATED, Outcome.CUT)
        for r in served(output=3)
    ]
    warm_up = [replace(record, phase="warm_up") for record in served(output=3)]
    seen = found([*others, *warm_up, *served()])
    assert (seen.served, seen.outputs.compared, seen.findings) == (100, 100, ())


def test_what_is_not_reported_is_not_compared() -> None:
    """Usage of a half: the share is that of the half, and the rest is said to be unknown."""
    records = [*served(None, None, 50), *served()[50:]]
    seen = found(records)
    assert (seen.outputs.compared, seen.outputs.off, seen.outputs.reported_mean) == (50, 0, 32.0)
    assert verdict(seen) == LengthVerdict.UNKNOWN
    assert "50 of 100 served requests do not report their usage" in seen.findings[0].text
    half_wrong = found([*served(None, None, 50), *served(output=3)[50:]])
    assert half_wrong.another_workload
    assert "50 of 50 served requests" in half_wrong.findings[0].text


def test_without_any_usage_nothing_can_be_checked() -> None:
    seen = found(served(None, None))
    assert verdict(seen) == LengthVerdict.UNKNOWN
    assert "no served request reports its usage" in seen.findings[0].text
    assert seen.outputs.reported_mean is None
    assert "no objective on it was judged" in seen.findings[0].text
    assert "its prompt tokens" in found(served(prompt=None)).findings[0].text
    assert found([]).findings == ()  # nothing was served: nothing to check


def test_a_template_that_is_not_known_is_a_doubt_only() -> None:
    """Where no tokenizer could be asked a prompt may be longer, but not twice as long, and never shorter."""
    long = plans.make("constant", 10.0, 0.0, 10.0, 0, mix=Mix.fixed(64, 32))
    assert verdict(found(served(prompt=94), cost=ONE_EACH, plan=long)) == LengthVerdict.DOUBTFUL
    assert verdict(found(served(prompt=94), cost=EXACT, plan=long)) == LengthVerdict.ANOTHER_WORKLOAD
    assert verdict(found(served(prompt=128), cost=ONE_EACH, plan=long)) == LengthVerdict.ANOTHER_WORKLOAD
    assert verdict(found(served(prompt=40), cost=ONE_EACH)) == LengthVerdict.ANOTHER_WORKLOAD
    assert verdict(found(served(prompt=3), cost=ONE_EACH)) == LengthVerdict.ANOTHER_WORKLOAD


def test_a_prompt_cannot_be_shorter_than_its_template() -> None:
    """Three tokens were meant, the template has 25: said, and not the engine's fault."""
    tiny = plans.make("constant", 10.0, 0.0, 10.0, 0, mix=Mix.fixed(3, 32))
    wide = TokenCost({1: WORDS}, template=25, exact=True)
    assert verdict(found(served(prompt=26), cost=wide, plan=tiny)) == LengthVerdict.DOUBTFUL


def test_each_message_of_a_session_has_marks_of_its_own() -> None:
    """What the template adds to earlier turns is not held against the engine."""
    talk = plans.make("constant", 10.0, 0.0, 20.0, 0, mix=Mix(turns=4, turn_gap_s=0.5, prompt_tokens=30))
    records = [
        replace(r, prompt_tokens=a.prompt_tokens + 6 * a.turn, output_tokens=a.output_tokens)
        for r, a in zip(served(n=len(talk)), talk.arrivals, strict=True)
    ]
    assert any(arrival.turn > 1 for arrival in talk.arrivals)
    seen = found(records, plan=talk)
    assert seen.prompts.unexplained == 0


def test_a_closed_loop_goes_round_in_the_plan() -> None:
    closed = plans.make("closed", 1.0, 0.0, 10.0, 0, mix=Mix.fixed(20, 32))
    again = [replace(record, i=record.i + len(closed)) for record in served()]
    assert found(again, plan=closed).findings == ()
