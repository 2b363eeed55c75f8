"""How long recorded prompts and answers were, also those that nobody counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loadtests.latency import Column
from loadtests.planning.workloads import Counts
from loadtests.traffic.traffic import Traffic

LEFT = "client_abort"
"""The gateway's word for a client that left before its answer was whole."""


def prompt_tokens(traffic: Traffic) -> Counts:
    """Of each row (n,), at least 1. Where the engine did not count them: by the bytes of the text, else by
    those of the whole request, as elsewhere in the recording; the median where neither is known. Some rows
    are `measured`.
    """
    measured, tokens = traffic.measured, traffic.prompt_tokens
    estimate = np.full(len(traffic), float(np.median(tokens[measured])))
    for size in (traffic.body_bytes, traffic.prompt_bytes):
        both = measured & (size > 0)
        if both.any():
            template = template_tokens(tokens[both], size[both])
            per_byte = float(np.median((tokens[both] - template) / size[both]))
            estimate = np.where(size > 0, template + size * per_byte, estimate)
    found: Counts = np.where(tokens > 0, tokens, np.rint(estimate)).astype(np.int64)
    return np.maximum(found, 1)


def template_tokens(tokens: Counts, bytes_: Counts) -> float:
    """Tokens that prompts (n,) have beside those of their bytes: where a line through them meets none, which
    is off by as large a part of long ones as of short ones."""
    if len(tokens) < 3 or np.ptp(bytes_) == 0:
        return 0.0
    _, at_zero = np.polyfit(bytes_.astype(np.float64), tokens.astype(np.float64), 1, w=1.0 / bytes_)
    return float(np.clip(at_zero, 0.0, tokens.min() / 2))


def output_tokens(traffic: Traffic, seed: int) -> Counts:
    """Of each row (n,), at least 1. An answer that was refused or broke off has the length of some other one
    of its lane; where the client left, of one that had taken longer than it stayed, since its own would have.
    None is longer than was asked for. Some rows are `measured`.
    """
    measured = traffic.measured
    found, rng = traffic.output_tokens.copy(), np.random.default_rng([seed, 9])
    stayed_s = np.where(left(traffic), traffic.finished_s, 0.0)
    for lane in np.unique(traffic.lane.codes).tolist():
        own = traffic.lane.codes == lane
        of = measured & own if (measured & own).any() else measured
        unknown = np.flatnonzero(own & ~measured)
        found[unknown] = _drawn(found[of], traffic.finished_s[of], stayed_s[unknown], rng)
    most = np.where(~measured & (traffic.max_tokens > 0), traffic.max_tokens, np.iinfo(np.int64).max)
    return np.maximum(np.minimum(found, most), 1)


def left(traffic: Traffic) -> NDArray[np.bool_]:
    """Rows (n,) whose client left before its answer was whole."""
    codes = [code for code, name in enumerate(traffic.outcome.names) if name == LEFT]
    return np.isin(traffic.outcome.codes, codes)


def _drawn(tokens: Counts, took_s: Column, longer_than_s: Column, rng: np.random.Generator) -> Counts:
    """For each of `longer_than_s` (m,) the length of an answer that took longer, uniformly; of the longest
    one where none did."""
    order = np.argsort(took_s, kind="stable")
    first = np.minimum(np.searchsorted(took_s[order], longer_than_s, side="right"), len(order) - 1)
    picked = first + (rng.random(len(first)) * (len(order) - first)).astype(np.int64)
    found: Counts = tokens[order[picked]]
    return found
