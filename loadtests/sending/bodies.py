"""Request bodies: an arrival of the plan as the JSON that is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import orjson

from loadtests.planning.arrival import Arrival
from loadtests.planning.optional_fields import ALL_FIELDS, AnswerLengths, OptionalFields, UsageFields
from loadtests.planning.prompts import Messages, TokenCost, words

_AHEAD_BYTES = 64 * 2**20


def chat_body(
    model: str,
    messages: Messages,
    output_tokens: int,
    *,
    chunk_usage: bool = False,
    fields: OptionalFields = ALL_FIELDS,
) -> bytes:
    """A streamed chat completion of exactly `output_tokens` tokens, whatever the model would say; with free
    lengths, of at most so many.

    chunk_usage: ask for the running token count in every chunk (vLLM knows it; others ignore it).
    """
    body: dict[str, object] = {"model": model, "messages": messages, "max_tokens": output_tokens}
    if fields.lengths is AnswerLengths.FORCED:
        body |= {"min_tokens": output_tokens, "ignore_eos": True}
    body |= {"temperature": 0, "stream": True}
    if fields.usage is UsageFields.ASKED:
        options = {"include_usage": True, **({"continuous_usage_stats": True} if chunk_usage else {})}
        body |= {"stream_options": options}
    return orjson.dumps(body)


class Bodies:
    """Makes bodies, ahead of time where memory allows, so that sending costs no prompt writing.

    `salt` makes the prompts of one run differ from those of another run of the same plan: without it the
    second cell of a sweep would find the first one's prompts in the engine's prefix cache.
    """

    def __init__(
        self,
        model: str,
        cost: TokenCost,
        *,
        salt: str,
        chunk_usage: bool,
        plan: Iterable[Arrival],
        fields: OptionalFields = ALL_FIELDS,
    ) -> None:
        self._model = model
        self._cost = cost
        self._salt = salt
        self._chunk_usage = chunk_usage
        self._fields = fields
        self._ready: dict[int, bytes] = {}
        self._sessions: dict[int, list[Arrival]] = defaultdict(list)
        for arrival in plan:
            if arrival.session >= 0:
                self._sessions[arrival.session].append(arrival)

    def prepare(self, arrivals: Iterable[Arrival]) -> int:
        """Make bodies ahead, in order, up to 64 MiB of them; returns how many."""
        used = 0
        for arrival in arrivals:
            if used > _AHEAD_BYTES:
                break
            self._ready[arrival.i] = self._make(arrival)
            used += len(self._ready[arrival.i])
        return len(self._ready)

    def prepare_one(self, arrival: Arrival) -> None:
        """Make this one ahead, in a moment when nothing is due."""
        if arrival.i not in self._ready:
            self._ready[arrival.i] = self._make(arrival)

    def take(self, arrival: Arrival) -> bytes:
        """The body; made now if it was not ahead of time."""
        return self._ready.pop(arrival.i, None) or self._make(arrival)

    def _make(self, arrival: Arrival) -> bytes:
        return chat_body(
            self._model,
            self._messages(arrival),
            arrival.output_tokens,
            chunk_usage=self._chunk_usage,
            fields=self._fields,
        )

    def _messages(self, arrival: Arrival) -> Messages:
        """One user message; in a session the earlier turns before it, with invented answers
        of the planned length."""
        earlier = (
            [a for a in self._sessions[arrival.session] if a.turn < arrival.turn] if arrival.turn else []
        )
        messages: Messages = []
        history = 0
        for turn in earlier:
            seed = f"{self._salt} {turn.prompt_seed}"
            messages.append({"role": "user", "content": self._user_text(turn, history)})
            answer = words(turn.output_tokens, f"{seed} answer", self._cost)
            messages.append({"role": "assistant", "content": answer})
            history = turn.prompt_tokens + turn.output_tokens
        messages.append({"role": "user", "content": self._user_text(arrival, history)})
        return messages

    def _user_text(self, arrival: Arrival, history: int) -> str:
        frame = self._cost.turn if history else self._cost.template
        own = max(1, arrival.prompt_tokens - history - frame)
        parts, left = [], own
        for seed, until in _shared(arrival) if history == 0 else ():
            tokens = min(until, own - 1) - (own - left)
            if tokens > 0:
                parts.append(words(tokens, f"{self._salt} {seed}", self._cost))
                left -= tokens
        parts.append(words(left, f"{self._salt} {arrival.prompt_seed}", self._cost))
        return " ".join(parts)


def _shared(arrival: Arrival) -> Iterator[tuple[str, int]]:
    """What the prompt begins with as others do: the seed of each text, and the tokens up to its end."""
    if arrival.prefix_tokens:
        yield f"group {arrival.prefix_group}", arrival.prefix_tokens
    for node, until in arrival.prefixes:
        yield f"prefix {node}", until
