"""Values that are often wanted together, for one press of a button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """values: as typed into fields, by the fields' names."""

    group: str
    title: str
    values: Mapping[str, str]


PRESETS = (
    Preset("How long", "quick look, 20 s", {"warmup": "2", "duration": "20"}),
    Preset("How long", "one minute", {"warmup": "5", "duration": "60"}),
    Preset("How long", "ten minutes", {"warmup": "15", "duration": "600"}),
    Preset(
        "What is asked",
        "short",
        {"mix": "", "workload": "fixed", "prompt_tokens": "64", "output_tokens": "16"},
    ),
    Preset("What is asked", "chat", {"mix": "", "workload": "chat"}),
    Preset("What is asked", "code completion", {"mix": "", "workload": "code"}),
    Preset("What is asked", "long documents", {"mix": "", "workload": "long"}),
    Preset("What is asked", "chat beside agents", {"mix": "chat:0.9,agent-long:0.1"}),
    Preset("What is asked", "agents in sessions", {"mix": "", "workload": "agent"}),
)
