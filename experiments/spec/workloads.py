"""Workloads of a sweep by name: `512x128` (prompts of 512 tokens, answers of 128) or a profile of the load
generator (`chat`, `code`, …), cut to what the engine's context holds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from loadtests.planning.load_class import LoadClass
from loadtests.planning.mix import Mix
from loadtests.planning.workloads import PROFILES, Lengths, fixed_lengths

_PROMPT_SHARE = 0.75
"""Of the context, for the longest prompt of a profile; the rest is for its answer."""
_TEMPLATE_TOKENS = 16


def parse(text: str) -> str:
    """The name as it is kept.

    Raises:
        ValueError: with a sentence naming the text and what is allowed.
    """
    name = text.strip().lower()
    if name in PROFILES or fixed_lengths(name) is not None:
        return name
    raise ValueError(
        f"workload {text!r}: write PROMPTxOUTPUT in tokens, such as 512x128, or one of {', '.join(PROFILES)}"
    )


def mix(name: str, context_tokens: int | None) -> Mix:
    """What its requests ask for, on an engine with that context (None: not known, nothing is cut)."""
    fixed = fixed_lengths(name)
    if fixed is not None:
        return Mix(prompt_tokens=fixed[0], output_tokens=fixed[1])
    if context_tokens is None:
        return Mix(workload=name)
    longest, rest = _longest(context_tokens)
    return Mix(workload=name, max_prompt_tokens=longest, max_output_tokens=rest)


def mix_of_classes(classes: Sequence[LoadClass], context_tokens: int | None) -> Mix:
    """The same of several load classes."""
    if context_tokens is None:
        return Mix(classes=tuple(classes))
    longest, rest = _longest(context_tokens)
    return Mix(classes=tuple(classes), max_prompt_tokens=longest, max_output_tokens=rest)


def with_room(mix: Mix, context_tokens: int) -> Mix:
    """The same with sessions that end before their prompts leave no room for an answer in the context."""
    longest = context_tokens - _TEMPLATE_TOKENS - mix.output_tokens
    return replace(mix, max_prompt_tokens=min(mix.max_prompt_tokens, max(mix.prompt_tokens, longest)))


def typical(name: str, context_tokens: int | None) -> tuple[int, int]:
    """Mean lengths of prompt and answer, tokens: what the engine is probed with."""
    fixed = fixed_lengths(name)
    if fixed is not None:
        return fixed
    asked, profile = mix(name, context_tokens), PROFILES[name]
    prompt = min(_mean(profile.prompt), asked.max_prompt_tokens)
    return prompt, min(_mean(profile.output), asked.max_output_tokens)


def within(lengths: tuple[int, int], context_tokens: int | None) -> tuple[int, int]:
    """Lengths of prompt and answer, tokens, as far as an engine with that context holds them."""
    if context_tokens is None:
        return lengths
    longest, rest = _longest(context_tokens)
    return min(lengths[0], longest), min(lengths[1], rest)


def typical_of_classes(classes: Sequence[LoadClass], context_tokens: int | None) -> tuple[int, int]:
    """The same of several load classes: the means of their means, by their shares, which cost about what the
    mix costs."""
    typicals = [(one.share, typical(one.workload, context_tokens)) for one in classes]
    prompt, output = (sum(share * lengths[side] for share, lengths in typicals) for side in (0, 1))
    return max(1, round(prompt)), max(1, round(output))


def _longest(context_tokens: int) -> tuple[int, int]:
    """Prompt and answer that the context holds."""
    longest = max(1, int(_PROMPT_SHARE * context_tokens))
    return longest, max(1, context_tokens - longest - _TEMPLATE_TOKENS)


def _mean(lengths: Lengths) -> int:
    """Of the lognormal law, not of what is left after cutting."""
    return max(1, min(lengths.high, round(math.exp(lengths.log_mean + lengths.log_sigma**2 / 2))))
