"""The flags that leave out fields which an engine refuses, in one wording for every command that asks one."""

from __future__ import annotations

from argparse import Action
from collections.abc import Callable

from loadtests.planning.optional_fields import AnswerLengths, UsageFields


def add(add_argument: Callable[..., Action]) -> None:
    """Add both; None where a flag is not given."""
    add_argument(
        "--lengths",
        choices=[lengths.value for lengths in AnswerLengths],
        help="forced: min_tokens and ignore_eos make answers as long as planned; free: they are not sent, "
        "and planned lengths are only a bound (default: forced, but for engines known not to keep to it)",
    )
    add_argument(
        "--usage",
        choices=[usage.value for usage in UsageFields],
        help="none: stream_options is not sent, nor by a gateway that is started here; what the engine does "
        f"not tell by itself is not known (default {UsageFields.ASKED})",
    )
