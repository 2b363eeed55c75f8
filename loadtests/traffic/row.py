"""What a recording keeps of a request: the columns of its files, whoever wrote them.

The gateway writes them (`gateway.record_row`); neither package knows the other, and a test holds both
together.
"""

from __future__ import annotations

from typing import NamedTuple

SCHEMA_VERSION = 1
PREFIX_CHARACTERS = 8
"""Of `prefix` for each hash: as many begin alike as two prompts have blocks in common."""
PREFIX_ENDS_BYTES = (512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
"""Bytes of the prompt that each hash covers."""


class TrafficRow(NamedTuple):
    """One finished completion. Moments are seconds after its arrival, the place of `due_s` in a load run's
    records; None: it did not happen, or nobody knows. Nothing of it is text that a client wrote.
    """

    arrived_unix_s: float
    """When its head was read, Unix seconds."""
    route: str
    """`chat` or `completions`."""
    lane: str
    """`tenant/class`; "" where the gateway has no lanes."""
    session: str
    """Salted hash of the name that the client gave its session; "" for none."""
    outcome: str
    """The gateway's word for its end: docs/observability.md."""
    status: int
    body_bytes: int | None
    """Of the request, as its head says."""
    prompt_bytes: int | None
    """Of its text, as UTF-8; None where it was refused before it was read."""
    slots: int | None
    """How many sequences it asked for."""
    max_tokens: int | None
    """The longest answer that it wanted."""
    prompt_tokens: int | None
    """From the engine's usage."""
    output_tokens: int | None
    queue_s: float | None
    """Span: the wait for a slot."""
    upstream_s: float | None
    """Span: from the dispatch to the head of the engine's answer."""
    first_s: float | None
    """First chunk with content, of a stream: the time to first token."""
    last_s: float | None
    finished_s: float
    """Its end, however it came."""
    limits_version: int | None
    prefix: str
    """Salted hashes of the first 512, 1024, … bytes of its prompt, PREFIX_CHARACTERS each."""
