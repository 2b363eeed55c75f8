"""Which engine is chosen, how it is started, and what is said when it cannot be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import httpx
import pytest

from experiments.errors import EnvironmentProblem, UserError
from experiments.stack import engine, vllm_install
from experiments.stack.engine_facts import argument
from experiments.stack.ports import free_port
from experiments.stack.process import StartFailed
from experiments.stack.providers.provider import EngineChoice, Launch
from experiments.stack.providers.vllm_cpu import VLLM_CPU


def launch_of(choice: EngineChoice, cpus: set[int] | None = None) -> Launch:
    """How the choice is started on port 8123."""
    assert choice.provider.launch is not None
    return choice.provider.launch(choice, 8123, cpus)


@pytest.fixture
def no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without nvidia-smi."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose nvidia-smi names a GPU."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA A10'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_a_url_means_an_external_engine() -> None:
    """`auto` with a URL starts nothing, and a trailing /v1 is no matter."""
    choice = engine.choose("auto", engine_url="http://box:8000/v1/")
    assert (choice.provider.name, choice.url) == ("external", "http://box:8000")


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("mlc", None, "engine 'mlc' is not known; allowed: auto, vllm, vllm-cpu, emulator, external, sglang"),
        ("external", None, "--engine external needs --engine-url"),
        ("sglang", None, "--engine sglang needs --engine-url"),
        ("emulator", "http://box:8000", "goes with --engine external"),
        ("vllm", "http://box:8000", "or what runs there: sglang, llamacpp, tgi, ollama, openai"),
        ("auto", "box:8000", "must begin with http"),
    ],
)
def test_what_does_not_go_together_is_the_users_mistake(name: str, url: str | None, words: str) -> None:
    """One sentence with the value and what is allowed."""
    with pytest.raises(UserError, match=words):
        engine.choose(name, engine_url=url)


@pytest.mark.usefixtures("gpu")
def test_a_gpu_means_vllm_and_needs_a_model() -> None:
    """`auto` takes the GPU; without MODEL the sentence says how to give one."""
    with pytest.raises(UserError, match=r"name the model that vLLM is to serve on NVIDIA A10.*MODEL="):
        engine.choose("auto", install=False)
    choice = engine.choose(
        "auto", model="Qwen/Qwen2.5-7B-Instruct", engine_args=["--max-num-seqs", "64"], install=False
    )
    assert (choice.provider.name, choice.gpu) == ("vllm", "NVIDIA A10")
    launch = launch_of(choice)
    assert launch.argv[1:3] == ("-m", "vllm.entrypoints.openai.api_server")
    assert launch.argv[-4:] == ("--model", "Qwen/Qwen2.5-7B-Instruct", "--max-num-seqs", "64")
    assert "HF_HUB_OFFLINE" not in launch.variables


@pytest.mark.usefixtures("no_gpu")
def test_vllm_without_a_gpu_is_the_environments_fault() -> None:
    """Asked for by name it is not replaced by something else."""
    with pytest.raises(EnvironmentProblem, match=r"needs a usable NVIDIA GPU.*--engine vllm-cpu"):
        engine.choose("vllm", model="m")


@pytest.mark.usefixtures("no_gpu")
def test_where_vllm_cannot_be_installed_auto_is_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why, and by name the CPU build is not replaced."""

    def fails(*_args: object, **_options: object) -> Path:
        raise EnvironmentProblem("torch==2.13.0+cpu was not found; remedy")

    monkeypatch.setattr(vllm_install, "install", fails)
    choice = engine.choose("auto")
    assert (choice.provider.name, choice.why) == ("emulator", "torch==2.13.0+cpu was not found; remedy")
    with pytest.raises(EnvironmentProblem, match="was not found"):
        engine.choose("vllm-cpu")


def test_the_tiny_model_runs_offline_and_pinned() -> None:
    """The CPU build serves random weights, with its threads bound to the cores it was given."""
    launch = launch_of(EngineChoice(VLLM_CPU), {0})
    assert launch.variables["HF_HUB_OFFLINE"] == "1"
    assert launch.variables["VLLM_CPU_OMP_THREADS_BIND"] == "0"
    assert argument(launch.argv, "--load-format") == "dummy"
    assert (Path(argument(launch.argv, "--model") or "") / "config.json").exists()


def test_an_engine_that_dies_at_start_shows_its_log(tmp_path: Path) -> None:
    """The message has the last lines of engine.log."""
    choice = engine.choose("emulator", profile="no-such-profile")
    with (
        pytest.raises(
            StartFailed, match=r"the engine ended with exit code 2[\s\S]*'no-such-profile' is not known"
        ),
        engine.running(choice, log_dir=tmp_path),
    ):
        pass


def test_an_external_engine_is_asked_what_it_is(tmp_path: Path) -> None:
    """Its model, version and KV size are read; a model that it does not serve is a sentence; it is not
    stopped.
    """
    with engine.running(engine.choose("emulator"), log_dir=tmp_path) as served:
        with engine.running(engine.choose(engine_url=f"{served.url}/v1"), log_dir=tmp_path) as found:
            assert (found.model, found.provider.name) == ("emulated", "external")
            assert found.label.startswith("EMULATOR")
            assert found.facts.kv_cache_size_tokens == 131072
        other = engine.choose(engine_url=served.url, model="other")
        with (
            pytest.raises(UserError, match="does not serve 'other'; it serves emulated"),
            engine.running(other, log_dir=tmp_path),
        ):
            pass
        assert httpx.get(f"{served.url}/health").status_code == 200


def test_nobody_at_the_engines_url(tmp_path: Path) -> None:
    """A refused connection is one sentence."""
    choice = engine.choose(engine_url=f"http://127.0.0.1:{free_port()}")
    with (
        pytest.raises(UserError, match=r"cannot be used: connection refused at 127\.0\.0\.1"),
        engine.running(choice, log_dir=tmp_path),
    ):
        pass
