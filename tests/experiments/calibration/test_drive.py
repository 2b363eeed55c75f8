"""What a calibration reads of its engine."""

from __future__ import annotations

import asyncio

import pytest

from experiments.calibration.counter_rows import Reading
from experiments.calibration.drive import driving
from experiments.errors import EnvironmentProblem
from experiments.observe import metrics_page
from experiments.stack.engine import Engine
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers.external import EXTERNAL
from loadtests.reach.endpoint import Endpoint
from tests.experiments.observe.test_metrics_page import HTML, PAGE, answering


def read(url: str) -> Reading:
    async def once() -> Reading:
        async with driving(Engine(Endpoint.parse(url), "m", EXTERNAL, "engine", EngineFacts())) as driver:
            return await driver.read()

    return asyncio.run(once())


def test_counters_are_those_of_the_page() -> None:
    """Zero for what it does not have."""
    with answering(PAGE) as url:
        seen = read(url)
    assert (seen.prompt, seen.steps) == (5.0, 0.0)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (HTML, 200, "is an HTML page and no metrics"),
        (PAGE, 404, "answers 404"),
        (b"a 1\n" * (metrics_page.MOST_BYTES // 4 + 1), 200, "has more than 16 MiB"),
    ],
)
def test_a_page_of_something_else_is_one_sentence(body: bytes, status: int, said: str) -> None:
    """Zeros in place of counters would be fitted as if they were measured."""
    with answering(body, status) as url, pytest.raises(EnvironmentProblem, match=f"{url}/metrics {said}"):
        read(url)
