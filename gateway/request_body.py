"""Reading a request's body and what the gateway must know of it. The bytes go on unchanged, or with fields
added at the end.

Adding at the end is safe because of two facts: the body was just parsed as one JSON object, so its last `}`
closes it, and of two equal keys every JSON parser in question takes the last one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson
from starlette.types import Receive

from gateway.outcome import Outcome, Route
from gateway.prompt_size import prompt_bytes
from gateway.refusal import Headers, Refusal, invalid, too_large
from gateway.ticket import RequestFacts

BIG_INTEGER = 1 << 31


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a client asks for, in a chat or a completion.

    content: the bytes for the engine; stream: whether it wants events; slots: one per choice; facts: what
    admission may know of it; usage_hidden: the gateway asked for the usage event, the client did not.
    """

    content: bytes
    stream: bool
    slots: int
    facts: RequestFacts
    usage_hidden: bool


def header(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a field whose name is in lower case, or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


def check_head(headers: Headers, max_body_bytes: int) -> None:
    """Judges a body before any of it is read. Raises Refusal when it would be too large, or has a form that
    the gateway does not read.
    """
    kind = header(headers, b"content-type")
    if kind is None or kind.split(b";", 1)[0].strip().lower() != b"application/json":
        raise invalid("Content-Type must be application/json.", "content-type", 415, close=True)
    encoding = header(headers, b"content-encoding")
    if encoding is not None and encoding.strip().lower() != b"identity":
        raise invalid("The request body must not be compressed.", "content-encoding", 415, close=True)
    length = header(headers, b"content-length")
    if length is not None and int(length) > max_body_bytes:
        raise too_large(f"The request body is larger than {max_body_bytes} bytes.")


async def read(receive: Receive, max_body_bytes: int) -> bytes:
    """The whole body. Raises Refusal when it grows past the bound. A client that leaves cancels the task."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > max_body_bytes:
            raise too_large(f"The request body is larger than {max_body_bytes} bytes.")
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        if size > max_body_bytes:
            raise too_large(f"The request body is larger than {max_body_bytes} bytes.")
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > max_body_bytes:
        raise too_large(f"The request body is larger than {max_body_bytes} bytes.")
    return b"".join(parts)


def parse(
    body: bytes, route: Route, max_choices: int, model_name: str | None, models: Collection[str]
) -> ChatRequest:
    """Checks what the gateway relies on and leaves the rest to the engine. Raises Refusal.

    models: what the engine serves; empty when that is not known, and then any name goes through.
    """
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The request body is not valid JSON: {error.msg}.") from None
    if type(fields) is not dict:
        raise invalid("The request body must be a JSON object.")
    stream = fields.get("stream")
    if stream is not None and type(stream) is not bool:
        raise invalid("'stream' must be true or false.", "stream")
    slots = _whole_number(fields, "n", 1, max_choices) or 1
    for name in ("max_tokens", "max_completion_tokens"):
        _whole_number(fields, name, 1, BIG_INTEGER)
    _check_content(fields, route)
    added = _added_model(fields, model_name, models)
    usage_hidden = False
    if stream:
        options = fields.get("stream_options")
        if options is not None and type(options) is not dict:
            raise invalid("'stream_options' must be an object.", "stream_options")
        if not (options and options.get("include_usage")):
            usage_hidden = True
            added["stream_options"] = {**(options or {}), "include_usage": True}
    content = _with(body, added) if added else body
    return ChatRequest(content, bool(stream), slots, RequestFacts(prompt_bytes(fields, route)), usage_hidden)


def _whole_number(fields: Mapping[str, object], name: str, low: int, high: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise invalid(f"'{name}' must be a whole number from {low} to {high}.", name)
    return value


def _check_content(fields: Mapping[str, object], route: Route) -> None:
    if route is Route.CHAT:
        if type(fields.get("messages")) is not list:
            raise invalid("'messages' must be a list.", "messages")
    elif type(fields.get("prompt")) not in (str, list):
        raise invalid("'prompt' must be a string or a list.", "prompt")


def _added_model(
    fields: Mapping[str, object], model_name: str | None, models: Collection[str]
) -> dict[str, object]:
    model = fields.get("model")
    if model is None:
        return {} if model_name is None else {"model": model_name}
    if type(model) is not str:
        raise invalid("'model' must be a string.", "model")
    if models and model not in models and model != model_name:
        raise Refusal(
            Outcome.INVALID,
            404,
            f"The model '{model[:100]}' does not exist here.",
            "invalid_request_error",
            "model",
        )
    return {}


def _with(body: bytes, added: Mapping[str, object]) -> bytes:
    # The object is never empty: it has at least its messages or its prompt.
    return body[: body.rindex(b"}")] + b"," + orjson.dumps(added)[1:]
