"""What a part found, as rows of one table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Spread = dict[str, float]
"""p50, p99, max, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """what: which many; count: how many there were; kb_each: memory; event and event_us: what happens to one
    of them, and its CPU time; alone_us: that of the same event without the others. pause: how long `/health`,
    asked every 10 ms, took meanwhile, and with an idle gateway of the same trial.
    """

    what: str
    count: int
    event: str
    event_us: float | None = None
    alone_us: float | None = None
    kb_each: float | None = None
    pause: Spread = field(default_factory=dict)
    pause_idle: Spread = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


TITLES = (
    *("many", "how many", "kB each", "event", "CPU µs each", "without the others"),
    *("`/health` meanwhile: p50 / p99 / max, ms", "the same while idle"),
)


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = [f"| {' | '.join(TITLES)} |", "|" + "---|" * len(TITLES)]
    for row in rows:
        cells = (
            row.what,
            f"{row.count:,}",
            _cell(row.kb_each),
            row.event,
            _cell(row.event_us),
            _cell(row.alone_us),
            _spread(row.pause),
            _spread(row.pause_idle),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _spread(spread: Spread) -> str:
    return " / ".join(f"{spread[name]:,.1f}" for name in ("p50", "p99", "max")) if spread else "–"
