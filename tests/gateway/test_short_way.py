"""The parts of a completion's way that save the most, each held to what it stands for."""

import asyncio
import math
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call
from gateway.chunked import content, whole_chunks
from gateway.deadlines import LOOKS_AT_ONCE, Deadlines
from gateway.endings import refused
from gateway.error_form import ANTHROPIC, OPENAI, ErrorForm, body_of
from gateway.limits import Limits
from gateway.outcome import Route
from gateway.prepared_refusal import PreparedRefusal, PreparedRefusals
from gateway.refusal import unreachable
from gateway.request_ids import RequestIds
from gateway.ticket import State


@pytest.mark.parametrize("state", [State.REJECTED_FULL, State.REJECTED_MODE, State.DRAINING])
@pytest.mark.parametrize("form", [OPENAI, ANTHROPIC])
@given(wait_s=st.floats(0.1, 120.0), version=st.integers(1, 10**6))
def test_a_prepared_refusal_is_the_refusal(
    state: State, form: ErrorForm, wait_s: float, version: int
) -> None:
    """The same status, fields and error object as one that is made when it is needed, in each API's form."""
    limits = Limits(max_active=7, queue_max=9, version=version)
    made = refused(state, limits)
    made.wait_s = wait_s
    prepared = PreparedRefusal.of(state, limits, form=form)
    assert (prepared.status, prepared.outcome) == (form.status_of(made), made.outcome)
    call = Call(Route.CHAT, b"name", version)
    expected = sorted((made.fields() + call.fields()).split(b"\r\n"))
    assert sorted(prepared.fields(wait_s, b"name").split(b"\r\n")) == expected
    got, meant = (orjson.loads(body)["error"] for body in (prepared.body(wait_s), body_of(form, made)))
    assert math.isclose(got.pop("retry_after_s"), meant.pop("retry_after_s"), abs_tol=0.0011)
    assert got == meant


def test_anthropics_statuses() -> None:
    """A full queue is 429; draining, and whatever else is overload, 529."""
    limits = Limits()
    told = {state: ANTHROPIC.status_of(refused(state, limits)) for state in _REFUSED}
    assert told == {
        State.REJECTED_FULL: 429,
        State.REJECTED_MODE: 429,
        State.QUEUE_TIMEOUT: 529,
        State.DRAINING: 529,
    }
    assert ANTHROPIC.status_of(unreachable("The engine cannot be reached.")) == 529


def test_prepared_refusals_follow_the_limits() -> None:
    """One that was made under other limits is not used again."""
    prepared, limits = PreparedRefusals(), Limits(max_active=3)
    first = prepared.of(State.REJECTED_MODE, limits)
    assert prepared.of(State.REJECTED_MODE, limits) is first
    assert b"All 4 slots" in prepared.of(State.REJECTED_MODE, limits.changed(max_active=4)).body(1.0)


_REFUSED = (State.REJECTED_FULL, State.REJECTED_MODE, State.QUEUE_TIMEOUT, State.DRAINING)
EVENTS = st.binary(max_size=300).map(lambda text: text + b"\n\n")


@given(contents=st.lists(EVENTS, min_size=1, max_size=6), form=st.sampled_from((b"%x", b"%X")))
def test_whole_chunks_are_seen(contents: list[bytes], form: bytes) -> None:
    """One or several: the first content begins behind its size; without frames they are what they were."""
    chunks = b"".join(form % len(text) + b"\r\n" + text + b"\r\n" for text in contents)
    start = whole_chunks(chunks)
    assert chunks[start:].startswith(contents[0])
    assert content(chunks) == b"".join(contents)
    assert not whole_chunks(chunks[:-1])
    assert not whole_chunks(chunks + b"5")
    assert not whole_chunks(chunks + b"5\r\nhello\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"0\r\n\r\n",
        b"5\r\nhel\n\n",
        b"5\r\nhello\r\n",
        b"05\r\nhel\n\n\r\n",
        b"5;a=b\r\nhel\n\n\r\n",
        b"0x5\r\nhel\n\n\r\n",
        b"+5\r\nhel\n\n\r\n",
        b" 5\r\nhel\n\n\r\n",
        b"1_0\r\n" + b"a" * 14 + b"\n\n\r\n",
        b"5\r\nhel\n\n\r\n0\r\n\r\n",
        b"6\r\nhel\n\n\r\n",
        b"\r\n5\r\nhel\n\n\r\n",
    ],
)
def test_what_is_not_whole_chunks_is_left_to_the_parser(data: bytes) -> None:
    """Ends, parts, chunks that end within an event, extensions, and sizes that another reader could take for
    another number.
    """
    assert whole_chunks(data) == 0


def test_ids_are_new_and_sane_ones_stay() -> None:
    """32 hexadecimal digits, none twice, and not those of another process."""
    ids, others = RequestIds(), RequestIds()
    made = [ids.of({}) for _ in range(1000)] + [others.of({}) for _ in range(1000)]
    assert len(set(made)) == 2000
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in made)
    assert ids.of({b"x-request-id": b"mine"}) == b"mine"
    assert len(ids.of({b"x-request-id": b"not sane"})) == 32


class Watched:
    """Notes when it was looked at. done: it asks for no further look."""

    def __init__(self, again_s: list[float]) -> None:
        self.tick = 0
        self.looks: list[float] = []
        self.done = asyncio.Event()
        self._again_s = again_s

    def on_due(self, now_s: float) -> float:
        self.looks.append(now_s)
        if self._again_s:
            return self._again_s.pop(0)
        self.done.set()
        return math.inf


def test_deadlines_are_looked_at_when_they_are_due() -> None:
    """None too early, a later look where one is asked for, none for what is forgotten, none twice."""

    async def watched() -> None:
        deadlines, now_s = Deadlines(), time.monotonic()
        due_s = [now_s + 0.13, now_s + 0.02, now_s - 1.0]
        plain = [Watched([]) for _ in due_s]
        moved, forgotten, sooner = Watched([now_s + 0.2]), Watched([]), Watched([])
        for one, at_s in zip((*plain, moved, forgotten), (*due_s, now_s, now_s), strict=True):
            deadlines.watch(one, at_s)
        deadlines.watch(sooner, now_s + 3600)
        deadlines.watch(sooner, now_s + 0.05)
        deadlines.watch(sooner, now_s + 1800)
        deadlines.forget(forgotten)
        for one in (*plain, sooner, moved):
            await one.done.wait()
        for one, at_s in zip(plain, due_s, strict=True):
            assert len(one.looks) == 1
            assert one.looks[0] >= at_s
        assert moved.looks[1] >= now_s + 0.2
        assert len(sooner.looks) == 1
        assert not forgotten.looks
        assert all(one.tick == 0 for one in (*plain, moved, sooner, forgotten))

    asyncio.run(asyncio.wait_for(watched(), 10))


def test_a_look_may_end_another_of_the_same_sweep() -> None:
    """A completion that ends wakes others; the one that is forgotten there is not looked at."""

    class Ender(Watched):
        def on_due(self, now_s: float) -> float:
            deadlines.forget(other)
            other.looks.append(-1.0)
            return super().on_due(now_s)

    async def both() -> None:
        now_s = time.monotonic()
        deadlines.watch(ender, now_s)
        deadlines.watch(other, now_s + 0.2)
        await ender.done.wait()
        assert other.looks == [-1.0]

    deadlines, ender, other = Deadlines(), Ender([]), Watched([])
    asyncio.run(asyncio.wait_for(both(), 10))


def test_many_that_are_due_together_are_looked_at_in_turns() -> None:
    """Each once; the loop serves others in between."""

    class Counted:
        def __init__(self) -> None:
            self.tick = 0

        def on_due(self, now_s: float) -> float:
            looks.append(len(turns))
            return math.inf

    async def all_looked_at() -> None:
        deadlines, now_s = Deadlines(), time.monotonic()
        watched = [Counted() for _ in range(2 * LOOKS_AT_ONCE + 1)]
        for one in watched:
            deadlines.watch(one, now_s)
        while len(looks) < len(watched):
            await asyncio.sleep(0)
            turns.append(0)
        assert len(looks) == len(watched)
        assert max(looks.count(turn) for turn in set(looks)) == LOOKS_AT_ONCE

    looks: list[int] = []
    turns: list[int] = []
    asyncio.run(asyncio.wait_for(all_looked_at(), 10))
