"""What a sweep has to know of an engine: how it is got, started, awaited and named, and what it is like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.observe.engine_metrics import VLLM_NAMES, EngineNames
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.engine_knobs import NAMES, EngineKnobs
from experiments.stack.engine_signature import Signature
from experiments.stack.process import Progress
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.reach.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, and the environment variables that it needs besides ours."""

    argv: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provider:
    """One engine.

    Attributes:
        name: as `--engine` takes it and run.json holds it.
        title: its name in text.
        label: what every number made with it is headed with, from what it says of itself and its title.
        launch: the command that makes a choice serve on 127.0.0.1 at a port, on these CPU numbers (None: on
            all); None for an engine that is never started here.
        install: makes sure that it is on this machine.
        recognises: whether an engine that is already running is one of these, by its facts.
        signature: what such an engine looks like from outside.
        check_knobs: raises UserError where the installed version lacks a limit that is asked for.
        knobs: the limits of `EngineKnobs` that it can be started with.
        metrics: what it calls its metrics, over its versions.
        metrics_hint: how it is made to have a metrics page, where it has none by default.
        ready_s: after so many seconds a start has failed.
        assumed_start_s: seconds until it is ready and warm, for a dry run.
        needs_gpu: it is for an NVIDIA GPU, and serves the model that the user names.
        on_our_cores: it computes on this machine's CPU, so it and what measures it get cores of their own.
        answer_lengths: free for one that does not keep to `min_tokens` and `ignore_eos`, or refuses them.
        slo_scaled: the default SLO is meant for a larger model and is fitted to this engine.
    """

    name: str
    title: str
    label: Callable[[EngineFacts, str], str]
    launch: Callable[[EngineChoice, int, Collection[int] | None], Launch] | None = None
    install: Callable[[Progress | None], object] | None = None
    recognises: Callable[[EngineFacts], bool] | None = None
    signature: Signature | None = None
    check_knobs: Callable[[Sequence[EngineKnobs]], None] | None = None
    knobs: tuple[str, ...] = NAMES
    metrics: EngineNames = VLLM_NAMES
    metrics_hint: str = ""
    ready_s: float = 600.0
    assumed_start_s: float = 60.0
    needs_gpu: bool = False
    on_our_cores: bool = False
    slo_scaled: bool = False
    answer_lengths: AnswerLengths = AnswerLengths.FORCED


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What will serve.

    Attributes:
        provider: of the engine.
        at: where an external engine is; None: we start one.
        model: the model's name, or the path of its folder; None: the provider's default.
        profile: whose timing the emulator imitates.
        engine_args: more arguments for the engine, as they are.
        why: what the user should know about the choice (a fallback and its remedy); empty when there is
            nothing.
        gpu: name of the GPU, where there is one.
        knobs: limits that it is started with, in place of ours.
    """

    provider: Provider
    at: Endpoint | None = None
    model: str | None = None
    profile: str = "tiny-cpu"
    engine_args: tuple[str, ...] = ()
    why: str = ""
    gpu: str | None = None
    knobs: EngineKnobs = field(default_factory=EngineKnobs)

    @property
    def url(self) -> str | None:
        """The address of an external engine, without /v1."""
        return None if self.at is None else self.at.url
