"""What a request asks of the engine, whichever its route: prompts in tokens, and answers of a length."""

from __future__ import annotations

import math
import random
import zlib
from dataclasses import dataclass

from experiments.twin.body_fields import SamplingFields
from experiments.twin.refusal import BadRequestError, of_value

NATURAL_LENGTH = (5.02, 0.86)  # lognormal; the outputs of the Azure 2023 conversation trace


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """One prompt, and the length at which each of its answers ends; tokens. `text`: what an echo repeats."""

    prompt_tokens: int
    output_tokens: int
    finish_reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides its answer. `choices`: answers to each prompt. `echo_only`: their text is the
    prompt alone."""

    model: str
    prompts: tuple[AskedPrompt, ...]
    choices: int
    stream: bool
    include_usage: bool
    usage_in_chunks: bool
    echo: bool = False
    echo_only: bool = False

    def prompt_of(self, index: int) -> AskedPrompt:
        """The prompt that the answer with this index belongs to."""
        return self.prompts[index // self.choices]

    @property
    def answers(self) -> int:
        """Answers to all prompts."""
        return len(self.prompts) * self.choices

    def usage(self) -> dict[str, int]:
        """Of the whole request."""
        prompt = sum(one.prompt_tokens for one in self.prompts)
        output = sum(one.output_tokens for one in self.prompts) * self.choices
        return {"prompt_tokens": prompt, "total_tokens": prompt + output, "completion_tokens": output}


def limit_of(given: int | None, default: int | None, prompt_tokens: int, max_model_len: int) -> int:
    """The most tokens of an answer: as asked for, or the default (None: what is left of the context), and
    never beyond the context.

    Raises:
        BadRequestError: the prompt leaves no room, or more is asked for than any prompt would leave.
    """
    if prompt_tokens > max_model_len:
        least = max_model_len + 1
        raise of_value(
            f"This model's maximum context length is {max_model_len} tokens. However, your prompt contains "
            f"at least {least} input tokens, which exceeds this limit even without any output tokens. Please "
            "reduce the length of the input prompt.",
            "input_tokens",
            least,
        )
    if given is not None and given > max_model_len:
        raise of_value(
            f"max_tokens={given} cannot be greater than max_model_len={max_model_len}. Please request fewer "
            "output tokens.",
            "max_tokens",
            given,
        )
    room = max_model_len - prompt_tokens
    wanted = given if given is not None else default
    return room if wanted is None else min(wanted, room)


def check_model(name: str | None, served: str) -> None:
    """Raise BadRequestError for another model than the one that is served; empty stands for it."""
    if name and name != served:
        raise BadRequestError(
            f"The model `{name}` does not exist. Valid aliases: {served}.", 404, "NotFoundError", "model"
        )


def check_stream_options(fields: SamplingFields) -> None:
    """Raise BadRequestError where they are given for an answer that is not streamed."""
    given = fields.stream_options
    if given is not None and given.model_fields_set and not fields.stream:
        raise of_value("Stream options can only be defined when `stream=True`.", "stream_options")


def asked_of(fields: SamplingFields, model: str, prompts: list[AskedPrompt], *, echo: bool = False) -> Asked:
    """The request, once its prompts are known."""
    options = fields.stream_options
    include = bool(options is not None and options.include_usage)
    return Asked(
        model=model,
        prompts=tuple(prompts),
        choices=fields.choices,
        stream=bool(fields.stream),
        include_usage=include,
        usage_in_chunks=include and bool(options is not None and options.continuous_usage_stats),
        echo=echo,
        echo_only=echo and fields.max_tokens == 0,
    )


def answered(
    fields: SamplingFields, prompt_tokens: int, limit: int, seed: bytes, text: str = ""
) -> AskedPrompt:
    """A prompt and how its answers end: at `limit` where `ignore_eos` is set; otherwise maybe before,
    at a length drawn from the seed (the same again for the same seed), never below `min_tokens`."""
    natural = limit if fields.ignore_eos else max(_natural_length(seed), fields.min_tokens, 1)
    reason = "stop" if natural < limit else "length"
    return AskedPrompt(prompt_tokens, min(limit, natural), reason, text)


def _natural_length(seed: bytes) -> int:
    """Where an answer would stop by itself, in tokens."""
    return max(1, math.ceil(random.Random(zlib.crc32(seed)).lognormvariate(*NATURAL_LENGTH)))
