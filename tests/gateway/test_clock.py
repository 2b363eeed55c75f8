"""Nothing but log lines, the Date header and the stamps of a recording may know the time of day."""

import ast
from pathlib import Path

import pytest

import gateway

WALL_CLOCKS = ("time.time", "datetime.now", "datetime.utcnow", "time.localtime", "time.gmtime", "loop.time")


@pytest.mark.fault(72)
def test_every_span_is_measured_on_the_monotonic_clock() -> None:
    """A wall clock that jumps cannot touch timeouts, waits or rates: no module of the gateway reads one."""
    assert gateway.__file__ is not None
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        calls = [
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        ]
        assert not [call for call in calls if call.endswith(WALL_CLOCKS)], path.name
