"""The routes that go to the engine: one row each says all that the gateway must know of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway import prompt_texts, sequences
from gateway.error_form import OPENAI, ErrorForm
from gateway.grammar import COMPLETION, Grammar
from gateway.outcome import Route
from gateway.prompt_texts import Body
from gateway.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One path. grammar: of its answers; errors: the form of ours; texts: what a prompt is made of.

    sequences: how many slots a request takes; longest: the fields that bound an answer, the first one that is
    there counts. usage_option: whether a stream tells its usage only where `stream_options` ask for it.
    """

    route: Route
    path: bytes
    texts: Callable[[Body], Iterable[object]]
    sequences: Callable[[Body], Sequences]
    longest: tuple[str, ...] = ()
    grammar: Grammar = COMPLETION
    errors: ErrorForm = OPENAI
    usage_option: bool = False


CHAT = Served(
    Route.CHAT,
    b"/v1/chat/completions",
    prompt_texts.of_chat,
    sequences.of_chat,
    longest=("max_completion_tokens", "max_tokens"),
    usage_option=True,
)
COMPLETIONS = Served(
    Route.COMPLETIONS,
    b"/v1/completions",
    prompt_texts.of_completion,
    sequences.of_completion,
    longest=("max_completion_tokens", "max_tokens"),
    usage_option=True,
)

SERVED = (CHAT, COMPLETIONS)
BY_PATH = {served.path: served for served in SERVED}
BY_ROUTE = {served.route: served for served in SERVED}
