"""What a recording holds, in figures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from loadtests.planning.trace_files.trace import SHORTEST_SPAN_S
from loadtests.recording.length_summary import LengthSummary, as_rows
from loadtests.traffic import cache_hits, lengths, recorded
from loadtests.traffic.shared_prefixes import seen_before_bytes
from loadtests.traffic.traffic import Traffic

_HOUR_S = 3600.0
_MOST_HOURS = 72
"""That are told one by one; a longer recording is told by days."""


@dataclass(frozen=True, slots=True)
class Period:
    """An hour or a day of a recording. Rates are requests per second over the part of it that was recorded;
    lengths are means in tokens, None where nobody knows."""

    from_utc: str
    requests: int
    rate_per_s: float
    prompt_tokens: float | None
    output_tokens: float | None


@dataclass(frozen=True, slots=True)
class TrafficDescription:
    """What `--json` prints of a recording. None where it does not tell.

    rate_per_s: mean over the span, requests per second. unmeasured: requests without both lengths, being
    refused, left or failed. outcomes, lanes: requests by each, the most frequent first; of lanes only where
    there are any. conversations: sessions, of which one counts anew where its prompt does not go on. left:
    clients that left before their answer was whole. seen_before_ratio: share of the bytes of all prompts that
    an earlier one had begun with, at least, 0 to 1. prefix_hit_ratio: share of the prompt tokens that a cache
    would have held that forgets nothing. damaged_lines: of the files, that are no rows. periods: hours, or
    days of a long recording. missing: what a replay will lack, in sentences.
    """

    requests: int
    from_utc: str
    until_utc: str
    span_s: float
    rate_per_s: float | None
    prompt_tokens: LengthSummary | None
    output_tokens: LengthSummary | None
    unmeasured: int
    outcomes: dict[str, int]
    lanes: dict[str, int]
    sessions: int
    conversations: int
    left: int
    seen_before_ratio: float | None
    prefix_hit_ratio: float | None
    damaged_lines: int
    periods: list[Period]
    missing: list[str]


def describe(traffic: Traffic) -> TrafficDescription:
    """The facts of a recording."""
    first_s, last_s = float(traffic.arrived_unix_s[0]), float(traffic.arrived_unix_s[-1])
    measured = traffic.measured
    played = recorded.of(traffic, "") if measured.any() else None
    return TrafficDescription(
        requests=len(traffic),
        from_utc=_utc(first_s),
        until_utc=_utc(last_s),
        span_s=round(traffic.span_s, 6),
        rate_per_s=round(len(traffic) / traffic.span_s, 9) if traffic.span_s >= SHORTEST_SPAN_S else None,
        prompt_tokens=LengthSummary.of(traffic.prompt_tokens[measured]) if measured.any() else None,
        output_tokens=LengthSummary.of(traffic.output_tokens[measured]) if measured.any() else None,
        unmeasured=int((~measured).sum()),
        outcomes=traffic.outcome.counts(),
        lanes=traffic.lane.counts(),
        sessions=len(traffic.session.counts()),
        conversations=0 if played is None else int(played.conversation.max(initial=-1)) + 1,
        left=int(lengths.left(traffic).sum()),
        seen_before_ratio=_seen_before_ratio(traffic),
        prefix_hit_ratio=None if played is None else round(cache_hits.hit_ratio(played), 4),
        damaged_lines=traffic.damaged,
        periods=_periods(traffic),
        missing=_missing(traffic),
    )


def as_lines(name: str, what: TrafficDescription) -> list[str]:
    """The description for people."""
    rate = "" if what.rate_per_s is None else f", {what.rate_per_s:.4g} requests/s"
    lines = [
        f"{name}: recorded traffic, {what.requests:,} request{'s' * (what.requests != 1)} "
        f"in {what.span_s:,.6g} s{rate}",
        f"from {what.from_utc} to {what.until_utc}",
        f"outcomes: {_counts(what.outcomes, what.requests)}",
    ]
    if what.lanes:
        lines.append(f"lanes: {_counts(what.lanes, what.requests)}")
    if what.sessions:
        lines.append(f"sessions: {what.sessions:,}, with {what.conversations:,} conversations")
    if what.left:
        lines.append(f"clients that left before their answer was whole: {what.left:,}")
    if what.prefix_hit_ratio is not None:
        lines.append(
            f"a prefix cache that forgets nothing would hold {what.prefix_hit_ratio:.1%} of the prompts"
        )
    if what.seen_before_ratio is not None:
        lines.append(
            f"prompts that begin as an earlier one: {what.seen_before_ratio:.1%} of their bytes or more"
        )
    if what.prompt_tokens is not None:
        lines += as_rows({"prompt": what.prompt_tokens, "output": what.output_tokens})
    if len(what.periods) > 1:
        lines.append(f"{'from (UTC)':22}{'requests':>10}{'per s':>10}{'prompt':>10}{'output':>10}")
        lines += [_row(period) for period in what.periods]
    return lines


def _row(period: Period) -> str:
    lengths = ("" if x is None else f"{x:,.1f}" for x in (period.prompt_tokens, period.output_tokens))
    figures = (f"{period.requests:,}", f"{period.rate_per_s:.4g}", *lengths)
    return f"{period.from_utc:22}" + "".join(f"{figure:>10}" for figure in figures)


def notes(what: TrafficDescription) -> list[str]:
    """What else should be known."""
    found = []
    if what.unmeasured:
        found.append(f"{what.unmeasured:,} requests without both lengths: refused, left or failed")
    if what.damaged_lines:
        found.append(f"{what.damaged_lines:,} damaged lines left out")
    return found + what.missing


def _periods(traffic: Traffic) -> list[Period]:
    length_s = _HOUR_S if traffic.span_s <= _MOST_HOURS * _HOUR_S else 24 * _HOUR_S
    first_s, last_s = float(traffic.arrived_unix_s[0]), float(traffic.arrived_unix_s[-1])
    edges_s = np.arange(first_s // length_s, last_s // length_s + 2) * length_s
    ends, measured = np.searchsorted(traffic.arrived_unix_s, edges_s).tolist(), traffic.measured
    found = []
    for k, (start, end) in enumerate(itertools.pairwise(ends)):
        rows = slice(start, end)
        lasted_s = min(edges_s[k + 1], last_s) - max(edges_s[k], first_s)
        means = [
            round(float(side[rows][measured[rows]].mean()), 1) if measured[rows].any() else None
            for side in (traffic.prompt_tokens, traffic.output_tokens)
        ]
        rate_per_s = (end - start) / lasted_s if lasted_s > 0 else 0.0
        found.append(Period(_utc(float(edges_s[k])), end - start, float(f"{rate_per_s:.6g}"), *means))
    return found


def _missing(traffic: Traffic) -> list[str]:
    """What a replay will lack."""
    found = []
    if not traffic.session.counts():
        found.append(
            "no sessions: clients sent no RECORD_SESSION_HEADER, and conversations are played as requests of "
            "their own that begin alike"
        )
    if not traffic.lane.counts():
        found.append("no lanes: all are played as one class")
    if not traffic.prefix.counts():
        found.append("no prompt of 512 bytes or more was read: nothing is known of shared beginnings")
    several = int((traffic.slots > 1).sum())
    if several:
        found.append(f"{several:,} requests asked for several sequences, and are played as one each")
    return found


def _seen_before_ratio(traffic: Traffic) -> float | None:
    seen_bytes = seen_before_bytes(traffic)
    of_bytes = float(traffic.prompt_bytes[np.isfinite(seen_bytes)].sum())
    return round(float(np.nansum(seen_bytes)) / of_bytes, 4) if of_bytes else None


def _counts(counts: dict[str, int], of: int) -> str:
    return ", ".join(f"{name} {count:,} ({count / of:.1%})" for name, count in counts.items())


def _utc(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
