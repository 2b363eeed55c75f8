"""How many requests of a batch may be in flight now: by what the gateway shows of the others, and by what
became of the batch's own. No I/O; times are given.

The others are judged by where they stand. Those of another priority class go before a batch by themselves: of
them only the objective counts (`headroom`), and that some of the batch wait at the gateway takes nothing from
them. Those in the batch's own class would have to share with it: while one of them waits, was turned away, or
comes close to the objective, nothing is sent (`beside`). Without lanes nobody can be told apart: the queue is
left empty, and refusals say the rest.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from loadtests.batch.headroom import Headroom
from loadtests.batch.others import (
    ClassLook,
    LaneLook,
    Look,
    class_grown,
    class_of,
    grown,
    mean_ttft_s,
    own_waiting,
)
from loadtests.batch.window import Window
from loadtests.slo import SLO

SINCE_S = 5.0
"""Those of the batch's own class are judged over so long; so a pause lasts at least as long."""
CLOSE = 0.5
"""While their first tokens take more than this part of the objective on average, a batch pauses."""


class Pause(StrEnum):
    """Why a batch sends nothing; each a clause for its progress line."""

    OTHERS_WAIT = "others wait for a slot"
    OTHERS_SHED = "others were refused or timed out"
    OTHERS_SLOW = "the others' first tokens come close to the objective"
    NO_HEADROOM = "as many of the others' first tokens are late as may be"
    NO_LOOK = "the gateway does not show how it is"


def _mates(look: Look, own: str) -> dict[str, LaneLook]:
    """The other lanes of its class; while `own` is not known ("") all lanes."""
    return {
        name: lane
        for name, lane in look.lanes.items()
        if name != own and (not own or class_of(name) == class_of(own))
    }


def beside(before: Look | None, now: Look, own: str, ttft_s: float | None) -> Pause | None:
    """Why a batch in the lane `own` should wait for others of its class, None where they leave something.

    before: an earlier look, with which what grew since is judged. ttft_s: the others' objective; None: none.
    own: "" as long as it is not known; then all others are of its class.
    """
    mates = _mates(now, own)
    if any(lane.waiting for lane in mates.values()):
        return Pause.OTHERS_WAIT
    if before is None:
        return None
    since = [grown(before.lanes.get(name, LaneLook()), lane) for name, lane in mates.items()]
    if any(lane.shed > 0 for lane in since):
        return Pause.OTHERS_SHED
    if ttft_s is not None and mean_ttft_s(since) > CLOSE * ttft_s:
        return Pause.OTHERS_SLOW
    return None


class Pace:
    """pause: why nothing may be sent now, None if something may. closed_until_s: nothing is sent before."""

    def __init__(self, most: int, slo: SLO) -> None:
        """most: at most at once; slo: the others' objective, of which TTFT and attainment are used."""
        self._ttft_s = slo.ttft_s
        self._window = Window(most)
        self._headroom = Headroom(most, slo.attainment)
        self._looks: deque[tuple[float, Look]] = deque()
        self._sees = False
        self.pause: Pause | None = None

    def __repr__(self) -> str:
        return f"<Pace [{self._window.size} | {self._headroom!r} | {self.pause}]>"

    @property
    def closed_until_s(self) -> float:
        """See the class."""
        return self._window.closed_until_s

    @property
    def size(self) -> int:
        """Requests that may be in flight, pauses apart."""
        return min(self._window.size, self._headroom.size) if self._shared else self._window.size

    def may_send(self, in_flight: int, now_s: float) -> bool:
        """Whether one more may leave now."""
        return self.pause is None and in_flight < self.size and self._window.may_send(in_flight, now_s)

    def answered(self, in_flight: int) -> None:
        """One was answered. in_flight: with it."""
        self._window.went_well(in_flight)

    def refused(self, sent_s: float, told_s: float | None, now_s: float) -> None:
        """One that left at `sent_s` was refused, and told to wait `told_s`."""
        self._window.refused(sent_s, told_s, now_s)

    def saw(self, now: Look | None, own: str, in_flight: int, now_s: float) -> None:
        """The gateway as it is now, None where it does not show itself; one that never did is left to its
        refusals. own: the lane of the batch, "" as long as it is not known.
        """
        if now is None:
            self.pause = Pause.NO_LOOK if self._sees else None
            return
        self._sees = True
        while len(self._looks) > 1 and self._looks[1][0] <= now_s - SINCE_S:
            self._looks.popleft()
        self.pause = beside(self._looks[0][1] if self._looks else None, now, own, self._ttft_s)
        waiting = own_waiting(now, own)
        if own and now.lanes:
            full = in_flight >= self.size
            if any(lane.held or lane.waiting for lane in _mates(now, own).values()):
                self._window.leave(in_flight, waiting)
            else:
                self._window.fill(in_flight, waiting)
            if self._looks:
                self._judge(self._looks[-1][1], now, own, in_flight, full=full, now_s=now_s)
            if self.pause is None and not self._headroom.size:
                self.pause = Pause.NO_HEADROOM
        else:
            self._window.leave(in_flight, waiting)
        self._looks.append((now_s, now))

    @property
    def _shared(self) -> bool:
        return bool(self._looks and self._looks[-1][1].lanes)

    def _judge(self, last: Look, now: Look, own: str, in_flight: int, *, full: bool, now_s: float) -> None:
        own_class = class_of(own)
        first = [
            class_grown(last.classes.get(name, ClassLook()), one)
            for name, one in now.classes.items()
            if name != own_class
        ]
        others = {name: lane for name, lane in now.lanes.items() if class_of(name) != own_class}
        shed = sum(grown(last.lanes.get(name, LaneLook()), lane).shed for name, lane in others.items())
        self._headroom.saw(
            now_s,
            sum(one.in_time for one in first),
            sum(one.late for one in first) + shed,
            others=any(lane.held or lane.waiting for lane in others.values()),
            in_flight=in_flight,
            full=full,
        )
