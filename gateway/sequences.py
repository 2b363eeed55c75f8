"""How many sequences the engine runs for a request: so many slots it takes."""

from gateway.lenient import integer
from gateway.prompt_texts import Body

Sequences = tuple[int, str, str]
"""How many, at least 1; the field that asks for more than one; what they are, in words. No class: one of these
is made for each request."""
_CHOICES = "choices x prompts"


def of_chat(fields: Body) -> Sequences:
    """One for each choice."""
    return max(1, integer(fields.get("n")) or 1), "n", _CHOICES


def of_completion(fields: Body) -> Sequences:
    """Choices times prompts."""
    choices = max(1, integer(fields.get("n")) or 1, integer(fields.get("best_of")) or 1)
    prompts = max(1, _prompts(fields.get("prompt")) + _prompts(fields.get("prompt_embeds")))
    return choices * prompts, "n" if choices > 1 else "prompt", _CHOICES


def _prompts(value: object) -> int:
    """A text or a list of token ids is one prompt; a list of either is as many as there are in it."""
    if type(value) is list:
        return len(value) if value and type(value[0]) in (str, list) else 1
    return 0 if value is None else 1
