"""Request, body and answer need none of Locust's event loop: here they are used with asyncio."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import orjson

from loadtests.outcome import Outcome
from loadtests.planning.optional_fields import AnswerLengths, OptionalFields, UsageFields
from loadtests.planning.prompts import words
from loadtests.reach.endpoint import Endpoint
from loadtests.sending.answer import Answer
from loadtests.sending.bodies import chat_body
from loadtests.sending.request import request, request_head
from tests.loadtests.harness import upstream


async def ask(url: str, *bodies: bytes) -> list[Answer]:
    """The answers to these bodies, on one connection."""
    target = Endpoint.parse(url, "a-key")
    head = request_head(target)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    answers = []
    for k, body in enumerate(bodies):
        writer.write(request(head, body, f"asked-{k}"))
        answer = Answer()
        while not answer.complete:
            data = await reader.read(65536)
            if not data:
                answer.ended_by_close(time.monotonic())
                break
            answer.feed(data, time.monotonic())
        answers.append(answer)
    writer.close()
    return answers


def test_answers_are_read_from_asyncio(tmp_path: Path) -> None:
    """Two on one connection: whole, timed, and with the lengths that were asked for."""
    body = chat_body("scripted", [{"role": "user", "content": words(12, 0)}], 5)
    with upstream(tmp_path, ttft_s=0.05, gap_s=0.01) as server:
        answers = asyncio.run(ask(server.url, body, body))
    for answer in answers:
        assert answer.outcome() == (Outcome.OK, None)
        assert len(answer.chunk_s) == answer.output_tokens == 5
        assert answer.chunk_s == sorted(answer.chunk_s)
    assert answers[1].chunk_s[0] > answers[0].chunk_s[-1]


def test_usage_in_every_chunk_is_asked_for_only_on_demand() -> None:
    """Not every server takes the option."""
    plain, counted = (orjson.loads(chat_body("m", [], 1, chunk_usage=usage)) for usage in (False, True))
    assert plain["stream_options"] == {"include_usage": True}
    assert counted["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert plain["min_tokens"] == plain["max_tokens"] == 1


def test_the_key_and_the_length_are_in_the_request() -> None:
    """The rest of the head is the same for all requests of a run."""
    sent = request(request_head(Endpoint.parse("http://[::1]:80/prefix/v1", "secret")), b"{}", "r-1")
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == b"{}"
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /prefix/v1/chat/completions HTTP/1.1"
    assert {"host: [::1]:80", "authorization: Bearer secret", "content-length: 2"} <= set(headers)
    assert b"x-session-id" not in head
    assert b"\r\nx-session-id: s-7\r\n" in request(b"", b"{}", "r-1", "s-7")


def test_what_an_engine_refuses_can_be_left_out() -> None:
    """Each of the two by itself; nothing else changes."""
    whole, free, silent = (
        orjson.loads(chat_body("m", [], 7, fields=OptionalFields(*words)))
        for words in (
            (AnswerLengths.FORCED, UsageFields.ASKED),
            (AnswerLengths.FREE, UsageFields.ASKED),
            (AnswerLengths.FORCED, UsageFields.NONE),
        )
    )
    assert whole.keys() - free.keys() == {"min_tokens", "ignore_eos"}
    assert whole.keys() - silent.keys() == {"stream_options"}
    assert free["max_tokens"] == 7
