"""What the prompt of a request is made of, in each API: in order, a str or a list of token ids each, and
whatever else was sent, which counts nothing.
"""

from collections.abc import Iterable, Mapping

Body = Mapping[str, object]
"""A request's JSON object."""

PAIRS = (("queries", "documents"), ("queries", "items"), ("data_1", "data_2"), ("text_1", "text_2"))
"""The two fields of a score, by any of their names."""


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


def of_response(fields: Body) -> Iterable[object]:
    """The instructions, and of what was said and done all that is text."""
    given = fields.get("input")
    texts = [fields.get("instructions")]
    for item in given if type(given) is list else (given,):
        if type(item) is not dict:
            texts.append(item)
            continue
        texts += [item.get("arguments"), *_parts(item.get("content")), *_parts(item.get("output"))]
    return [text for text in texts if text is not None]


def of_message(fields: Body) -> Iterable[object]:
    """The system's text, and the blocks of all messages, results of tools included."""
    messages = fields.get("messages")
    texts = _parts(fields.get("system"))
    for message in messages if type(messages) is list else ():
        content = message.get("content") if type(message) is dict else None
        texts += _parts(content)
        for block in content if type(content) is list else ():
            if type(block) is dict and block.get("type") == "tool_result":
                texts += _parts(block.get("content"))
    return texts


def of_embeddings(fields: Body) -> Iterable[object]:
    """The inputs: texts, lists of token ids, or chats, which may also be in `messages`."""
    texts: list[object] = []
    for field in ("input", "messages"):
        for one in _one_or_more(fields.get(field)):
            if type(one) is dict:
                texts += _parts(one.get("content"))
            elif type(one) is list and one and type(one[0]) is dict:
                texts += of_chat({"messages": one})
            elif one is not None:
                texts.append(one)
    return texts


def of_rerank(fields: Body) -> Iterable[object]:
    """The query, and the documents."""
    return [*_side(fields.get("query")), *_side(fields.get("documents"))]


def of_score(fields: Body) -> Iterable[object]:
    """Both sides."""
    texts: list[object] = []
    for field in dict.fromkeys(name for pair in PAIRS for name in pair):
        texts += _side(fields.get(field))
    return texts


def of_tokenize(fields: Body) -> Iterable[object]:
    """A text, or a chat."""
    return of_completion(fields) if fields.get("prompt") is not None else of_chat(fields)


def of_detokenize(fields: Body) -> Iterable[object]:
    """The token ids."""
    return (fields.get("tokens"),)


def _one_or_more(prompt: object) -> Iterable[object]:
    if type(prompt) is list and prompt and type(prompt[0]) is not int:
        return prompt
    return (prompt,)


def _side(value: object) -> list[object]:
    """Of texts, or of objects with parts."""
    texts: list[object] = []
    for one in value if type(value) is list else (value,):
        texts += _parts(one.get("content")) if type(one) is dict else _parts(one)
    return texts


def _parts(content: object) -> list[object]:
    """A text, or the texts of its parts."""
    if type(content) is list:
        return [part.get("text") for part in content if type(part) is dict and "text" in part]
    return [] if content is None else [content]
