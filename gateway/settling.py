"""What a request has really taken, in tokens, when it ends: by the engine's usage, else by what is known."""

import time

from gateway import chunk
from gateway.call import Call
from gateway.lane_book import KnownLane
from gateway.outcome import Outcome
from gateway.relay import NO_USAGE, Relay
from gateway.ticket import BYTES_PER_TOKEN, Ticket

_OK = Outcome.OK
_UNSERVED = frozenset((Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_OVERLOADED, Outcome.INVALID))
"""Ends in which the engine has done nothing, where no piece of an answer came."""


def taken(ticket: Ticket, call: Call, lane: KnownLane, relay: Relay | None) -> float:
    """Tokens of prompt and output that a request of `lane` has taken, which learns from it. Once for each."""
    usage = NO_USAGE if relay is None else relay.usage
    output = chunk.count(usage.get("completion_tokens")) if usage else None
    now_s = time.monotonic()
    if output is None:
        return _without_usage(ticket, call, lane, relay, now_s)
    prompt = chunk.count(usage.get("prompt_tokens"))
    lane.counts.prompt_tokens += prompt or 0
    lane.counts.completion_tokens += output
    if prompt is None:
        prompt = ticket.request.prompt_bytes // BYTES_PER_TOKEN
    if call.outcome is _OK and call.dispatched_s is not None and now_s > call.dispatched_s:
        lane.cost.learn(output / ticket.slots, now_s - call.dispatched_s)
    return prompt + output


def _without_usage(ticket: Ticket, call: Call, lane: KnownLane, relay: Relay | None, now_s: float) -> float:
    """Its client has left, it was cut short, the engine failed, or it tells no usage."""
    pieces = 0 if relay is None else relay.pieces
    if call.dispatched_s is None or (not pieces and call.outcome in _UNSERVED):
        return 0.0
    prompt = ticket.request.prompt_bytes / BYTES_PER_TOKEN
    if relay is not None and relay.streams:
        return prompt + pieces
    # Nobody sees how far the engine is with a whole answer: as far as others of the lane were by then.
    per_s = lane.cost.tokens_per_s
    if per_s is None or call.outcome is _OK:
        return ticket.request.cost_tokens
    return min(ticket.request.cost_tokens, prompt + ticket.slots * per_s * (now_s - call.dispatched_s))
