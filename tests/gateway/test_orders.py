"""Queue orders: each name has one, and one that reads the request works in core, twin and gateway."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from experiments.twin.profile import EXACT
from experiments.twin.simulate import simulate
from gateway.admission import Admission
from gateway.command_line import parser
from gateway.limits import Limits, QueueOrder
from gateway.orders import ORDERS
from gateway.prompt_size import prompt_bytes
from gateway.served import CHAT, COMPLETIONS, Served
from gateway.ticket import RequestFacts
from tests.gateway.process import GatewayProcess, gateway, until
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.shortest_prompt import ShortestPrompt
from tests.gateway.stand import SERVED, Raw, post

WITH_SHORTEST = {**ORDERS, QueueOrder.FIFO: ShortestPrompt}


def test_every_name_has_an_order_and_stands_in_the_help() -> None:
    """An order that is in the enum alone would fail at the first request."""
    assert set(ORDERS) == set(QueueOrder)
    assert f"--queue-order {'|'.join(QueueOrder)}" in parser().format_help()


def test_the_core_serves_by_what_the_order_reads() -> None:
    """The shortest prompt first, of equals the oldest."""
    core = Admission(Limits(max_active=1), orders=WITH_SHORTEST)
    running = core.offer(0.0)
    sizes = [700, 20, 5000, 20, 1]
    waiting = [core.offer(0.1 * (i + 1), request=RequestFacts(size)) for i, size in enumerate(sizes)]
    served = []
    for i in range(len(sizes)):
        (running,) = core.release(running, 1.0 + i).granted
        served.append(waiting.index(running))
    assert served == [4, 1, 3, 0, 2]


@dataclass(frozen=True)
class Planned:
    """An arrival of a plan."""

    due_s: float
    prompt_tokens: int
    output_tokens: int = 10
    think_s: float = 0.0
    after: tuple[int, ...] = ()


def test_the_twin_serves_by_what_the_order_reads() -> None:
    """The planned prompt tokens are the request's size there."""
    arrivals = [Planned(0.0, 10), Planned(0.01, 900), Planned(0.02, 50), Planned(0.03, 300)]
    done = simulate(arrivals, EXACT, Limits(max_active=1), orders=WITH_SHORTEST)
    assert done.granted_s.tolist() == pytest.approx([0.0, 0.3, 0.1, 0.2])


@pytest.fixture
def running() -> Iterator[tuple[GatewayProcess, ScriptedEngine]]:
    with (
        ScriptedEngine() as engine,
        gateway(engine.url, max_active=1, module="tests.gateway.shortest_prompt") as process,
    ):
        yield process, engine


def test_the_gateway_serves_by_what_the_order_reads(
    running: tuple[GatewayProcess, ScriptedEngine],
) -> None:
    """The order sees the prompt that the client sent."""
    process, engine = running
    sizes = (400, 9, 60)
    clients = [Raw(process.port) for _ in range(1 + len(sizes))]
    clients[0].send(post({"script": [["gate", "first"], *SERVED]}))
    until(lambda: process.state()["active"] == 1)
    for waiting, (client, size) in enumerate(zip(clients[1:], sizes, strict=True), start=1):
        text = {"role": "user", "content": "x" * size}
        client.send(post({"messages": [text], "script": SERVED}))
        until(lambda: process.state()["queued"] == waiting)  # noqa: B023 - it runs within this round
    engine.open_gate("first")
    for client in clients:
        assert client.answer()[0] == 200
        client.close()
    asked = [len(seen.fields["messages"][0]["content"]) for seen in engine.seen if seen.fields["messages"]]
    assert asked == sorted(sizes)


@pytest.mark.parametrize(
    ("served", "fields", "expected"),
    [
        (CHAT, {"messages": [{"content": "four"}, {"content": "héé"}]}, 4 + 5),
        (
            CHAT,
            {"messages": [{"content": [{"type": "text", "text": "four"}, {"type": "image_url"}]}]},
            4,
        ),
        (CHAT, {"messages": [None, 3, {"content": None}, {"content": {"text": "x"}}, {}]}, 0),
        (COMPLETIONS, {"prompt": "four"}, 4),
        (COMPLETIONS, {"prompt": ["four", "two"]}, 7),
        (COMPLETIONS, {"prompt": [1, 2, 3]}, 12),
        (COMPLETIONS, {"prompt": [[1, 2, 3], [4]]}, 16),
        (COMPLETIONS, {"prompt": []}, 0),
    ],
)
def test_the_size_of_a_prompt(served: Served, fields: dict[str, object], expected: int) -> None:
    """Bytes of its text, four for a token id, nothing for what is no text."""
    assert prompt_bytes(served.texts(fields)) == expected
