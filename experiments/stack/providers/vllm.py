"""vLLM on an NVIDIA GPU, and what its CPU build shares with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from experiments.stack import vllm_install
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.engine_knobs import EngineKnobs, require_flags
from experiments.stack.engine_signature import Info, Signature, Told, text
from experiments.stack.process import Progress
from experiments.stack.providers.provider import EngineChoice, Launch, Provider

# The `vllm` program does not find its own metadata in the CPU build.
_API_SERVER = "vllm.entrypoints.openai.api_server"


def _read(info: Info) -> Told | None:
    version = text(info, "version")
    return Told(version) if version is not None else None


SIGNATURE = Signature(("vllm",), "vllm:", ("/version",), _read, by_page=False)
"""Other servers have a /version as well: by it nobody is known."""

# Three processes import the same 2 GB of packages, one after the other: the first keeps its bytecode.
VARIABLES = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONDONTWRITEBYTECODE": ""}


def api_server(port: int) -> tuple[str, ...]:
    """The beginning of every command line of vLLM: its server on 127.0.0.1 at `port`."""
    python = str(vllm_install.python_of())
    return (python, "-m", _API_SERVER, "--host", "127.0.0.1", "--port", str(port))


def check_knobs(knobs: Sequence[EngineKnobs]) -> None:
    """See `require_flags`, of the vLLM that is installed."""
    require_flags(knobs, vllm_install.python_of())


def _launch(choice: EngineChoice, port: int, _cpus: Collection[int] | None) -> Launch:
    served = ("--model", choice.model or "", *choice.knobs.flags())
    return Launch((*api_server(port), *served, *choice.engine_args), VARIABLES)


def _label(facts: EngineFacts, title: str) -> str:
    return f"{title} {facts.known_version} ({facts.gpu or 'GPU'}, {facts.model})"


def _install(on_progress: Progress | None) -> Path:
    return vllm_install.install(vllm_install.GPU, on_progress=on_progress)


VLLM = Provider(
    "vllm",
    "vLLM",
    _label,
    _launch,
    _install,
    recognises=lambda facts: facts.engine_kind == "vllm",
    signature=SIGNATURE,
    metrics_hint="start it without --disable-log-stats",
    check_knobs=check_knobs,
    ready_s=3600.0,
    assumed_start_s=180.0,
    needs_gpu=True,
)
