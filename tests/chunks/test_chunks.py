"""Readers times streams: all read the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.observe.ask import AskFailed
from gateway.outcome import Outcome as GatewayOutcome
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.slo import SLO
from tests.chunks import readers
from tests.chunks.table import ROWS, End, Row

every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
IN_GATEWAY = {
    End.COMPLETE: GatewayOutcome.OK,
    End.CUT: GatewayOutcome.UPSTREAM_TRUNCATED,
    End.ENGINE_ERROR: GatewayOutcome.UPSTREAM_ERROR,
    End.REFUSED: GatewayOutcome.INVALID,
    End.OVERLOADED: GatewayOutcome.UPSTREAM_OVERLOADED,
}
IN_RECORDS = {
    End.COMPLETE: Outcome.OK,
    End.CUT: Outcome.TRUNCATED,
    End.ENGINE_ERROR: Outcome.UPSTREAM_ERROR,
    End.REFUSED: Outcome.REFUSED,
    End.OVERLOADED: Outcome.UPSTREAM_OVERLOADED,
}


def test_the_rows_have_names_of_their_own() -> None:
    """Else a failure would not say which."""
    assert len({row.name for row in ROWS}) == len(ROWS)


@every_row
def test_the_gateway(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """First token, tokens and outcome; the client gets the engine's bytes and nothing behind their end."""
    read = readers.gateway(row.pieces, monkeypatch, row.n)
    assert read.outcome is IN_GATEWAY[row.end]
    assert read.first_s == row.first
    assert (read.tokens, read.prompt_tokens) == (row.tokens or 0, row.prompt_tokens or 0)
    if row.end in (End.COMPLETE, End.CUT) or row.first is not None:
        assert read.sent == (b"".join(row.pieces) if row.kept is None else row.kept)
    else:
        assert read.sent in (b"", b"".join(row.pieces))  # an error of which the client is told by a status


@every_row
def test_the_load_generator(row: Row) -> None:
    """All that a record keeps."""
    answer, outcome = readers.load(row.pieces)
    assert outcome is IN_RECORDS[row.end]
    assert len(answer.chunk_s) == row.chunks
    assert (answer.chunk_s[0] if answer.chunk_s else None) == row.first
    assert answer.visible_s == row.visible
    assert (answer.output_tokens, answer.prompt_tokens) == (row.tokens, row.prompt_tokens)
    assert answer.finish_reason == row.finish_reason
    assert (answer.error_code or None) == row.code


@every_row
def test_the_probe_and_a_calibration(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same times and tokens; what is not a whole answer with content is no measurement."""
    if row.end is not End.COMPLETE or row.first is None:
        with pytest.raises(AskFailed):
            readers.probe(row.pieces, monkeypatch)
        return
    answer = readers.probe(row.pieces, monkeypatch)
    assert (answer.first_s, len(answer.times_s)) == (row.first, row.chunks)
    assert answer.output_tokens == (row.chunks if row.tokens is None else row.tokens)
    assert answer.prompt_tokens == (row.prompt_tokens or 0)


@every_row
def test_what_failed_is_never_inside_the_slo(row: Row) -> None:
    """However generous it is; nor is an answer without the token that a limit is on."""
    answer, outcome = readers.load(row.pieces)
    record = RequestRecord(
        i=0,
        request_id="r",
        phase="measure",
        cls="c",
        session=0,
        due_s=0.0,
        outcome=outcome,
        sent_s=0.0,
        first_s=answer.chunk_s[0] if answer.chunk_s else None,
        visible_s=answer.visible_s,
        last_s=answer.chunk_s[-1] if answer.chunk_s else None,
        finished_s=answer.finished_s,
        output_tokens=answer.output_tokens,
    )
    ended_well = row.end is End.COMPLETE
    assert SLO.parse("e2e<=1000s").judge(record) is ended_well
    assert SLO.parse("ttft<=1000s").judge(record) is (ended_well and row.first is not None)
    assert SLO.parse("tpot<=1000s").judge(record) is (ended_well and row.first is not None)
    assert SLO.parse("ttfv<=1000s").judge(record) is (ended_well and row.visible is not None)


@pytest.mark.parametrize("size", [1, 7])
@every_row
def test_however_the_bytes_are_cut(row: Row, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of another size change times, and nothing else."""
    stream = b"".join(row.pieces)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    answer, outcome = readers.load(pieces)
    assert (outcome, len(answer.chunk_s), answer.output_tokens) == (
        IN_RECORDS[row.end],
        row.chunks,
        row.tokens,
    )
    read = readers.gateway(pieces, monkeypatch, row.n)
    assert (read.outcome, read.tokens) == (IN_GATEWAY[row.end], row.tokens or 0)
    assert (read.first_s is None) == (row.first is None)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 500)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a", "abort"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "reasoning",
                    "tool_calls",
                    "text",
                    "index",
                    "finish_reason",
                    "usage",
                    "prompt_tokens",
                    "completion_tokens",
                    "error",
                    "code",
                    "object",
                    "type",
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "choices": JSON
        | st.lists(st.fixed_dictionaries({"delta": JSON, "finish_reason": JSON, "index": JSON})),
        "usage": JSON,
        "error": JSON,
        "object": JSON,
    },
)
EVENTS = st.lists(
    st.builds(
        lambda prefix, value: prefix + json.dumps(value).encode() + b"\n\n",
        st.sampled_from([b"data: ", b"data:", b"event: error\ndata: ", b"error: "]),
        CHUNKS | JSON,
    )
    | st.sampled_from([b"data: [DONE]\n\n", b": ping\n\n", b"data: {\n\n", b"data: \xff\n\n", b"\r\n\r\n"]),
    max_size=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
def test_nothing_an_engine_sends_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]
) -> None:
    """Every reader comes to an outcome, all to the same first token, and none raises anything but its own."""
    answer, outcome = readers.load(pieces)
    with monkeypatch.context() as patch:
        read = readers.gateway(pieces, patch)
    assert read.outcome is not GatewayOutcome.INTERNAL
    if outcome is Outcome.OK:
        assert read.outcome is GatewayOutcome.OK
        assert read.first_s == (answer.chunk_s[0] if answer.chunk_s else None)
        assert read.tokens == (answer.output_tokens or 0)
    with monkeypatch.context() as patch:
        try:
            asked = readers.probe(pieces, patch)
        except AskFailed:
            assert outcome is not Outcome.OK or not answer.chunk_s
        else:
            assert asked.times_s == tuple(answer.chunk_s)
