"""Workloads as an axis: every load under each, at that workload's own capacity."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.design.matrix import build
from experiments.errors import UserError
from experiments.spec import workloads
from tests.experiments.design.test_cells import PROBE, SLO_1S

FLAGS = (
    "--max-active",
    "4",
    "--queue-mode",
    "queue",
    "--workload",
    "64x24,512x64",
    "--load",
    "sustained@0.5x",
)


def test_every_load_is_offered_of_each_workload_at_its_own_capacity() -> None:
    """Half of ten per second of one, half of four of the other."""
    heavy = replace(PROBE, capacity_per_s=4.0, e2e_at_capacity_s=3.0)
    built = build(sweep_args.parse(FLAGS).spec, PROBE, SLO_1S, probes={"512x64": heavy})
    rates = {str(cell.load): cell.load.rate_per_s for cell in built.cells}
    assert rates == {"sustained/64x24@0.5x": 5.0, "sustained/512x64@0.5x": 2.0}
    plans = {cell.load.workload: built.plan(cell) for cell in built.cells}
    params = {
        name: (p.header.params["prompt_tokens"], p.header.params["output_tokens"])
        for name, p in plans.items()
    }
    assert params == {"64x24": (64, 24), "512x64": (512, 64)}
    assert len({cell.id for cell in built.cells}) == 2
    assert not any(letter in cell.id for cell in built.cells for letter in "/@ ")


def test_without_the_axis_nothing_changes() -> None:
    """One workload, named by its two lengths, and loads that are called as ever."""
    spec = sweep_args.parse(("--prompt-tokens", "100", "--output-tokens", "10")).spec
    assert spec.load.reference == "100x10"
    assert {str(load) for load in spec.load.parsed()} == {"sustained@0.7x", "burst@1.2x"}


def test_a_profile_is_cut_to_the_engines_context() -> None:
    """A prompt that does not fit would only be refused."""
    cut = workloads.mix("chat", 2048)
    assert cut.max_prompt_tokens + cut.max_output_tokens < 2048
    prompt, output = workloads.typical("code", 2048)
    assert prompt <= cut.max_prompt_tokens
    assert 1 <= output <= cut.max_output_tokens


def test_the_axis_can_stand_in_the_file(tmp_path: Path) -> None:
    """Lists, or a single value."""
    spec = tmp_path / "spec.toml"
    spec.write_text('[load]\nworkloads = "chat"\nloads = ["sustained@0.5x", "burst@3"]\n')
    found = sweep_args.parse(("--spec", str(spec))).spec.load
    assert [str(load) for load in found.parsed()] == ["sustained/chat@0.5x", "burst/chat@3"]


@pytest.mark.parametrize("text", ["64", "64x", "0x24", "poetry", "64x24x2"])
def test_what_is_no_workload_is_refused(text: str) -> None:
    """With the word and what is allowed."""
    with pytest.raises(UserError, match=rf"load\.workloads = .*workload '{text}': write PROMPTxOUTPUT"):
        sweep_args.parse(("--workload", text))
