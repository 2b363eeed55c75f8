"""What a request takes in tokens: estimated before it runs, by what is known of its lane."""

from gateway.ticket import BYTES_PER_TOKEN

UNTOLD_OUTPUT_TOKENS = 256.0
"""Of a sequence for which neither its request nor its lane's past says how long it gets."""
MOST_OUTPUT_TOKENS = 1_000_000
"""More than any engine makes; a larger `max_tokens` says nothing."""
_NEWEST = 0.05


class TokenCost:
    """Learns from the requests of one lane that ended: both are means in which the last twenty or so count
    most.

    output_tokens: of one sequence; tokens_per_s: of one sequence, from its dispatch to its end, None before
    the first.
    """

    __slots__ = ("output_tokens", "tokens_per_s")

    def __init__(self) -> None:
        self.output_tokens = UNTOLD_OUTPUT_TOKENS
        self.tokens_per_s: float | None = None

    def estimate(self, prompt_bytes: int, sequences: int, max_tokens: int | None) -> float:
        """Prompt and output. max_tokens: the request's own bound on one sequence."""
        if max_tokens is None or max_tokens < 0:
            output = self.output_tokens
        else:
            output = float(min(max_tokens, MOST_OUTPUT_TOKENS))
        return prompt_bytes / BYTES_PER_TOKEN + sequences * output

    def learn(self, output_tokens: float, lasted_s: float) -> None:
        """One sequence of `output_tokens` that took `lasted_s` seconds, above 0, has ended well."""
        per_s = output_tokens / lasted_s
        if self.tokens_per_s is None:
            self.output_tokens, self.tokens_per_s = output_tokens, per_s
        else:
            self.output_tokens += _NEWEST * (output_tokens - self.output_tokens)
            self.tokens_per_s += _NEWEST * (per_s - self.tokens_per_s)
