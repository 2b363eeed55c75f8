"""What a request takes in tokens: estimated before it runs, by what is known of its lane."""

from gateway.lane_counts import LaneCounts
from gateway.ticket import BYTES_PER_TOKEN

UNTOLD_OUTPUT_TOKENS = 256.0
"""Of a sequence for which neither its request nor its lane's past says how long it gets."""
MOST_OUTPUT_TOKENS = 1_000_000
"""More than any engine makes; a larger `max_tokens` says nothing."""


def estimate(prompt_bytes: int, sequences: int, max_tokens: int | None, past: LaneCounts) -> float:
    """Prompt and output. max_tokens: the request's own bound on one sequence; past: of its lane, whose mean
    stands for a bound that is missing.
    """
    if max_tokens is None or max_tokens < 0:
        output = past.completion_tokens / past.sequences if past.sequences else UNTOLD_OUTPUT_TOKENS
    else:
        output = max_tokens if max_tokens < MOST_OUTPUT_TOKENS else MOST_OUTPUT_TOKENS
    return prompt_bytes / BYTES_PER_TOKEN + sequences * output
