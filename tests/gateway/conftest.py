"""Engines, gateways and the fault stand. Gateways with special settings are
started by the tests that need them.
"""

from collections.abc import Iterator

import pytest

from tests.gateway.process import gateway
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import FAULT_SETTINGS, Stand


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "fault(*numbers): shows these cases of the fault list (docs/faults.md)"
    )


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> Iterator[Stand]:
    with ScriptedEngine(models=("tiny",)) as engine, gateway(engine.url, **FAULT_SETTINGS) as running:
        yield Stand(running, engine)


@pytest.fixture
def stand(shared: Stand) -> Iterator[Stand]:
    """One gateway for a whole file of faults: after each test it must be as good as new, within a second."""
    shared.begin()
    yield shared
    shared.must_be_as_new()
