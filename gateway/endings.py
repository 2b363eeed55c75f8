"""The answers to requests that end before the engine has answered: one place for all their sentences."""

from gateway.call import Call, CancelReason
from gateway.lane_book import KnownLane
from gateway.limits import Limits
from gateway.outcome import Outcome
from gateway.refusal import Refusal, invalid, late
from gateway.ticket import State


def refused(state: State, limits: Limits, lane: KnownLane | None = None, binds: str | None = None) -> Refusal:
    """The answer to a ticket that ended in `state` without ever running. lane: its own, where there are some;
    binds: see `scarce`, None where all slots are busy.

    Raises AssertionError for a state in which nobody is refused.
    """
    slots = f"all {limits.max_active} slots are busy"
    binds = binds or slots
    match state:
        case State.REJECTED_FULL if lane is not None:
            text = f"The queue has no place left for {lane.name}: {binds}."
            return Refusal(Outcome.REJECTED_FULL, 429, text, "rate_limit_error", come_back=True)
        case State.OVER_BUDGET if lane is not None:
            text = f"{lane.name} has used its {lane.lane.tokens_per_min or 0:g} tokens per minute."
            return Refusal(Outcome.OVER_BUDGET, 429, text, "rate_limit_error", come_back=True)
        case State.REJECTED_FULL if binds != slots:
            text = f"{_begun(binds)}, and all {limits.queue_max} places in the queue are taken."
            return Refusal(Outcome.REJECTED_FULL, 429, text, "rate_limit_error", come_back=True)
        case State.REJECTED_FULL:
            text = f"All {limits.max_active} slots and all {limits.queue_max} places in the queue are taken."
            return Refusal(Outcome.REJECTED_FULL, 429, text, "rate_limit_error", come_back=True)
        case State.REJECTED_MODE:
            text = f"{_begun(binds)}."
            return Refusal(Outcome.REJECTED_MODE, 429, text, "rate_limit_error", come_back=True)
        case State.QUEUE_TIMEOUT:
            text = f"No slot came free within {limits.queue_timeout_s:g} s."
            if binds != slots:
                text = f"It did not get a slot within {limits.queue_timeout_s:g} s: {binds}."
            return Refusal(Outcome.QUEUE_TIMEOUT, 503, text, "server_overloaded", come_back=True)
        case State.DRAINING:
            return _stopping("The gateway is shutting down.")
    raise AssertionError(f"not a refusal: {state}")


def crowded(limits: Limits) -> Refusal:
    """The answer to one more that takes no slot, where there are many."""
    text = f"{limits.max_active + limits.queue_max} requests are counted already."
    return Refusal(Outcome.REJECTED_FULL, 429, text, "rate_limit_error", come_back=True)


def cancelled(call: Call, limits: Limits) -> Refusal:
    """The answer to a call that was cancelled while its client waits for one."""
    reason = call.cancel_reason or CancelReason.STOPPING  # no reason: uvicorn ends its tasks
    text = f"{reason.value[0].upper()}{reason.value[1:]}."
    match reason:
        case CancelReason.BODY:
            return invalid(text, status=408, close=True)
        case CancelReason.MALFORMED:
            return invalid(text, close=True)
        case CancelReason.STOPPING:
            return _stopping(text)
        case CancelReason.WHOLE if call.received_s is None:
            return invalid(text, status=408, close=True)
        case CancelReason.WHOLE if call.dispatched_s is None:
            return refused(State.QUEUE_TIMEOUT, limits)
        case CancelReason.FIRST_EVENT:
            return late(text, "upstream_first_token_timeout")
        case CancelReason.IDLE:
            return late(text, "upstream_idle_timeout")
    return late(text, "request_timeout")


def _begun(clause: str) -> str:
    return clause[0].upper() + clause[1:]


def _stopping(text: str) -> Refusal:
    return Refusal(Outcome.DRAINING, 503, text, "server_shutting_down", come_back=True)
