"""How do I add …? Each as CONTRIBUTING.md says, and it works in gateway, sweep and report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contributing.copy_of_project import ProjectCopy

pytestmark = pytest.mark.prove

SHORTEST_FIRST = '''

class ShortestFirst:
    """The shortest prompt first; those of one length in the order they came. O(log n) a push."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Ticket]] = []
        self._waiting: set[Ticket] = set()
        self._pushed = 0

    def push(self, ticket: Ticket) -> None:
        self._pushed += 1
        self._waiting.add(ticket)
        heapq.heappush(self._heap, (ticket.request.prompt_bytes, self._pushed, ticket))

    def peek(self) -> Ticket | None:
        while self._heap and self._heap[0][2] not in self._waiting:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def remove(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)

    def rank(self, ticket: Ticket) -> float:
        return ticket.request.prompt_bytes


Orders = Mapping'''

SAWTOOTH = '''def _sawtooth(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    """Two stairs up, then down again, over and over."""
    return arrivals.steps(length_s, swing=shape.swing, count=2)


@dataclass(frozen=True, slots=True)
class Scenario:'''

ECHO = '''"""A throw-away engine: the emulator with other timing, under a name of its own."""

from __future__ import annotations

from dataclasses import replace

from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers.emulator import EMULATOR


def _label(facts: EngineFacts, title: str) -> str:
    return f"{title} ({facts.model})"


ECHO = replace(EMULATOR, name="echo", title="ECHO engine", label=_label, recognises=None)
'''


@pytest.fixture
def copy(tmp_path: Path) -> ProjectCopy:
    return ProjectCopy(tmp_path)


def test_a_queue_order_that_reads_the_request(copy: ProjectCopy) -> None:
    """Shortest prompt first, in at most four files."""
    copy.edit("gateway/limits.py", '    LIFO = "lifo"\n', '    LIFO = "lifo"\n    SPF = "spf"\n')
    copy.edit("gateway/orders.py", "\n\nOrders = Mapping", SHORTEST_FIRST)
    copy.edit(
        "gateway/orders.py",
        "QueueOrder.LIFO: NewestFirst",
        "QueueOrder.LIFO: NewestFirst, QueueOrder.SPF: ShortestFirst",
    )
    assert len(copy.touched) + 1 <= 4, "and its line in docs/backpressure.md"
    summary, report = copy.sweep(
        "--engine",
        "emulator",
        "--queue-order",
        "spf",
        "--max-active",
        "2",
        "--queue-mode",
        "queue",
        "--load",
        "sustained@1.2x",
    )
    assert summary["setting"]["queue_order"] == "spf"
    assert summary["counts"]["outcomes"]["ok"] > 0
    assert "spf" in report


def test_an_arrival_process(copy: ProjectCopy) -> None:
    """A rate that rises and falls, in at most two files."""
    file = "loadtests/planning/scenarios.py"
    copy.edit(file, "@dataclass(frozen=True, slots=True)\nclass Scenario:", SAWTOOTH)
    copy.edit(
        file,
        '    "soak": Scenario(',
        '    "sawtooth": Scenario("up and down", False, ("swing",), profile=_sawtooth),\n'
        '    "soak": Scenario(',
    )
    assert len(copy.touched) + 1 <= 2, "and its line in docs/load-testing.md"
    summary, report = copy.sweep(
        "--engine", "emulator", "--max-active", "4", "--queue-mode", "queue", "--load", "sawtooth@0.7x"
    )
    assert summary["workload"]["scenario"] == "sawtooth"
    assert summary["counts"]["offered"] > 0
    assert "sawtooth" in report


def test_an_engine(copy: ProjectCopy) -> None:
    """Another engine that the sweep starts, in at most five files."""
    copy.create("experiments/stack/providers/echo.py", ECHO)
    file = "experiments/stack/providers/known.py"
    copy.edit(
        file,
        "from experiments.stack.providers.emulator import EMULATOR\n",
        "from experiments.stack.providers.echo import ECHO\n"
        "from experiments.stack.providers.emulator import EMULATOR\n",
    )
    copy.edit(file, "PROVIDERS = (", "PROVIDERS = (ECHO, ")
    assert len(copy.touched) + 1 <= 5, "and its line in docs/architecture.md"
    summary, report = copy.sweep(
        "--engine", "echo", "--max-active", "4", "--queue-mode", "queue", "--load", "sustained@0.7x"
    )
    assert summary["counts"]["outcomes"]["ok"] > 0
    assert summary["engine"]["label"] in report
