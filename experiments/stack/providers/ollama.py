"""Ollama, started by somebody else. It has no metrics."""

from __future__ import annotations

from experiments.stack.engine_signature import Info, Signature, Told, text
from experiments.stack.providers.external import NO_METRICS, label
from experiments.stack.providers.provider import Provider
from loadtests.planning.optional_fields import AnswerLengths


def _read(info: Info) -> Told | None:
    return Told(text(info, "version")) if set(info) == {"version"} else None


OLLAMA = Provider(
    "ollama",
    "Ollama",
    label,
    recognises=lambda facts: facts.engine_kind == "ollama",
    signature=Signature(("library",), "", ("/api/version",), _read),
    metrics=NO_METRICS,
    answer_lengths=AnswerLengths.FREE,
)
