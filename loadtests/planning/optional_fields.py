"""Fields of a request that some engines refuse, and that can therefore be left out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loadtests.bounds import wrong


class AnswerLengths(StrEnum):
    """What decides how long an answer is."""

    FORCED = "forced"
    """the plan: `min_tokens` and `ignore_eos` hold the engine to it"""
    FREE = "free"
    """the engine; the planned length (`max_tokens`) is only a bound"""


class UsageFields(StrEnum):
    """Whether a stream is asked to end with its token counts."""

    ASKED = "asked"
    """`stream_options.include_usage` is sent"""
    NONE = "none"
    """nothing is sent: what the engine does not tell by itself stays unknown"""


@dataclass(frozen=True, slots=True)
class OptionalFields:
    """Which of them a run sends; both, unless told otherwise."""

    lengths: AnswerLengths = AnswerLengths.FORCED
    usage: UsageFields = UsageFields.ASKED

    @classmethod
    def named(cls, lengths: str, usage: str) -> OptionalFields:
        """From the words of the flags. Raises ValueError in one sentence."""
        for name, value, allowed in (("lengths", lengths, AnswerLengths), ("usage", usage, UsageFields)):
            if value not in list(allowed):
                raise wrong(name, repr(value), f"one of {', '.join(allowed)}")
        return cls(AnswerLengths(lengths), UsageFields(usage))


ALL_FIELDS = OptionalFields()


def remedy(status: int | None, error_text: str) -> str:
    """Which switch may help where an engine refused a request, as an end of a sentence; empty where it said
    nothing of these fields."""
    if status not in (400, 422):
        return ""
    switches = [
        flag
        for flag, fields in (
            ("--lengths free", ("min_tokens", "ignore_eos")),
            ("--usage none", ("stream_options", "include_usage")),
        )
        if any(field in error_text for field in fields)
    ]
    if not switches:
        return ""
    return f" (an engine that does not take these fields is asked without them: {' '.join(switches)})"
