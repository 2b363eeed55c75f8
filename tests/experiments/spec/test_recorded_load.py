"""Recorded traffic as a load of a sweep: in the spec, on the command line, in the matrix."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from experiments.cli import sweep_args, tune_args
from experiments.design import dry_run, matrix
from experiments.design.probe import ASSUMED
from experiments.errors import UserError
from experiments.spec.load_section import LoadSection
from experiments.spec.sweep_spec import SweepSpec
from loadtests.slo import SLO
from tests.loadtests.traffic.test_traffic import NAMES, line, segment

GRID = ("--engine", "emulator", "--design", "grid", "--blocks", "2", "--sentinel", "off")
WINDOWS = ("--warm-up", "5", "--measure", "25", "--max-active", "4,8", "--queue-mode", "queue")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """200 requests, two a second."""
    segment(tmp_path / "recording", NAMES[0], *(line(k / 2, 100 + k) for k in range(200)))
    return tmp_path / "recording"


def of(folder: Path, *flags: str) -> SweepSpec:
    return sweep_args.parse([*GRID, *WINDOWS, "--recorded", str(folder), *flags]).spec


def test_relative_rates_are_multiples_of_what_was_recorded(folder: Path) -> None:
    """Not of the engine's capacity; each block is another stretch, and every setting meets the same one."""
    spec = of(folder, "--load", "recorded@1.0x,recorded@2,recorded@3x")
    planned = matrix.build(spec, ASSUMED, SLO.parse("ttft<=1s"))
    rates = {str(cell.load): cell.load.rate_per_s for cell in planned.cells}
    assert rates == {"recorded@1x": 2.0, "recorded@2": 2.0, "recorded@3x": 6.0}
    cells = [cell for cell in planned.cells if str(cell.load) == "recorded@1x"]
    first, second = ({planned.plan(c).hash for c in cells if c.block == block} for block in range(2))
    assert len(first) == len(second) == 1
    assert first != second
    plan = planned.plan(next(cell for cell in cells if cell.block == 1))
    assert [a.prompt_tokens for a in plan.arrivals] == list(range(160, 220))
    assert (plan.header.warm_up_s, plan.header.measure_s, plan.header.rate_per_s) == (5, 25, 2.0)
    assert {one.tenant for one in plan.header.classes} == {"alice", "bob"}


def test_the_engine_is_probed_with_the_mean_lengths(folder: Path) -> None:
    """Also what is sent beside it has them: the sentinel, or another load."""
    load = of(folder, "--load", "recorded@1x,sustained@0.7x").load
    assert load.typical(None) == (200, 11)
    assert load.typical(128) == (96, 11)
    mix = load.requests(None, None)
    assert (mix.workload, mix.prompt_tokens, mix.output_tokens) == ("fixed", 200, 11)


def test_an_objective_of_a_lane(folder: Path) -> None:
    """Lanes are load classes by the name of tenant and class; another name is refused with those."""
    load = of(folder, "--load", "recorded@1x", "--slo", "ttft<=1s;alice.batch:ttft<=9s").load
    assert load.objective(SLO.parse("ttft<=1s;alice.batch:ttft<=9s")).of("alice.batch").ttft_s == 9
    assert load.objective(SLO.parse("ttft<=1s")).classes == ()
    with pytest.raises(UserError, match=r"no load class 'carol'; it is one of bob.interactive, alice.batch"):
        of(folder, "--load", "recorded@1x", "--slo", "ttft<=1s;carol:ttft<=9s")


def test_a_part_of_it(folder: Path) -> None:
    load = of(folder, "--load", "recorded@1x", "--from", "10s", "--to", "20s").load
    assert load.traffic is not None
    assert (len(load.traffic), load.traffic.span_s) == (20, 10.0)


def test_what_is_wrong_is_one_sentence(folder: Path) -> None:
    """Before anything starts."""
    for flags, said in (
        (("--load", "sustained@1"), "a load such as recorded@1.0x and the folder of the recording"),
        (("--load", "recorded@1x", "--from", "soon"), "--recorded --from 'soon': write a date and time"),
        (("--load", "recorded@1x", "--workload", "64x24"), "a recording brings its own requests and lanes"),
        (("--load", "recorded@1x", "--from", "3h"), "holds no rows of that time"),
        (("--load", "recorded@0x"), "write requests per second above 0"),
    ):
        with pytest.raises(UserError, match=said):
            of(folder, *flags)
    with pytest.raises(UserError, match=r"--recorded .*: is a directory without segments"):
        of(folder.parent, "--load", "recorded@1x")
    with pytest.raises(ValidationError, match="give both"):
        LoadSection(loads=("recorded@1x",))


def test_a_dry_run_and_tune_take_it(folder: Path) -> None:
    words = ["--load", "recorded@1.0x", "--recorded", str(folder), "--engine", "emulator"]
    assert "recorded-1x" in dry_run.show(of(folder, "--load", "recorded@1.0x"))
    tuned = tune_args.parse(words).sweep.spec.load
    assert tuned.loads == ("recorded@1x",)
    assert tuned.is_recorded


def test_runs_of_before_go_on() -> None:
    """Without a recording the fingerprint of a spec is what it was."""
    assert "recorded" not in SweepSpec().model_dump(mode="json", exclude_defaults=True)
    assert SweepSpec().digest() == SweepSpec(load=LoadSection(recorded=None)).digest()
