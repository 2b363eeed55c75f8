"""How a stream is cut on its way must not change what the gateway makes of it."""

from random import Random

import pytest

from tests.chunks import readers

CHOICE = b'data: {"choices":[{"index":0,"delta":{%b},"finish_reason":%b}]%b}\n\n'
EVENTS = (
    *[CHOICE % (b'"content":"a"', b"null", b"")] * 6,
    CHOICE % (b'"role":"assistant","content":""', b"null", b""),
    CHOICE % (b'"content":"an error, [DONE]"', b"null", b""),
    CHOICE % (b'"content":"a"', b"null", b',"usage":{"prompt_tokens":5,"completion_tokens":7}'),
    CHOICE % (b"", b'"stop"', b""),
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9}}\n\n',
    b": a comment\n\n",
    b"event: note\ndata: {}\n\n",
    b'data: {"choices":[{"index":0,"delta":{"content":"b"}}]}\r\n\r\n',
    b"data: [DONE]\n\n",
)


@pytest.mark.parametrize("seed", range(20))
def test_events_may_come_one_by_one_or_all_at_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes for the client, the same outcome and the same tokens; so when cut anywhere."""
    random = Random(seed)
    for _ in range(20):
        events = random.choices(EVENTS, k=random.randrange(1, 14))
        whole = b"".join(events)
        cuts = sorted(random.randrange(len(whole)) for _ in range(random.randrange(4)))
        pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        one_by_one = readers.gateway(events, monkeypatch)
        for other in (readers.gateway([whole], monkeypatch), readers.gateway(pieces, monkeypatch)):
            assert other.sent == one_by_one.sent
            assert other.outcome == one_by_one.outcome
            assert (other.tokens, other.prompt_tokens) == (one_by_one.tokens, one_by_one.prompt_tokens)
