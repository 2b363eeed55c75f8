"""What a sweep is told of an engine before it starts: what it may lack; one sentence for what is wrong."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from experiments.errors import UserError
from experiments.stack import engine
from loadtests.reach.endpoint import Endpoint
from tests.gateway.scripted_engine import ScriptedEngine, Seen, whole

NOT_FOUND = whole(404, '{"detail": "Not Found"}')
LM_STUDIO = whole(200, '{"error": "no such endpoint"}')
PAGE = whole(200, "<!DOCTYPE html><title>app</title>", "text/html")


class Talking(ScriptedEngine):
    """Answers every GET with one thing, and every chat with another, which may be none of its own."""

    def __init__(self, control: str, chat: str | None) -> None:
        super().__init__()
        self.for_get, self.for_chat = control, chat

    def control_answer(self, path: str) -> str:
        return self.for_get

    async def play(self, seen: Seen, transport: object) -> None:
        """The one answer; the engine's usual one where there is none."""
        if self.for_chat is None:
            await super().play(seen, transport)  # type: ignore[arg-type] # whatever asyncio gave it
        else:
            await self.step(["send", self.for_chat], transport)  # type: ignore[arg-type]


@contextmanager
def looked_at(control: str, chat: str | None, model: str | None) -> Iterator[engine.Engine]:
    with Talking(control, chat) as running:
        choice = engine.choose(engine_url=f"{running.url}/v1", model=model)
        yield engine.elsewhere(choice.provider, Endpoint.parse(running.url), choice.model)


@pytest.mark.parametrize("control", [NOT_FOUND, whole(405, ""), PAGE, LM_STUDIO], ids=range(4))
def test_with_a_model_no_list_is_needed(control: str) -> None:
    """Whatever stands in the list's place; nothing else is made up."""
    with looked_at(control, None, "llama3") as found:
        assert (found.model, found.facts.models) == ("llama3", ("llama3",))
        assert found.facts.version is None
        assert "llama3" in found.label


def test_an_engine_that_is_busy_is_the_probes_to_judge() -> None:
    """Only what will never change ends a sweep before it starts."""
    for status in (400, 422, 429, 500, 503):
        with looked_at(NOT_FOUND, whole(status, "{}"), "m") as found:
            assert found.model == "m"


UNKNOWN = whole(404, json.dumps({"error": {"message": "The model `m` does not exist."}}))


@pytest.mark.parametrize(
    ("control", "chat", "model", "said"),
    [
        (NOT_FOUND, None, None, "it answers /v1/models with 404; is the path right"),
        (NOT_FOUND, None, None, "needs --model"),
        (PAGE, PAGE, None, "what is there are web pages, not an API; is the path right"),
        (PAGE, PAGE, "m", "what is there are web pages, not an API; is the path right"),
        (NOT_FOUND, NOT_FOUND, "m", "it answers /v1/chat/completions with 404; is the path right"),
        (NOT_FOUND, UNKNOWN, "m", "with 404: The model `m` does not exist"),
        (NOT_FOUND, whole(403, ""), "m", "it wants a key, and none was given"),
        (whole(200, '{"data": []}'), None, None, "serves no model"),
    ],
    ids=range(8),
)
def test_what_is_wrong_is_one_sentence(control: str, chat: str | None, model: str | None, said: str) -> None:
    """With the address, and what would help."""
    with pytest.raises(UserError) as error, looked_at(control, chat, model):
        pass
    assert said in str(error.value)
    assert "the engine at http://127.0.0.1:" in str(error.value)
    assert "\n" not in str(error.value)
