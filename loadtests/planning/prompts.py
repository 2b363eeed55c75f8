"""Prompt text of a wanted length in tokens, different for every request unless it shares a prefix on purpose.

Text is made of words from a list. How many tokens each word costs is measured against the engine's own
`/tokenize` before the load starts (`calibrate`); without one, a word counts as one token.
`usage.prompt_tokens` of each answer is recorded in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

Messages = list[dict[str, str]]
CountTokens = Callable[[Messages], int]
"""Tokens of a chat prompt, template included, as the engine counts them."""

_LIST = (
    "able air area army baby back bank base bird blue boat body book box city code cold corn cost crew "
    "dark data day deal desk door down east edge face fact farm fast feet film fire fish flat food foot "
    "form free full game gate girl goal gold good green hair half hand hard head heat high hill home "
    "hope hour idea iron item job kind king lake land last late law lead left life light line list long "
    "love main man map mass mind moon more name near news night north note open page paper park part "
    "past path plan play pool post rain rate rest rice rich ring road rock role room root rule safe "
    "salt sand sea seat ship shop side sign silk size skin snow soft soil song south star step stone "
    "sun table talk team term test text time town tree unit view voice wall warm wave west wind wood "
    "word work world year"
)
WORDS = tuple(_LIST.split())


@dataclass(frozen=True)
class TokenCost:
    """What text costs in tokens: `template` per prompt, `per_message` for each message after the first, and
    the words sorted by their price.

    by_price: tokens → the words (each with its leading space) that cost that many. exact: verified against a
    tokenizer.
    """

    by_price: dict[int, tuple[str, ...]]
    template: int = 0
    exact: bool = False
    note: str = "no tokenizer asked: one word counts as one token"
    per_message: int = 0

    @cached_property
    def common(self) -> int:
        """The price that most words have, in tokens."""
        return max(self.by_price, key=lambda price: len(self.by_price[price]))

    @cached_property
    def table(self) -> tuple[str, ...]:
        """256 words of the common price, for the values of a byte."""
        common = self.by_price[self.common]
        return tuple(common[k % len(common)] for k in range(256))

    def to_json(self) -> dict[str, object]:
        """As plain data, for the wire and for a file that several runs share."""
        return {**asdict(self), "by_price": [[price, list(words)] for price, words in self.by_price.items()]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TokenCost:
        """The inverse of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        prices = {int(price): tuple(words) for price, words in document["by_price"]}
        template, per_message = int(document["template"]), int(document.get("per_message", 0))
        return cls(prices, template, bool(document["exact"]), str(document["note"]), per_message)


ONE_EACH = TokenCost({1: WORDS})


def words(tokens: int, seed: int | str, cost: TokenCost = ONE_EACH) -> str:
    """Text that costs `tokens` tokens (or, below the cheapest word, one word): the same for the same seed.

    The words are picked by the bytes of SHAKE-128 of the seed: a tenth of the time of a random generator,
    and the same text with every version of Python.
    """
    reserve = max(cost.by_price) * 2
    count = max(0, (tokens - reserve) // cost.common)
    picks = hashlib.shake_128(str(seed).encode()).digest(count + 64)
    table = cost.table
    chosen = [table[pick] for pick in picks[:count]]
    left = tokens - count * cost.common
    spare = count
    while left > 0:
        price = _next_price(cost.by_price, left)
        chosen.append(cost.by_price[price][picks[spare] % len(cost.by_price[price])])
        left -= price
        spare += 1
    return " ".join(chosen)


def _next_price(by_price: Mapping[int, Sequence[str]], left: int) -> int:
    """The most expensive word that fits and leaves nothing, or enough for another; else the cheapest."""
    cheapest = min(by_price)
    return max((p for p in by_price if p == left or p <= left - cheapest), default=cheapest)


def calibrate(count: CountTokens, candidates: Sequence[str] = WORDS[:64]) -> TokenCost:
    """Measure what words cost in this engine's chat prompt; `exact` if whole prompts then
    come out as computed.

    One call a word: the price of a word is what repeating it eight times adds, divided by eight. Words
    whose price depends on their neighbours are left out. Raises what `count` raises.
    """
    base = count([{"role": "user", "content": candidates[0]}])
    prices: dict[int, list[str]] = {}
    for word in candidates:
        added = count([{"role": "user", "content": " ".join([candidates[0]] + [word] * 8)}]) - base
        if added > 0 and added % 8 == 0:
            prices.setdefault(added // 8, []).append(word)
    if not prices:
        return TokenCost(
            {1: WORDS}, note="the tokenizer prices no word of the list independently of its neighbours"
        )
    by_price = {price: tuple(priced) for price, priced in sorted(prices.items())}
    first = max(by_price, key=lambda price: len(by_price[price]))
    sample = by_price[first][0]
    template = count([{"role": "user", "content": " ".join([sample] * 16)}]) - 16 * first
    cost = TokenCost(by_price, template, per_message=_message_tokens(count, sample, first, template))
    errors = [_error(count, cost, tokens, seed) for seed, tokens in enumerate((17, 64, 257, 1024))]
    worst = max(errors, key=abs)
    if worst:
        return replace(cost, note=f"prompts differ from the tokenizer by up to {worst} tokens")
    return replace(cost, exact=True, note=f"exact: checked on {len(errors)} prompts")


def _message_tokens(count: CountTokens, word: str, price: int, template: int) -> int:
    """What each message after the first costs beside its words; 0 for a template that takes no conversation,
    or leaves answers out of it."""
    text = " ".join([word] * 16)
    talk: Messages = [{"role": role, "content": text} for role in ("user", "assistant", "user")]
    return max(0, (count(talk) - 3 * 16 * price - template) // 2)


def _error(count: CountTokens, cost: TokenCost, tokens: int, seed: int) -> int:
    content = words(max(1, tokens - cost.template), seed, cost)
    return count([{"role": "user", "content": content}]) - max(tokens, cost.template + min(cost.by_price))
