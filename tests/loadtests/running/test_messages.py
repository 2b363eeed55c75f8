"""What master and workers say to each other survives Locust's wire."""

from __future__ import annotations

import msgpack
import pytest

from loadtests.planning.prompts import ONE_EACH
from loadtests.running.messages import Brief


def test_a_brief_survives_the_wire() -> None:
    """Packed as Locust packs it, and read again, it is the same."""
    brief = Brief(b"\x00plan", ONE_EACH, 1.5e9, ["a", "b"], "m", "salt", "/run")
    packed = msgpack.dumps(brief.to_wire())
    assert Brief.from_wire(msgpack.loads(packed, raw=False, strict_map_key=False)) == brief


def test_another_brief_is_refused() -> None:
    """A worker of another version is not briefed by halves."""
    with pytest.raises(TypeError):
        Brief.from_wire({"plan": b"", "cost": ONE_EACH.to_json()})
