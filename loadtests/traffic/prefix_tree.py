"""Which recorded prompts begin alike, and how far, as a tree that synthetic text can be written from.

A hash covers so many leading bytes, and the next one twice as many: what two prompts share ends somewhere
between the last that they have in common and the next. A node is a hash that several prompts have and after
which they part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.workloads import Counts
from loadtests.traffic import lengths
from loadtests.traffic.row import PREFIX_CHARACTERS, PREFIX_ENDS_BYTES
from loadtests.traffic.traffic import Traffic

Prefixes = tuple[tuple[int, int], ...]
"""(node, tokens), ascending: the prompt's first `tokens` tokens are those of all prompts with that node."""
_GRID = 64
_NEARLY_ALL = 0.9
_SPREAD = 0.5
"""Least coefficient of variation of what prompts have of their own, an exponential's being 1."""


@dataclass(frozen=True, slots=True)
class _Node:
    """Two or more prompts that begin with the same PREFIX_ENDS_BYTES[depth] bytes. bytes_: of each; parts:
    whether they do not all go on with one further hash."""

    depth: int
    bytes_: Counts
    parts: bool

    @property
    def common_bytes(self) -> float:
        """How many leading bytes they share, about: at least those of the hash, and less than the next one
        covers.

        What each has of its own is taken for exponential with a mean that nobody knows, and what is shared
        for spread evenly over the logarithm: then a length is the likelier the nearer it is to the shortest
        prompt, the more so the more prompts there are. Where they are too much of one length for an
        exponential, their lengths tell nothing.
        """
        at_least = PREFIX_ENDS_BYTES[self.depth]
        last = self.depth + 1 == len(PREFIX_ENDS_BYTES)
        shortest, mean, n = float(self.bytes_.min()), float(self.bytes_.mean()), len(self.bytes_)
        at_most = min(2 * at_least if last else PREFIX_ENDS_BYTES[self.depth + 1] - 1, shortest)
        grid = np.geomspace(at_least, at_most, _GRID)
        if mean == shortest or float(self.bytes_.std()) < _SPREAD * (mean - at_most):
            return float(grid.mean())
        # With a scale that is as likely at every order of magnitude, what is left of the likelihood.
        weight = ((mean - at_most) / (mean - grid)) ** n
        return float((grid * weight).sum() / weight.sum())


def prefixes(traffic: Traffic, heads: NDArray[np.bool_]) -> list[Prefixes]:
    """What each prompt (n,) begins with as others do; () for one that shares nothing, or was not read.

    heads (n,): the rows that continue no session; the tree is theirs, since what the others share with each
    other is their history. Where the recording holds no length in tokens, nothing is shared.
    """
    members: dict[str, list[int]] = defaultdict(list)
    read = heads & (traffic.prompt_bytes > 0)
    texts = traffic.prefix.names
    for i in np.flatnonzero(read).tolist():
        text = texts[traffic.prefix.codes[i]]
        for end in range(PREFIX_CHARACTERS, len(text) + 1, PREFIX_CHARACTERS):
            members[text[:end]].append(i)
    shared = {name: rows for name, rows in members.items() if len(rows) > 1}
    known = np.flatnonzero((traffic.prompt_tokens > 0) & (traffic.prompt_bytes > 0))
    if not shared or not len(known):
        return [()] * len(traffic)
    template = lengths.template_tokens(traffic.prompt_tokens[known], traffic.prompt_bytes[known])
    of_all = _tokens_per_byte(known.tolist(), traffic, template)
    assert of_all is not None, "some are known"
    tokens_of: dict[str, tuple[int, int]] = {}
    follow = {name: child for name in shared if (child := _next(name, shared, traffic)) is not None}
    for number, (name, rows) in enumerate(shared.items()):
        node = _node(name, np.array(rows), shared, traffic)
        if not node.parts:
            continue
        per_byte = _tokens_per_byte(shared[name[:PREFIX_CHARACTERS]], traffic, template) or of_all
        tokens_of[name] = number, max(1, round(node.common_bytes * per_byte))
    by_text = [_chain(_followed(text, follow), tokens_of) for text in texts]
    return [by_text[code] for code in traffic.prefix.codes.tolist()]


def _node(name: str, rows: Counts, shared: dict[str, list[int]], traffic: Traffic) -> _Node:
    texts = traffic.prefix.names
    longer = {texts[traffic.prefix.codes[i]][: len(name) + PREFIX_CHARACTERS] for i in rows.tolist()}
    parts = len(longer) > 1 or longer == {name}
    depth = len(name) // PREFIX_CHARACTERS - 1
    return _Node(depth, traffic.prompt_bytes[rows], parts)


def _next(name: str, shared: dict[str, list[int]], traffic: Traffic) -> str | None:
    """The node that nearly all go on to who go on at all. Whose prompt ends before it begins as they do, too:
    it is the same text as far as it goes, such as the first turn of a conversation that nobody named.
    """
    texts = traffic.prefix.names
    end = len(name) + PREFIX_CHARACTERS
    on = Counter(
        text[:end] for text in (texts[traffic.prefix.codes[i]] for i in shared[name]) if len(text) >= end
    )
    child, count = on.most_common(1)[0] if on else ("", 0)
    return child if child in shared and count >= _NEARLY_ALL * on.total() else None


def _followed(text: str, follow: dict[str, str]) -> str:
    while text in follow:
        text = follow[text]
    return text


def _tokens_per_byte(rows: Sequence[int], traffic: Traffic, template: float) -> float | None:
    """Of prompts that begin alike; None where the tokens of none were counted."""
    tokens = traffic.prompt_tokens[list(rows)]
    known = tokens > 0
    if not known.any():
        return None
    return float(np.median((tokens[known] - template) / traffic.prompt_bytes[list(rows)][known]))


def _chain(text: str, tokens_of: dict[str, tuple[int, int]]) -> Prefixes:
    ends = range(PREFIX_CHARACTERS, len(text) + 1, PREFIX_CHARACTERS)
    found: list[tuple[int, int]] = []
    for node, tokens in (tokens_of[text[:end]] for end in ends if text[:end] in tokens_of):
        if not found or tokens > found[-1][1]:
            found.append((node, tokens))
    return tuple(found)
