"""A recording as the twin reads it: what was asked, and what of it ran on the engine, when."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.errors import UserError
from gateway.outcome import Outcome
from loadtests.planning.trace_files.trace import TraceError
from loadtests.traffic import as_trace
from loadtests.traffic.traffic import Traffic

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class RecordedRequest(NamedTuple):
    """A request to play: what the simulator reads of one."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float = 0.0
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Production:
    """Columns (n,), ascending in arrival; seconds after the first arrival, nan where it did not happen.

    A request for several sequences is as many rows. Attributes:
        arrival_s: when it came. granted_s: when it got its slot. first_s, last_s: its first token and its
        end. prompt_tokens, output_tokens: ≥ 1; of one that was refused or broke off, estimated from the
        others. ok: it was answered in full. timed: besides, as a stream, so that first token and end are
        those of the engine.
    """

    arrival_s: Floats
    granted_s: Floats
    first_s: Floats
    last_s: Floats
    prompt_tokens: Integers
    output_tokens: Integers
    ok: Flags
    timed: Flags

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """From the first arrival to the last."""
        return float(self.arrival_s[-1]) if len(self) else 0.0

    @property
    def running(self) -> Flags:
        """Which were on the engine."""
        found: Flags = np.isfinite(self.granted_s) & np.isfinite(self.last_s)
        return found

    def where(self, chosen: Flags | Integers) -> Production:
        """Some of them, at the times they had."""
        return Production(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def asked(self, at_s: Floats) -> list[RecordedRequest]:
        """To be played, `at_s` (n,) in place of the arrivals."""
        columns = (at_s, self.prompt_tokens, self.output_tokens)
        return [RecordedRequest(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def from_slot(self) -> Production:
        """Those that ran, as if each had come when it got its slot: what the engine alone did."""
        ran = self.where(self.running)
        ran = ran.where(np.argsort(ran.granted_s, kind="stable"))
        return replace(ran, arrival_s=ran.granted_s)


def of(traffic: Traffic, name: str, seed: int = 1) -> Production:
    """What a recording holds. seed: of lengths that nobody knows, drawn from the others.

    Raises:
        UserError: it holds no request whose lengths are known.
    """
    try:
        trace = as_trace.of(traffic, name, seed)
    except TraceError as error:
        raise UserError(str(error)) from None
    arrival_s = traffic.arrival_s
    outcome = np.array(traffic.outcome.names)[traffic.outcome.codes]
    ok = (outcome == Outcome.OK) & traffic.measured
    upstream = np.isfinite(traffic.upstream_s)
    granted_s = np.where(upstream, arrival_s + traffic.queue_s, np.nan)
    streamed = np.isfinite(traffic.first_s) & np.isfinite(traffic.last_s)
    first_s = np.where(streamed, arrival_s + traffic.first_s, granted_s)
    last_s = np.where(streamed & ok, arrival_s + traffic.last_s, arrival_s + traffic.finished_s)
    sequences = np.maximum(traffic.slots, 1)
    single = sequences == 1
    found = Production(
        arrival_s,
        granted_s,
        np.where(upstream, first_s, np.nan),
        np.where(upstream, last_s, np.nan),
        trace.prompt_tokens,
        np.maximum(trace.output_tokens // sequences, 1),
        ok,
        ok & upstream & streamed & single,
    )
    if single.all():
        return found
    return found.where(np.repeat(np.arange(len(found)), sequences))
