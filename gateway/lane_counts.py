"""What is counted of one lane, and the lines of it that Prometheus reads."""

from collections import Counter

from gateway.outcome import Outcome

REQUESTS = "gateway_lane_requests_total"
TOKENS = "gateway_lane_tokens_total"
QUEUE_WAIT = "gateway_lane_queue_wait_seconds"
TTFT = "gateway_lane_ttft_seconds"
CLASS_TTFT = "gateway_class_ttft_seconds"
ACTIVE = "gateway_lane_active"
QUEUE_DEPTH = "gateway_lane_queue_depth"

Lines = tuple[tuple[str, str], ...]
"""Name of the metric, and one line of it."""


class LaneCounts:
    """Its requests by outcome, its tokens, sums of its waits and times to the first token, seconds; and of
    the answers whose tokens are known the sequences and the seconds that each took, from dispatch to end.

    A histogram for each of a thousand tenants would be a page of 165,000 lines: sums and counts are enough
    for means (of the few classes there is one, in `lane_book`), and `lines` makes them again only where
    something was counted since.
    """

    __slots__ = (
        *("_labels", "_lines", "_stale", "completion_tokens", "outcomes", "prompt_tokens", "queue_s"),
        *("sequence_s", "sequences", "ttft_s", "ttfts", "waits"),
    )

    def __init__(self, tenant: str, priority_class: str) -> None:
        self._labels = f'tenant="{tenant}",priority_class="{priority_class}"'
        self.outcomes: Counter[Outcome] = Counter()
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.sequences = 0
        self.sequence_s = 0.0
        self.queue_s = 0.0
        self.waits = 0
        self.ttft_s = 0.0
        self.ttfts = 0
        self._lines: Lines = ()
        self._stale = False

    def __repr__(self) -> str:
        return f"<LaneCounts [{self._labels} | {self.outcomes.total()} finished]>"

    def refused(self, outcome: Outcome) -> None:
        """One ended as soon as it was in."""
        self.outcomes[outcome] += 1
        self._stale = True

    def ended(self, outcome: Outcome, queue_s: float | None, ttft_s: float | None) -> None:
        """One ended. queue_s: its wait, None where it was refused; ttft_s: None where no token came."""
        self.outcomes[outcome] += 1
        self._stale = True
        if queue_s is not None:
            self.queue_s += queue_s
            self.waits += 1
        if ttft_s is not None:
            self.ttft_s += ttft_s
            self.ttfts += 1

    def answered(self, prompt_tokens: int, output_tokens: int, sequences: int, lasted_s: float) -> None:
        """The tokens of an answer are known. Before the request `ended`."""
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += output_tokens
        self.sequences += sequences
        self.sequence_s += sequences * lasted_s

    def lines(self) -> Lines:
        """All of it in the exposition format; none before the first request ended."""
        if self._stale:
            self._stale = False
            self._lines = self._render()
        return self._lines

    def now(self, held: int, waiting: int) -> Lines:
        """The gauges: its slots and waiters."""
        return (
            (ACTIVE, f"{ACTIVE}{{{self._labels}}} {held}"),
            (QUEUE_DEPTH, f"{QUEUE_DEPTH}{{{self._labels}}} {waiting}"),
        )

    def _render(self) -> Lines:
        labels = self._labels
        return (
            *(
                (REQUESTS, f'{REQUESTS}{{{labels},outcome="{outcome.value}"}} {count}')
                for outcome, count in self.outcomes.items()
            ),
            (TOKENS, f'{TOKENS}{{{labels},kind="prompt"}} {self.prompt_tokens}'),
            (TOKENS, f'{TOKENS}{{{labels},kind="completion"}} {self.completion_tokens}'),
            (QUEUE_WAIT, f"{QUEUE_WAIT}_sum{{{labels}}} {self.queue_s!r}"),
            (QUEUE_WAIT, f"{QUEUE_WAIT}_count{{{labels}}} {self.waits}"),
            (TTFT, f"{TTFT}_sum{{{labels}}} {self.ttft_s!r}"),
            (TTFT, f"{TTFT}_count{{{labels}}} {self.ttfts}"),
        )
