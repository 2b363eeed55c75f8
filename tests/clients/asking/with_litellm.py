"""LiteLLM's SDK, speaking to what it calls an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Iterator

import litellm

from tests.clients.asking.cases import Case, serve


def ask(case: Case) -> Iterator[str | None]:
    answer = litellm.completion(
        model=f"openai/{case.model}",
        messages=[{"role": "user", "content": "one two three"}],
        max_tokens=5,
        stream=case.stream,
        base_url=case.url,
        api_key=case.key,
        max_retries=0,
        extra_body=case.extra,
    )
    if case.stream:
        for piece in answer:
            yield piece.choices[0].delta.content
        return
    yield answer.choices[0].message.content


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    serve(ask)
