"""The fields of a request body that the emulator reads, of the types that vLLM's own request classes have."""

from __future__ import annotations

import json
from typing import Annotated, Any, Self, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError

from experiments.twin import refusal
from experiments.twin.refusal import BadRequestError, of_value

TokenId = Annotated[int, Field(ge=0)]


class StreamOptions(BaseModel):
    """What a stream tells besides its tokens."""

    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class SamplingFields(BaseModel):
    """What both kinds of completion have in common; None where the default of the kind holds."""

    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    ignore_eos: bool = False
    min_tokens: int = 0

    @property
    def choices(self) -> int:
        """Answers to each prompt."""
        raise NotImplementedError

    def check_sampling(self, limit: int) -> None:
        """Refuse what vLLM's sampler cannot do; `limit`: the most tokens of an answer.

        Raises:
            BadRequestError: the first thing that it would find.
        """
        if self.choices < 1:
            raise BadRequestError(f"n must be at least 1, got {self.choices}.")
        for name in ("presence_penalty", "frequency_penalty"):
            penalty = getattr(self, name)
            if penalty is not None and not -2 <= penalty <= 2:
                raise BadRequestError(f"{name} must be in [-2, 2], got {penalty}.")
        self._check_distribution()
        if limit < 1:
            raise of_value(f"max_tokens must be at least 1, got {limit}.", "max_tokens", limit)
        if self.min_tokens < 0:
            raise BadRequestError(f"min_tokens must be greater than or equal to 0, got {self.min_tokens}.")
        if self.min_tokens > limit:
            raise BadRequestError(
                f"min_tokens must be less than or equal to max_tokens={limit}, got {self.min_tokens}."
            )
        if self.stop == "" or (isinstance(self.stop, list) and "" in self.stop):
            raise BadRequestError("stop cannot contain an empty string.")
        if self.choices > 1 and self.temperature == 0:
            raise BadRequestError(f"n must be 1 when using greedy sampling, got {self.choices}.")

    def _check_distribution(self) -> None:
        heat, mass = self.temperature, self.top_p
        if heat is not None and heat < 0:
            raise of_value(f"temperature must be non-negative, got {heat}.", "temperature", heat)
        if heat is not None and heat > 2:
            raise of_value(f"temperature must be in [0, 2], got {heat}.", "temperature", heat)
        if mass is not None and not 0 < mass <= 1:
            raise of_value(f"top_p must be in (0, 1], got {mass}.", "top_p", mass)


class ChatFields(SamplingFields):
    """Of /v1/chat/completions."""

    messages: list[Any]
    max_completion_tokens: int | None = None
    n: int | None = 1
    logprobs: bool | None = False
    top_logprobs: int | None = 0

    @property
    def choices(self) -> int:
        return 1 if self.n is None else self.n


class CompletionFields(SamplingFields):
    """Of /v1/completions."""

    prompt: list[TokenId] | list[list[TokenId]] | str | list[str] | None = None
    n: int = 1
    echo: bool | None = False
    suffix: str | None = None

    @property
    def choices(self) -> int:
        return self.n


class ResponseFields(SamplingFields):
    """Of /v1/responses."""

    input: str | list[dict[str, object]]
    instructions: str | None = None
    max_output_tokens: int | None = None

    @property
    def choices(self) -> int:
        return 1


class CountFields(BaseModel):
    """Of /v1/messages/count_tokens."""

    model: str
    messages: list[Any]
    system: str | list[Any] | None = None


class MessageFields(SamplingFields):
    """Of /v1/messages."""

    model: str
    messages: list[Any]
    max_tokens: int
    system: str | list[Any] | None = None

    @property
    def choices(self) -> int:
        return 1


class PooledFields(SamplingFields):
    """Of what answers with vectors and scores."""

    @property
    def choices(self) -> int:
        return 1


class EmbeddingFields(PooledFields):
    """Of /v1/embeddings."""

    input: list[TokenId] | list[list[TokenId]] | str | list[str]


class RerankFields(PooledFields):
    """Of /v1/rerank."""

    query: str
    documents: list[str]


class ScoreFields(PooledFields):
    """Of /v1/score: two sides, by one of the names that each has."""

    text_1: str | list[str] | None = None
    text_2: str | list[str] | None = None
    queries: str | list[str] | None = None
    documents: str | list[str] | None = None

    def sides(self) -> tuple[list[str], list[str]]:
        """Both. Raises BadRequestError where one is missing."""
        first = self.text_1 if self.queries is None else self.queries
        second = self.text_2 if self.documents is None else self.documents
        if first is None or second is None:
            raise BadRequestError("Field required: text_1 and text_2, or queries and documents.")
        return _listed(first), _listed(second)


def _listed(side: str | list[str]) -> list[str]:
    return [side] if isinstance(side, str) else side


class DetokenizeFields(BaseModel):
    """Of /detokenize."""

    model: str | None = None
    tokens: list[TokenId]


class TokenizeFields(BaseModel):
    """Of /tokenize: a text, or a chat."""

    model: str | None = None
    prompt: str | None = None
    messages: list[Any] | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        """As vLLM reads it, which has a class for each of the two.

        Raises:
            BadRequestError: with the status that vLLM answers.
        """
        asked = read(cls, body)
        if asked.prompt is None and asked.messages is None:
            given = asked.model_dump(exclude_unset=True)
            missing = ({"type": "missing", "loc": ("body", name), "msg": "Field required", "input": given}
                       for name in ("prompt", "messages"))  # fmt: skip
            raise refusal.of_fields([*missing])  # type: ignore[list-item] # as pydantic makes them
        return asked


Fields = TypeVar("Fields", bound=BaseModel)


def read(kind: type[Fields], body: bytes) -> Fields:
    """The body as these fields; others are left out, as vLLM does.

    Raises:
        BadRequestError: it is not JSON, or a field is missing or of another type.
    """
    asked = _json(body)
    if isinstance(asked, dict) and "messages" in asked and asked["messages"] is None and kind is ChatFields:
        raise BadRequestError("'NoneType' object is not iterable")
    if asked is None:
        raise refusal.of_fields(
            [{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}]
        )
    try:
        return kind.model_validate(asked, from_attributes=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        for fault in faults:
            fault["loc"] = ("body", *fault["loc"])
        raise refusal.of_fields(faults) from None


def _json(body: bytes) -> Any:
    """Parsed; None for an empty body."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)  # which also takes NaN
    except json.JSONDecodeError as error:
        raise refusal.not_json(error.pos, error.msg) from None
    except UnicodeDecodeError:
        raise BadRequestError("There was an error parsing the body") from None
