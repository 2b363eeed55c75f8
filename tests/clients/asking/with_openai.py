"""The OpenAI SDK."""

from __future__ import annotations

from collections.abc import Iterator

import openai

from tests.clients.asking.cases import Case, serve


def ask(case: Case) -> Iterator[str | None]:
    client = openai.OpenAI(base_url=case.url, api_key=case.key, max_retries=0)
    said = client.chat.completions
    if case.stream:
        for piece in said.create(
            model=case.model,
            messages=[{"role": "user", "content": "one two three"}],
            max_tokens=5,
            stream=True,
            extra_body=case.extra,
        ):
            yield piece.choices[0].delta.content
        return
    whole = said.create(
        model=case.model,
        messages=[{"role": "user", "content": "one two three"}],
        max_tokens=5,
        extra_body=case.extra,
    )
    assert whole.usage is not None
    yield whole.choices[0].message.content


if __name__ == "__main__":
    serve(ask)
