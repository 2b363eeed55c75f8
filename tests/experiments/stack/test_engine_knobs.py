"""The engine's own limits: as flags of each engine, and refused where the installed vLLM has no such flag."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from experiments.errors import UserError
from experiments.stack import engine, engine_facts
from experiments.stack.engine_knobs import EngineKnobs, product, require_flags
from experiments.stack.providers import known, vllm_cpu
from experiments.stack.providers.provider import EngineChoice, Provider
from experiments.stack.providers.vllm_cpu import VLLM_CPU


def _vllm(root: Path, table: str) -> Path:
    """A virtual environment whose vLLM has this argument table; returns its interpreter."""
    package = root / "lib" / "python3.11" / "site-packages" / "vllm" / "engine"
    package.mkdir(parents=True)
    (package / "arg_utils.py").write_text(table)
    return root / "bin" / "python"


def test_axes_cross_and_an_empty_one_is_left_to_the_engine() -> None:
    """Two batch sizes and two caps make four starts; nothing given makes one, of the engine as it is."""
    crossed = product(((8, 16), (), (4, 32)))
    assert [str(knobs) for knobs in crossed] == [
        "max_num_seqs=8, max_num_queued_reqs=4",
        "max_num_seqs=8, max_num_queued_reqs=32",
        "max_num_seqs=16, max_num_queued_reqs=4",
        "max_num_seqs=16, max_num_queued_reqs=32",
    ]
    assert product(((), (), ())) == (EngineKnobs(),)


def test_a_vllm_without_the_flag_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Before anything starts, with what to do."""
    python = _vllm(tmp_path, 'add_argument("--max-num-seqs")')
    require_flags([EngineKnobs(max_num_seqs=8)], python)
    with pytest.raises(UserError, match=r"the installed vLLM has no --max-num-queued-reqs; leave it out"):
        require_flags([EngineKnobs(max_num_seqs=8), EngineKnobs(max_num_queued_reqs=8)], python)


@pytest.mark.parametrize(
    "provider", [row for row in known.PROVIDERS if row.launch is not None], ids=lambda row: row.name
)
def test_every_engine_is_given_its_limits_once(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag that stands twice says two things to whoever reads the command."""
    monkeypatch.setattr(vllm_cpu, "_tiny_model", lambda shape: Path("/tiny"))
    assert provider.launch is not None
    choice = EngineChoice(provider, model="m" if provider.needs_gpu else None)
    argv = provider.launch(replace(choice, knobs=EngineKnobs(8, 512, 20)), 8000, None).argv
    for flag, value in (("--max-num-seqs", "8"), ("--max-num-batched-tokens", "512")):
        assert argv.count(flag) == 1
        assert argv[argv.index(flag) + 1] == value
    assert argv[argv.index("--max-num-queued-reqs") + 1] == "20"
    assert engine_facts.max_num_seqs(argv) == 8


def test_without_knobs_the_cpu_engine_keeps_its_own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model's batch and step are ours, as they were."""
    monkeypatch.setattr(vllm_cpu, "_tiny_model", lambda shape: Path("/tiny"))
    assert VLLM_CPU.launch is not None
    argv = VLLM_CPU.launch(EngineChoice(VLLM_CPU), 8000, None).argv
    assert argv[argv.index("--max-num-seqs") + 1] == "16"
    assert argv[-4:] == ("--max-model-len", "4096", "--max-num-batched-tokens", "2048")


def test_the_emulator_answers_503_beyond_its_cap_as_vllm_does(tmp_path: Path) -> None:
    """Running and waiting requests count; those that ended make room again."""
    choice = replace(engine.choose("emulator", profile="exact"), knobs=EngineKnobs(max_num_queued_reqs=2))
    asked = {"messages": [{"role": "user", "content": "word"}], "max_tokens": 20, "ignore_eos": True}

    async def ask(url: str) -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=url) as http:
            return await asyncio.gather(*(http.post("/v1/chat/completions", json=asked) for _ in range(3)))

    with engine.running(choice, log_dir=tmp_path) as served:
        for _ in range(2):
            answers = sorted(asyncio.run(ask(served.url)), key=lambda answer: answer.status_code)
            assert [answer.status_code for answer in answers] == [200, 200, 503]
            assert "currently busy" in answers[-1].json()["error"]["message"]
    assert served.facts.knobs == {"max_num_queued_reqs": 2}


def test_the_emulator_batches_no_more_than_it_was_told(tmp_path: Path) -> None:
    """Two sequences in a batch of one take twice as long as in a batch of two."""
    choice = replace(engine.choose("emulator", profile="exact"), knobs=EngineKnobs(max_num_seqs=1))
    with engine.running(choice, log_dir=tmp_path) as served:
        assert served.facts.max_num_seqs == 1
        asked = {"messages": [{"role": "user", "content": "word"}], "max_tokens": 40, "ignore_eos": True}

        async def both() -> list[float]:
            async with httpx.AsyncClient(base_url=served.url) as http:
                pair = [http.post("/v1/chat/completions", json=asked) for _ in range(2)]
                return sorted([answer.elapsed.total_seconds() for answer in await asyncio.gather(*pair)])

        first_s, second_s = asyncio.run(both())
    assert second_s > 1.5 * first_s
