"""The parts of a completion's way that save the most, each held to what it stands for."""

import asyncio
import math
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call
from gateway.deadlines import Deadlines
from gateway.endings import refused
from gateway.limits import Limits
from gateway.outcome import Route
from gateway.prepared_refusal import PreparedRefusal, PreparedRefusals
from gateway.request_ids import RequestIds
from gateway.ticket import State
from gateway.upstream_connection import whole_chunk


@pytest.mark.parametrize("state", [State.REJECTED_FULL, State.REJECTED_MODE, State.DRAINING])
@given(wait_s=st.floats(0.1, 120.0), version=st.integers(1, 10**6))
def test_a_prepared_refusal_is_the_refusal(state: State, wait_s: float, version: int) -> None:
    """The same status, fields and error object as one that is made when it is needed."""
    limits = Limits(max_active=7, queue_max=9, version=version)
    made = refused(state, limits)
    made.wait_s = wait_s
    prepared = PreparedRefusal.of(state, limits)
    assert (prepared.status, prepared.outcome) == (made.status, made.outcome)
    call = Call(Route.CHAT, b"name", version)
    expected = sorted((made.fields() + call.fields()).split(b"\r\n"))
    assert sorted(prepared.fields(wait_s, b"name").split(b"\r\n")) == expected
    got, meant = (orjson.loads(body)["error"] for body in (prepared.body(wait_s), made.body()))
    assert math.isclose(got.pop("retry_after_s"), meant.pop("retry_after_s"), abs_tol=0.0011)
    assert got == meant


def test_prepared_refusals_follow_the_limits() -> None:
    """One that was made under other limits is not used again."""
    prepared, limits = PreparedRefusals(), Limits(max_active=3)
    first = prepared.of(State.REJECTED_MODE, limits)
    assert prepared.of(State.REJECTED_MODE, limits) is first
    assert b"All 4 slots" in prepared.of(State.REJECTED_MODE, limits.changed(max_active=4)).body(1.0)


@given(content=st.binary(min_size=1, max_size=300))
def test_a_whole_chunk_is_seen(content: bytes) -> None:
    """Its content begins behind its size and ends before its last two bytes."""
    for size in (b"%x", b"%X"):
        chunk = size % len(content) + b"\r\n" + content + b"\r\n"
        start = whole_chunk(chunk)
        assert chunk[start:-2] == content
        assert not whole_chunk(chunk[:-1])
        assert not whole_chunk(chunk + b"5")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"0\r\n\r\n",
        b"5\r\nhello",
        b"05\r\nhello\r\n",
        b"5;a=b\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5\r\nhello\r\n5\r\nhello\r\n",
        b"6\r\nhello\r\n",
        b"\r\n5\r\nhello\r\n",
    ],
)
def test_what_is_not_exactly_one_chunk_is_left_to_the_parser(data: bytes) -> None:
    """Ends, parts, several, extensions, and sizes that another reader could take for another number."""
    assert whole_chunk(data) == 0


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
