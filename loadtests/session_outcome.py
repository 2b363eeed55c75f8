"""What became of whole sessions, from what became of their requests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SessionsJudged:
    """k sessions by their numbers, ascending; columns of shape (k,).

    requests: how many each was planned to have. start_s: when its first one was due. length_s: from then to
    the end of the last answer, pauses included; nan unless all were served.
    """

    session: NDArray[np.int64]
    requests: NDArray[np.int64]
    start_s: Column
    length_s: Column
    served: Flags
    good: Flags


def judge_sessions(
    session: NDArray[np.int64], due_s: Column, end_s: Column, ok: Flags, good: Flags, within_s: Column
) -> SessionsJudged:
    """Judge sessions by all their requests, those that were never sent included; columns of shape (n,).

    Args:
        session: the number of its session.
        due_s, end_s: when it was due, and when its answer was complete (nan: never), seconds.
        ok, good: whether it was served, and within every bound.
        within_s: the longest time its session may take, seconds (nan: it is judged request by request).
    """
    number, first, place = np.unique(session, return_index=True, return_inverse=True)
    requests = np.bincount(place, minlength=len(number))
    served = np.bincount(place, weights=ok, minlength=len(number)) == requests
    each_good = np.bincount(place, weights=good, minlength=len(number)) == requests
    start_s, last_s = np.full(len(number), np.inf), np.full(len(number), -np.inf)
    np.minimum.at(start_s, place, due_s)
    np.maximum.at(last_s, place, np.where(ok, end_s, -np.inf))
    length_s = np.where(served, last_s - start_s, np.nan)
    bound_s = within_s[first]
    in_time = served & (np.nan_to_num(length_s, nan=np.inf) <= bound_s)
    return SessionsJudged(
        number, requests, start_s, length_s, served, np.where(np.isnan(bound_s), each_good, in_time)
    )
