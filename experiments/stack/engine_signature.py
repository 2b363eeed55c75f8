"""What tells one kind of engine from another at a URL: its models' owner, its metrics, a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.observe.engine_metrics import EngineMetrics

Info = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine's own page tells of it; None: not told.

    Attributes:
        version: as it calls it.
        max_num_seqs: its largest batch, sequences.
        max_model_len: longest prompt and answer together, tokens.
    """

    version: str | None = None
    max_num_seqs: int | None = None
    max_model_len: int | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """How an engine of one kind is known from outside.

    Attributes:
        owners: what `/v1/models` names as `owned_by`.
        prefix: with which the names of its metrics begin; empty: none that is its own.
        pages: paths that answer with its version and limits, the newer first.
        read: what such a page says; None where it is another engine's.
        by_page: whether an engine with such a page is one of these, whatever else it says.
    """

    owners: tuple[str, ...] = ()
    prefix: str = ""
    pages: tuple[str, ...] = ()
    read: Callable[[Info], Told | None] = lambda _info: None
    by_page: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """What an engine was taken for.

    Attributes:
        name: as it is stored: that of its row, else the owner of its models; None: not known.
        why: what it was known by, as a clause.
        told: what its own page says.
        metrics: the names of its metrics.
        untold: what it does not tell, in words.
    """

    name: str | None
    why: str
    told: Told
    metrics: EngineMetrics
    untold: tuple[str, ...]


def text(info: Info, key: str) -> str | None:
    """A text of a page; None where there is none."""
    value = info.get(key)
    return value if isinstance(value, str) and value else None


def count(info: Info, key: str) -> int | None:
    """A positive whole number of a page; None where there is none."""
    value = info.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
