"""Nothing but log lines, the Date header and the stamps of a recording may know the time of day."""

import ast
from pathlib import Path

import pytest

import gateway

WALL_CLOCKS = ("time.time", "datetime.now", "datetime.utcnow", "time.localtime", "time.gmtime", "loop.time")


@pytest.mark.fault(72)
def test_every_span_is_measured_on_the_monotonic_clock() -> None:
    """A wall clock that jumps cannot touch timeouts, waits or rates: of the modules only the recorder
    reads one, for its stamps.
    """
    assert gateway.__file__ is not None
    reading = set()
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        named = [
            ast.unparse(node)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
        ]
        reading |= {path.name for name in named if name.endswith(WALL_CLOCKS)}
    assert reading == {"recorder.py"}
