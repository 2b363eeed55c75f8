"""Reading a request's body and what the gateway must know of it. The bytes go on unchanged, or with fields
added at the end.

Adding at the end is safe because of two facts: the body was just parsed as one JSON object, so its last `}`
closes it, and of two equal keys every JSON parser in question takes the last one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson

from gateway.lane_book import KnownLane
from gateway.lenient import boolean, integer
from gateway.prefix_hashes import PrefixHashes
from gateway.prompt_size import prompt_bytes
from gateway.refusal import Fields, Refusal, invalid, model_not_found, too_large
from gateway.served import Served
from gateway.sse import BOM
from gateway.ticket import RequestFacts
from gateway.token_cost import estimate
from gateway.token_needs import TokenNeed, TokenNeeds


@dataclass(slots=True)
class ChatRequest:
    """What a client asks for.

    served: where; content: the bytes for the engine; stream: whether it wants events; slots: one per sequence
    that the engine generates; facts: what admission may know of it; usage_hidden: the gateway asked for the
    usage event, the client did not. Only where the request is recorded: max_tokens, the longest answer that
    it wants, and prefix, see `prefix_hashes`. need: only where slots count tokens.
    """

    served: Served
    content: bytes
    stream: bool
    slots: int
    facts: RequestFacts
    usage_hidden: bool
    max_tokens: int | None = None
    prefix: bytes = b""
    need: TokenNeed | None = None


def check_head(fields: Fields, max_body_bytes: int) -> None:
    """Judges a body before any of it is read, by the first value of each field. Raises Refusal when it would
    be too large, or has a form that the gateway does not read.
    """
    kind = fields.get(b"content-type")
    if kind != b"application/json" and (
        kind is None or kind.split(b";", 1)[0].strip().lower() != b"application/json"
    ):
        raise invalid("Content-Type must be application/json.", "content-type", 415, close=True)
    encoding = fields.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() != b"identity":
        raise invalid("The request body must not be compressed.", "content-encoding", 415, close=True)
    length = fields.get(b"content-length")
    if length is not None and int(length) > max_body_bytes:
        raise too_large_body(max_body_bytes)


def too_large_body(max_body_bytes: int) -> Refusal:
    """The answer to a body over the bound."""
    return too_large(f"The request body is larger than {max_body_bytes} bytes.")


@dataclass(frozen=True, slots=True)
class BodyRules:
    """What the operator allows in a body, and what is put into it.

    models: the names that are let through, empty for all; ask_usage: whether streams are made to end with
    their usage; ranked: whether the engine is told the rank of the request's class, as `priority`; prefixes:
    None where requests are not recorded; needs: None where slots never count tokens.
    """

    max_choices: int
    model_name: str | None = None
    models: Collection[str] = ()
    ask_usage: bool = True
    ranked: bool = False
    prefixes: PrefixHashes | None = None
    needs: TokenNeeds | None = None


def parse(body: bytes, served: Served, rules: BodyRules, lane: KnownLane | None = None) -> ChatRequest:
    """Reads what admission needs, as the engine will read it, and leaves all else to the engine.

    lane: the request's own, where there are some. Raises Refusal for what is no JSON object, asks for too
    many sequences, or names another model.
    """
    body = body.removeprefix(BOM)  # nobody should write one, some do, and not every engine reads it
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The request body is not valid JSON: {error}.") from None
    if type(fields) is not dict:
        raise invalid("The request body must be a JSON object.")
    if served.no is not None and (wrong := served.no(fields)) is not None:
        raise wrong
    stream = (boolean(fields.get("stream")) and served.generates) or False
    slots = _slots(fields, served, rules.max_choices)
    added = _added_model(fields, rules.model_name, rules.models)
    asks = stream and served.usage_option and rules.ask_usage
    options = _with_usage(fields.get("stream_options")) if asks else None
    if options is not None:
        added["stream_options"] = options
    if (rules.ranked and served.takes_slots) or (lane is not None and "priority" in fields):
        # Never the client's own, with which it would go before all others.
        added["priority"] = lane.rank if rules.ranked and lane is not None else 0
    content = _with(body, added, bool(fields)) if added else body
    prompt = prompt_bytes(served.texts(fields))
    facts = RequestFacts(prompt)
    if lane is not None:
        cost = estimate(prompt, slots, _max_tokens(fields, served), lane.counts)
        facts = RequestFacts(prompt, lane.name, cost)
    wish = ChatRequest(served, content, stream, slots, facts, options is not None)
    if rules.needs is not None and rules.needs.wanted:
        tenant = "" if lane is None else lane.lane.tenant
        wish.need = rules.needs.of(served.texts(fields), slots, _max_tokens(fields, served), tenant)
        wish.facts = facts._replace(kv_tokens=wish.need.tokens, kv_output=wish.need.output)
    if rules.prefixes is not None:
        wish.max_tokens = _max_tokens(fields, served)
        wish.prefix = rules.prefixes.of(served.texts(fields))
    return wish


def _max_tokens(fields: Mapping[str, object], served: Served) -> int | None:
    for name in served.longest:
        most = fields.get(name)
        if most is not None:
            return most if type(most) is int else integer(most)
    return None if served.generates else 0


def _slots(fields: Mapping[str, object], served: Served, most: int) -> int:
    """One for each sequence. Raises Refusal above `most`."""
    if not served.takes_slots:
        return 0
    count, field, what = served.sequences(fields)
    if count > most:
        text = f"This request asks for {count} sequences ({what}), the gateway serves "
        raise invalid(f"{text}up to {most} (its setting MAX_CHOICES).", field)
    return count


def _with_usage(options: object) -> dict[str, object] | None:
    """`stream_options` that ask for the usage, or None where the client does so itself or the engine will
    refuse what it wrote.
    """
    if options is None:
        return {"include_usage": True}
    if type(options) is not dict:
        return None
    asked = options.get("include_usage")
    if boolean(asked) or (asked is not None and boolean(asked) is None):
        return None
    return {**options, "include_usage": True}


def _added_model(
    fields: Mapping[str, object], model_name: str | None, models: Collection[str]
) -> dict[str, object]:
    model = fields.get("model")
    if model is None:
        return {} if model_name is None else {"model": model_name}
    if models and model != model_name and not any(model == name for name in models):
        raise model_not_found(model, models)
    return {}


def _with(body: bytes, added: Mapping[str, object], any_field: bool) -> bytes:
    return body[: body.rindex(b"}")] + (b"," if any_field else b"") + orjson.dumps(added)[1:]
