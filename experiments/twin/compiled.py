"""The door to the compiled core: what it covers, whether this machine can have it, and a run through it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from experiments.twin.profile import Profile
from experiments.twin.simulated import Records, Simulated
from experiments.twin.step_time import StepTime
from experiments.twin.tables import CHAINS, QUEUES, Chain, Entry, Extras, LoggedStep, Offered, Run, zeros
from gateway.limits import Limits, QueueMode
from gateway.orders import NewestFirst, OldestFirst, Orders

STEP_TIMES = ("base_s", "per_decode_s", "per_token_s", "knee_tokens", "per_kv_token_s")
OF_PROFILE = (
    *("per_pair_s", "ingest_s", "egress_s", "arrival_work_s", "end_work_s"),
    *("max_num_seqs", "max_num_batched_tokens", "num_gpu_blocks", "block_size", "max_model_len"),
)
OF_LIMITS = ("max_active", "queue_max", "queue_timeout_s", "request_timeout_s")


def covers(offered: Offered, profile: Profile, limits: Limits, orders: Orders, *, laws: bool) -> bool:
    """Whether the core can play this: steps timed by `StepTime` itself or, if `laws`, by one that comes
    compiled, one of the queue orders that it knows, slots that are all alike, and bounds that the scheduler
    takes; and where requests follow answers, all answers that one follows followed by the same requests.
    """
    timing = profile.step_time
    return (
        not offered.shared
        and (offered.follow is None or offered.follow.one_chain)
        and (type(timing) is StepTime or (laws and timing.compiled() is not None))
        and orders[limits.queue_order] in (OldestFirst, NewestFirst)
        and profile.max_num_batched_tokens >= profile.max_num_seqs
    )


@cache
def obstacle() -> str | None:
    """Make the core ready: None, or in a few words why this machine cannot have it.

    The first call imports Numba and reads the compiled code that it keeps on disk (about half a second);
    where none is kept yet, it compiles (some seconds, once for an installation).
    """
    try:
        from experiments.twin import core

        core.play(*_arguments(zeros(Run, 1), Offered(()).table(), Extras(None, None)))
    except Exception as error:  # no wheel, a full disk, another Numba: the reference gives the same numbers
        return str(error).partition("\n")[0] or repr(error)
    return None


def is_ready() -> bool:
    """Whether a call costs nothing more than the simulation."""
    return obstacle.cache_info().currsize > 0 and obstacle() is None


def play(
    offered: Offered,
    profile: Profile,
    limits: Limits,
    users: int,
    until_s: float,
    orders: Orders,
    *,
    logged: bool = False,
) -> Simulated | None:
    """A simulation that the core covers, once `obstacle` has said None; None for one that ends in an error,
    which the reference then raises.
    """
    from experiments.twin import core

    runs, requests = zeros(Run, 1), offered.table()
    _fill(runs, profile, limits, orders[limits.queue_order] is NewestFirst)
    runs["users"], runs["until_s"] = users, until_s
    runs["causal"] = offered.follow is not None and not users
    law = profile.step_time.compiled()
    by = core.play if law is None else core.play_by_law
    log = zeros(LoggedStep, _most_steps(requests, profile)) if logged else None
    if by(*_arguments(runs, requests, Extras(law, log))) != core.PLAYED:
        return None
    run = runs[0]
    if log is not None and run["logged"] > len(log):
        raise ValueError(f"more steps than the {len(log)} that a log was made for")
    return Simulated(
        requests["outcome"].astype(np.int8),
        requests["due_s"].copy(),
        requests["granted_s"].copy(),
        requests["first_s"].copy(),
        requests["last_s"].copy(),
        float(run["now_s"]),
        float(run["active_seconds"]),
        float(run["queue_seconds"]),
        float(run["queue_full_seconds"]),
        int(run["peak_active"]),
        int(run["peak_queue"]),
        int(run["steps"]),
        float(run["busy_s"]),
        int(run["preemptions"]),
        compiled=True,
        step_log=log[: int(run["logged"])].copy() if log is not None else None,
    )


def _most_steps(requests: Records, profile: Profile) -> int:
    """Each decodes a token or computes prompts; twice as many, since a preempted prompt is computed again."""
    chunks = requests["prompt_tokens"] // profile.max_num_batched_tokens + 1
    return 2 * int(requests["output_tokens"].sum() + chunks.sum()) + 1000


def _fill(runs: Records, profile: Profile, limits: Limits, newest_first: bool) -> None:
    for source, names in ((profile.step_time, STEP_TIMES), (profile, OF_PROFILE), (limits, OF_LIMITS)):
        for name in names:
            runs[name] = getattr(source, name)
    runs["reject"] = limits.queue_mode is QueueMode.REJECT
    runs["newest_first"] = newest_first


def _arguments(runs: Records, requests: Records, extras: Extras) -> Sequence[Any]:
    """The arguments of `core.play`."""
    count, run = len(requests), runs[0]
    return (
        runs,
        requests,
        np.empty((QUEUES, count), np.int64),
        zeros(Chain, CHAINS),
        zeros(Entry, count if run["users"] or run["causal"] else 0),
        zeros(Entry, min(count, int(run["max_num_seqs"]))),
        np.zeros(int(run["block_size"]), np.int64),
        extras,
    )
