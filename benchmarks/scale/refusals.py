"""Whether a storm of refusals leaves running streams alone: the gaps of their chunks with and without it, in
turns.
"""

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.scale.child import before_others, child
from benchmarks.scale.trial import FOREVER, stream, trial

STREAMS, GAP_MS = 32, 20.0


@dataclass(frozen=True, slots=True)
class Refusals:
    """per_s: refusals made; cpu_us: of one; gaps_ms and gaps_alone_ms: p99 of each turn, with and without."""

    per_s: float
    cpu_us: float
    gaps_ms: list[float]
    gaps_alone_ms: list[float]

    def values(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def text(self) -> str:
        """In a sentence."""
        more = [a - b for a, b in zip(self.gaps_ms, self.gaps_alone_ms, strict=True)]
        return (
            f"{self.per_s:,.0f} refusals a second beside {STREAMS} streams with gaps of {GAP_MS:g} ms, "
            f"{len(more)} turns with and without them: p99 of a gap {_spread(self.gaps_ms)} ms, without them "
            f"{_spread(self.gaps_alone_ms)}, the difference in the same turn {_spread(more)}. A refusal: "
            f"{self.cpu_us:.1f} µs of CPU."
        )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} to {max(values):.2f}]"


def refusals(per_s: float, seconds: float, turns: int) -> Refusals:
    """Raises RuntimeError where a request of the storm was not refused."""
    of_storm: list[float] = []
    alone: list[float] = []
    refused, spent_s, lasted_s = 0, 0.0, 0.0
    with (
        trial(max_active=STREAMS, queue_max=0, idle_timeout_s=60) as running,
        child("benchmarks.scale.crowd", running.port, stream(FOREVER, GAP_MS)) as streams,
        child("benchmarks.scale.storm", running.port, per_s, 200) as storm,
    ):
        streams.ask("first")
        before_others(running.engine.pid)
        streams.ask("open", STREAMS, 500)
        running.until(lambda state: state["active"] == STREAMS, "all slots are held")
        for _ in range(turns):
            for gaps, word in ((alone, "stop"), (of_storm, "go")):
                storm.ask(word)
                time.sleep(0.5)
                streams.ask("report")
                storm.ask("report")
                before_s, started_s = running.cpu_s(), time.monotonic()
                time.sleep(seconds)
                used_s, took_s = running.cpu_s() - before_s, time.monotonic() - started_s
                gaps.append(streams.ask("report")["gaps"]["p99"])
                statuses = storm.ask("report")["statuses"]
                if word == "stop":
                    quiet_share = used_s / took_s
                    continue
                if set(statuses) - {"429", "late"}:
                    raise RuntimeError(f"not all were refused: {statuses}")
                refused += statuses.get("429", 0)
                lasted_s += took_s
                spent_s += used_s - quiet_share * took_s
    return Refusals(refused / lasted_s, spent_s / max(1, refused) * 1e6, of_storm, alone)
