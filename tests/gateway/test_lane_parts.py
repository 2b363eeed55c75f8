"""What the lanes of the gateway are made of, each part by itself."""

import re
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import Admission
from gateway.call import Call
from gateway.endings import refused
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.lane_book import Clients, LaneBook
from gateway.lane_tables import LanesError, next_lanes, read, shown
from gateway.limits import Limits
from gateway.outcome import Outcome, Route
from gateway.prepared_refusal import PreparedRefusal, PreparedRefusals
from gateway.request_body import BodyRules, parse
from gateway.served import COMPLETIONS
from gateway.settling import taken
from gateway.ticket import Change, RequestFacts, State
from gateway.token_cost import MOST_OUTPUT_TOKENS, UNTOLD_OUTPUT_TOKENS, estimate
from gateway.waiting import WaitingRoom

DOCS = Path(__file__).parents[2] / "docs"
LANES = Lanes(
    (PriorityClass("now"), PriorityClass("later")),
    (Lane("a", "now", tokens_per_min=600.0), Lane("b", "later"), Lane("other", "later")),
    version=7,
)


def book() -> LaneBook:
    """Of LANES; a's key is `a`."""
    return LaneBook(LANES, {"a/now": Clients(frozenset((sha256(b"a").digest(),)))})


def test_the_example_of_the_docs_is_read() -> None:
    """The page's lanes.toml is one, and says what the page says of it."""
    page = (DOCS / "backpressure.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    made = next_lanes(read(example.encode(), toml=True), None, 1).book
    assert made is not None
    assert [lane.name for lane in made.lanes.lanes] == [
        "alice/interactive",
        "alice/batch",
        "front/interactive",
        "other/batch",
    ]
    assert made.by_name["front/interactive"].trusted
    assert made.unknown.name == "other/batch"
    assert made.lanes.unknown.queue_max == 10


def test_lanes_of_the_core_are_a_body() -> None:
    """What `Lanes.values()` writes, a sweep can PUT; nobody's key is lost by it."""
    first = book()
    made = next_lanes(read(orjson.dumps(LANES.values()), toml=False), first, 8)
    assert made.lanes == Lanes(LANES.classes, LANES.lanes, 8)
    assert made.book is not None
    assert made.book.of_keys([b"a"]) is made.book.by_name["a/now"]
    assert made.book.by_name["a/now"].counts is first.by_name["a/now"].counts
    assert shown(made.lanes, made.book)["version"] == 8
    assert next_lanes(read(b"{}", toml=False), first, 8).lanes.values() == NO_LANES.values()


def test_a_key_itself_is_in_no_sentence() -> None:
    """Who wrote the key where its digest belongs does not find it in a log."""
    for value in ('"sk-secret"', '["sk-secret"]', '{k = "sk-secret"}'):
        with pytest.raises(LanesError) as told:
            read(f'[[tenant]]\nname = "a"\nkey_sha256 = {value}'.encode(), toml=True)
        assert "sk-secret" not in str(told.value)


@pytest.mark.parametrize(
    "state", [State.REJECTED_FULL, State.REJECTED_MODE, State.OVER_BUDGET, State.DRAINING]
)
@given(wait_s=st.floats(0.1, 120.0))
def test_a_prepared_refusal_of_a_lane_is_the_refusal(state: State, wait_s: float) -> None:
    """Head and error object are those of one that is made when it is needed."""
    lane, limits = book().by_name["a/now"], Limits()
    made = refused(state, limits, lane)
    made.wait_s = wait_s
    call = Call(Route.CHAT, b"name", 1)
    call.lane, call.lanes_version = lane, 7
    prepared = PreparedRefusal.of(state, limits, lane, 7)
    expected = sorted((made.fields() + call.fields()).split(b"\r\n"))
    assert sorted(prepared.fields(wait_s, b"name").split(b"\r\n")) == expected
    got, meant = (orjson.loads(body)["error"] for body in (prepared.body(wait_s), made.body()))
    assert (got["message"], got["code"]) == (meant["message"], meant["code"])


def test_prepared_refusals_follow_the_lanes() -> None:
    """One lane's is not another's, and none is used when other lanes are in force."""
    prepared, limits, first = PreparedRefusals(), Limits(), book()
    a, b = first.by_name["a/now"], first.by_name["b/later"]
    one = prepared.of(State.REJECTED_FULL, limits, LANES, a)
    assert prepared.of(State.REJECTED_FULL, limits, LANES, a) is one
    assert b"b/later" in prepared.of(State.REJECTED_FULL, limits, LANES, b).body(1.0)
    next_version = LANES.after(LANES)
    assert b"lanes-version: 8" in prepared.of(State.REJECTED_FULL, limits, next_version, a).fields(1.0, b"x")


@given(
    prompt=st.text(max_size=50),
    most=st.one_of(st.none(), st.integers(-1, 5000)),
    choices=st.integers(1, 4),
)
def test_a_cost_is_estimated_from_the_body(prompt: str, most: int | None, choices: int) -> None:
    """A quarter of the prompt's bytes, and `max_tokens` for each sequence; 256 where nothing tells."""
    lane = book().by_name["a/now"]
    fields = {"prompt": prompt, "n": choices} | ({} if most is None else {"max_tokens": most})
    facts = parse(orjson.dumps(fields), COMPLETIONS, BodyRules(8), lane).facts
    output = UNTOLD_OUTPUT_TOKENS if most is None or most < 0 else most
    assert facts == RequestFacts(len(prompt.encode()), "a/now", len(prompt.encode()) / 4 + choices * output)


def test_a_lane_learns_what_its_answers_take() -> None:
    """Where a request does not bound its answer, it is taken to be as long as the lane's were on average."""
    counts = book().by_name["a/now"].counts
    assert estimate(40, 3, None, counts) == 10 + 3 * UNTOLD_OUTPUT_TOKENS
    counts.answered(30, 100, 2, 2.0)
    counts.answered(30, 100, 2, 4.0)
    assert estimate(40, 3, None, counts) == 10 + 3 * 50
    assert estimate(40, 3, 10**9, counts) == 10 + 3 * MOST_OUTPUT_TOKENS


def test_a_waiter_that_starts_because_a_wide_one_gave_way_is_told() -> None:
    """A wide request at the head of the line is displaced by a newcomer; who stood behind it fits and runs,
    and the driver hears of both at its next look, which is due at once.
    """
    light, b, c = Lane("light", "all", weight=0.1), Lane("b", "all"), Lane("c", "all")
    lanes = Lanes((PriorityClass("all"),), (light, b, c))
    core = Admission(Limits(max_active=4, queue_max=2), lanes=lanes)
    running = [core.offer(0.0, request=RequestFacts(lane="b/all")) for _ in range(3)]
    wide = core.offer(1.0, 2, RequestFacts(lane="light/all"))
    behind = core.offer(2.0, 1, RequestFacts(lane="b/all"))
    assert {ticket.state for ticket in running} == {State.RUNNING}
    assert (wide.state, behind.state) == (State.WAITING, State.WAITING)
    newcomer = core.offer(3.0, 1, RequestFacts(lane="c/all"))
    assert (wide.state, behind.state) == (State.REJECTED_FULL, State.RUNNING)
    assert newcomer.state is State.WAITING
    assert core.next_deadline_s == 3.0
    assert core.expire(3.0) == Change([behind], [wide])


class Answer:
    """A relay, as far as its cost goes."""

    def __init__(self, *, streams: bool, pieces: int = 0, usage: object = None) -> None:
        self.streams, self.pieces, self.usage = streams, pieces, usage


USAGE: dict[str, object] = {"prompt_tokens": 30, "completion_tokens": 70}


@pytest.mark.parametrize(
    ("answer", "outcome", "dispatched", "tokens"),
    [
        (Answer(streams=True, usage=USAGE, pieces=70), Outcome.OK, True, 100),
        (Answer(streams=False, usage=USAGE), Outcome.OK, True, 100),
        (Answer(streams=True, usage={"completion_tokens": 70.0}), Outcome.OK, True, 80),
        (Answer(streams=True, pieces=5), Outcome.CLIENT_ABORT, True, 15),
        (Answer(streams=True, pieces=5), Outcome.UPSTREAM_ERROR, True, 15),
        (Answer(streams=True), Outcome.UPSTREAM_TIMEOUT, True, 10),
        (Answer(streams=True), Outcome.UPSTREAM_ERROR, True, 0),
        (Answer(streams=False), Outcome.INVALID, True, 0),
        (Answer(streams=False), Outcome.OK, True, 500),
        (Answer(streams=False, usage="none"), Outcome.OK, True, 500),
        (Answer(streams=False, usage={"completion_tokens": "none"}), Outcome.OK, True, 500),
        (None, Outcome.CLIENT_ABORT, False, 0),
        (None, Outcome.CLIENT_ABORT, True, 10 + 2 * 2 * 50),
    ],
)
def test_what_a_request_has_really_taken(
    answer: Answer | None, outcome: Outcome, dispatched: bool, tokens: float
) -> None:
    """By usage; else prompt and pieces, or, of a whole answer left after 2 s, what others had by then."""
    lane = book().by_name["a/now"]
    lane.counts.answered(0, 100, 1, 2.0)
    room = WaitingRoom(Limits(), lambda: 0.0)
    room.relane(LANES)
    ticket = room.offer(2, RequestFacts(40, "a/now", 500.0))
    call = Call(Route.CHAT, b"name", 1)
    call.lane, call.outcome, call.dispatched_s = lane, outcome, 10.0 if dispatched else None
    room.end(ticket, taken(ticket, call, lane, answer, 12.0))  # type: ignore[arg-type]  # nothing else is read
    (use,) = [use for use in room.admission.uses if use.lane.name == "a/now"]
    assert use.tokens == max(1, tokens)
    counted = (lane.counts.prompt_tokens, lane.counts.completion_tokens - 100)
    known = answer is not None and outcome is Outcome.OK and tokens < 500
    assert counted == ((tokens - 70, 70) if known else (0, 0))


def test_the_lines_of_a_lane_are_made_when_something_happened() -> None:
    """The same objects until the next end; none before the first."""
    counts = book().by_name["b/later"].counts
    assert counts.lines() == ()
    counts.answered(30, 70, 1, 2.0)
    counts.ended(Outcome.OK, 0.5, 1.5)
    first = counts.lines()
    assert counts.lines() is first
    counts.refused(Outcome.REJECTED_FULL)
    text = "\n".join(line for _, line in counts.lines())
    labels = 'tenant="b",priority_class="later"'
    for line in (
        f'gateway_lane_requests_total{{{labels},outcome="ok"}} 1',
        f'gateway_lane_requests_total{{{labels},outcome="rejected_full"}} 1',
        f'gateway_lane_tokens_total{{{labels},kind="prompt"}} 30',
        f"gateway_lane_queue_wait_seconds_sum{{{labels}}} 0.5",
        f"gateway_lane_ttft_seconds_count{{{labels}}} 1",
    ):
        assert line in text
