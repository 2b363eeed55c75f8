"""Which prompts begin alike, told without their text: salted hashes of a prompt's leading bytes.

Hash k covers the first ENDS[k] bytes. Two prompts with the same hash k have the same first k blocks, so what
they share is between ENDS[k] and ENDS[k + 1] bytes long. A block goes into the chain as its CRC-32, which
costs a quarter of a cryptographic hash of so many bytes; the chain of these is a keyed BLAKE2b, so that
without the salt nobody can try a guessed text.
"""

from array import array
from collections.abc import Iterable
from hashlib import blake2b
from typing import cast
from zlib import crc32

HASH_BYTES = 6
"""Of 16 million different blocks about every other recording has one pair that is taken for the same."""
ENDS = (512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
"""Bytes of the prompt that each hash covers. Each further one costs a request half a microsecond, and reading
10 KB more two and a half."""
_BETWEEN = b"\0"
"""Between two messages."""


class PrefixHashes:
    """Makes them with one salt (16 to 64 bytes)."""

    __slots__ = ("_fresh", "_session")

    def __init__(self, salt: bytes) -> None:
        self._fresh = blake2b(key=salt, digest_size=HASH_BYTES, person=b"prefix")
        self._session = blake2b(key=salt, digest_size=HASH_BYTES, person=b"session")

    def of(self, texts: Iterable[object]) -> bytes:
        """HASH_BYTES for each block that the prompt fills, of the texts that it is made of, in their order.

        A text is a str or a list of token ids; what is neither counts nothing.
        """
        prompt = memoryview(_leading(texts))
        chain, sum_, start = self._fresh.copy(), 0, 0
        update, digest = chain.update, chain.digest
        hashes = []
        for end in ENDS:
            if end > len(prompt):
                break
            sum_ = crc32(prompt[start:end], sum_)
            update(sum_.to_bytes(4))
            hashes.append(digest())
            start = end
        return b"".join(hashes)

    def of_session(self, name: bytes) -> bytes:
        """HASH_BYTES for the name that a client gives its session."""
        chain = self._session.copy()
        chain.update(name)
        return chain.digest()


def _leading(texts: Iterable[object]) -> bytes:
    """The bytes of the prompt, at least as many as are looked at."""
    parts = []
    room = ENDS[-1]
    for text in texts:
        if type(text) is str:
            part = text[:room].encode()
        elif type(text) is list:
            part = _of_ids(text[:room])
        else:
            continue
        parts.append(part)
        room -= len(part) + 1
        if room <= 0:
            break
    return _BETWEEN.join(parts)


def _of_ids(ids: list[object]) -> bytes:
    """Four bytes a token, as its size is counted; b"" for what are none."""
    try:
        return array("i", cast("list[int]", ids)).tobytes()
    except (TypeError, OverflowError):
        return b""
