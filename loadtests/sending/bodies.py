"""Request bodies: an arrival of the plan as the JSON that is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

import orjson

from loadtests.planning.arrival import Arrival, Role
from loadtests.planning.causal import follows
from loadtests.planning.optional_fields import ALL_FIELDS, AnswerLengths, OptionalFields, UsageFields
from loadtests.planning.prompts import TokenCost, words

Conversation = list[dict[str, object]]
_AHEAD_BYTES = 64 * 2**20


def chat_body(
    model: str,
    messages: Sequence[Mapping[str, object]],
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
        self._quoted = _quoted(plan)

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

    def _messages(self, arrival: Arrival) -> Conversation:
        """What the request adds, behind the conversation that it quotes, with invented answers of the planned
        length."""
        said = [arrival]
        while (before := self._quoted.get(said[-1].i)) is not None:
            said.append(before)
        said.reverse()
        messages: Conversation = []
        history = 0
        for turn, following in zip_longest(said, said[1:]):
            messages.append(self._own(turn, history))
            if following is not None:
                messages.append(self._answer(turn, called=following.role == Role.TOOL))
                history = turn.prompt_tokens + turn.output_tokens
        return messages

    def _own(self, arrival: Arrival, history: int) -> dict[str, object]:
        text = self._own_text(arrival, history)
        if arrival.role == Role.TOOL:
            return {"role": "tool", "tool_call_id": _call_id(arrival.quotes), "content": text}
        return {"role": "user", "content": text}

    def _answer(self, arrival: Arrival, *, called: bool) -> dict[str, object]:
        """`called`: the answer called a tool. What it said costs the planned tokens, the call is short."""
        text = words(arrival.output_tokens, f"{self._salt} {arrival.prompt_seed} answer", self._cost)
        if not called:
            return {"role": "assistant", "content": text}
        function = {"name": "step", "arguments": "{}"}
        call = {"id": _call_id(arrival.i), "type": "function", "function": function}
        return {"role": "assistant", "content": text, "tool_calls": [call]}

    def _own_text(self, arrival: Arrival, history: int) -> str:
        # Behind a history come two messages, the answer and this one.
        around = self._cost.template if history == 0 else 2 * self._cost.per_message
        own = max(1, arrival.prompt_tokens - history - around)
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


def _call_id(i: int) -> str:
    """Nine digits, which every engine takes."""
    return f"{i % 10**9:09d}"


def _quoted(plan: Iterable[Arrival]) -> dict[int, Arrival]:
    """Number of a request → the one whose conversation it goes on. In plans of earlier versions, where none
    says so, that is the turn before it in its session."""
    arrivals = list(plan)
    if follows(arrivals):
        by_number = {arrival.i: arrival for arrival in arrivals}
        return {one.i: by_number[one.quotes] for one in arrivals if one.quotes in by_number}
    last: dict[int, Arrival] = {}
    quoted = {}
    for arrival in arrivals:
        if arrival.session >= 0:
            if arrival.session in last:
                quoted[arrival.i] = last[arrival.session]
            last[arrival.session] = arrival
    return quoted
