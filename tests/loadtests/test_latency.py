"""A latency is the same number for one request and in a column of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import latency
from loadtests.record import RequestRecord

SECONDS = st.none() | st.floats(0, 100)


def column(*values: float | None) -> latency.Column:
    return np.array(values, dtype=float)


def same(one: float | None, many: latency.Column) -> bool:
    return bool(np.isnan(many[0])) if one is None else float(many[0]) == one


@given(SECONDS, SECONDS)
@pytest.mark.parametrize("name", latency.SPANS)
def test_spans(name: str, start_s: float | None, end_s: float | None) -> None:
    """None here is nan there."""
    start, end = latency.SPANS[name]
    moments = {start: column(start_s), end: column(end_s)}
    assert same(latency.span_s(start_s, end_s), latency.span_column_s(name, moments))


@given(SECONDS, SECONDS, st.none() | st.integers(0, 5))
def test_tpot(first_s: float | None, last_s: float | None, tokens: int | None) -> None:
    """Below two tokens there is none, and none where their number is unknown."""
    one = latency.tpot_s(first_s, last_s, tokens)
    assert same(one, latency.tpot_column_s(column(first_s), column(last_s), column(tokens)))
    assert one is None or (tokens or 0) >= 2


def test_a_record_spans_what_the_table_says() -> None:
    """Each latency of a record lies between its two moments."""
    fields = set(RequestRecord.__dataclass_fields__)
    assert all(
        set(moments) <= fields and hasattr(RequestRecord, name) for name, moments in latency.SPANS.items()
    )
    assert latency.tpot_s(1.0, 2.0, 11) == pytest.approx(0.1)
