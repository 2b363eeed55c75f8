"""One scripted engine a test; gateways are started by the tests themselves, with the settings that matter to
them.
"""

from collections.abc import Iterator

import pytest

from tests.gateway.scripted_engine import ScriptedEngine


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as running:
        yield running
