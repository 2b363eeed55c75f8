"""What only the usage event tells reaches a client that did not ask for usage."""

import json
from typing import Any

import pytest

from tests.gateway.scripted_engine import DONE, END, SSE_HEAD, chunk, event, usage_event
from tests.gateway.stand import Stand

FINISH = event("b").replace('"finish_reason":null', '"finish_reason":"stop"')
USAGE = usage_event().replace('"id": "c"', '"id": "c", "system_fingerprint": "fp-\\u00e9"')
MARKED = FINISH.replace("]}\n\n", "]" + ',"system_fingerprint":"fp-é"}\n\n')


def streamed(stand: Stand, *pieces: Any, **fields: Any) -> str:
    """What the client gets of these pieces, each sent by itself."""
    steps = [["send", chunk(piece)] if isinstance(piece, str) else piece for piece in pieces]
    script = [["send", SSE_HEAD], *steps, *([["send", END]] if isinstance(pieces[-1], str) else [])]
    return stand.gateway.chat(stream=True, script=script, **fields)[2].decode()


@pytest.mark.fault(93)
def test_the_fingerprint_of_a_stream(stand: Stand) -> None:
    """vLLM puts it into the usage event, which the gateway asked for: it moves to where it stands without."""
    apart = [event("a"), ["wait", 0.02], FINISH, ["wait", 0.02], USAGE, ["wait", 0.02], DONE]
    assert streamed(stand, *apart) == event("a") + MARKED + DONE
    assert streamed(stand, event("a") + FINISH + USAGE + DONE) == event("a") + MARKED + DONE
    assert streamed(stand, FINISH, USAGE) == MARKED
    stand.ended(ok=3)


def test_a_client_that_asked_for_usage_gets_all_as_it_came(stand: Stand) -> None:
    """Nothing is moved where nothing is hidden."""
    got = streamed(stand, FINISH, USAGE, DONE, stream_options={"include_usage": True})
    assert got == FINISH + USAGE + DONE


@pytest.mark.fault(93)
@pytest.mark.parametrize(
    "after",
    [
        [usage_event(), DONE],
        [DONE],
        [event("c"), DONE],
        [": ping\n\n", DONE],
        [FINISH, DONE],
        [""],
        [["close"]],
    ],
    ids=["no fingerprint", "no usage", "more text", "comment", "finished twice", "the end", "a break"],
)
def test_a_finishing_event_is_never_lost(stand: Stand, after: list[Any]) -> None:
    """Whatever comes behind it, or nothing: it arrives, once for each time it was sent, and unchanged."""
    got = streamed(stand, event("a"), FINISH, *[piece for piece in after if piece])
    sent = [piece for piece in after if isinstance(piece, str) and '"usage"' not in piece]
    assert got.startswith(event("a") + FINISH + "".join(sent))
    assert got.count("data: ") == 2 + "".join(sent).count("data: ") + (after == [["close"]])


@pytest.mark.fault(93)
def test_a_finishing_event_does_not_wait_for_long(stand: Stand) -> None:
    """An engine that falls silent behind it keeps nothing back: the idle timeout's error comes after it."""
    got = streamed(stand, event("a"), FINISH, ["hang"])
    assert got.startswith(event("a") + FINISH)
    assert json.loads(got.rsplit("data: ", 1)[1])["error"]["code"] == "upstream_timeout"


def test_an_error_behind_a_finishing_event(stand: Stand) -> None:
    """Comes after it."""
    error = 'data: {"error": {"message": "no", "code": 500}}\n\n'
    behind = [["gate", "begun"], ["send", chunk(FINISH + error) + END]]
    client = stand.sent({"stream": True, "script": [["send", SSE_HEAD + chunk(event("a"))], *behind]})
    client.read_until(b'"a"')
    stand.engine.open_gate("begun")
    assert client.read_until(b"0\r\n\r\n").count((FINISH + error).encode()) == 1
