"""LangChain's ChatOpenAI."""

from __future__ import annotations

from collections.abc import Iterator

from langchain_openai import ChatOpenAI

from tests.clients.asking.cases import Case, serve


def ask(case: Case) -> Iterator[str | None]:
    chat = ChatOpenAI(
        base_url=case.url,
        api_key=case.key,
        model=case.model,
        max_tokens=5,
        max_retries=0,
        extra_body=case.extra,
    )
    if case.stream:
        for piece in chat.stream("one two three"):
            yield str(piece.content)
        return
    yield str(chat.invoke("one two three").content)


if __name__ == "__main__":
    serve(ask)
