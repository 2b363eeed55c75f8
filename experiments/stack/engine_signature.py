"""What tells one kind of engine from another at a URL: its models' owner, its metrics, a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

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


class Site:
    """A running engine, as far as it was asked.

    Attributes:
        owner: of its first model, by its own word.
        page: its metrics page; None where it has none, or answers with something else there.
    """

    def __init__(self, client: httpx.Client, owner: str | None, page: str | None) -> None:
        """`client` asks at the engine's URL, without /v1."""
        self.owner = owner
        self.page = page
        self._client = client

    def info(self, path: str) -> Info | None:
        """The JSON object at `path`; None where there is none."""
        answer = self._get(path)
        try:
            content = answer.json() if answer is not None else None
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    def told(self, signature: Signature) -> tuple[str, Told] | None:
        """The first of the kind's pages that answers as one of its kind does, and what it says."""
        for path in signature.pages:
            info = self.info(path)
            told = signature.read(info) if info is not None else None
            if told is not None:
                return path, told
        return None

    def _get(self, path: str) -> httpx.Response | None:
        try:
            answer = self._client.get(path)
        except httpx.HTTPError:
            return None
        return answer if answer.status_code == 200 else None


def text(info: Info, key: str) -> str | None:
    """A text of a page; None where there is none."""
    value = info.get(key)
    return value if isinstance(value, str) and value else None


def count(info: Info, key: str) -> int | None:
    """A positive whole number of a page; None where there is none."""
    value = info.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
