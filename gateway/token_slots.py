"""The budget of `SLOT_COST=tokens`: how many tokens the engine's KV cache holds, as soon as that is known."""

import re
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from gateway.limits import SlotCost
from gateway.token_needs import TokenNeeds
from gateway.waiting import WaitingRoom

_INFO = "vllm:cache_config_info{"
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_SIZE = re.compile(r"[0-9]{1,12}")


class TokenSlots:
    """As long as the limits in force want tokens counted. Until somebody tells the budget a request takes its
    slots and nothing else. why: where the budget is from, or why there is none.
    """

    def __init__(
        self, room: WaitingRoom, needs: TokenNeeds, log: FilteringBoundLogger, given: int | None
    ) -> None:
        """needs: told whether requests are to be estimated. given: the operator's own budget, for which the
        engine is not asked."""
        self._room = room
        self._needs = needs
        self._log = log
        self._tokens: int | None = None
        self._block_tokens = 1
        self.given = given is not None
        self.why = "not asked yet"
        if given is not None:
            self.told(given, "KV_TOKENS")
        self.follow()

    @property
    def wanted(self) -> bool:
        """Whether the limits in force say so."""
        return self._room.admission.limits.slot_cost is SlotCost.TOKENS

    def follow(self) -> None:
        """Goes by the limits in force from now on. A request that runs since before then holds nothing."""
        self._needs.wanted = self.wanted
        budget = self._tokens if self.wanted else None
        if budget != self.budget:
            self._limit(budget)

    @property
    def budget(self) -> float | None:
        """Tokens; None while nobody has told."""
        pool = self._room.admission.pool
        return None if pool is None else pool.budget

    @property
    def held(self) -> float:
        """What the running requests may need, tokens."""
        pool = self._room.admission.pool
        return 0.0 if pool is None else pool.held

    def told(self, tokens: int, why: str, block_tokens: int = 1) -> None:
        """The budget is `tokens` from now on, given out in blocks."""
        self.why = why
        self._tokens, self._block_tokens = tokens, block_tokens
        if self.wanted and tokens != self.budget:
            self._limit(tokens)

    def untold(self, why: str) -> None:
        """The engine does not tell. A budget that it told earlier stays; without one that is logged once."""
        if self.budget is None and why != self.why:
            self.why = why
            self._log.warning("slots count requests only, not tokens", why=why)

    def _limit(self, tokens: int | None) -> None:
        self._room.limit_tokens(tokens, self._block_tokens)
        if tokens is None:
            self._log.info("slots count requests only", why="SLOT_COST")
        else:
            self._log.info("slots count tokens", budget_tokens=tokens, told_by=self.why)


class CacheSize(NamedTuple):
    """Of a KV cache: all its tokens, and those of a block."""

    tokens: int
    block_tokens: int


def cache_size(page: str) -> CacheSize | None:
    """Read off vLLM's metrics page, the sum of its engines' tokens; None where it is not told."""
    tokens = block_tokens = 0
    for line in page.splitlines():
        if line.startswith(_INFO):
            labels = dict(_LABEL.findall(line))
            sizes = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
            if not all(map(_SIZE.fullmatch, sizes)):
                return None
            block_tokens = max(block_tokens, int(sizes[1]))
            tokens += int(sizes[0]) * int(sizes[1])
    return CacheSize(tokens, block_tokens) if tokens else None
