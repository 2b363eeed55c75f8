"""A gateway with lanes: whose key is whose, and what an answer says of the lane it was in."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.gateway.process import GatewayProcess, gateway
from tests.gateway.scripted_engine import ScriptedEngine

ALICE, BOB, FRONT = "sk-alice-6TqQ", "sk-bob-x8Wm", "sk-front-9vLd"
LANES = f"""
[[class]]
name = "interactive"
slots_reserved = 1

[[class]]
name = "batch"

[[tenant]]
name = "alice"
class = "interactive"
key_sha256 = "{sha256(ALICE.encode()).hexdigest()}"

[[tenant]]
name = "alice"
class = "batch"

[[tenant]]
name = "bob"
class = "batch"
key_sha256 = ["{sha256(BOB.encode()).hexdigest()}"]

[[tenant]]
name = "front"
class = "interactive"
key_sha256 = "{sha256(FRONT.encode()).hexdigest()}"
trusted = true
"""


def key(name: str) -> dict[str, str]:
    """The header field with a key."""
    return {"authorization": f"Bearer {name}"}


def lane_of(headers: Mapping[str, str]) -> str | None:
    """The lane in which an answer says that it was."""
    found = re.search(r'lane;desc="([^"]*)"', headers["server-timing"])
    return found and found[1]


@contextmanager
def gateway_with(
    engine: ScriptedEngine, folder: Path, lanes: str = LANES, **settings: Any
) -> Iterator[GatewayProcess]:
    """It has read `lanes` from a file; QUEUE_ORDER is `fair`, as it is then."""
    path = folder / "lanes.toml"
    path.write_text(lanes)
    with gateway(engine.url, **{"lanes_file": path, **settings}) as running:
        yield running


def ask(
    running: GatewayProcess, fields: Mapping[str, Any] | None = None, /, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """A chat completion; of headers `_` is `-`, and `key` is a bearer token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items() if name != "key"}
    sent |= key(headers["key"]) if "key" in headers else {}
    return running.ask("POST", "/v1/chat/completions", {"messages": [], **(fields or {})}, sent)
