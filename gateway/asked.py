"""What the recorder keeps of a request beside its times: sizes and salted hashes, no text."""

from gateway.request_body import ChatRequest


class Asked:
    """lane: the name of its lane, "" where there are none; session: a hash of the name that its client gave,
    b"" for none; body_bytes: as its head says, None where it does not.

    The rest is None and b"" until its body was read, which a refusal at the door does not do. prompt_bytes:
    of its text, as UTF-8; slots: how many sequences it asks for; max_tokens: the longest answer that it
    wants, None where it does not say; prefix: see `prefix_hashes`.
    """

    __slots__ = ("body_bytes", "lane", "max_tokens", "prefix", "prompt_bytes", "session", "slots")

    def __init__(self, lane: str, session: bytes, body_bytes: int | None) -> None:
        self.lane = lane
        self.session = session
        self.body_bytes = body_bytes
        self.prompt_bytes: int | None = None
        self.slots: int | None = None
        self.max_tokens: int | None = None
        self.prefix = b""

    def learn(self, wish: ChatRequest) -> None:
        """Adds what the body told."""
        self.prompt_bytes = wish.facts.prompt_bytes
        self.slots = wish.slots
        self.max_tokens = wish.max_tokens
        self.prefix = wish.prefix
