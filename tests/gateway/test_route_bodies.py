"""What is read of a body at each route: slots, the texts of a prompt, and no fault whatever was sent."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.call import Call
from gateway.limits import Limits
from gateway.outcome import Outcome, Route
from gateway.prefix_hashes import PrefixHashes
from gateway.refusal import Refusal
from gateway.request_body import BodyRules, parse
from gateway.served import BY_PATH
from gateway.settling import taken
from gateway.ticket import RequestFacts
from gateway.token_cost import estimate
from gateway.token_needs import TokenNeeds
from gateway.waiting import WaitingRoom
from tests.gateway.apis import ALL, CHAT, EMBEDDINGS, RESPONSES, Api
from tests.gateway.test_lane_parts import book

_FIELDS = (
    *("messages", "prompt", "input", "instructions", "system", "query", "documents", "queries", "items"),
    *("text_1", "text_2", "tokens", "n", "stream", "max_tokens", "max_output_tokens", "background", "model"),
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(("", "a", "é"))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(("role", "content", "text", "type", "output")), inner, max_size=3),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("path", "fields", "slots"),
    [
        ("/v1/embeddings", {"input": "one"}, 1),
        ("/v1/embeddings", {"input": ["one", "two", "three"]}, 3),
        ("/v1/embeddings", {"input": [1, 2, 3]}, 1),
        ("/v1/embeddings", {"input": [[1, 2], [3]]}, 2),
        ("/v1/embeddings", {"messages": [{"role": "user", "content": "one"}]}, 1),
        ("/v1/embeddings", {}, 1),
        ("/rerank", {"query": "one", "documents": ["two", "three"]}, 2),
        ("/v2/rerank", {"query": "one", "documents": "two"}, 1),
        ("/score", {"text_1": "one", "text_2": ["two", "three"]}, 2),
        ("/score", {"queries": ["one", "two"], "documents": ["two", "three"]}, 2),
        ("/v1/score", {"data_1": "one", "data_2": "two"}, 1),
        ("/v1/responses", {"input": [{"role": "user", "content": "one"}] * 3}, 1),
        ("/v1/messages", {"messages": [{"role": "user", "content": "one"}] * 3}, 1),
        ("/tokenize", {"prompt": "one"}, 0),
    ],
)
def test_slots_are_sequences_at_every_route(path: str, fields: dict[str, Any], slots: int) -> None:
    """Each input, document and pair is a sequence of the engine's; what only counts is none."""
    served = BY_PATH[path.encode()]
    assert parse(json.dumps(fields).encode(), served, BodyRules(3)).slots == slots
    if served.takes_slots and slots > 1:
        with pytest.raises(Refusal, match="MAX_CHOICES"):
            parse(json.dumps(fields).encode(), served, BodyRules(1))


TEXTS: list[tuple[str, dict[str, Any], list[object]]] = [
    ("/v1/responses", {"input": "a", "instructions": "b"}, ["b", "a"]),
    (
        "/v1/responses",
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image"}]},
                {"type": "function_call", "arguments": "{}"},
                {"type": "function_call_output", "output": "c"},
                7,
            ]
        },
        ["a", "{}", "c", 7],
    ),
    (
        "/v1/messages",
        {
            "system": [{"type": "text", "text": "s"}],
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "user", "content": [{"type": "tool_result", "content": "b"}, {"text": "c"}]},
                None,
            ],
        },
        ["s", "a", "c", "b"],
    ),
    ("/v1/embeddings", {"input": ["a", "b"]}, ["a", "b"]),
    ("/v1/embeddings", {"messages": [{"role": "user", "content": [{"text": "a"}]}]}, ["a"]),
    ("/v1/rerank", {"query": "q", "documents": ["a", {"content": [{"text": "b"}]}]}, ["q", "a", "b"]),
    ("/score", {"text_1": "q", "text_2": ["a"]}, ["q", "a"]),
    ("/tokenize", {"prompt": "a"}, ["a"]),
    ("/tokenize", {"messages": [{"role": "user", "content": "a"}]}, ["a"]),
    ("/detokenize", {"tokens": [1, 2]}, [[1, 2]]),
]


@pytest.mark.parametrize(("path", "fields", "texts"), TEXTS)
def test_what_a_prompt_is_made_of(path: str, fields: dict[str, Any], texts: list[object]) -> None:
    """In order, whatever the API: the size of a prompt, its estimate and its prefix are read off these."""
    assert list(BY_PATH[path.encode()].texts(fields)) == texts


@pytest.mark.parametrize("api", ALL, ids=[api.name for api in ALL])
@settings(max_examples=30)
@given(fields=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=4))
def test_any_json_is_read_without_a_fault(api: Api, fields: dict[str, Any]) -> None:
    """Fields of any kind are the engine's to judge: what it gets is what was sent."""
    body = json.dumps(fields).encode()
    try:
        wish = parse(body, api.served, BodyRules(1000, prefixes=PrefixHashes(b"0" * 16), needs=TokenNeeds()))
    except Refusal:
        return
    assert wish.slots >= 0
    assert wish.facts.prompt_bytes >= 0


def test_no_answer_in_the_background() -> None:
    """It would be made when its slot is another's."""
    with pytest.raises(Refusal, match="background"):
        parse(b'{"input":"x","background":true}', RESPONSES.served, BodyRules(1))
    assert parse(b'{"input":"x","background":false}', RESPONSES.served, BodyRules(1)).slots == 1


def test_vectors_teach_nothing_about_answers() -> None:
    """Neither how long a tenant's answers get, nor how many tokens a chat's text has."""
    needs = TokenNeeds()
    rules = BodyRules(8, needs=needs)
    chat = b'{"messages":[{"role":"user","content":"one two three"}]}'
    before = parse(chat, CHAT.served, rules).facts
    for _ in range(20):
        vectors = parse(b'{"input":["one","two"]}', EMBEDDINGS.served, rules)
        assert vectors.need is not None
        vectors.need.learn(50, 0, whole=True)
    assert parse(chat, CHAT.served, rules).facts == before


def test_vectors_do_not_make_a_lanes_answers_shorter() -> None:
    """What a request without a bound is taken to cost is the mean of the lane's answers."""
    lane = book().by_name["a/now"]
    lane.counts.answered(30, 100, 1, 2.0)
    room = WaitingRoom(Limits(), lambda: 0.0)
    ticket = room.offer(2, RequestFacts(40))
    call = Call(Route.EMBEDDINGS, b"name", 1)
    call.lane, call.outcome, call.dispatched_s = lane, Outcome.OK, 10.0
    answer = SimpleNamespace(usage={"prompt_tokens": 7, "completion_tokens": 0}, pieces=0, streams=False)
    assert taken(ticket, call, lane, answer, 12.0) == 7
    assert estimate(0, 1, None, lane.counts) == 100
