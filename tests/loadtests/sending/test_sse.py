"""Events come out the same however the bytes were cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.sending.sse import SseDecoder

STREAM = (
    b": keep-alive\n\ndata: one\n\ndata: two\ndata: lines\n\nevent: x\ndata:three\n\nid: 5\n\n"
    b"data: four\r\n\r\ndata: five\r\rdata: \xc3\xa9\n\ndata\n\n\ndata: [DONE]\n\n"
)
EVENTS = [b"one", b"two\nlines", b"three", b"four", b"five", b"\xc3\xa9", b"", b"[DONE]"]


def test_one_piece() -> None:
    """Comments and events without data give nothing; several data lines are joined; all
    three line ends count."""
    assert SseDecoder().feed(STREAM) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut(cuts: list[int]) -> None:
    """A cut anywhere, also inside \\r\\n or a UTF-8 character, changes nothing."""
    decoder = SseDecoder()
    borders = [0, *sorted(cuts), len(STREAM)]
    payloads = [payload for a, b in pairwise(borders) for payload in decoder.feed(STREAM[a:b])]
    assert payloads == EVENTS


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_pieces(size: int) -> None:
    """Byte by byte works, too."""
    decoder = SseDecoder()
    pieces = [STREAM[k : k + size] for k in range(0, len(STREAM), size)]
    assert [payload for piece in pieces for payload in decoder.feed(piece)] == EVENTS
