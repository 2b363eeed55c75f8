"""The twin's inner loop, compiled: what `reference` computes, the same operations in the same order, over
tables.

Read `reference` and `scheduler` first: structure and names are theirs, the reasons are told there, and
`tests/experiments/twin/test_core.py` holds the two equal bit for bit. Who waits for a slot, who waits in the
engine and who decodes are chains through the table of requests, since a request is in one of them at most.
Events that come in order of time by themselves are row numbers in `queues`, with a head and a tail.

Importing this module imports Numba; the first call of `play` compiles, or reads what an earlier process
compiled. It is one file because Numba asks only whether *this* file has changed since; of other modules it
holds nothing but the codes of outcomes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

from experiments.twin.simulated import (
    NOT_SENT,
    OK,
    QUEUE_TIMEOUT,
    REJECTED_FULL,
    REJECTED_MODE,
    UPSTREAM_TIMEOUT,
)
from experiments.twin.step_time import Law
from experiments.twin.tables import Chain, Entry, Extras, Integers, LoggedStep, Request, Run, Table

Function = TypeVar("Function", bound=Callable[..., object])

NONE = -1  # no request
# Where a request's ticket stands.
AHEAD, IN_LINE, RUNNING, OVER = range(4)
# Where its sequence stands in the engine.
OUTSIDE, WAITING, PREFILLING, DECODING, ENDED = range(5)
# Rows of `queues`.
INBOX, RELEASES, DEADLINES, COMPLETING, ABORTS = range(5)
# Rows of `chains`.
LINE, ADMISSIBLE, BATCH = range(3)
# What `play` answers.
PLAYED, NEVER_FITS, TIME_WENT_BACK = range(3)


def _jit(function: Function) -> Function:
    """Numba's `njit`, for what only compiled code calls.

    Without `fastmath` each operation is rounded by itself, as in Python: none is fused, none moved. Nothing
    here makes an array, so none is counted (`_nrt`): counting takes as long as all the rest.
    """
    inner = njit(error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return cast(Function, inner(function))


def _jit_for_python(function: Function, *, kept: bool) -> Function:
    """The same for what Python calls. `kept`: what is compiled, with all that it calls, stays on disk."""
    return cast(Function, njit(error_model="numpy", _nrt=False, cache=kept)(function))


@_jit
def _append(chain: Chain, requests: Table[Request], i: int) -> None:
    last = chain.last
    requests[i].before, requests[i].after = last, NONE
    if last == NONE:
        chain.first = i
    else:
        requests[last].after = i
    chain.last = i
    chain.size += 1


@_jit
def _prepend(chain: Chain, requests: Table[Request], i: int) -> None:
    first = chain.first
    requests[i].before, requests[i].after = NONE, first
    if first == NONE:
        chain.last = i
    else:
        requests[first].before = i
    chain.first = i
    chain.size += 1


@_jit
def _unchain(chain: Chain, requests: Table[Request], i: int) -> None:
    before, after = requests[i].before, requests[i].after
    if before == NONE:
        chain.first = after
    else:
        requests[before].after = after
    if after == NONE:
        chain.last = before
    else:
        requests[after].before = before
    chain.size -= 1


@_jit
def _put(heap: Table[Entry], requests: Table[Request], k: int, at: float, rank: int, item: int) -> None:
    entry = heap[k]
    entry.at, entry.rank, entry.item = at, rank, item
    requests[item].place = k


@_jit
def _rise(heap: Table[Entry], requests: Table[Request], k: int, at: float, rank: int, item: int) -> None:
    """Put an entry into the gap at `k`, or as far above it as it belongs."""
    while k > 0:
        up = (k - 1) // 2
        above = heap[up]
        if above.at < at or (above.at == at and above.rank < rank):
            break
        _put(heap, requests, k, above.at, above.rank, above.item)
        k = up
    _put(heap, requests, k, at, rank, item)


@_jit
def _remove(heap: Table[Entry], requests: Table[Request], size: int, k: int) -> None:
    """Take out the entry at `k` of `size`."""
    last = size - 1
    child = 2 * k + 1
    while child < last:
        one, other = heap[child], heap[child + 1]
        if child + 1 < last and (other.at < one.at or (other.at == one.at and other.rank < one.rank)):
            child += 1
            one = other
        _put(heap, requests, k, one.at, one.rank, one.item)
        k = child
        child = 2 * k + 1
    if k < last:
        _rise(heap, requests, k, heap[last].at, heap[last].rank, heap[last].item)


# ----------------------------------------------------------------------------------------- the times of steps


@_jit
def _duration_s(run: Run, decode: int, tokens: int, kv_tokens: int) -> float:
    over = tokens - run.knee_tokens
    time_s = run.base_s + run.per_decode_s * decode + run.per_kv_token_s * kv_tokens
    return time_s + run.per_token_s * over if over > 0 else time_s


@_jit
def _decode_run_s(run: Run, decode: int, kv_tokens: int, steps: int) -> float:
    first_s = _duration_s(run, decode, decode, kv_tokens)
    growth_s = run.per_kv_token_s * decode
    return steps * first_s + growth_s * (steps * (steps - 1) // 2)


@_jit
def _steps_to_reach(run: Run, decode: int, kv_tokens: int, span_s: float) -> int:
    if span_s <= 0:
        return 1
    first_s = _duration_s(run, decode, decode, kv_tokens)
    half = run.per_kv_token_s * decode / 2
    if half <= 0:
        steps = math.ceil(min(span_s / first_s, 1e18))
    else:
        linear = first_s - half
        steps = math.ceil((math.sqrt(linear * linear + 4 * half * span_s) - linear) / (2 * half))
    if steps > 1 and _decode_run_s(run, decode, kv_tokens, steps - 1) >= span_s:
        return steps - 1
    return steps if _decode_run_s(run, decode, kv_tokens, steps) >= span_s else steps + 1


@_jit
def _one_s(run: Run, law: Law | None, tokens: int) -> float:
    """Seconds of the step that was decided, by `StepTime` or by a law of somebody's own."""
    if law is None:
        return _duration_s(run, run.decode, tokens, run.kv_tokens)
    return law.duration_s(law.state, run.begin_s, run.decode, tokens, run.kv_tokens)


@_jit
def _several_s(run: Run, law: Law | None, steps: int) -> float:
    if law is None:
        return _decode_run_s(run, run.decode, run.kv_tokens, steps)
    return law.decode_run_s(law.state, run.begin_s, run.decode, run.kv_tokens, steps)


@_jit
def _enough(run: Run, law: Law | None, span_s: float) -> int:
    if law is None:
        return _steps_to_reach(run, run.decode, run.kv_tokens, span_s)
    return law.steps_to_reach(law.state, run.begin_s, run.decode, run.kv_tokens, span_s)


# ------------------------------------------------------------------------------------------------- the engine


@_jit
def _blocks(run: Run, tokens: int) -> int:
    return -(-tokens // run.block_size)


@_jit
def _target(request: Request) -> int:
    return request.prompt_tokens + request.output_tokens - request.to_go


@_jit
def _join(
    run: Run, requests: Table[Request], chains: Table[Chain], ends: Table[Entry], phase: Integers, i: int
) -> None:
    request = requests[i]
    request.sequence = DECODING
    request.joined = run.clock
    run.joins += 1
    _append(chains[BATCH], requests, i)
    _rise(ends, requests, run.ends, float(run.clock + request.to_go), run.joins, i)
    run.ends += 1
    run.kv_context += request.context
    phase[(request.context - run.clock) % run.block_size] += 1


@_jit
def _quit(
    run: Run, requests: Table[Request], chains: Table[Chain], ends: Table[Entry], phase: Integers, i: int
) -> None:
    """The scheduler's `_leave`."""
    request = requests[i]
    _unchain(chains[BATCH], requests, i)
    _remove(ends, requests, run.ends, request.place)
    run.ends -= 1
    context = request.context + run.clock - request.joined
    run.kv_context -= context
    phase[(context - run.clock) % run.block_size] -= 1
    run.free_blocks += _blocks(run, context)


@_jit
def _preempt_last(
    run: Run, requests: Table[Request], chains: Table[Chain], ends: Table[Entry], phase: Integers
) -> None:
    i = run.prefilling
    if i != NONE:
        run.prefilling = NONE
        run.free_blocks += requests[i].blocks
    else:
        i = chains[BATCH].last
        _quit(run, requests, chains, ends, phase, i)
        requests[i].to_go -= run.clock - requests[i].joined
    requests[i].context = requests[i].blocks = 0
    requests[i].sequence = WAITING
    _prepend(chains[ADMISSIBLE], requests, i)
    run.preemptions += 1


@_jit
def _make_room(
    run: Run, requests: Table[Request], chains: Table[Chain], ends: Table[Entry], phase: Integers
) -> bool:
    before = run.preemptions
    while chains[BATCH].size > 0 or run.prefilling != NONE:
        needed = phase[-run.clock % run.block_size]
        if run.prefilling != NONE:
            part = requests[run.prefilling]
            rest = min(_target(part) - part.context, run.max_num_batched_tokens - chains[BATCH].size)
            needed += _blocks(run, part.context + rest) - part.blocks
        if needed <= run.free_blocks:
            break
        _preempt_last(run, requests, chains, ends, phase)
    return run.preemptions > before


@_jit
def _can_admit(run: Run, requests: Table[Request], chains: Table[Chain]) -> bool:
    running = chains[BATCH].size + (1 if run.prefilling != NONE else 0) + run.completing
    if chains[ADMISSIBLE].size == 0 or running >= run.max_num_seqs:
        return False
    return _blocks(run, _target(requests[chains[ADMISSIBLE].first])) <= run.free_blocks


@_jit
def _compute_prompt(run: Run, requests: Table[Request], queues: Integers, i: int, budget: int) -> int:
    request = requests[i]
    used = min(_target(request) - request.context, budget)
    request.context += used
    blocks = _blocks(run, request.context)
    run.free_blocks -= blocks - request.blocks
    request.blocks = blocks
    request.sequence = PREFILLING
    if request.context == _target(request):
        queues[COMPLETING, run.completing] = i
        run.completing += 1
        run.prefilling = NONE
    else:
        run.prefilling = i
    return used


@_jit
def _begin(
    run: Run,
    requests: Table[Request],
    queues: Integers,
    chains: Table[Chain],
    ends: Table[Entry],
    phase: Integers,
) -> bool:
    """Decide the next step, into `decode` to `pairs`; False when there is nothing to do."""
    slot = -run.clock % run.block_size
    preempted = False
    if phase[slot] > run.free_blocks or run.prefilling != NONE:
        preempted = _make_room(run, requests, chains, ends, phase)
    run.free_blocks -= phase[slot]
    run.decode = chains[BATCH].size
    run.kv_tokens = run.kv_context + run.decode
    run.pairs = 0
    budget = whole = run.max_num_batched_tokens - run.decode
    i = run.prefilling
    while i != NONE or (budget > 0 and not preempted and _can_admit(run, requests, chains)):
        if i == NONE:
            i = chains[ADMISSIBLE].first
            _unchain(chains[ADMISSIBLE], requests, i)
        used = _compute_prompt(run, requests, queues, i, budget)
        budget -= used
        run.kv_tokens += requests[i].context
        run.pairs += used * (2 * requests[i].context - used) // 2
        i = NONE
    run.prefill_tokens = whole - budget
    return run.decode > 0 or budget != whole


@_jit
def _blocks_taken(run: Run, chains: Table[Chain], phase: Integers, steps: int) -> int:
    size = run.block_size
    rounds, rest = (steps - 1) // size, (steps - 1) % size
    start = (-run.clock - rest) % size
    taken = rounds * chains[BATCH].size
    for k in range(start, start + rest):
        taken += phase[k if k < size else k - size]
    return taken


@_jit
def _steps_ahead(run: Run, chains: Table[Chain], ends: Table[Entry], phase: Integers) -> int:
    steps = int(ends[0].at) - run.clock
    decoding = chains[BATCH].size
    if run.free_blocks >= (steps // run.block_size + 1) * decoding:
        return steps
    while steps > 1 and _blocks_taken(run, chains, phase, steps) > run.free_blocks:
        steps = max(1, min(steps - 1, run.free_blocks // max(1, decoding) * run.block_size))
    return steps


@_jit
def _answer(run: Run, requests: Table[Request], queues: Integers, i: int, at_client_s: float) -> None:
    """Its last token is on the way to the client."""
    requests[i].sequence = ENDED
    requests[i].answered_s = at_client_s
    queues[RELEASES, run.releases_tail] = i
    run.releases_tail += 1
    run.taken_s += run.end_work_s


@_jit
def _abort(
    run: Run, requests: Table[Request], chains: Table[Chain], ends: Table[Entry], phase: Integers, i: int
) -> None:
    request = requests[i]
    if request.sequence == WAITING:
        _unchain(chains[ADMISSIBLE], requests, i)
    elif request.sequence == PREFILLING:
        run.prefilling = NONE
        run.free_blocks += request.blocks
    elif request.sequence == DECODING:
        _quit(run, requests, chains, ends, phase, i)
    request.sequence = ENDED


@_jit
def _note(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], log: Table[LoggedStep]
) -> None:
    """Write the steps that are over into the next row of the log; what does not fit is left out."""
    if run.logged < len(log):
        step = log[run.logged]
        step.end_s, step.count, step.decoded = run.now_s, run.count, chains[BATCH].size
        step.context = run.kv_context + step.decoded
        step.ended = -run.releases_tail
        for k in range(run.completing):
            request = requests[queues[COMPLETING, k]]
            if math.isnan(request.first_s):
                step.first += 1
                step.prompt += request.prompt_tokens
                step.pairs += request.prompt_tokens * request.prompt_tokens / 2
    run.logged += 1


@_jit
def _finish(
    run: Run,
    requests: Table[Request],
    queues: Integers,
    chains: Table[Chain],
    ends: Table[Entry],
    phase: Integers,
    log: Table[LoggedStep] | None,
) -> None:
    """The running steps are over."""
    steps = run.count
    if log is not None:
        _note(run, requests, queues, chains, log)
    at_client_s = run.now_s + run.egress_s
    for k in range(run.completing):
        request = requests[queues[COMPLETING, k]]
        if math.isnan(request.first_s):
            request.first_s = at_client_s
    if steps > 1:
        run.free_blocks -= _blocks_taken(run, chains, phase, steps)
    run.clock += steps
    run.kv_context += steps * chains[BATCH].size
    while run.ends > 0 and ends[0].at <= run.clock:
        i = ends[0].item
        _quit(run, requests, chains, ends, phase, i)
        _answer(run, requests, queues, i, at_client_s)
    for k in range(run.completing):
        i = queues[COMPLETING, k]
        requests[i].to_go -= 1
        if requests[i].to_go:
            _join(run, requests, chains, ends, phase, i)
        else:
            run.free_blocks += requests[i].blocks
            _answer(run, requests, queues, i, at_client_s)
    run.completing = 0
    if log is not None and run.logged <= len(log):
        log[run.logged - 1].ended += run.releases_tail
    for k in range(run.aborts):
        _abort(run, requests, chains, ends, phase, queues[ABORTS, k])
    run.aborts = 0


# ------------------------------------------------------------------------------------------------ the gateway


@_jit
def _advance(run: Run, chains: Table[Chain]) -> None:
    """The admission's time integrals, brought to now."""
    elapsed_s = run.now_s - run.advanced_s
    if elapsed_s < 0:
        run.went_back = 1
    run.advanced_s = run.now_s
    queued = chains[LINE].size
    run.active_seconds += run.active * elapsed_s
    run.queue_seconds += queued * elapsed_s
    if queued and queued >= run.queue_max:
        run.queue_full_seconds += elapsed_s


@_jit
def _grant(run: Run, requests: Table[Request], queues: Integers, i: int) -> None:
    requests[i].ticket = RUNNING
    requests[i].granted_s = run.now_s
    run.active += 1
    queues[INBOX, run.inbox_tail] = i
    run.inbox_tail += 1
    run.taken_s += run.arrival_work_s


@_jit
def _hand_over(run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain]) -> None:
    while chains[LINE].size > 0 and run.active < run.max_active:
        i = chains[LINE].last if run.newest_first else chains[LINE].first
        _unchain(chains[LINE], requests, i)
        _grant(run, requests, queues, i)


@_jit
def _follow(run: Run, requests: Table[Request], users: Table[Entry], i: int) -> None:
    while i != NONE:
        requests[i].waits -= 1
        if not requests[i].waits:
            due_s = max(requests[i].due_s, run.now_s + requests[i].think_s)
            _rise(users, requests, run.free_users, due_s, i, i)
            run.free_users += 1
        i = requests[i].sibling


@_jit
def _end(run: Run, requests: Table[Request], users: Table[Entry], i: int) -> None:
    requests[i].ticket = OVER
    if requests[i].outcome == OK:
        requests[i].last_s = run.now_s
    if run.users > 0 and run.dealt < len(requests):
        sends_s = run.now_s + requests[run.dealt].think_s
        _rise(users, requests, run.free_users, sends_s, run.dealt, run.dealt)
        run.free_users += 1
        run.dealt += 1
    if run.causal and requests[i].outcome == OK:
        _follow(run, requests, users, requests[i].child)


@_jit
def _release(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry], i: int
) -> None:
    _advance(run, chains)
    run.active -= 1
    _end(run, requests, users, i)
    _hand_over(run, requests, queues, chains)


@_jit
def _expire(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry]
) -> None:
    _advance(run, chains)
    while chains[LINE].size > 0 and run.now_s >= _patience_s(run, requests, chains):
        i = chains[LINE].first
        _unchain(chains[LINE], requests, i)
        requests[i].outcome = QUEUE_TIMEOUT
        _end(run, requests, users, i)
    _hand_over(run, requests, queues, chains)


@_jit
def _time_out(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry], i: int
) -> None:
    if requests[i].ticket == RUNNING:
        if requests[i].sequence != OUTSIDE:
            queues[ABORTS, run.aborts] = i
            run.aborts += 1
        requests[i].outcome = UPSTREAM_TIMEOUT
        _release(run, requests, queues, chains, users, i)
    elif requests[i].ticket == IN_LINE:
        _advance(run, chains)
        _unchain(chains[LINE], requests, i)
        _hand_over(run, requests, queues, chains)
        requests[i].outcome = QUEUE_TIMEOUT
        _end(run, requests, users, i)


@_jit
def _arrive(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry]
) -> None:
    i = run.sent
    run.sent += 1
    if run.users > 0 or run.causal:
        i = users[0].item
        _remove(users, requests, run.free_users, requests[i].place)
        run.free_users -= 1
        requests[i].due_s = run.now_s
    _advance(run, chains)
    if chains[LINE].size == 0 and run.active < run.max_active:
        _grant(run, requests, queues, i)
    elif run.reject:
        requests[i].outcome = REJECTED_MODE
        _end(run, requests, users, i)
        return
    elif chains[LINE].size >= run.queue_max:
        requests[i].outcome = REJECTED_FULL
        _end(run, requests, users, i)
        return
    else:
        requests[i].ticket = IN_LINE
        _append(chains[LINE], requests, i)
    run.peak_active = max(run.peak_active, run.active)
    run.peak_queue = max(run.peak_queue, chains[LINE].size)
    queues[DEADLINES, run.deadlines_tail] = i
    run.deadlines_tail += 1


# ---------------------------------------------------------------------------------------------------- the run


@_jit
def _patience_s(run: Run, requests: Table[Request], chains: Table[Chain]) -> float:
    """When the longest waiter's patience ends."""
    first = chains[LINE].first
    return math.inf if first == NONE else requests[first].due_s + run.queue_timeout_s


@_jit
def _arrival_s(run: Run, requests: Table[Request], users: Table[Entry]) -> float:
    due_s = math.inf
    if run.users > 0 or run.causal:
        if run.free_users > 0:
            due_s = users[0].at
    elif run.sent < len(requests):
        due_s = requests[run.sent].due_s
    return due_s if due_s < run.until_s else math.inf


@_jit
def _inbox_s(run: Run, requests: Table[Request], queues: Integers) -> float:
    if run.inbox_head == run.inbox_tail:
        return math.inf
    return requests[queues[INBOX, run.inbox_head]].granted_s + run.ingest_s


@_jit
def _release_s(run: Run, requests: Table[Request], queues: Integers) -> float:
    if run.releases_head == run.releases_tail:
        return math.inf
    return requests[queues[RELEASES, run.releases_head]].answered_s


@_jit
def _deadline_s(run: Run, requests: Table[Request], queues: Integers) -> float:
    if run.deadlines_head == run.deadlines_tail:
        return math.inf
    return requests[queues[DEADLINES, run.deadlines_head]].due_s + run.request_timeout_s


@_jit
def _next_s(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry]
) -> float:
    next_s = min(
        _arrival_s(run, requests, users), _inbox_s(run, requests, queues), _release_s(run, requests, queues)
    )
    if run.active >= run.max_active:
        next_s = min(next_s, _patience_s(run, requests, chains))
    while True:
        deadline_s = _deadline_s(run, requests, queues)
        if deadline_s >= next_s:
            return next_s
        ticket = requests[queues[DEADLINES, run.deadlines_head]].ticket
        if ticket in (RUNNING, IN_LINE):
            return deadline_s
        run.deadlines_head += 1


@_jit
def _play_one(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry]
) -> int:
    """The one event that is due now."""
    now_s = run.now_s
    if _release_s(run, requests, queues) <= now_s:
        i = queues[RELEASES, run.releases_head]
        run.releases_head += 1
        if requests[i].ticket == RUNNING:  # else it timed out while its last token was on the way
            requests[i].outcome = OK
            _release(run, requests, queues, chains, users, i)
    elif _inbox_s(run, requests, queues) <= now_s:
        i = queues[INBOX, run.inbox_head]
        run.inbox_head += 1
        request = requests[i]
        if request.ticket == RUNNING:
            total = request.prompt_tokens + request.output_tokens
            if total > run.max_model_len or _blocks(run, total) > run.num_gpu_blocks:
                return NEVER_FITS
            request.sequence = WAITING
            _append(chains[ADMISSIBLE], requests, i)
    elif _patience_s(run, requests, chains) <= now_s:
        _expire(run, requests, queues, chains, users)
    elif _deadline_s(run, requests, queues) <= now_s:
        run.deadlines_head += 1
        _time_out(run, requests, queues, chains, users, queues[DEADLINES, run.deadlines_head - 1])
    else:
        _arrive(run, requests, queues, chains, users)
    return TIME_WENT_BACK if run.went_back else PLAYED


@_jit
def _take(run: Run) -> float:
    taken_s = run.taken_s
    run.taken_s = 0.0
    run.busy_s += taken_s
    return taken_s


@_jit
def _undisturbed_until_s(
    run: Run, requests: Table[Request], queues: Integers, chains: Table[Chain], users: Table[Entry]
) -> float:
    until_s = min(_inbox_s(run, requests, queues), _deadline_s(run, requests, queues))
    released_s = _release_s(run, requests, queues)
    if released_s < math.inf and (chains[LINE].size > 0 or run.causal):
        until_s = min(until_s, released_s + run.lead_s)
    if released_s < math.inf or run.active < run.max_active:
        until_s = min(until_s, _arrival_s(run, requests, users) + run.lead_s)
    return until_s


@_jit
def _length_s(
    run: Run,
    requests: Table[Request],
    queues: Integers,
    chains: Table[Chain],
    users: Table[Entry],
    ends: Table[Entry],
    phase: Integers,
    law: Law | None,
) -> float:
    """How many steps like this one are taken together, into `count`, and their seconds."""
    run.count = 1
    if run.prefill_tokens:
        attention_s = run.per_pair_s * run.pairs
        return _one_s(run, law, run.decode + run.prefill_tokens) + attention_s
    ahead = _steps_ahead(run, chains, ends, phase)
    if ahead > 1:
        whole_s = _several_s(run, law, ahead)
        free_s = _undisturbed_until_s(run, requests, queues, chains, users) - run.begin_s
        if whole_s <= free_s:
            run.count = ahead
            return whole_s
        ahead = min(ahead, _enough(run, law, free_s))
    run.count = ahead
    return _several_s(run, law, ahead)


@_jit
def _ready(run: Run, requests: Table[Request], chains: Table[Chain], users: Table[Entry]) -> None:
    """The state before the first event."""
    for k in range(len(chains)):
        chains[k].first = chains[k].last = NONE
    run.lead_s = 0.0 if run.arrival_work_s else run.ingest_s
    run.free_blocks = run.num_gpu_blocks
    run.prefilling = NONE
    for i in range(len(requests)):
        request = requests[i]
        request.granted_s = request.first_s = request.last_s = math.nan
        request.outcome = NOT_SENT
        request.to_go = request.output_tokens
    run.dealt = run.free_users = min(run.users, len(requests))
    for i in range(run.dealt):
        _put(users, requests, i, 0.0, i, i)
    if run.causal:
        for i in range(len(requests)):
            if not requests[i].waits:
                _put(users, requests, run.free_users, requests[i].due_s, i, i)
                run.free_users += 1


def _play(
    runs: Table[Run],
    requests: Table[Request],
    queues: Integers,
    chains: Table[Chain],
    users: Table[Entry],
    ends: Table[Entry],
    phase: Integers,
    extras: Extras,
) -> int:
    """Play all events; PLAYED, or why not: then the tables hold nothing of use.

    Args:
        runs: one row. Like all tables zero but for what goes in.
        requests: (n,).
        queues: (5, n). chains: (3,). users, ends: (n,) each. phase: (block_size,).
        extras: a law and a log, where they are wanted.
    """
    law, log = extras.law, extras.log
    run = runs[0]
    _ready(run, requests, chains, users)
    stepping, step_end_s = False, math.inf
    while True:
        event_s = _next_s(run, requests, queues, chains, users)
        if event_s <= step_end_s and event_s < math.inf:
            run.now_s = event_s
            failed = _play_one(run, requests, queues, chains, users)
            if failed:
                return failed
            if stepping:
                step_end_s += _take(run)
                continue
            run.taken_s = 0.0
            if _next_s(run, requests, queues, chains, users) <= event_s:
                continue
        elif stepping:
            run.now_s = step_end_s
            _finish(run, requests, queues, chains, ends, phase, log)
        else:
            break
        stepping = _begin(run, requests, queues, chains, ends, phase)
        if stepping:
            run.begin_s = run.now_s + _take(run)
            length_s = _length_s(run, requests, queues, chains, users, ends, phase, law)
            step_end_s = run.begin_s + length_s
            run.busy_s += length_s
            run.steps += run.count
        else:
            step_end_s = math.inf
            run.taken_s = 0.0
    _advance(run, chains)
    return TIME_WENT_BACK if run.went_back else PLAYED


play = _jit_for_python(_play, kept=True)
"""`_play` without a law."""
play_by_law = _jit_for_python(_play, kept=False)
"""`_play` with one: compiled anew in every process, since a law is a part of it."""
