"""What the gateway changes of an engine's answers, each with its reason: the only differences allowed.

`python -m tests.clients.differences` prints the tables of docs/clients.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer of the gateway's own where the engine gives another one.

    checks: their names; engine, gateway: the statuses.
    """

    checks: tuple[str, ...]
    engine: int
    gateway: int
    why: str


NOT_SERVED = "a path is served where the gateway knows what it costs"
OWN_WORDS = "the same status in the form of the API, which names what is wrong or what is served"
NO_JSON = (
    "no JSON by its standard: what another engine reads there is not known, so neither is what it would cost"
)

DIFFERENT = (
    Difference(("n above MAX_CHOICES",), 200, 400, "more sequences at once than `MAX_CHOICES`"),
    Difference(
        ("stream, bad top_logprobs",),
        200,
        400,
        "the engine tells the mistake in a stream under a 200; the client gets its status and the same error",
    ),
    Difference(
        tuple(
            f"content type {kind}" for kind in ("text/plain", "multipart/form-data", "left out", "of vendors")
        ),
        400,
        415,
        "the status that says so",
    ),
    Difference(("body: compressed",), 400, 415, "the status that says so"),
    Difference(("body: no JSON", "body: empty", "body: JSON list", "body: JSON null"), 400, 400, OWN_WORDS),
    Difference(("body: not UTF-8", "body: JSON with NaN"), 400, 400, OWN_WORDS),
    Difference(("body: half of a surrogate pair", "body: UTF-16"), 200, 400, NO_JSON),
    Difference(
        tuple(f"{method} of chat" for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")),
        405,
        405,
        OWN_WORDS,
    ),
    Difference(("POST of models",), 405, 405, OWN_WORDS),
    Difference(("HEAD of models",), 405, 200, "HEAD is served where GET is"),
    Difference(("GET /v1/models/MODEL",), 404, 200, "one model of the list, which vLLM does not serve"),
    Difference(("GET /v1/models/nobody",), 404, 404, "the names that there are"),
    Difference(("GET /health", "GET /metrics", "GET /openapi.json"), 200, 200, "the gateway's own"),
    Difference(("GET /", "GET /nothing", "POST //v1/chat/completions"), 404, 404, OWN_WORDS),
    Difference(("POST /pooling", "POST /v1/audio/speech"), 404, 404, OWN_WORDS),
    Difference(("responses: no JSON", "messages: no JSON"), 400, 400, OWN_WORDS),
    Difference(("GET of responses", "GET of messages"), 405, 405, OWN_WORDS),
    Difference(
        ("responses, in the background",),
        400,
        400,
        "vLLM takes it where it keeps responses; its answer would be made when its slot is another's",
    ),
    Difference(("POST /v1/chat/completions/",), 307, 200, "served at once instead of led on"),
    Difference(
        ("GET /version", "GET /ping", "GET /docs"),
        200,
        404,
        NOT_SERVED,
    ),
)

ADDED: Mapping[str, str] = {
    "x-request-id": "under which the gateway's log has the request",
    "x-gateway-limits-version": "which limits were in force",
    "x-gateway-lanes-version": "which lanes were in force, where there are some",
    "server-timing": "the wait for a slot and for the engine's head",
    "cache-control": "streams: `no-cache`",
    "x-accel-buffering": "streams: `no`, for a proxy before the gateway",
    "age": "the list of models: seconds since it was asked for",
}
"""Header fields that only the gateway's answers have."""

LOST: Mapping[str, str] = {
    "server": "tells what stands behind the gateway",
    "transfer-encoding": "HTTP/1.0: vLLM sends chunks, which such a client cannot read",
    "vary": "the list of models: a copy that is the same for all",
}
"""Header fields that only the engine's answers have."""

SOMETIMES = {"age", "cache-control", "x-accel-buffering", "x-gateway-lanes-version"}
"""Fields that are not added to every answer."""

OF_SEVERAL: Mapping[str, str] = dict.fromkeys(
    ("stream, n=2", "completion, stream, list of prompts"),
    "of several choices only the last to end tells `system_fingerprint`: it comes with the usage",
)
"""Streams in which not every event is the engine's, byte for byte."""


def tables() -> str:
    """Both tables and the sentence between them, as they stand in docs/clients.md."""
    rows = ["| asked | engine | gateway | why |", "|---|---|---|---|"]
    rows += [f"| {', '.join(d.checks)} | {d.engine} | {d.gateway} | {d.why} |" for d in DIFFERENT]
    rows += [f"| {name} | 200 | 200 | {why} |" for name, why in OF_SEVERAL.items()]
    rows += ["", "| header field | why |", "|---|---|"]
    rows += [f"| `{name}` added | {why} |" for name, why in ADDED.items()]
    rows += [f"| `{name}` left out | {why} |" for name, why in LOST.items()]
    return "\n".join(rows)


if __name__ == "__main__":
    print(tables())
