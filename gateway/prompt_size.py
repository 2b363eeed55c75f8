"""The size of a request's prompt, read off its JSON object: what a queue order can judge by, since nobody
has counted its tokens yet.
"""

from collections.abc import Iterable

from gateway.ticket import BYTES_PER_TOKEN


def prompt_bytes(texts: Iterable[object]) -> int:
    """All texts of a prompt (`prompt_texts`) in bytes of UTF-8; see `RequestFacts`.

    What has another form than the API knows counts nothing: judging it is the engine's part.
    """
    return sum(map(_size, texts))


def _size(prompt: object) -> int:
    if type(prompt) is str:
        return len(prompt) if prompt.isascii() else len(prompt.encode())
    return BYTES_PER_TOKEN * len(prompt) if type(prompt) is list else 0
