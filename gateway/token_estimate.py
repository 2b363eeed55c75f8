"""How many tokens a prompt has and an answer will have, learnt from the engine's usage, for one tenant:
before a request runs nobody has counted them.

Bytes alone do not tell: a token is four bytes of English, one to three digits, and a third to one of a
Chinese character. So a prompt's tokens are a weighted sum of what its bytes are, the weights fitted to the
relative error by recursive least squares (Plackett 1950) from what tokenizers do on average.
"""

from __future__ import annotations

from typing import NamedTuple

_DIGITS = b"0123456789"
_HIGH = bytes(range(128, 256))
_SPACES = b" \t\r\n"
_MARKS = bytes(c for c in range(33, 127) if not chr(c).isalnum())
_NUMBERS = bytes(48 if c in _DIGITS else 32 for c in range(256))
_SAMPLE_BYTES = 4096
_SAMPLES = 8

# Per message (the chat template), letter, digit, byte above 127, mark, and number.
_FIRST = (4.0, 0.23, 0.5, 0.3, 0.6, 0.3)
_SPREAD = (30.0, 0.03, 0.3, 0.1, 0.3, 0.3)  # variances of the first guess
_NOISE = 0.01  # variance of the relative error that stays
_CLOSE = 0.02  # a relative error that teaches nothing
_OUTLIER = 0.5  # one that is not the text's: an image, a prompt of another form
_NEWEST = 0.05


class TextSize(NamedTuple):
    """What a prompt is made of: messages, and bytes of its text: letters and other ASCII but spaces, digits,
    bytes above 127, punctuation marks; and how many numbers (runs of digits) there are.
    """

    messages: float = 1.0
    letters: float = 0.0
    digits: float = 0.0
    high: float = 0.0
    marks: float = 0.0
    numbers: float = 0.0


def text_size(text: bytes, messages: int = 1) -> TextSize:
    """Of a text in UTF-8. A long one is judged by samples of 32 KB in all."""
    factor = 1.0
    if len(text) > 2 * _SAMPLES * _SAMPLE_BYTES:
        step = len(text) // _SAMPLES
        sample = b"".join([text[k * step : k * step + _SAMPLE_BYTES] for k in range(_SAMPLES)])
        factor, text = len(text) / len(sample), sample
    whole = len(text)
    digits = whole - len(text.translate(None, _DIGITS))
    high = 0 if text.isascii() else whole - len(text.translate(None, _HIGH))
    marks = whole - len(text.translate(None, _MARKS))
    spaces = whole - len(text.translate(None, _SPACES))
    numbers = (b" " + text.translate(_NUMBERS)).count(b" 0") if digits else 0
    letters = whole - digits - high - marks - spaces
    return TextSize(messages, *(factor * n for n in (letters, digits, high, marks, numbers)))


class PromptTokens:
    """Learns a tenant's tokens per letter, digit and so on; from a prompt that it estimated well nothing."""

    __slots__ = ("_spread", "_weights")

    def __init__(self) -> None:
        self._weights = list(_FIRST)
        self._spread = [[v if i == j else 0.0 for j in range(6)] for i, v in enumerate(_SPREAD)]

    def estimate(self, size: TextSize) -> float:
        """Tokens of a prompt, at least 1."""
        return max(1.0, sum([w * x for w, x in zip(self._weights, size, strict=True)]))

    def learn(self, size: TextSize, tokens: float) -> None:
        """The engine has counted `tokens` for a prompt of this size."""
        scale = self.estimate(size)
        error = tokens / scale - 1
        if abs(error) < _CLOSE:
            return
        error = min(_OUTLIER, max(-_OUTLIER, error))
        x = [value / scale for value in size]
        along = [sum([p * v for p, v in zip(row, x, strict=True)]) for row in self._spread]
        gain = 1 / (_NOISE + sum([a * v for a, v in zip(along, x, strict=True)]))
        self._weights = [w + gain * error * a for w, a in zip(self._weights, along, strict=True)]
        for row, a in zip(self._spread, along, strict=True):
            row[:] = [p - gain * a * b for p, b in zip(row, along, strict=True)]


class OutputTokens:
    """Learns how long a tenant's answers get, as a share of `max_tokens` where a request has one. Means in
    which the last twenty or so count most; a share starts at 1, a length at `unknown` tokens.
    """

    __slots__ = ("_length", "_share")

    def __init__(self, unknown: float = 256.0) -> None:
        self._share = 1.0
        self._length = unknown

    def estimate(self, max_tokens: int | None) -> float:
        """Of one sequence; never more than max_tokens."""
        return self._length if max_tokens is None else self._share * max_tokens

    def learn(self, max_tokens: int | None, tokens: float) -> None:
        """A sequence has ended well with `tokens`."""
        if max_tokens is not None and max_tokens > 0:
            self._share += _NEWEST * (min(1.0, tokens / max_tokens) - self._share)
        else:
            self._length += _NEWEST * (tokens - self._length)
