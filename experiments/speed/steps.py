"""The engine's single steps, found in what the clients saw.

Every sequence of a batch gets its token at the end of the same step, so the chunks of all streams come in
bunches. A bunch says when a step ended, which sequences decoded in it (they had a chunk before), which
prompts it completed (first chunks), and how long their contexts were. The bunch before it says when the step
began. Between the two, requests were sent: the engine's server took them in while the step ran. That is a
step log without the engine's help.

A reader that is late does not make a step of its own lateness: what it reads at once after a stall holds two
tokens of one stream and is no step, nor is what lay before it. Lateness by less than a step moves time from
one step to the next and leaves their sum as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BUNCH_S = 0.25
"""Chunks of one step lie within this part of the median step."""
EDGE_S = 0.001
"""What arrives this shortly before a step's end costs time in the next one."""


class SeenStream(Protocol):
    """A streamed answer as its client saw it: when it was sent on to the engine, its chunks, its prompt."""

    @property
    def sent_s(self) -> float: ...
    @property
    def times_s(self) -> Sequence[float]: ...
    @property
    def prompt_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps whose begin and composition are certain; columns of equal length, in order of time.

    Attributes:
        end_s: when each ended, on the clock of the streams.
        seconds: how long it took.
        decoded: sequences that had their next token in it, at least 1.
        first: sequences that had their first, `prompt` the tokens of their prompts, `pairs` half the squares.
        context: tokens of context that were read.
        arrived: requests that reached the engine meanwhile.
        ended: answers that the step before completed.
    """

    end_s: Floats
    seconds: Floats
    decoded: Floats
    first: Floats
    prompt: Floats
    pairs: Floats
    context: Floats
    arrived: Floats
    ended: Floats

    def __len__(self) -> int:
        return len(self.end_s)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Steps:
        """Some of them."""
        return Steps(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def between(self, start_s: float, end_s: float) -> Steps:
        """Those that ended in [start_s, end_s), their times from `start_s` on."""
        inside = self.where((self.end_s >= start_s) & (self.end_s < end_s))
        return Steps(inside.end_s - start_s, *(getattr(inside, column.name) for column in fields(self)[1:]))


NO_STEPS = Steps(*(np.zeros(0) for _ in fields(Steps)))


def steps_of(streams: Sequence[SeenStream]) -> Steps:
    """The steps that can be told in the streams.

    Left out are bunches in which a sequence has two tokens, or whose decoding sequences did not all have
    their token before in the bunch before (a late chunk split or merged them), and steps that only computed
    prompts (their begin is not seen).
    """
    lengths = np.array([len(stream.times_s) for stream in streams], np.int64)
    if lengths.sum() < 2 or lengths.max() < 2:
        return NO_STEPS
    chunks = _Chunks.of(streams, lengths)
    bunch, count = chunks.bunch, int(chunks.bunch[-1]) + 1
    decoding = chunks.place > 0
    owner = chunks.stream
    decoded = _sums(bunch, decoding, count)
    first = _sums(bunch, ~decoding, count)
    prompts = np.array([stream.prompt_tokens for stream in streams], float)[owner]
    prompt = _sums(bunch, prompts * ~decoding, count)
    in_order = np.lexsort((bunch, owner))  # by stream, then in order of time
    same = np.diff(owner[in_order]) == 0
    before = np.full(len(bunch), -1)
    before[in_order[1:][same]] = bunch[in_order[:-1][same]]
    twice = _sums(bunch, decoding & (before == bunch), count) > 0
    goes_on = chunks.place + 1 < lengths[owner]
    continued = _sums(bunch, goes_on, count)
    from_before = _sums(bunch, decoding & (before == bunch - 1), count)
    here = np.arange(1, count)
    certain = (decoded[here] > 0) & ~twice[here] & (from_before[here] == decoded[here])
    certain &= continued[here - 1] == decoded[here]
    here = here[certain]
    at_s = chunks.middle_s
    sent_s = np.sort([stream.sent_s for stream in streams])
    passed = np.searchsorted(sent_s, at_s - EDGE_S, side="right").astype(float)
    sizes = np.bincount(bunch, minlength=count).astype(float)
    return Steps(
        end_s=at_s[here],
        seconds=at_s[here] - at_s[here - 1],
        decoded=decoded[here],
        first=first[here],
        prompt=prompt[here],
        pairs=_sums(bunch, prompts**2 / 2 * ~decoding, count)[here],
        context=_sums(bunch, (prompts + chunks.place) * decoding, count)[here] + prompt[here],
        arrived=passed[here] - passed[here - 1],
        ended=sizes[here - 1] - continued[here - 1],
    )


@dataclass(frozen=True, slots=True)
class _Chunks:
    """All chunks in order of time: whose each is, which of that stream, and of which bunch; the time of each
    bunch is that of its middle chunk."""

    stream: Integers
    place: Integers
    bunch: Integers
    middle_s: Floats

    @classmethod
    def of(cls, streams: Sequence[SeenStream], lengths: Integers) -> _Chunks:
        """Cut where the pause is longer than a quarter of the median gap of a stream."""
        times_s = np.concatenate([np.asarray(stream.times_s, float) for stream in streams])
        stream = np.repeat(np.arange(len(streams)), lengths)
        place = np.arange(len(times_s)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        gaps_s = np.diff(times_s)[np.diff(stream) == 0]
        order = np.lexsort((place, stream, times_s))
        times_s = times_s[order]
        # The upper middle one, as everywhere in this module: a time that was seen.
        pause_s = BUNCH_S * np.partition(gaps_s, len(gaps_s) // 2)[len(gaps_s) // 2]
        bunch = np.concatenate([[0], np.cumsum(np.diff(times_s) > pause_s)])
        begins = np.flatnonzero(np.diff(bunch, prepend=-1))
        sizes = np.diff(begins, append=len(bunch))
        return cls(stream[order], place[order], bunch, times_s[begins + sizes // 2])


def _sums(bunch: Integers, values: npt.NDArray[np.number[Any] | np.bool_], count: int) -> Floats:
    """Of the values in each bunch."""
    sums: Floats = np.bincount(bunch, weights=values.astype(np.float64), minlength=count).astype(np.float64)
    return sums
