"""Scenes of an SDK, played in a process with its own packages."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.clients.asking.scenes import At, Heard
from tests.clients.environment import OFFLINE, programs
from tests.gateway.process import ROOT

_NAMED = re.compile(
    r"\b(resp|msg|chatcmpl-tool|chatcmpl|call|fc|rs|cmpl|embd|rerank|score)[-_][0-9a-f-]{8,}\b"
)
_DRAWN = ("created", "created_at", "completed_at", "signature")


def play(sdk: str, at: At) -> dict[str, Heard]:
    """What `tests.clients.asking.routes_of_SDK` heard in each scene."""
    (heard,) = play_all(sdk, [at])
    return heard


def play_all(sdk: str, places: Sequence[At]) -> list[dict[str, Heard]]:
    """The same at several places, one after the other."""
    env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    ended = subprocess.run(
        [str(programs("sdks") / "python"), "-m", f"tests.clients.asking.routes_of_{sdk}"],
        input="".join(f"{json.dumps(asdict(at))}\n" for at in places),
        env={**env, "PYTHONPATH": str(ROOT), **OFFLINE},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    told = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"scene"')]
    return [
        {one["scene"]: one["heard"] for one in told if one["at"] == number} for number in range(len(places))
    ]


def without_names(heard: Any) -> Any:
    """The same without ids and times."""
    if isinstance(heard, dict):
        return {key: "drawn" if key in _DRAWN else without_names(value) for key, value in heard.items()}
    if isinstance(heard, list):
        return [without_names(one) for one in heard]
    return _NAMED.sub(r"\1-ID", heard) if isinstance(heard, str) else heard
