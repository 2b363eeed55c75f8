"""Clients that retry do it as they say."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from loadtests.sending.retry import RetryPolicy
from tests.loadtests.harness import until, upstream


@pytest.mark.parametrize(
    ("behaviours", "attempts"), [(["429"], 3), (["500"], 3), (["400"], 1), (["429", "ok"], 2)]
)
def test_as_many_tries_as_the_openai_sdk(tmp_path: Path, behaviours: list[str], attempts: int) -> None:
    """The real SDK against the same server: it tries as often as our policy says."""
    with upstream(tmp_path, behaviours=behaviours, retry_after_s=0.05, gap_s=0.001) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k")
        try:
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=2, stream=True
            )
            list(answer)
        except openai.APIStatusError:
            pass
        finally:
            client.close()
        until(lambda: len(server.log()) >= attempts, "the server's log has every try")
        tried = [entry["behaviour"] for entry in server.log()]
    status = {"429": 429, "500": 500, "400": 400, "ok": 200}
    policy, ours = RetryPolicy("openai"), 1
    while status[behaviours[(ours - 1) % len(behaviours)]] != 200:
        if policy.pause_s(ours, status[behaviours[(ours - 1) % len(behaviours)]], 0.05, None, 0) is None:
            break
        ours += 1
    assert len(tried) == ours == attempts


def test_pauses() -> None:
    """Told pauses are kept to, up to two minutes; untold ones double from half a second, less
    up to a quarter."""
    sdk, header = RetryPolicy("openai"), RetryPolicy("retry-after")
    assert sdk.pause_s(1, 429, 7.0, None, 0) == 7.0
    assert sdk.pause_s(1, 429, 121.0, None, 0) is None
    assert 0.375 <= (sdk.pause_s(1, 503, None, None, 5) or 0) <= 0.5
    assert 0.75 <= (sdk.pause_s(2, None, None, None, 5) or 0) <= 1.0
    assert sdk.pause_s(3, 429, 1.0, None, 0) is None
    assert sdk.pause_s(1, 429, 1.0, "false", 0) is None
    assert sdk.pause_s(1, 400, None, "true", 0) is not None
    assert header.pause_s(1, 429, 2.0, None, 0) == 2.0
    assert header.pause_s(1, 429, None, None, 0) is None
    assert header.pause_s(1, 500, 2.0, None, 0) is None
    assert RetryPolicy("none").pause_s(1, 429, 1.0, None, 0) is None
