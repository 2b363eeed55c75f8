"""What an answer's bytes mean: times, tokens, outcomes."""

from __future__ import annotations

import gc
from typing import Any

import orjson
import pytest

from loadtests.sending.answer import Answer, BrokenAnswerError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"


def chunk(payload: bytes) -> bytes:
    event = b"data: " + payload + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def delta(content: str, finish: str | None = None, **more: Any) -> bytes:
    return orjson.dumps({"choices": [{"delta": {"content": content}, "finish_reason": finish}], **more})


def usage(n: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": 9, "completion_tokens": n}}


def fed(*pieces: bytes) -> Answer:
    """An answer whose k-th piece arrived at second k."""
    answer = Answer()
    for k, piece in enumerate(pieces):
        answer.feed(piece, float(k))
    return answer


END = (chunk(orjson.dumps({"choices": [], **usage(3)})), chunk(b"[DONE]"), b"0\r\n\r\n")


def test_the_first_token_is_the_first_content() -> None:
    """vLLM's first chunk carries only the role: it must not count as the first token, nor
    the last, empty one."""
    role = chunk(b'{"choices":[{"delta":{"role":"assistant","content":""}}]}')
    answer = fed(HEAD + b"\r\n", role, chunk(delta("a")), chunk(delta("b")), chunk(delta("", "length")), *END)
    assert answer.headers_s == 0.0
    assert answer.chunk_s == [2.0, 3.0]
    assert answer.finished_s == 7.0
    assert answer.outcome() == ("ok", None)
    assert (answer.prompt_tokens, answer.output_tokens, answer.finish_reason) == (9, 3, "length")
    assert answer.keep_alive


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning"])
def test_thinking_is_content(field: str) -> None:
    """A reasoning model's first visible token is its first thought."""
    answer = fed(HEAD + b"\r\n", chunk(orjson.dumps({"choices": [{"delta": {field: "x"}}]})))
    assert answer.chunk_s == [1.0]


def test_bytes_one_by_one_give_the_same_answer() -> None:
    """The network may cut anywhere."""
    whole = b"".join([HEAD + b"X-A: b\r\n\r\n", chunk(delta("a")), chunk(delta("b")), *END])
    answer = fed(*(whole[k : k + 1] for k in range(len(whole))))
    assert len(answer.chunk_s) == 2
    assert answer.outcome() == ("ok", None)


def test_usage_in_every_chunk_gives_tokens_per_chunk() -> None:
    """With continuous usage a chunk's tokens are the difference of the running counts."""
    answer = fed(HEAD + b"\r\n", chunk(delta("a", **usage(1))), chunk(delta("bcd", **usage(4))), *END)
    assert answer.chunk_tokens() == [1, 3]


def test_no_usage_in_chunks_means_unknown() -> None:
    """Unknown is None, not one each."""
    assert fed(HEAD + b"\r\n", chunk(delta("a")), *END).chunk_tokens() is None


def test_stages_and_headers() -> None:
    """Server-Timing in milliseconds becomes seconds by name; numbers that are none are None."""
    timing = b"Server-Timing: queue;dur=12.500, upstream;dur=3\r\n"
    answer = fed(HEAD + timing + b"Retry-After: soon\r\nX-Gateway-Limits-Version: 4\r\n\r\n")
    assert answer.stages_s() == {"queue": 0.0125, "upstream": 0.003}
    assert answer.number(b"retry-after") is None
    assert answer.number(b"x-gateway-limits-version") == 4


@pytest.mark.parametrize(
    ("status", "outcome_header", "expected"),
    [
        (429, b"rejected_full", "rejected_full"),
        (429, b"rejected_mode", "rejected_mode"),
        (503, b"queue_timeout", "queue_timeout"),
        (503, b"draining", "draining"),
        (504, b"upstream_timeout", "upstream_timeout"),
        (502, b"upstream_truncated", "truncated"),
        (500, b"internal", "upstream_error"),
        (401, b"unauthorized", "refused"),
        (413, b"too_large", "refused"),
        (429, None, "rejected_full"),
        (503, None, "upstream_overloaded"),
        (504, None, "upstream_timeout"),
        (500, None, "upstream_error"),
        (404, None, "refused"),
        (418, b"a_new_word", "refused"),
    ],
)
def test_refusals_by_the_gateways_word_or_the_status(
    status: int, outcome_header: bytes | None, expected: str
) -> None:
    """With our gateway its own word decides; against a bare engine the status does."""
    body = b'{"error":{"message":"no","code":"x"}}'
    named = b"X-Gateway-Outcome: %b\r\n" % outcome_header if outcome_header else b""
    answer = fed(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), named, body))
    assert answer.outcome() == (expected, "no")
    assert answer.keep_alive


def test_a_stream_without_an_end_is_truncated() -> None:
    """A cleanly framed body that never said [DONE] nor a finish reason is not a whole answer."""
    assert fed(HEAD + b"\r\n", chunk(delta("a")), b"0\r\n\r\n").outcome()[0] == "truncated"


def test_a_finish_reason_is_an_end() -> None:
    """Not every server sends [DONE]."""
    assert fed(HEAD + b"\r\n", chunk(delta("a", "stop")), b"0\r\n\r\n").outcome()[0] == "ok"


def test_a_close_ends_a_body_without_length_only_if_it_is_whole() -> None:
    """HTTP/1.0 style: the close is the end, and only [DONE] tells it from a broken connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    broken = fed(head, b"data: " + delta("a") + b"\n\n")
    broken.ended_by_close(5.0)
    assert broken.outcome()[0] == "truncated"
    whole = fed(head, b"data: " + delta("a") + b"\n\ndata: [DONE]\n\n")
    whole.ended_by_close(5.0)
    assert whole.outcome()[0] == "ok"
    assert whole.finished_s == 5.0
    assert not whole.keep_alive


def test_an_error_inside_the_stream_is_the_outcome() -> None:
    """After a 200 the only way to report an error is an event."""
    event = b'{"error":{"message":"gone","code":"upstream_timeout"}}'
    assert fed(HEAD + b"\r\n", chunk(delta("a")), chunk(event), b"0\r\n\r\n").outcome() == (
        "upstream_timeout",
        "gone",
    )


def test_an_unstreamed_answer_is_one_chunk() -> None:
    """A server that ignores `stream` still gets a record."""
    body = orjson.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], **usage(2)})
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = fed(head, body)
    assert answer.outcome() == ("ok", None)
    assert answer.chunk_s == [1.0]
    assert answer.output_tokens == 2


def test_an_interim_answer_is_skipped() -> None:
    """100 Continue is not the answer."""
    answer = fed(b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"\r\n", chunk(delta("a")), *END)
    assert answer.status == 200
    assert answer.headers_s == 1.0


@pytest.mark.parametrize(
    "pieces",
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n",),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",),
        (HEAD + b"\r\n", chunk(b"{half a json")),
        (HEAD + b"\r\n", chunk(b"[1, 2]")),
    ],
    ids=["not HTTP", "another protocol", "not JSON", "not an object"],
)
def test_garbage_is_broken(pieces: tuple[bytes, ...]) -> None:
    """What cannot be read raises one kind of error, so that the client can end the connection."""
    with pytest.raises(BrokenAnswerError):
        fed(*pieces)


def test_a_closed_answer_is_in_no_circle() -> None:
    """Else each would wait for the cycle collector, which rests while a load runs; what was read stays."""
    gc.collect()
    gc.disable()
    try:
        answer = Answer()
        answer.feed(b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n", 1.0)
        answer.close()
        assert answer.status == 429
        del answer
        assert gc.collect() == 0
    finally:
        gc.enable()
