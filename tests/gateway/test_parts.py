"""The small parts by themselves: cutting events, adding fields, waits, the breaker, histograms."""

import json
import math
from itertools import pairwise
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ValidationError

from gateway import chunk, sse
from gateway.breaker import Breaker, BreakerState
from gateway.drain_rate import LONGEST_S, DrainRate
from gateway.histogram import BOUNDS_S, Histogram
from gateway.lenient import boolean, integer
from gateway.limits import Limits
from gateway.metrics import HELP, Metrics, Sample
from gateway.outcome import Outcome, Route
from gateway.refusal import Refusal
from gateway.request_body import BodyRules, parse
from gateway.served import CHAT

LINES = st.sampled_from(["data: 1", ": ping", "data: [DONE]", "id: 3", 'data: {"a": "\\n"}'])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
EVENTS = st.lists(st.tuples(st.lists(LINES, min_size=1, max_size=3), ENDS), max_size=6)


@given(events=EVENTS, tail=st.sampled_from([b"", b"data: ha", b"data: half\n"]), data=st.data())
def test_events_come_out_whole_and_unchanged_however_they_are_cut(
    events: list[tuple[list[str], str]], tail: bytes, data: st.DataObject
) -> None:
    """Any split of the bytes gives the same whole events in order; the unfinished rest is held back."""
    whole = ["".join(line + end for line in lines) + end for lines, end in events]
    stream = "".join(whole).encode() + tail
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    cutter = sse.EventCutter(1000)
    got = [cutter.feed(stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert b"".join(got) == "".join(whole).encode()
    assert cutter.unfinished == bool(tail)
    assert [part for piece in got for part in sse.split(piece)] == [event.encode() for event in whole]


def test_an_event_that_never_ends_is_refused() -> None:
    """What is held back is bounded."""
    cutter = sse.EventCutter(100)
    for _ in range(10):
        cutter.feed(b"x" * 10)
    with pytest.raises(sse.EventTooLongError):
        cutter.feed(b"x")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([{"text": "a"}], True),
        ([{"delta": {}}, {"delta": {"content": "a"}}], True),
        ([{"delta": {"role": "assistant", "content": ""}}], False),
        (None, False),
        (5, False),
        ([3, {"delta": "a"}], False),
    ],
)
def test_content_is_something_to_read(choices: object, expected: bool) -> None:
    """Roles and empty deltas are none, and what is malformed is passed on, not looked into."""
    assert chunk.has_content({"choices": choices}) is expected


@given(
    fields=st.dictionaries(
        st.text(max_size=5), st.none() | st.integers(-9, 9) | st.text(max_size=5), max_size=4
    ),
    options=st.sampled_from([None, {}, {"include_usage": False}, {"x": 1}, {"include_usage": True}]),
    space=st.sampled_from(["", " ", "\n\t"]),
)
def test_fields_are_added_without_touching_the_rest(
    fields: dict[str, object], options: dict[str, object] | None, space: str
) -> None:
    """What the engine reads is what the client wrote, plus the model and the usage option."""
    asked = {**fields, "messages": [{"a": "}"}], "stream": True, "stream_options": options}
    asked.pop("model", None)
    for name in ("n", "max_tokens", "max_completion_tokens"):
        asked.pop(name, None)
    body = (json.dumps(asked) + space).encode()
    ask = parse(body, CHAT, BodyRules(4, "tiny"))
    expected = {**asked, "model": "tiny", "stream_options": {**(options or {}), "include_usage": True}}
    assert json.loads(ask.content) == expected
    assert ask.content.startswith(body.rstrip()[:-1])
    assert ask.usage_hidden == (not (options or {}).get("include_usage"))


def test_nothing_is_added_where_nothing_is_missing() -> None:
    """The very same bytes object goes on."""
    body = b'{"messages":[], "model":"m"}'
    assert parse(body, CHAT, BodyRules(4, "tiny")).content is body


def test_the_wait_is_measured() -> None:
    """(waiting + 1) ÷ releases per second, with a jitter of up to a quarter."""
    rate = DrainRate(Random(1))
    for i in range(41):
        rate.released(i * 0.5)
    waits = [rate.wait_s(9, 20.0) for _ in range(200)]
    assert rate.per_second(20.0) == pytest.approx(2.0)
    assert 5.0 <= min(waits) < 5.1
    assert 6.1 < max(waits) <= 6.25


@given(waiting=st.integers(0, 10**6), releases=st.lists(st.floats(0, 1e5), max_size=80))
def test_the_wait_has_bounds(waiting: int, releases: list[float]) -> None:
    """Whatever happened before: above zero, at most 120 s."""
    rate = DrainRate(Random(2))
    for at_s in sorted(releases):
        rate.released(at_s)
    assert 0 < rate.wait_s(waiting, 1e5) <= LONGEST_S


def test_the_breaker_opens_tries_and_closes() -> None:
    """A row of failures opens it, one trial at a time decides, an answer closes it."""
    breaker = Breaker(failures=2, cooldown_s=1.0)
    breaker.unreachable(0.0)
    assert breaker.allows(0.0)
    breaker.unreachable(0.0)
    assert (breaker.state, breaker.allows(0.9)) == (BreakerState.OPEN, False)
    assert breaker.allows(1.0)
    assert (breaker.state, breaker.allows(1.5)) == (BreakerState.HALF_OPEN, False)
    breaker.unreachable(1.6)
    assert not breaker.allows(2.5)
    assert breaker.allows(2.6)
    breaker.reached()
    assert breaker.state is BreakerState.CLOSED


def test_buckets_are_fine() -> None:
    """A p95 read from the buckets is within 10 %, from 1 ms to an hour."""
    assert BOUNDS_S[0] == 0.001
    assert BOUNDS_S[-1] >= 3600
    assert max(b / a for a, b in pairwise(BOUNDS_S)) <= 1.1


def test_a_histogram_is_what_prometheus_reads() -> None:
    """Cumulative buckets, sum and count, also after a second scrape."""
    histogram = Histogram("h", 'outcome="ok"')
    for value in (0.0, 0.05, 0.05, 9e9):
        histogram.observe(value)
        text = histogram.text()
    (family,) = text_string_to_metric_families(f"# TYPE h histogram\n{text}\n")
    samples = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert samples["h_bucket", "0.001"] == 1
    assert samples["h_bucket", f"{next(b for b in BOUNDS_S if b >= 0.05):g}"] == 3
    assert samples["h_bucket", "+Inf"] == samples["h_count", None] == 4
    assert math.isclose(samples["h_sum", None], 9e9 + 0.1)


def test_the_page_of_metrics_parses() -> None:
    """Every family has its help and type, and every sample its family."""
    metrics = Metrics(lambda: [Sample("gateway_active", "", 2)])
    metrics.requests[Route.CHAT, Outcome.OK, 200] += 3
    metrics.queue_wait[Outcome.OK].observe(0.1)
    families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
    assert families["gateway_requests"].samples[0].value == 3
    assert families["gateway_active"].samples[0].value == 2
    assert all(
        name.removesuffix("_total") in {key.removesuffix("_total") for key in HELP} for name in families
    )


def test_malformed_usage_is_not_counted() -> None:
    """Only whole numbers from the engine count."""
    metrics = Metrics(list)
    odd: tuple[object, ...] = (
        None,
        5,
        [],
        {"prompt_tokens": "7"},
        {"prompt_tokens": -1, "completion_tokens": True},
    )
    for usage in odd:
        metrics.count_tokens(usage)
    assert sum(metrics.tokens.values()) == 0


def test_an_error_is_the_openai_form() -> None:
    """Four keys, the outcome as the code, the wait where it helps."""
    refusal = Refusal(Outcome.REJECTED_FULL, 429, "Full.", "rate_limit_error", come_back=True, wait_s=2.345)
    error = orjson.loads(refusal.body())["error"]
    assert error == {
        "message": "Full. Retry in 2.3 s.",
        "type": "rate_limit_error",
        "param": None,
        "code": "rejected_full",
        "retry_after_s": 2.345,
    }
    headers = dict(refusal.headers())
    assert (headers[b"retry-after"], headers[b"retry-after-ms"]) == (b"3", b"2345")


def test_a_change_is_a_new_version() -> None:
    """Limits are replaced, never edited."""
    limits = Limits()
    assert limits.changed(max_active=5) == Limits(max_active=5, version=2)
    assert limits == Limits()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        1,
        2,
        -1,
        2.0,
        1.0,
        1.5,
        "2",
        " 2 ",
        "2.0",
        "two",
        "true",
        "Yes",
        "off",
        "t",
        "",
        [],
        {},
    ],
)
def test_values_are_read_as_request_classes_read_them(value: object) -> None:
    """Equal to what a pydantic model with vLLM's annotations makes of it, None where that refuses."""

    class Request(BaseModel):
        n: int | None = None
        stream: bool | None = None

    for name, read in (("n", integer), ("stream", boolean)):
        try:
            expected = getattr(Request.model_validate({name: value}), name)
        except ValidationError:
            expected = None
        assert read(value) is expected or read(value) == expected
