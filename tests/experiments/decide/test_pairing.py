"""Two runs laid side by side: which cells are pairs, and what makes two runs unequal experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments.decide.pairing import Pairing, pair
from experiments.design.cell_purpose import CellPurpose
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary, Workload
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.engine_state import EngineState
from experiments.run_folder.provenance import Cpu, Provenance
from experiments.run_folder.run_state import RunState
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from gateway.limits import Limits
from loadtests.planning.optional_fields import AnswerLengths
from tests.experiments import plain

FEW, MANY = (Setting(Limits(max_active=n, queue_max=16, queue_timeout_s=0.5)) for n in (4, 10))
LATE = Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, "late")
CUT = Doubt(DoubtCode.CUT, Severity.WARN, "two requests")
FACTS = EngineFacts(version="0.32.0", command=("vllm", "--port", "8000", "--dtype", "auto"), cpus=(0, 1))
MACHINE = Provenance(
    commit="aaaa", cpu=Cpu("EPYC", 64, 16), gpus=("H100, 550.54",), packages={"locust": "2.43"}
)
ENGINE = EngineState("vllm", "vLLM 0.32.0 (H100, qwen)", "qwen", "http://127.0.0.1:8000", FACTS)
STATE = replace(
    plain.state("a"),
    engine=ENGINE,
    slo=plain.objective("ttft<=1s,attainment>=0.95"),
    provenance=MACHINE,
)


def offered(rate_per_s: float = 3.0, block: int = 0) -> Workload:
    """The arrivals of that rate and block, the same in every run."""
    known = plain.workload(rate_per_s, block)
    return replace(
        known, plan_hash=f"{rate_per_s:g}-{block}-cafe" * 8, prompt_tokens=64, output_tokens=24, seed=1
    )


def cell(setting: Setting = FEW, rate_per_s: float = 3.0, block: int = 0) -> CellSummary:
    return plain.summary(f"{setting.name}--{rate_per_s:g}--b{block}", setting, offered(rate_per_s, block))


def written(root: Path, state: RunState, cells: Sequence[CellSummary]) -> Path:
    for one in cells:
        folder = root / "cells" / one.cell
        folder.mkdir(parents=True)
        codec.write(folder / "summary.json", one)
    codec.write(root / "run.json", state)
    return root


@dataclass(frozen=True, slots=True)
class Runs:
    """Two runs below a folder of their own."""

    root: Path

    def of(self, a: Sequence[CellSummary], b: Sequence[CellSummary], state: RunState = STATE) -> Pairing:
        """Run a as it is, run b in this state."""
        return pair(written(self.root / "a", STATE, a), written(self.root / "b", state, b))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_cells_of_one_setting_load_and_block_are_pairs(runs: Runs) -> None:
    """Settings and loads in an order of their own, blocks ascending, whatever the folders are called."""
    cells = [cell(MANY, 3.0), cell(FEW, 9.0), cell(FEW, 3.0, 1), cell(FEW, 3.0)]
    renamed = [replace(one, cell=f"x{k}") for k, one in enumerate(cells)]
    found = runs.of(cells, renamed)
    assert [(p.setting, p.load, [c.block for c in p.a]) for p in found.pairs] == [
        (FEW, "sustained@3", [0, 1]),
        (MANY, "sustained@3", [0]),
        (FEW, "sustained@9", [0]),
    ]
    assert [[c.id for c in p.b] for p in found.pairs] == [["x3", "x2"], ["x0"], ["x1"]]
    assert all(p.same_plans for p in found.pairs)
    assert found.pairs[0].name == f"{FEW.name} sustained@3"
    assert (found.alone, found.left_out, found.differences) == ((), (), ())


def test_cells_without_a_partner_are_named_with_their_run(runs: Runs) -> None:
    """Another setting, another load, another block."""
    found = runs.of([cell(), cell(MANY)], [cell(), cell(FEW, 9.0), cell(FEW, 3.0, 1)])
    assert len(found.pairs) == 1
    assert set(found.alone) == {
        f"only in A: {MANY.name} sustained@3 block 0",
        f"only in B: {FEW.name} sustained@9 block 0",
        f"only in B: {FEW.name} sustained@3 block 1",
    }


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_pair_with_an_invalid_side_is_left_out_and_named(side: str, runs: Runs) -> None:
    """Also with what differs in it; a cell under a warning stays."""
    good, bad = replace(cell(), doubts=(CUT,)), replace(cell(MANY), doubts=(CUT, LATE))
    other = replace(cell(MANY), workload=replace(offered(), prompt_tokens=65))
    found = runs.of([good, bad if side == "a" else other], [good, other if side == "a" else bad])
    assert [p.setting for p in found.pairs] == [FEW]
    assert found.left_out == (f"{MANY.name} sustained@3 block 0",)
    assert found.alone == ()
    assert found.differences == ()


def test_sentinels_are_no_cells_of_the_matrix(runs: Runs) -> None:
    """They watch for drift inside a run."""
    watching = replace(cell(MANY), cell="sentinel--0", sentinel=True)
    found = runs.of([cell(), watching], [cell()])
    assert len(found.pairs) == 1
    assert found.alone == ()


def of_purpose(one: CellSummary, purpose: CellPurpose) -> CellSummary:
    return replace(one, cell=f"{one.cell}--{purpose}", workload=replace(one.workload, purpose=purpose))


def test_a_block_that_confirmed_a_choice_is_a_pair_of_one_that_made_it(runs: Runs) -> None:
    """The same arrivals, whatever each run measured them for."""
    confirmed = of_purpose(cell(FEW, 3.0, 1), CellPurpose.VALIDATION)
    found = runs.of([cell(), confirmed], [cell(), cell(FEW, 3.0, 1)])
    assert [[one.block for one in pair.a] for pair in found.pairs] == [[0, 1]]
    assert found.alone == ()


def test_the_search_for_a_rate_is_neither_compared_nor_missed(runs: Runs) -> None:
    """It finds other rates in each run."""
    found = runs.of([cell(), of_purpose(cell(FEW, 3.7), CellPurpose.CAPACITY)], [cell()])
    assert len(found.pairs) == 1
    assert found.alone == ()


def test_blocks_without_a_partner_are_named_together(runs: Runs) -> None:
    """A line for each setting and load, however many blocks of it the other run lacks."""
    found = runs.of([cell(FEW, 3.0, block) for block in (0, 1, 2, 3, 5, 7, 8)], [cell(FEW, 3.0, 1)])
    assert found.alone == (f"only in A: {FEW.name} sustained@3 blocks 0, 2–3, 5, 7–8",)


def with_facts(facts: EngineFacts) -> RunState:
    return replace(STATE, engine=replace(ENGINE, facts=facts))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            replace(STATE, engine=replace(ENGINE, label="vLLM 0.33.0 (H100, qwen)")),
            "engine: vLLM 0.32.0 (H100, qwen) / vLLM 0.33.0 (H100, qwen)",
        ),
        (replace(STATE, engine=replace(ENGINE, model="phi")), "model: qwen / phi"),
        (with_facts(replace(FACTS, version="0.33.0")), "engine version: 0.32.0 / 0.33.0"),
        (
            with_facts(replace(FACTS, command=("vllm", "--port", "8000", "--dtype", "fp8"))),
            "engine flags: vllm --dtype auto / vllm --dtype fp8",
        ),
        (with_facts(replace(FACTS, command=())), "engine flags: vllm --dtype auto / None"),
        (with_facts(replace(FACTS, cpus=(0,))), "engine's cores: 0 1 / 0"),
        (replace(STATE, provenance=replace(MACHINE, cpu=Cpu("Xeon", 64, 16))), "CPU: "),
        (
            replace(STATE, provenance=replace(MACHINE, gpus=("H200, 550.54",))),
            "GPU: H100, 550.54 / H200, 550.54",
        ),
    ],
)
def test_another_engine_or_machine_matters(state: RunState, said: str, runs: Runs) -> None:
    """Numbers of the two cannot be held against each other; both sides are named."""
    found = runs.of([cell()], [cell()], state)
    (difference,) = found.differences
    assert difference.matters
    assert str(difference).startswith(said)
    assert found.what_matters == found.differences


def test_a_machine_of_which_nothing_is_known_matters(runs: Runs) -> None:
    """Runs without engine or provenance are not equal to those that have them."""
    found = runs.of([cell()], [cell()], replace(STATE, engine=None, provenance=None))
    assert {d.what for d in found.what_matters} == {
        "engine", "model", "engine version", "engine flags", "engine's cores", "CPU", "GPU",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            replace(STATE, slo=plain.objective("ttft<=2s,attainment>=0.95")),
            "SLO: ttft<=1s,attainment>=0.95 / ttft<=2s,attainment>=0.95",
        ),
        (replace(STATE, provenance=replace(MACHINE, commit="bbbb")), "commit: aaaa / bbbb"),
        (replace(STATE, provenance=replace(MACHINE, packages={"locust": "2.44"})), "packages: "),
    ],
)
def test_another_objective_or_version_is_told_and_does_not_matter(
    state: RunState, said: str, runs: Runs
) -> None:
    """Both runs are judged under one objective; a comparison of two versions is what one makes runs for."""
    found = runs.of([cell()], [cell()], state)
    (difference,) = found.differences
    assert not difference.matters
    assert str(difference).startswith(said)
    assert found.what_matters == ()


def test_an_address_is_no_difference_nor_is_what_the_run_varied(runs: Runs) -> None:
    """The port is another in every run, and the engine's own limits are part of the settings."""
    command = ("vllm", "--port", "9000", "--host", "::1", "--dtype", "auto", "--max-num-seqs", "8")
    state = with_facts(replace(FACTS, command=command, knobs={"max_num_seqs": 8}))
    assert runs.of([cell()], [cell()], state).differences == ()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (replace(offered(), prompt_tokens=65), "prompt_tokens: 64 / 65"),
        (replace(offered(), output_tokens=None), "output_tokens: 24 / None"),
        (replace(offered(), answer_lengths=AnswerLengths.FREE), "answer lengths: forced / free"),
        (replace(offered(), scenario="gamma"), "scenario: sustained / gamma"),
    ],
)
def test_another_workload_under_the_same_name_matters(changed: Workload, what: str, runs: Runs) -> None:
    """Said once, however many cells have it."""
    second = replace(changed, block=1, plan_hash=offered(3.0, 1).plan_hash)
    others = [replace(cell(), workload=changed), replace(cell(FEW, 3.0, 1), workload=second)]
    found = runs.of([cell(), cell(FEW, 3.0, 1)], others)
    assert [str(d) for d in found.what_matters] == [what]


def test_other_arrivals_matter_trace_by_trace(runs: Runs) -> None:
    """Pairing cancels a trace only where it was the same one; the rates tell why it was not."""
    other = replace(offered(), plan_hash="beef" * 16, rate_per_s=3.5)
    a = [cell(), cell(MANY), cell(FEW, 3.0, 1)]
    b = [replace(one, workload=other) if one.workload.block == 0 else one for one in a]
    found = runs.of(a, b)
    (difference,) = found.what_matters
    assert str(difference) == (
        "arrival plan of sustained@3, block 0: 3-0-cafe3-0- at 3/s / beefbeefbeef at 3.5/s"
    )
    assert [p.same_plans for p in found.pairs] == [False, False]


def test_what_is_no_run_is_the_users_mistake(tmp_path: Path) -> None:
    """A folder without run.json, and none at all."""
    run = written(tmp_path / "a", STATE, [cell()])
    empty = tmp_path / "b"
    empty.mkdir()
    for other in (empty, tmp_path / "c"):
        with pytest.raises(UserError, match=f"{other} is not a run folder"):
            pair(run, other)
