"""The matrix: which cells there are, and in which order."""

from dataclasses import replace

from experiments.cli import sweep_args
from experiments.design.cell_purpose import CellPurpose
from experiments.design.cells import settings_of
from experiments.design.matrix import build
from experiments.design.probe import Probe
from experiments.spec.loads import Load
from loadtests.slo import SLO

PROBE = Probe(
    ttft_s=0.03,
    tpot_s=0.02,
    e2e_s=0.5,
    capacity_per_s=10.0,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.1,
    steps=(),
)
SLO_1S = SLO.parse("ttft<=1s,attainment>=0.95")


def test_reject_mode_has_no_queue_axes() -> None:
    """Nobody waits there, so a matrix over queue lengths must not measure it once per length."""
    spec = sweep_args.parse(("--max-active", "2", "--queue-mode", "queue,reject", "--queue-max", "1,10")).spec
    names = [setting.name for setting in settings_of(spec, 0.5)]
    assert names == ["ma2-q1-t0.5s", "ma2-q10-t0.5s", "ma2-reject"]


def test_every_block_holds_every_cell_in_its_own_order() -> None:
    """A drift of the machine must not take the side of whichever setting always comes first."""
    spec = sweep_args.parse(("--blocks", "3")).spec
    built = build(spec, PROBE, SLO_1S)
    blocks = [
        [cell.id.rsplit("--b", 1)[0] for cell in built.cells if cell.block == block] for block in range(3)
    ]
    assert len(built.cells) == len({cell.id for cell in built.cells}) == 36
    assert sorted(blocks[0]) == sorted(blocks[1]) == sorted(blocks[2])
    assert len({tuple(block) for block in blocks}) == 3


def test_the_same_spec_and_probe_give_the_same_matrix() -> None:
    """A resumed run builds it anew and must find its own cells."""
    spec = sweep_args.parse(()).spec
    assert build(spec, PROBE, SLO_1S).cells == build(spec, PROBE, SLO_1S).cells


def test_settings_of_a_load_and_block_share_their_arrivals_and_blocks_do_not() -> None:
    """Common traces are what makes cells comparable; fresh ones per block are what makes repeats worth
    anything."""
    built = build(sweep_args.parse(("--blocks", "2")).spec, PROBE, SLO_1S)
    hashes = {(str(cell.load), cell.block): set[str]() for cell in built.cells}
    for cell in built.cells:
        hashes[str(cell.load), cell.block].add(built.plan(cell).hash)
    assert all(len(found) == 1 for found in hashes.values())
    assert len({next(iter(found)) for found in hashes.values()}) == 4


def test_a_cell_of_another_purpose_has_a_folder_of_its_own() -> None:
    """The same setting, load and block may be measured to choose, to confirm and to find a rate."""
    (first, *_) = build(sweep_args.parse(()).spec, PROBE, SLO_1S).cells
    every = [replace(first, purpose=purpose) for purpose in CellPurpose]
    assert len({cell.id for cell in every}) == len(CellPurpose)
    assert first.id == next(cell.id for cell in every if cell.purpose is CellPurpose.MATRIX)


def test_relative_loads_follow_the_capacity() -> None:
    """`0.7x` of 10 requests per second is 7."""
    assert Load("sustained", None, 0.7).at_capacity(10.0) == Load("sustained", 7.0, 0.7)


def test_the_queue_timeout_leaves_room_for_the_first_token() -> None:
    """Waiting longer than the TTFT objective allows only produces late answers."""
    cells = build(sweep_args.parse(()).spec, PROBE, SLO_1S).cells
    assert {cell.setting.limits.queue_timeout_s for cell in cells} == {0.9}


def test_the_default_sweep_fits_into_four_minutes() -> None:
    """The promise to a newcomer, on what the probe saw of the tiny model on one core."""
    tiny = Probe(
        ttft_s=0.038,
        tpot_s=0.019,
        e2e_s=0.48,
        capacity_per_s=18.7,
        e2e_at_capacity_s=0.85,
        ttft_at_capacity_s=0.1,
        steps=(),
    )
    built = build(sweep_args.parse(()).spec, tiny, SLO.parse("ttft<=480ms,tpot<=46ms"))
    assert len(built.cells) <= 12
    assert built.expected_s <= 240
