"""What a recording holds, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from loadtests.planning.trace_files.trace import SHORTEST_SPAN_S
from loadtests.recording.length_summary import LengthSummary, as_rows
from loadtests.traffic.shared_prefixes import seen_before_bytes
from loadtests.traffic.traffic import Traffic


@dataclass(frozen=True, slots=True)
class TrafficDescription:
    """What `--json` prints of a recording. None where it does not tell.

    rate_per_s: mean over the span, requests per second. unmeasured: requests without both lengths, being
    refused, left or failed. outcomes, lanes: requests by each, the most frequent first; of lanes only where
    there are any. seen_before_ratio: share of the bytes of all prompts that an earlier one had begun with,
    at least, 0 to 1. damaged_lines: of the files, that are no rows.
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
    seen_before_ratio: float | None
    damaged_lines: int


def describe(traffic: Traffic) -> TrafficDescription:
    """The facts of a recording."""
    first_s, last_s = float(traffic.arrived_unix_s[0]), float(traffic.arrived_unix_s[-1])
    measured = traffic.measured
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
        seen_before_ratio=_seen_before_ratio(traffic),
        damaged_lines=traffic.damaged,
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
        lines.append(f"sessions: {what.sessions:,}")
    if what.seen_before_ratio is not None:
        lines.append(
            f"prompts that begin as an earlier one: {what.seen_before_ratio:.1%} of their bytes or more"
        )
    if what.prompt_tokens is not None:
        lines += as_rows({"prompt": what.prompt_tokens, "output": what.output_tokens})
    return lines


def notes(what: TrafficDescription) -> list[str]:
    """What else should be known."""
    found = []
    if what.unmeasured:
        found.append(f"{what.unmeasured:,} requests without both lengths: refused, left or failed")
    if what.damaged_lines:
        found.append(f"{what.damaged_lines:,} damaged lines left out")
    return found


def _seen_before_ratio(traffic: Traffic) -> float | None:
    seen_bytes = seen_before_bytes(traffic)
    of_bytes = float(traffic.prompt_bytes[np.isfinite(seen_bytes)].sum())
    return round(float(np.nansum(seen_bytes)) / of_bytes, 4) if of_bytes else None


def _counts(counts: dict[str, int], of: int) -> str:
    return ", ".join(f"{name} {count:,} ({count / of:.1%})" for name, count in counts.items())


def _utc(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
