"""What a client is told when its request ends before the engine answered it: one place for every such
sentence.
"""

from gateway.call import Call, Cut
from gateway.limits import Limits
from gateway.outcome import Outcome
from gateway.refusal import Refusal, invalid, late
from gateway.ticket import State


def refused(state: State, limits: Limits) -> Refusal:
    """The answer to a ticket that ended in `state` without ever running."""
    match state:
        case State.REJECTED_FULL:
            said = f"All {limits.max_active} slots and all {limits.queue_max} places in the queue are taken."
            return Refusal(Outcome.REJECTED_FULL, 429, said, "rate_limit_error", come_back=True)
        case State.REJECTED_MODE:
            said = f"All {limits.max_active} slots are busy."
            return Refusal(Outcome.REJECTED_MODE, 429, said, "rate_limit_error", come_back=True)
        case State.EXPIRED:
            said = f"No slot came free within {limits.queue_timeout_s:g} s."
            return Refusal(Outcome.QUEUE_TIMEOUT, 503, said, "server_overloaded", come_back=True)
        case State.DRAINING:
            return _stopping("The gateway is shutting down.")
    raise AssertionError(f"not a refusal: {state}")


def cut_short(call: Call, limits: Limits) -> Refusal:
    """The answer to a call that was cut short, its client being there to hear it."""
    cut = call.cut or Cut.STOPPING  # cancelled by nobody we know: the server ends its tasks
    said = f"{cut.value[0].upper()}{cut.value[1:]}."
    match cut:
        case Cut.BODY:
            return invalid(said, status=408, close=True)
        case Cut.MALFORMED:
            return invalid(said, close=True)
        case Cut.STOPPING:
            return _stopping(said)
        case Cut.WHOLE if call.received_s is None:
            return invalid(said, status=408, close=True)
        case Cut.WHOLE if call.dispatched_s is None:
            return refused(State.EXPIRED, limits)
        case Cut.FIRST_EVENT:
            return late(said, "upstream_first_token_timeout")
        case Cut.IDLE:
            return late(said, "upstream_idle_timeout")
    return late(said, "request_timeout")


def _stopping(said: str) -> Refusal:
    return Refusal(Outcome.DRAINING, 503, said, "server_shutting_down", come_back=True)
