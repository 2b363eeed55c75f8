"""What the prompt of a request is made of, in each API: in order, a str or a list of token ids each, and
whatever else was sent, which counts nothing.
"""

from collections.abc import Iterable, Mapping

Body = Mapping[str, object]
"""A request's JSON object."""


def of_chat(fields: Body) -> Iterable[object]:
    """The text of all messages."""
    messages = fields.get("messages")
    prompts: list[object] = []
    for message in messages if type(messages) is list else ():
        content = message.get("content") if type(message) is dict else None
        if type(content) is list:
            prompts += [part.get("text") for part in content if type(part) is dict]
        else:
            prompts.append(content)
    return prompts


def of_completion(fields: Body) -> Iterable[object]:
    """One text, one list of token ids, or a list of either."""
    return _one_or_more(fields.get("prompt"))


def _one_or_more(prompt: object) -> Iterable[object]:
    if type(prompt) is list and prompt and type(prompt[0]) is not int:
        return prompt
    return (prompt,)
