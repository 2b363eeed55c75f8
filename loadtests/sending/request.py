"""The bytes of one chat completion request on a keep-alive connection. Knows no sockets."""

from __future__ import annotations

from loadtests.planning.load_class import LoadClass
from loadtests.reach.endpoint import Endpoint


def request_head(target: Endpoint) -> bytes:
    """What all requests of a run begin with: the request line and the headers that stay the same.

    Raises UnicodeEncodeError for a key that is not Latin-1, which no header can carry.
    """
    lines = [
        f"POST {target.request_prefix()}/v1/chat/completions HTTP/1.1",
        f"host: {target.authority}",
        "content-type: application/json",
        "accept: text/event-stream",
        # A compressing proxy would hold back events until a block is full.
        "accept-encoding: identity",
        "user-agent: llm-headroom",
    ]
    lines += [f"{name}: {value}" for name, value in target.request_fields().items()]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def with_lane(head: bytes, load_class: LoadClass) -> bytes:
    """The head of the requests of a load class: it says which lane it is for, where the class has one."""
    lines = [f"{name}: {value}\r\n" for name, value in load_class.lane_headers.items()]
    return head + "".join(lines).encode("latin-1")


def request(head: bytes, body: bytes, request_id: str, session: str = "") -> bytes:
    """One whole request; `head` is from `request_head`. session: its name, "" for none."""
    named = f"x-session-id: {session}\r\n" if session else ""
    own = f"x-request-id: {request_id}\r\n{named}content-length: {len(body)}\r\n\r\n"
    return head + own.encode("latin-1") + body
