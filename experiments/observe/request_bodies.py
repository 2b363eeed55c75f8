"""Request bodies of wanted lengths outside a plan: every prompt is new, so that no prefix cache can help."""

from __future__ import annotations

from loadtests.planning.arrival import Arrival
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields
from loadtests.planning.prompts import TokenCost
from loadtests.sending.bodies import Bodies


class RequestBodies:
    """Makes one body after the other, as the load generator makes those of a plan.

    `salt` makes the prompts differ from those of others who ask the same engine; `cost` is what words
    cost in its tokens. `fields`: what every request asks beyond the plain API.
    """

    def __init__(self, model: str, cost: TokenCost, salt: str, fields: OptionalFields = ALL_FIELDS) -> None:
        self._bodies = Bodies(model, cost, salt=salt, chunk_usage=False, plan=(), fields=fields)
        self._made = 0

    def make(self, prompt_tokens: int, output_tokens: int) -> bytes:
        """A prompt of so many tokens with the chat template, to be answered with `output_tokens`: exactly, or
        with free lengths at most."""
        self._made += 1
        asked = Arrival(self._made, 0.0, "measure", "", prompt_tokens, output_tokens, prompt_seed=self._made)
        return self._bodies.take(asked)
