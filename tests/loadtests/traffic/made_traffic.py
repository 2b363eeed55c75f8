"""Recorded traffic that a test makes up, and what two kinds of it have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtests.traffic.row import PREFIX_ENDS_BYTES
from loadtests.traffic.traffic import Names, Traffic


@dataclass(frozen=True, slots=True)
class Made:
    """A row: what a test says of it. prompt: the texts of its blocks, of which two begin alike as far as
    these are the same; bytes_: of all of it.
    """

    at_s: float
    prompt_tokens: int = 100
    output_tokens: int = 10
    lane: str = ""
    session: str = ""
    outcome: str = "ok"
    status: int = 200
    bytes_: int = 400
    prefix: Sequence[str] = field(default=())
    finished_s: float = 1.0
    max_tokens: int = -1


def traffic(rows: Sequence[Made], begin_unix_s: float = 1_764_000_000.0) -> Traffic:
    """These rows as recorded, in order of arrival."""
    ordered = sorted(rows, key=lambda row: row.at_s)

    def names(texts: Sequence[str]) -> Names:
        known = {text: code for code, text in enumerate(dict.fromkeys(texts))}
        return Names(tuple(known), np.array([known[text] for text in texts]))

    def counts(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([getattr(row, name) for row in ordered], dtype=np.int64)

    n = len(ordered)
    nothing, unread = np.full(n, np.nan), np.full(n, -1)
    finished_s = np.array([row.finished_s for row in ordered])
    return Traffic(
        begin_unix_s + np.array([row.at_s for row in ordered]),
        names(["chat"] * n), names([row.lane for row in ordered]), names([row.session for row in ordered]),
        names([row.outcome for row in ordered]), counts("status"), counts("bytes_"), counts("bytes_"), unread,
        counts("max_tokens"), counts("prompt_tokens"), counts("output_tokens"), nothing, nothing,
        finished_s / 4, finished_s, finished_s, unread,
        names(["".join(map(_block, row.prefix)) for row in ordered]),
    )  # fmt: skip


def _block(name: str) -> str:
    return f"{name:>8}"[-8:]


def begins(text: str, bytes_: int) -> list[str]:
    """The hashes of a prompt of so many bytes that is all `text`, a word that stands for it."""
    return [f"{text}{k}" for k, end in enumerate(PREFIX_ENDS_BYTES) if end <= bytes_]


def shared(system: str, system_bytes: int, own: str, bytes_: int) -> list[str]:
    """The same of one that begins with `system_bytes` bytes of a system prompt."""
    return [
        f"{system if end <= system_bytes else own}{k}"
        for k, end in enumerate(PREFIX_ENDS_BYTES)
        if end <= bytes_
    ]
