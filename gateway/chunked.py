"""Chunks of an HTTP/1.1 body that can go on as they are: whole ones, each of them with whole events."""

_LONGEST_SIZE_LINE = 10


def whole_chunks(data: bytes) -> int:
    """Where the content of the first one begins in what is exactly one chunk or several, without extensions,
    each ending with an empty line of its content; 0 for anything else.

    A size in another form than `%x` counts as anything else: another reader could take it for another number.
    """
    line_end = data.find(b"\r\n", 1, _LONGEST_SIZE_LINE)
    if line_end > 0 and data[:line_end].lower() == b"%x" % max(0, len(data) - line_end - 4):
        return line_end + 2 if data.endswith(b"\n\n\r\n") else 0
    return _several(data)


def _several(data: bytes) -> int:
    line = b""
    at = first = length = 0
    while at < len(data):
        if not line or not data.startswith(line, at):  # mostly one is as long as the one before
            line, length = _size(data, at)
            if not length:
                return 0
        first = first or len(line)
        at += len(line) + length + 2
        if not data.startswith(b"\n\n\r\n", at - 4):
            return 0
    return first if at == len(data) else 0


def content(chunks: bytes) -> bytes:
    """The same without their frames. chunks: of which `whole_chunks` has said that they are."""
    parts = []
    at = 0
    while at < len(chunks):
        line, length = _size(chunks, at)
        at += len(line)
        parts.append(chunks[at : at + length])
        at += length + 2
    return b"".join(parts)


def _size(data: bytes, at: int) -> tuple[bytes, int]:
    """The line with a chunk's size, its end included, and the size; 0 where there is none."""
    end = data.find(b"\r\n", at + 1, at + _LONGEST_SIZE_LINE)
    digits = data[at:end]
    if end < 0 or not digits.isalnum():
        return b"", 0
    try:
        length = int(digits, 16)
    except ValueError:
        return b"", 0
    return (data[at : end + 2], length) if b"%x" % length == digits.lower() else (b"", 0)
