"""Why a batch does not begin, or does not go on. Each text is one sentence."""

from __future__ import annotations


class BatchMistake(Exception):  # noqa: N818 (the user's, of which nothing was sent yet)
    """Something the user asked for is wrong: exit code 2, before anything is sent."""


class BatchStopped(Exception):  # noqa: N818 (an end, after which the same command goes on)
    """It cannot go on now: exit code 1. Every result there was is in the file."""
