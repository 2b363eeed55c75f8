"""Traffic → what a gateway would keep of it → traffic again: prompts begin alike as far as they did."""

from __future__ import annotations

import base64

import orjson
import pytest

from benchmarks.replay import mixed_traffic
from gateway.prefix_hashes import PrefixHashes
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import ONE_EACH
from loadtests.sending.bodies import Bodies
from loadtests.traffic import recorded, replayed
from loadtests.traffic.replayed import Stretch
from loadtests.traffic.segments import Span
from tests.loadtests.traffic.made_traffic import Made, traffic

BLOCK = 16
"""Tokens that an engine's cache holds or forgets together."""


def prompts(plan: Plan, salt: str) -> list[list[str]]:
    """The texts of each prompt's messages."""
    bodies = Bodies("m", ONE_EACH, salt=salt, chunk_usage=False, plan=plan.arrivals)
    return [[m["content"] for m in orjson.loads(bodies.take(a))["messages"]] for a in plan.arrivals]


def hits(texts: list[list[str]]) -> float:
    """Share of the words that a cache of blocks would have held that forgets nothing."""
    known: set[int] = set()
    hit = total = 0
    for messages in texts:
        words = " ".join(messages).split()
        total += len(words)
        head = 0
        for start in range(0, len(words) - BLOCK + 1, BLOCK):
            head = hash((head, *words[start : start + BLOCK]))
            hit += BLOCK * (head in known)
            known.add(head)
    return hit / total


def kept(plan: Plan, texts: list[list[str]]) -> list[Made]:
    """What a gateway keeps of them."""
    hashes, rows = PrefixHashes(b"s" * 32), []
    for a, messages in zip(plan.arrivals, texts, strict=True):
        prefix = base64.b64encode(hashes.of(messages)).decode()
        blocks = [prefix[k : k + 8] for k in range(0, len(prefix), 8)]
        size = sum(len(text.encode()) for text in messages) + len(messages) - 1
        session = f"s{a.session}" if a.session >= 0 else ""
        rows.append(
            Made(a.due_s, a.prompt_tokens, a.output_tokens, a.cls, session, bytes_=size, prefix=blocks)
        )
    return rows


MORE = [pytest.param(seed, marks=pytest.mark.prove) for seed in range(1, 8)]


@pytest.mark.parametrize("seed", [0, *MORE])
def test_a_cache_finds_as_much(seed: int) -> None:
    """Ten minutes of three tenants: within 3 points; and prompts are as long."""
    sent = mixed_traffic.plan(1.0, 600.0, seed)
    texts = prompts(sent, "a")
    found = recorded.of(traffic(kept(sent, texts), 5e8), "r", Span(5e8, 5e8 + 600.0))
    again = replayed.plan(found, 1.0, Stretch(0.0, 600.0), 1)
    before, after = hits(texts), hits(prompts(again, "b"))
    assert before > 0.3
    assert after == pytest.approx(before, abs=0.03)
    inside = [a.prompt_tokens for a in sent.arrivals if a.due_s < 600.0]  # sessions go on after it
    assert [a.prompt_tokens for a in again.arrivals] == inside
