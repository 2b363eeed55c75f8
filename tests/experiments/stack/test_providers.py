"""The rows of the engines: what a sweep takes from them, and that a new engine is a row and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.observe import engine_counters, engine_metrics
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.prometheus import series_of
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers import known
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.provider import Provider
from experiments.stack.providers.vllm import VLLM
from experiments.stack.providers.vllm_cpu import VLLM_CPU

ROOT = Path(__file__).resolve().parents[3]

TOY = """
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.provider import Provider

TOY = Provider("toy", "Toy", EMULATOR.label, EMULATOR.launch, ready_s=30.0, assumed_start_s=7.0)
"""
USE_TOY = """
import sys
from pathlib import Path
from experiments.stack import engine
with engine.running(engine.choose("toy"), log_dir=Path(sys.argv[1])) as served:
    print(served.provider.name, served.model)
"""


@pytest.mark.parametrize(
    ("provider", "facts", "label"),
    [
        (VLLM, EngineFacts(("m",), version="0.32.0", gpu="NVIDIA A10"), "vLLM 0.32.0 (NVIDIA A10, m)"),
        (
            VLLM_CPU,
            EngineFacts(("tiny",), version="0.32.0", command=("x", "--load-format", "dummy")),
            "vLLM 0.32.0 (CPU, tiny, random weights)",
        ),
        (VLLM_CPU, EngineFacts(("m",)), "vLLM of unknown version (CPU, m)"),
        (
            EMULATOR,
            EngineFacts(("m",), command=("x", "--profile", "exact")),
            "EMULATOR (exact, no model computes anything)",
        ),
        (EXTERNAL, EngineFacts(("m",), engine_kind="vllm", version="1"), "vLLM 1 (external, m)"),
        (EXTERNAL, EngineFacts(("m",), engine_kind="somebody", version="1"), "somebody 1 (external, m)"),
        (EXTERNAL, EngineFacts(("m",)), "engine of unknown version (external, m)"),
    ],
)
def test_every_engine_is_named_as_what_it_is(provider: Provider, facts: EngineFacts, label: str) -> None:
    """Build, model and where it runs; what an engine elsewhere says of itself is believed."""
    assert known.label_of(provider, facts) == label


@pytest.mark.parametrize("provider", known.PROVIDERS, ids=lambda row: row.name)
def test_an_emulator_is_called_one_whatever_it_was_taken_for(provider: Provider) -> None:
    """Its numbers must not be read as an engine's: it says so by owner and by version."""
    for facts in (EngineFacts(("m",), engine_kind="emulator"), EngineFacts(("m",), version="0.32+emulator")):
        assert known.label_of(provider, facts).startswith("EMULATOR")


def test_facts_come_back_as_they_were_stored() -> None:
    """Also from a run of another version: unknown keys are left out, missing ones are not known."""
    facts = EngineFacts(
        ("m",), max_model_len=4096, command=("a", "b"), cpus=(0, 1), knobs={"max_num_seqs": 8}
    )
    assert EngineFacts.from_json(facts.to_json()) == facts
    assert EngineFacts.from_json({"models": ["m"], "of a later version": 1}) == EngineFacts(("m",))
    later = EngineFacts.from_json({"metric_names": {"running": "other:running", "of a later version": "x"}})
    assert later.metrics == EngineMetrics(running="other:running")
    assert EngineFacts().metrics == engine_metrics.VLLM


def test_counters_are_read_by_the_engines_own_names() -> None:
    """What an engine does not have is not known, and is left out of the series."""
    other = EngineMetrics(
        running="other:running", waiting=None, prompt_tokens="other:prompt_total", prefix_hit_tokens=None,
        e2e_s="other:e2e_seconds", queue_s=None, prefill_s="other:prefill_seconds", preemptions=None,
    )  # fmt: skip
    page = "other:e2e_seconds_sum {s}\nother:e2e_seconds_count {n}\nother:prompt_total {t}\n"
    page += "other:prefill_seconds_sum 0\n"
    before, after = page.format(s=1.0, n=2, t=10), page.format(s=4.0, n=5, t=70)
    growth = engine_counters.growth(before, after, other)
    assert growth is not None
    assert (growth.request_s, growth.requests, growth.prompt_tokens) == (3.0, 3, 60)
    assert (growth.queue_s, growth.prefill_s, growth.prefix_hit_tokens) == (None, 0, None)
    assert engine_counters.growth(before, after, engine_metrics.VLLM) is None
    series = series_of(other)
    assert series["engine_running"] == "sum(other:running)"
    assert "engine_waiting" not in series
    assert set(series) < set(series_of(engine_metrics.VLLM))


def test_a_new_engine_is_a_module_and_its_name_in_one_list(tmp_path: Path) -> None:
    """In a copy of the package: every command takes it, and it is started and awaited as its row says."""
    for package in ("gateway", "loadtests", "reports"):
        (tmp_path / package).symlink_to(ROOT / package)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments", ignore=shutil.ignore_patterns("*.pyc"))
    rows = tmp_path / "experiments" / "stack" / "providers"
    (rows / "toy.py").write_text(TOY)
    listed = (rows / "known.py").read_text()
    listed = listed.replace("VLLM_CPU, EMULATOR, EXTERNAL,", "VLLM_CPU, EMULATOR, EXTERNAL, TOY,")
    first = "from experiments.stack.providers.vllm import VLLM\n"
    toy = "from experiments.stack.providers.toy import TOY\n"
    (rows / "known.py").write_text(listed.replace(first, toy + first))

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)

    words = ("--engine", "toy", "--max-num-seqs", "8,16", "--design", "grid", "--dry-run")
    dry = python("-m", "experiments.sweep", *words)
    assert dry.returncode == 0, dry.stderr
    assert "with 1 restart of it (about 7 s each)" in dry.stdout
    wrong = python("-m", "experiments.sweep", "--engine", "tyo", "--dry-run")
    assert "engine.provider = 'tyo': should be 'auto'" in wrong.stderr
    assert "'toy', " in wrong.stderr
    served = python("-c", USE_TOY, str(tmp_path))
    assert served.stdout.split() == ["toy", "emulated"], served.stderr
