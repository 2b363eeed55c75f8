"""What a request has really taken, in tokens, when it ends: by the engine's usage, else by what is known."""

from gateway import chunk
from gateway.call import Call
from gateway.lane_book import KnownLane
from gateway.outcome import Outcome
from gateway.relay import Relay
from gateway.ticket import BYTES_PER_TOKEN, Ticket

_UNSERVED = frozenset((Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_OVERLOADED, Outcome.INVALID))
"""Ends in which the engine has done nothing, where no piece of an answer came."""


def taken(ticket: Ticket, call: Call, lane: KnownLane, relay: Relay | None, now_s: float) -> float:
    """Tokens of prompt and output that a request of `lane` has taken at its end; its counts learn of them."""
    sent_s = call.dispatched_s
    if sent_s is None:
        return 0.0  # the engine never heard of it
    lasted_s = now_s - sent_s
    usage = None if relay is None else relay.usage
    if type(usage) is not dict:
        return _without_usage(ticket, call, lane, relay, lasted_s)
    output, prompt = usage.get("completion_tokens"), usage.get("prompt_tokens")
    if type(output) is not int or output < 0:
        output = chunk.count(output)
        if output is None:
            return _without_usage(ticket, call, lane, relay, lasted_s)
    if type(prompt) is not int or prompt < 0:
        prompt = chunk.count(prompt) or ticket.request.prompt_bytes // BYTES_PER_TOKEN
    # What generates nothing says nothing of how long answers get.
    lane.counts.answered(prompt, output, ticket.slots if output else 0, lasted_s)
    return prompt + output


def _without_usage(
    ticket: Ticket, call: Call, lane: KnownLane, relay: Relay | None, lasted_s: float
) -> float:
    """Its client has left, it was cut short, the engine failed, or it tells no usage."""
    pieces = 0 if relay is None else relay.pieces
    if not pieces and call.outcome in _UNSERVED:
        return 0.0
    prompt = ticket.request.prompt_bytes / BYTES_PER_TOKEN
    if relay is not None and relay.streams:
        return prompt + pieces
    # Nobody sees how far the engine is with a whole answer: as far as others of the lane were by then.
    past = lane.counts
    if not past.completion_tokens or not past.sequence_s or call.outcome is Outcome.OK:
        return ticket.request.cost_tokens
    output = ticket.slots * lasted_s * past.completion_tokens / past.sequence_s
    return min(ticket.request.cost_tokens, prompt + output)
