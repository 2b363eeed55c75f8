"""Which engine serves a run, and how it is started: real vLLM, the emulator, or one that is already there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.errors import EnvironmentProblem, UserError
from experiments.observe.engine_metrics import EngineMetrics
from experiments.stack import chat_route, engine_asked, engine_facts, process
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.ports import answers, free_port
from experiments.stack.providers import known, recognising
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.provider import EngineChoice, Provider
from experiments.stack.providers.vllm import VLLM
from experiments.stack.providers.vllm_cpu import VLLM_CPU
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.reach.endpoint import Endpoint, without_login


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is ready.

    Attributes:
        endpoint: how it is reached; None where only a gateway before it is.
        model: the name it serves.
        provider: of the engine.
        label: what every number made with it is headed with; begins with EMULATOR for the emulator.
        facts: what is known of it.
    """

    endpoint: Endpoint | None
    model: str
    provider: Provider
    label: str
    facts: EngineFacts = field(repr=False)

    @property
    def url(self) -> str:
        """Its address as it may be shown, without /v1; empty where it is not known."""
        return "" if self.endpoint is None else self.endpoint.url

    @property
    def metrics(self) -> EngineMetrics:
        """What it calls its metrics; vLLM's names where it was not asked."""
        return self.facts.metrics

    @property
    def account(self) -> str:
        """What an engine that runs elsewhere was taken for and what it does not tell, in a sentence; empty
        for one that was started here, or was not asked."""
        asked = self.provider.launch is None and self.facts.metrics_page is not None
        return known.account_of(self.provider, self.facts) if asked else ""

    @property
    def answer_lengths(self) -> AnswerLengths:
        """Whether its answers can be forced to a length; of one that runs elsewhere by what it was taken
        for."""
        recognised = known.recognised(self.facts) if self.provider is EXTERNAL else None
        return (recognised or self.provider).answer_lengths


def choose(
    name: str = known.AUTO,
    *,
    engine_url: str | Endpoint | None = None,
    model: str | None = None,
    profile: str = "tiny-cpu",
    engine_args: Sequence[str] = (),
    install: bool = True,
    on_progress: process.Progress | None = None,
) -> EngineChoice:
    """Decide what will serve, and install it where needed.

    `auto` takes the engine at `engine_url` if given, else vLLM where a GPU is usable, else vLLM's CPU build,
    and the emulator where that cannot be installed (`why` then names the missing requirement and the remedy).

    Raises:
        UserError: a name that is not known, or arguments that do not go together.
        EnvironmentProblem: the engine asked for cannot be installed here.
    """
    if name not in known.CHOICES:
        raise UserError(f"engine {name!r} is not known; allowed: {', '.join(known.CHOICES)}")
    at = _address(engine_url) if isinstance(engine_url, str) and engine_url else engine_url or None
    elsewhere = name != known.AUTO and not known.can_start(name)
    if at is not None and not elsewhere and name != known.AUTO:
        raise UserError(
            f"--engine-url {at.url} goes with --engine external (or auto, or what runs there: "
            f"{', '.join(known.ELSEWHERE)}), not with {name}"
        )
    if elsewhere and at is None:
        raise UserError(f"--engine {name} needs --engine-url, for example http://127.0.0.1:8000")
    row = known.named(name) if elsewhere else EXTERNAL
    asked = EngineChoice(row, None, model, profile, tuple(engine_args))
    if at is not None:
        return replace(asked, at=at)
    if name != known.AUTO:
        return _ready_to_start(replace(asked, provider=known.named(name)), install, on_progress)
    if usable_gpu():
        return _ready_to_start(replace(asked, provider=VLLM), install, on_progress)
    try:
        return _ready_to_start(replace(asked, provider=VLLM_CPU), install, on_progress)
    except EnvironmentProblem as problem:
        return replace(asked, provider=EMULATOR, why=str(problem))


def usable_gpu() -> str | None:
    """The name of the first NVIDIA GPU that the driver answers for, or None."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return names[0] if done.returncode == 0 and names else None


@contextlib.contextmanager
def running(
    choice: EngineChoice,
    *,
    log_dir: Path,
    cpus: Collection[int] | None = None,
    on_progress: process.Progress | None = None,
    port: int | None = None,
) -> Iterator[Engine]:
    """The chosen engine, ready, for the length of the `with` block; an external one is only looked at.

    Args:
        choice: as `choose` made it.
        log_dir: gets `engine.log`.
        cpus: the CPU numbers that the whole engine may use; None: all.
        on_progress: told about every 5 s what is being waited for.
        port: to listen on, on 127.0.0.1; None: a free one.

    Raises:
        StartFailed: it ended or was not ready in time; the message ends with its log's last lines.
        UserError: an external engine cannot be used, or does not serve the model.
    """
    provider = choice.provider
    if provider.launch is None:
        assert choice.at is not None, "`choose` asks for the address of one that is not started"
        yield elsewhere(provider, choice.at, choice.model)
        return
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    launch = provider.launch(choice, port, cpus)
    started_s = time.monotonic()
    command = process.Command(
        launch.argv,
        "the engine",
        log_dir / "engine.log",
        env={**_without_key(os.environ), **launch.variables},
        cpus=cpus,
        grace_s=10,
    )
    ready = answers(f"{url}/health")
    with process.running(command, ready=ready, ready_timeout_s=provider.ready_s, on_progress=on_progress):
        facts = replace(
            engine_asked.read(Endpoint.parse(url), recognising.as_one_of(provider)),
            command=engine_facts.portable(launch.argv),
            cpus=tuple(sorted(cpus)) if cpus else None,
            max_num_seqs=choice.knobs.max_num_seqs or engine_facts.max_num_seqs(launch.argv),
            knobs=choice.knobs.given(),
            why=choice.why,
            ready_after_s=round(time.monotonic() - started_s, 1),
            gpu=choice.gpu,
        )
        label = known.label_of(provider, facts)
        yield Engine(Endpoint.parse(url), facts.model, provider, label, facts)


def _ready_to_start(
    choice: EngineChoice, install: bool, on_progress: process.Progress | None
) -> EngineChoice:
    """The choice, once its engine has what it needs on this machine."""
    provider = choice.provider
    if provider.needs_gpu:
        choice = replace(choice, gpu=_gpu_for(choice))
    if install and provider.install is not None:
        provider.install(on_progress)
    return choice


def _gpu_for(choice: EngineChoice) -> str:
    name, gpu = choice.provider.name, usable_gpu()
    if gpu is None:
        raise EnvironmentProblem(
            f"--engine {name} needs a usable NVIDIA GPU, and nvidia-smi finds none; "
            "use --engine vllm-cpu or --engine emulator"
        )
    if not choice.model:
        raise UserError(
            f"name the model that {choice.provider.title} is to serve on {gpu}, for example "
            "MODEL=Qwen/Qwen2.5-7B-Instruct"
        )
    return gpu


def elsewhere(provider: Provider, at: Endpoint, model: str | None) -> Engine:
    """The engine that somebody runs there, once it is known that it takes chats; taken for `provider`, or for
    what it shows itself to be where that is `external`.

    Raises:
        UserError: it cannot be used, or does not serve `model`; the sentence says why.
    """
    asked = recognising.recognise if provider is EXTERNAL else recognising.as_one_of(provider)
    try:
        facts = engine_asked.read(at, asked, model=model)
        if model and model not in facts.models:
            served = ", ".join(facts.models)
            raise UserError(f"the engine at {at.url} does not serve {model!r}; it serves {served}")
        chat_route.require(at, model or facts.model)
    except EnvironmentProblem as problem:
        raise UserError(str(problem)) from None
    return Engine(at, model or facts.model, provider, known.label_of(provider, facts), facts)


def _address(url: str) -> Endpoint:
    if not url.startswith(("http://", "https://")):
        raise UserError(f"--engine-url {without_login(url)!r} must begin with http:// or https://")
    try:
        return Endpoint.parse(url)
    except ValueError as error:
        raise UserError(f"--engine-url {error}") from None


def _without_key(environment: Mapping[str, str]) -> dict[str, str]:
    """An engine that is started here answers this machine only: a key meant for another does not count."""
    return {name: value for name, value in environment.items() if name != "VLLM_API_KEY"}
