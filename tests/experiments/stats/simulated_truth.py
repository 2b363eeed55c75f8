"""A world with a known truth: the gateway's admission code before a batching engine, in virtual time.

The engine is a processor that all running requests share: with n of them each makes 1/(alpha + beta·n)
tokens per second, so a larger MAX_ACTIVE buys rate and pays with slower tokens. beta = 0 makes the slots
independent servers, and with exponential lengths the system M/M/c/K with deterministic patience.
"""

import heapq
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from gateway.admission import Admission, State, Ticket
from gateway.limits import Limits

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Machine:
    """Seconds per token with n running: alpha_s + beta_s·n; `tokens` mean length, exponential."""

    alpha_s: float = 0.02
    beta_s: float = 0.0
    tokens: float = 50.0

    def capacity_per_s(self, max_active: int) -> float:
        """Completions per second with every slot busy."""
        return max_active / (self.alpha_s + self.beta_s * max_active) / self.tokens


@dataclass(frozen=True, slots=True)
class Seen:
    """One run. Per request (n,): due, wait, first token, end (nan where it never came), lengths, shed or not.

    `active`, `queued`: sampled each second.
    """

    due_s: Floats
    first_s: Floats
    end_s: Floats
    tokens: Floats
    shed: npt.NDArray[np.bool_]
    active: Floats
    queued: Floats

    @property
    def ttft_s(self) -> Floats:
        return self.first_s - self.due_s

    @property
    def e2e_s(self) -> Floats:
        return self.end_s - self.due_s

    def good(self, ttft_s: float, tpot_s: float = inf) -> npt.NDArray[np.bool_]:
        """Whether each request met the objective."""
        tpot = (self.end_s - self.first_s) / np.maximum(self.tokens, 1.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(~self.shed & (self.ttft_s <= ttft_s) & (tpot <= tpot_s))


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A trace: due times and lengths in tokens (n,)."""

    due_s: Floats
    tokens: Floats


def poisson(
    rng: np.random.Generator, rate_per_s: float, duration_s: float, machine: Machine, shape: float = 1.0
) -> Arrivals:
    """A Poisson trace; lengths are Gamma with that shape, 1 is exponential."""
    due = np.sort(rng.uniform(0.0, duration_s, rng.poisson(rate_per_s * duration_s)))
    return Arrivals(due, rng.gamma(shape, machine.tokens / shape, len(due)))


def serve(trace: Arrivals, limits: Limits, machine: Machine, speed: float = 1.0) -> Seen:
    """Serve the trace; `speed` > 1 is a faster machine on that day."""
    return _Run(trace, limits, machine, speed).to_its_end()


class _Run:
    def __init__(self, trace: Arrivals, limits: Limits, machine: Machine, speed: float) -> None:
        self.due, self.tokens = trace.due_s.tolist(), trace.tokens.tolist()
        self.admission = Admission(limits)
        self.alpha, self.beta = machine.alpha_s / speed, machine.beta_s / speed
        self.now, self.virtual = 0.0, 0.0
        self.ends: list[tuple[float, int, Ticket]] = []
        n = len(self.due)
        self.first, self.end, self.shed = [np.nan] * n, [np.nan] * n, [False] * n
        self.samples: list[tuple[int, int]] = []

    def to_its_end(self) -> Seen:
        admission, n, i = self.admission, len(self.due), 0
        while True:
            arrival = self.due[i] if i < n else inf
            finish = inf
            if self.ends:
                finish = self.now + (self.ends[0][0] - self.virtual) * self._token_s()
            deadline = admission.next_deadline_s
            at = min(arrival, finish, deadline)
            if at == inf:
                break
            self._advance(at)
            if at == finish:
                _, k, ticket = heapq.heappop(self.ends)
                self.end[k] = at
                self._granted(admission.release(ticket, at).granted)
            elif at == deadline:
                change = admission.expire(at)
                for ticket in change.ended:
                    self.shed[ticket.owner] = True  # type: ignore[call-overload]  # owners are indices here
                self._granted(change.granted)
            else:
                ticket = admission.offer(at, owner=i)
                if ticket.state is State.RUNNING:
                    self._granted([ticket])
                elif ticket.state is not State.WAITING:
                    self.shed[i] = True
                i += 1
        series = np.array(self.samples, dtype=float).reshape(-1, 2)
        return Seen(
            np.array(self.due), np.array(self.first), np.array(self.end), np.array(self.tokens),
            np.array(self.shed, dtype=bool), series[:, 0], series[:, 1],
        )  # fmt: skip

    def _token_s(self) -> float:
        return self.alpha + self.beta * self.admission.running

    def _advance(self, at: float) -> None:
        while len(self.samples) < at:
            self.samples.append((self.admission.active, self.admission.queued))
        if self.ends:
            self.virtual += (at - self.now) / self._token_s()
        self.now = at

    def _granted(self, tickets: object) -> None:
        for ticket in tickets:  # type: ignore[attr-defined]  # a sequence of tickets
            k = ticket.owner
            self.first[k] = self.now + self._token_s()
            heapq.heappush(self.ends, (self.virtual + self.tokens[k], k, ticket))
