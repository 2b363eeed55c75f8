"""An SLO is read, printed, scaled and judged as written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.bounds import WrongValueError
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.slo import DEFAULT, SLO


def served(
    first_s: float | None, last_s: float | None, tokens: int | None, finished_s: float | None = None
) -> RequestRecord:
    return RequestRecord(
        i=0, request_id="", phase="measure", cls="a", session=-1, due_s=0.0, outcome=Outcome.OK,
        first_s=first_s, last_s=last_s, finished_s=last_s if finished_s is None else finished_s,
        output_tokens=tokens,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT,
        "ttft<=250ms,attainment>=0.99",
        "e2e<=20s,attainment>=0.9",
        "ttft<=1s,tpot<=60ms,e2e<=20s,attainment>=0.95",
        "ttft<=1s,ttfv<=3s,tpot<=60ms,attainment>=0.95",
        "ttfv<=3s,attainment>=0.95",
    ],
)
def test_text_survives(text: str) -> None:
    """Printed and parsed again it is the same."""
    assert str(SLO.parse(text)) == text
    assert SLO.parse(str(SLO.parse(text))) == SLO.parse(text)


def test_units_and_spaces() -> None:
    """ms, s and us; a share may be a percentage."""
    slo = SLO.parse(" TTFT <= 500us , tpot<=2s, attainment >= 95% ")
    assert (slo.ttft_s, slo.tpot_s, slo.attainment) == (0.0005, 2.0, 0.95)


def test_scaling_leaves_the_attainment() -> None:
    """Only times scale."""
    assert str(SLO.parse(DEFAULT).scaled(0.1)) == "ttft<=100ms,tpot<=6ms,attainment>=0.95"
    with pytest.raises(ValueError, match="factor > 0"):
        SLO.parse(DEFAULT).scaled(0)


@pytest.mark.parametrize(
    ("record", "good"),
    [
        (served(1.0, 1.59, 11), True),
        (served(1.001, 1.6, 11), False),
        (served(0.5, 1.2, 11), False),
        (served(0.5, 0.5, 1), True),
    ],
)
def test_every_bound_counts(record: RequestRecord, good: bool) -> None:
    """At the bound is good; one token has no TPOT and passes it."""
    assert SLO.parse(DEFAULT).judge(record) is good


@pytest.mark.parametrize("slo", ["ttft<=1s", "tpot<=60ms", DEFAULT])
@pytest.mark.parametrize("tokens", [0, 7, None])
def test_an_answer_without_a_token_meets_no_bound_on_tokens(slo: str, tokens: int | None) -> None:
    """It ended well and at once, but nobody got a word; what the engine says that it made does not count."""
    assert not SLO.parse(slo).judge(served(None, None, tokens, finished_s=0.01))


def test_an_answer_without_a_token_may_end_in_time() -> None:
    """A bound on the end alone asks for no token."""
    assert SLO.parse("e2e<=1s").judge(served(None, None, 0, finished_s=0.01))
    assert not SLO.parse("e2e<=1s").judge(served(None, None, 0, finished_s=1.01))


def test_only_served_requests_can_be_good() -> None:
    """A fast rejection is not a good answer."""
    fast = RequestRecord(
        i=0,
        request_id="",
        phase="measure",
        cls="a",
        session=-1,
        due_s=0.0,
        outcome=Outcome.REJECTED_FULL,
        finished_s=0.001,
    )
    assert not SLO.parse(DEFAULT).judge(fast)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "SLO term ''"),
        ("ttft<1s", None),
        ("ttft>1s", "'ttft>1s'"),
        ("ttft<=1", "'ttft<=1'"),
        ("ttft<=0s", "must be > 0"),
        ("ttft<=1.2.3s", "'1.2.3' is not a number"),
        ("ttft<=1s,ttft<=2s", "given twice"),
        ("attainment>=0.9", "needs at least one"),
        ("ttft<=1s,attainment>=1.5", r"in \(0, 1\]"),
    ],
)
def test_what_does_not_parse_is_named(text: str, message: str | None) -> None:
    """The term at fault is in the message; `<` is read as `<=`."""
    if message is None:
        assert SLO.parse(text).ttft_s == 1.0
        return
    with pytest.raises(ValueError, match=message):
        SLO.parse(text)


def test_the_first_visible_token() -> None:
    """A model that thinks long is late to its reader, however soon its first thought came; one that says
    nothing at all never answers."""
    thought = served(0.1, 5.0, 100)
    slo = SLO.parse("ttfv<=3s")
    assert slo.judge(replace(thought, visible_s=3.0))
    assert not slo.judge(replace(thought, visible_s=3.1))
    assert not slo.judge(thought)
    assert SLO.parse("ttft<=3s").judge(thought)
    assert str(slo.scaled(0.1)) == "ttfv<=300ms,attainment>=0.95"


def test_what_may_be_asked_for_is_listed() -> None:
    """In the sentence about a term that is none."""
    with pytest.raises(ValueError, match=r"ttft<=TIME, ttfv<=TIME, tpot<=TIME, e2e<=TIME"):
        SLO.parse("ttxx<=1s")


def test_load_classes_may_have_objectives_of_their_own() -> None:
    """Behind the common one, each once; the text is read back as it is written."""
    slo = SLO.parse("ttft<=1s,tpot<=60ms; agent-long: ttft<=20s,attainment>=0.9")
    assert slo.of("agent-long") == SLO(ttft_s=20.0, attainment=0.9)
    assert slo.of("chat") == slo.common == SLO(ttft_s=1.0, tpot_s=0.06)
    assert SLO.parse(str(slo)) == slo
    assert str(slo) == "ttft<=1s,tpot<=60ms,attainment>=0.95;agent-long:ttft<=20s,attainment>=0.9"
    assert slo.scaled(2).of("agent-long").ttft_s == 40.0
    assert slo.longest_ttft_s == 20.0
    whole = slo.for_classes(["chat", "agent-long"], {"chat": SLO(e2e_s=3.0), "agent-long": SLO(e2e_s=4.0)})
    assert whole.of("chat") == SLO(e2e_s=3.0)
    assert whole.of("agent-long").ttft_s == 20.0, "what is named in the objective itself goes first"
    with pytest.raises(WrongValueError, match="no load class 'agent-long'"):
        slo.for_classes(["chat"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chat:ttft<=1s", "begin with the objective of all other requests"),
        ("ttft<=1s;ttft<=2s", "NAME:TERMS"),
        ("ttft<=1s;", "NAME:TERMS"),
        ("ttft<=1s;a:ttft<=1s;a:ttft<=2s", "given twice"),
        ("ttft<=1s;a:fast", "SLO term 'fast'"),
    ],
)
def test_a_part_that_is_none_is_refused_in_one_sentence(text: str, said: str) -> None:
    """With what is at fault and what is allowed."""
    with pytest.raises(WrongValueError, match=said):
        SLO.parse(text)


def test_each_request_is_judged_by_the_objective_of_its_class() -> None:
    """One at a time and as columns alike."""
    slo = SLO.parse("ttft<=1s;slow:ttft<=5s")
    cases = [("fast", 0.5, True), ("fast", 2.0, False), ("slow", 2.0, True), ("slow", 6.0, False)]
    records = [
        RequestRecord(k, "", "measure", cls, -1, 0.0, Outcome.OK, sent_s=0.0, first_s=ttft, last_s=ttft)
        for k, (cls, ttft, _) in enumerate(cases)
    ]
    expected = [good for _, _, good in cases]
    assert [slo.judge(record) for record in records] == expected
    assert table.from_records(records).in_slo(slo).tolist() == expected


def test_the_worst_class_decides_whether_the_objective_is_met() -> None:
    """However good all requests together are: the level reaches the common share just where every class
    reaches its own."""
    slo = SLO.parse("ttft<=1s,attainment>=0.95;a:ttft<=1s,attainment>=0.99;b:ttft<=9s,attainment>=0.5")
    assert slo.level(0.98, {"a": 0.99, "b": 0.5}) >= slo.attainment
    assert slo.level(0.98, {"a": 0.989, "b": 1.0}) < slo.attainment
    assert slo.level(0.98, {"a": 1.0}) > slo.attainment, "what was not offered is not missed"
    assert SLO(ttft_s=1.0).level(0.9, {"a": 1.0}) == 0.9
