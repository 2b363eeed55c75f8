"""The size of a request's prompt, read off its JSON object: what a queue order can judge by, since nobody
has counted its tokens yet.
"""

from collections.abc import Iterable, Mapping

from gateway.outcome import Route
from gateway.ticket import BYTES_PER_TOKEN


def prompt_bytes(fields: Mapping[str, object], route: Route) -> int:
    """The text of all messages, or of the prompt, in bytes of UTF-8; see `RequestFacts`.

    What has another form than the API knows counts nothing: judging it is the engine's part.
    """
    return sum(map(_size, texts(fields, route)))


def texts(fields: Mapping[str, object], route: Route) -> Iterable[object]:
    """What the prompt is made of, in order: a str or a list of token ids each, and whatever else was sent."""
    return _messages(fields) if route is Route.CHAT else _prompts(fields)


def _messages(fields: Mapping[str, object]) -> Iterable[object]:
    messages = fields.get("messages")
    prompts: list[object] = []
    for message in messages if type(messages) is list else ():
        content = message.get("content") if type(message) is dict else None
        if type(content) is list:
            prompts += [part.get("text") for part in content if type(part) is dict]
        else:
            prompts.append(content)
    return prompts


def _prompts(fields: Mapping[str, object]) -> Iterable[object]:
    """One text, one list of token ids, or a list of either."""
    prompt = fields.get("prompt")
    if type(prompt) is list and prompt and type(prompt[0]) is not int:
        return prompt
    return (prompt,)


def _size(prompt: object) -> int:
    if type(prompt) is str:
        return len(prompt) if prompt.isascii() else len(prompt.encode())
    return BYTES_PER_TOKEN * len(prompt) if type(prompt) is list else 0
