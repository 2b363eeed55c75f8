"""The routes that go to the engine: one row each says all that the gateway must know of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gateway import error_form, grammar, prompt_texts, sequences
from gateway.error_form import ErrorForm
from gateway.grammar import Grammar
from gateway.grammar_of_messages import MESSAGES as MESSAGES_GRAMMAR
from gateway.grammar_of_responses import RESPONSES as RESPONSES_GRAMMAR
from gateway.lenient import boolean
from gateway.outcome import Route
from gateway.prompt_texts import Body
from gateway.refusal import Refusal, invalid
from gateway.sequences import Sequences


def _in_background(fields: Body) -> Refusal | None:
    """Such an answer is made behind its request's end, when its slot would be another's."""
    if boolean(fields.get("background")):
        return invalid("Responses in the background are not served.", "background")
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One path. grammar: of its answers; errors: the form of ours; texts: what a prompt is made of.

    sequences: how many slots a request takes; longest: the fields that bound an answer, the first one that is
    there counts, none where nothing is generated. takes_slots: False for what only counts. usage_option:
    whether a stream tells its usage only where `stream_options` ask for it. no: what is wrong with a body,
    though the engine would take it; None where nothing can be.
    """

    route: Route
    path: bytes
    texts: Callable[[Body], Iterable[object]]
    sequences: Callable[[Body], Sequences]
    longest: tuple[str, ...] = ()
    grammar: Grammar = grammar.COMPLETION
    errors: ErrorForm = error_form.OPENAI
    takes_slots: bool = True
    usage_option: bool = False
    no: Callable[[Body], Refusal | None] | None = None

    @property
    def generates(self) -> bool:
        """Whether there is an answer that gets longer, and may be streamed."""
        return bool(self.longest)


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
RESPONSES = Served(
    Route.RESPONSES,
    b"/v1/responses",
    prompt_texts.of_response,
    sequences.of_one,
    longest=("max_output_tokens",),
    grammar=RESPONSES_GRAMMAR,
    errors=error_form.RESPONSES,
    no=_in_background,
)
MESSAGES = Served(
    Route.MESSAGES,
    b"/v1/messages",
    prompt_texts.of_message,
    sequences.of_one,
    longest=("max_tokens",),
    grammar=MESSAGES_GRAMMAR,
    errors=error_form.ANTHROPIC,
)
COUNT_TOKENS = Served(
    Route.COUNT_TOKENS,
    b"/v1/messages/count_tokens",
    prompt_texts.of_message,
    sequences.of_one,
    grammar=grammar.COUNTED,
    errors=error_form.ANTHROPIC,
    takes_slots=False,
)
EMBEDDINGS = Served(
    Route.EMBEDDINGS,
    b"/v1/embeddings",
    prompt_texts.of_embeddings,
    sequences.of_embeddings,
    grammar=grammar.POOLED,
)
RERANK = Served(
    Route.RERANK, b"/v1/rerank", prompt_texts.of_rerank, sequences.of_rerank, grammar=grammar.POOLED
)
SCORE = Served(Route.SCORE, b"/v1/score", prompt_texts.of_score, sequences.of_score, grammar=grammar.POOLED)
TOKENIZE = Served(
    Route.TOKENIZE,
    b"/tokenize",
    prompt_texts.of_tokenize,
    sequences.of_one,
    grammar=grammar.COUNTED,
    takes_slots=False,
)
DETOKENIZE = Served(
    Route.DETOKENIZE,
    b"/detokenize",
    prompt_texts.of_detokenize,
    sequences.of_one,
    grammar=grammar.COUNTED,
    takes_slots=False,
)

SERVED = (
    *(CHAT, COMPLETIONS, RESPONSES, MESSAGES, COUNT_TOKENS),
    *(EMBEDDINGS, RERANK, SCORE, TOKENIZE, DETOKENIZE),
)
ALIASES = (
    replace(RERANK, path=b"/rerank"),
    replace(RERANK, path=b"/v2/rerank"),
    replace(SCORE, path=b"/score"),
)
"""Other paths of the same; the engine is asked at the one that the client asked."""
BY_PATH = {served.path: served for served in (*SERVED, *ALIASES)}
BY_ROUTE = {served.route: served for served in SERVED}
