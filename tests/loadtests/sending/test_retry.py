"""Clients that retry do it as they say, and as the OpenAI SDK does."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from types import SimpleNamespace

import openai
import pytest
from openai import _base_client

from loadtests.sending.answer import Answer
from loadtests.sending.retry import RetryPolicy, jitter_of
from tests.gateway.scripted_engine import ScriptedEngine, whole

NOW_S = 1_790_000_000.0
SEED = 7
TOLD = [
    (),
    ("retry-after-ms: 1100", "retry-after: 2"),  # what the gateway sends
    ("retry-after-ms: 1100",),
    ("retry-after: 2",),
    ("retry-after: 0.25",),
    ("retry-after: 120",),
    ("retry-after: 120.001",),
    ("retry-after-ms: 120000", "retry-after: 500"),
    ("retry-after-ms: 120001", "retry-after: 2"),
    ("retry-after-ms: 0", "retry-after: 2"),
    ("retry-after-ms: -5", "retry-after: 2"),
    ("retry-after-ms: soon", "retry-after: 2"),
    ("retry-after-ms: nan", "retry-after: 2"),
    ("retry-after-ms: inf", "retry-after: 2"),
    ("retry-after: 1e999",),
    ("retry-after: Infinity",),
    ("retry-after: soon",),
    ("retry-after:",),
    (f"retry-after: {formatdate(NOW_S + 3, usegmt=True)}",),
    (f"retry-after: {formatdate(NOW_S - 3, usegmt=True)}",),
    (f"retry-after: {formatdate(NOW_S + 600, usegmt=True)}",),
    (f"retry-after-ms: soon, retry-after: {formatdate(NOW_S + 3, usegmt=True)}",),
    ("x-should-retry: false",),
    ("x-should-retry: true", "retry-after: 3"),
    ("x-should-retry: true", "retry-after: 121"),
    ("x-should-retry: maybe",),
]
STATUSES = [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504, 529]


@pytest.fixture(scope="module")
def sdk() -> Iterator[tuple[openai.OpenAI, ScriptedEngine]]:
    with ScriptedEngine() as engine, openai.OpenAI(base_url=f"{engine.url}/v1", api_key="k") as client:
        yield client, engine


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each wait of the SDK, whose clock stands still and whose jitter is that of our seed."""
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append, time=lambda: NOW_S)
    monkeypatch.setattr(_base_client, "time", clock)
    monkeypatch.setattr(_base_client, "random", lambda: jitter_of(SEED, len(waited) + 1))
    return waited


def answer_of(status: int, told: tuple[str, ...]) -> str:
    return whole(status, '{"error": {"message": "no"}}', extra="".join(f"{line}\r\n" for line in told))


def ours(status: int, told: tuple[str, ...], most: int) -> list[float]:
    """Our waits after the same bytes."""
    answer = Answer()
    answer.feed(answer_of(status, told).encode(), 0.0)
    policy, pauses = RetryPolicy("openai", most), list[float]()
    for attempt in range(1, most + 2):
        jitter = jitter_of(SEED, attempt)
        pause_s = policy.pause_s(attempt, answer.status, answer.headers, jitter=jitter, now_s=NOW_S)
        if pause_s is None:
            break
        pauses.append(pause_s)
    return pauses


def ask(sdk: tuple[openai.OpenAI, ScriptedEngine], status: int, told: tuple[str, ...], most: int) -> int:
    """Lets the real SDK ask until it gives up; returns how often it asked."""
    client, engine = sdk
    before = len(engine.seen)
    script = [["send", answer_of(status, told)]]
    asking = client.with_options(max_retries=most).chat.completions
    with pytest.raises(openai.APIStatusError) as refused:
        asking.create(model="m", messages=[], stream=True, extra_body={"script": script})
    assert refused.value.status_code == status
    return len(engine.seen) - before


@pytest.mark.parametrize("told", TOLD, ids=str)
@pytest.mark.parametrize("status", [429, 503, 400])
def test_the_waits_are_the_sdks(
    sdk: tuple[openai.OpenAI, ScriptedEngine], waits: list[float], status: int, told: tuple[str, ...]
) -> None:
    """Whatever the headers say: each wait, and whether there is one."""
    assert ask(sdk, status, told, 2) == len(waits) + 1
    assert ours(status, told, 2) == waits


@pytest.mark.parametrize("status", STATUSES)
def test_the_statuses_are_the_sdks(
    sdk: tuple[openai.OpenAI, ScriptedEngine], waits: list[float], status: int
) -> None:
    """Which ones are tried again, and for how long: more than its two tries, up to the longest pause."""
    ask(sdk, status, (), 7)
    assert ours(status, (), 7) == waits


def test_a_broken_connection_is_tried_again_as_by_the_sdk(
    sdk: tuple[openai.OpenAI, ScriptedEngine], waits: list[float]
) -> None:
    """Its own two tries, with nothing told."""
    with pytest.raises(openai.APIConnectionError):
        sdk[0].chat.completions.create(model="m", messages=[], extra_body={"script": [["reset"]]})
    policy = RetryPolicy("openai")
    pauses = [policy.pause_s(n, None, {}, jitter=jitter_of(SEED, n), now_s=NOW_S) for n in (1, 2, 3)]
    assert pauses == [*waits, None]


@pytest.mark.parametrize(
    ("policy", "status", "told", "pause_s"),
    [
        ("none", 429, b"1", None),
        ("retry-after", 429, b"2", 2.0),
        ("retry-after", 503, formatdate(NOW_S + 3, usegmt=True).encode(), 3.0),
        ("retry-after", 429, b"", None),
        ("retry-after", 429, b"0", None),
        ("retry-after", 429, b"121", None),
        ("retry-after", 500, b"2", None),
        ("retry-after", None, b"", None),
    ],
)
def test_the_simpler_clients(policy: str, status: int | None, told: bytes, pause_s: float | None) -> None:
    """One that never comes back, and one that comes back only as `Retry-After` says, in whole seconds."""
    headers = {b"retry-after": told, b"retry-after-ms": b"1100"}
    got = RetryPolicy(policy).pause_s(1, status, headers, jitter=0.5, now_s=NOW_S)
    assert got == pause_s
    assert RetryPolicy(policy).pause_s(3, status, headers, jitter=0.5, now_s=NOW_S) is None


def test_a_jitter_can_be_drawn_again() -> None:
    """The same for the same arrival and try, inside its range."""
    drawn = [jitter_of(seed, attempt) for seed in range(50) for attempt in (1, 2)]
    assert drawn == [jitter_of(seed, attempt) for seed in range(50) for attempt in (1, 2)]
    assert all(0 <= jitter < 1 for jitter in drawn)
    assert len(set(drawn)) > 40
