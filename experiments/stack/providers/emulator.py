"""The project's emulator: it answers as vLLM does and takes as long as a profile says."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace

from experiments.stack import paths
from experiments.stack.engine_facts import EngineFacts, argument
from experiments.stack.providers.provider import EngineChoice, Launch, Provider
from experiments.stack.providers.vllm import SIGNATURE


def _launch(choice: EngineChoice, port: int, _cpus: Collection[int] | None) -> Launch:
    argv = (sys.executable, "-m", "experiments.twin.emulator", "--port", str(port))
    served = ("--model", choice.model or "emulated", "--profile", choice.profile)
    return Launch((*argv, *served, *choice.knobs.flags(), *choice.engine_args), paths.import_path())


def _label(facts: EngineFacts, _title: str) -> str:
    profile = argument(facts.command, "--profile") or "unknown profile"
    return f"EMULATOR ({profile}, no model computes anything)"


def _recognises(facts: EngineFacts) -> bool:
    return facts.engine_kind == "emulator" or facts.known_version.endswith("+emulator")


# Its metrics have vLLM's names; it is known by its owner, and by its version.
_SIGNATURE = replace(SIGNATURE, owners=("emulator",), prefix="")

EMULATOR = Provider(
    "emulator",
    "EMULATOR",
    _label,
    _launch,
    recognises=_recognises,
    signature=_SIGNATURE,
    ready_s=30.0,
    assumed_start_s=15.0,
    on_our_cores=True,
    slo_scaled=True,
)
