"""What a request may need of the engine's KV cache: estimated when it is offered, set right when the engine
has counted its prompt, learnt from at its end.
"""

from collections.abc import Iterable

from gateway import chunk
from gateway.token_cost import MOST_OUTPUT_TOKENS
from gateway.token_estimate import OutputTokens, PromptTokens, text_size

MOST_TENANTS = 10_000
"""Of more the one that came first is forgotten, and learnt anew."""


class TenantTokens:
    """What was learnt of one tenant's requests."""

    __slots__ = ("output", "prompt")

    def __init__(self) -> None:
        self.prompt = PromptTokens()
        self.output = OutputTokens()


class TokenNeed:
    """One request's. tokens: prompt and answers together, as far as known; several answers to one prompt
    share its place in the cache. output: of them the answers, as estimated.
    """

    __slots__ = ("_counted", "_ids", "_max_tokens", "_sequences", "_size", "_tenant", "output", "tokens")

    def __init__(
        self, tenant: TenantTokens, prompts: Iterable[object], sequences: int, max_tokens: int | None
    ) -> None:
        """prompts: as `prompt_size.texts` has them; max_tokens: of one sequence."""
        if max_tokens is not None:
            max_tokens = None if max_tokens < 0 else min(max_tokens, MOST_OUTPUT_TOKENS)
        given = list(prompts)
        texts = [one for one in given if type(one) is str]
        self._ids = sum([len(one) for one in given if type(one) is list])
        self._size = text_size("\n".join(texts).encode(), len(given)) if texts or not self._ids else None
        self._tenant = tenant
        self._sequences = sequences
        self._max_tokens = max_tokens
        self.output = sequences * tenant.output.estimate(max_tokens)
        self._counted = False
        text_tokens = 0.0 if self._size is None else tenant.prompt.estimate(self._size)
        self.tokens = self._ids + text_tokens + self.output

    def counted(self, usage: object) -> float | None:
        """The tokens, set right, where `usage` is the first one that tells the prompt's; else None."""
        if self._counted or type(usage) is not dict:
            return None
        prompt_tokens = chunk.count(usage.get("prompt_tokens"))
        if not prompt_tokens:
            return None
        self._counted = True
        self.tokens = prompt_tokens + self.output
        return self.tokens

    def learn(self, prompt_tokens: int | None, output_tokens: int | None, *, whole: bool) -> None:
        """It has ended, with what the engine told of it. whole: the answer came to its own end."""
        if self._max_tokens == 0:
            return  # vectors and scores: their prompts are not made as those of answers are
        if prompt_tokens and self._size is not None:
            self._tenant.prompt.learn(self._size, max(1, prompt_tokens - self._ids))
        if whole and output_tokens is not None:
            self._tenant.output.learn(self._max_tokens, output_tokens / self._sequences)


class TokenNeeds:
    """Of all requests, by tenant; without lanes everybody is one tenant. wanted: whether slots count tokens
    now.
    """

    def __init__(self) -> None:
        self.wanted = True
        self._tenants: dict[str, TenantTokens] = {}

    def of(
        self, prompts: Iterable[object], sequences: int, max_tokens: int | None, tenant: str = ""
    ) -> TokenNeed:
        """Of one request: see `TokenNeed`."""
        known = self._tenants.get(tenant)
        if known is None:
            if len(self._tenants) >= MOST_TENANTS:
                del self._tenants[next(iter(self._tenants))]
            known = self._tenants[tenant] = TenantTokens()
        return TokenNeed(known, prompts, sequences, max_tokens)
