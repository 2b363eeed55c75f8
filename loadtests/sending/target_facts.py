"""Questions to the target before the load starts: is it there, what is its model called, how
does it count tokens."""

from __future__ import annotations

from loadtests.planning.prompts import ONE_EACH, Messages, TokenCost, calibrate
from loadtests.reach.control import Control
from loadtests.reach.endpoint import UnreachableError


def model_name(control: Control, given: str) -> str:
    """The model to ask for: the given one, else the first of `/v1/models`. Also shows that
    the target is there.

    Raises UnreachableError, or ValueError when the target names no model.
    """
    status, answer = control.ask("GET", "/v1/models")
    if given:
        return given
    names = [entry.get("id") for entry in (answer or {}).get("data", [])] if isinstance(answer, dict) else []
    if not names:
        raise ValueError(f"model: the target names none (/v1/models answered {status}); give it with --model")
    return str(names[0])


def prompt_cost(control: Control, model: str) -> TokenCost:
    """Word costs measured with the target's `/tokenize`; one token a word where it has
    none or answers nonsense."""

    def count(messages: Messages) -> int:
        status, answer = control.ask("POST", "/tokenize", {"model": model, "messages": messages})
        if status != 200:
            raise LookupError(status)
        return int(answer["count"])

    try:
        return calibrate(count)
    except (LookupError, TypeError, ValueError, UnreachableError):
        return ONE_EACH
