"""How many sequences the engine runs for a request: so many slots it takes."""

from gateway.lenient import integer
from gateway.prompt_texts import PAIRS, Body

Sequences = tuple[int, str, str]
"""How many, at least 1; the field that asks for more than one; what they are, in words. No class: one of them
is made for each request.
"""
_CHOICES = "choices x prompts"


def of_one(_fields: Body) -> Sequences:
    """One, whatever was asked."""
    return 1, "", ""


def of_chat(fields: Body) -> Sequences:
    """One for each choice."""
    return max(1, integer(fields.get("n")) or 1), "n", _CHOICES


def of_completion(fields: Body) -> Sequences:
    """Choices times prompts."""
    choices = max(1, integer(fields.get("n")) or 1, integer(fields.get("best_of")) or 1)
    prompts = max(1, _prompts(fields.get("prompt")) + _prompts(fields.get("prompt_embeds")))
    return choices * prompts, "n" if choices > 1 else "prompt", _CHOICES


def of_embeddings(fields: Body) -> Sequences:
    """One for each input, or each chat."""
    field = "messages" if fields.get("input") is None else "input"
    return max(1, _prompts(fields.get(field))), field, "inputs"


def of_rerank(fields: Body) -> Sequences:
    """One for each document."""
    return _length(fields.get("documents")), "documents", "documents"


def of_score(fields: Body) -> Sequences:
    """One for each pair: of one text with each of the others, or of two lists."""
    lengths = [(_length(fields.get(name)), name) for pair in PAIRS for name in pair]
    most, field = max(lengths)
    return most, field, "pairs"


def _length(value: object) -> int:
    return max(1, len(value)) if type(value) is list else 1


def _prompts(value: object) -> int:
    """A text or a list of token ids is one prompt; a list of either is as many as there are in it."""
    if type(value) is list:
        return len(value) if value and type(value[0]) in (str, list) else 1
    return 0 if value is None else 1
