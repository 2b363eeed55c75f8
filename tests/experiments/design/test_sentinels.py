"""The sentinel: the current setting in every block, on one trace, at a rate that it carries."""

import pytest

from experiments.cli import sweep_args
from experiments.design.matrix import Matrix, build
from experiments.design.probe import Probe
from experiments.errors import UserError
from tests.experiments.design.test_cells import PROBE, SLO_1S

STAIRS = Probe(
    ttft_s=0.03,
    tpot_s=0.02,
    e2e_s=0.5,
    capacity_per_s=15.0,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.1,
    steps=((4, 6.5), (8, 11.0), (16, 15.0), (32, 14.8)),
)


def _built(*flags: str) -> Matrix:
    return build(sweep_args.parse(flags).spec, STAIRS, SLO_1S, sentinel=True)


def test_each_block_holds_one_on_the_same_arrivals() -> None:
    """Fresh arrivals would differ by more than any drift worth knowing."""
    built = _built("--blocks", "3")
    watch = [cell for cell in built.cells if cell.sentinel]
    assert [cell.block for cell in watch] == [0, 1, 2]
    assert len({built.plan(cell).hash for cell in watch}) == 1
    assert {cell.setting.limits.max_active for cell in watch} == {2}


def test_a_single_block_has_nothing_to_hold_it_against() -> None:
    """The default sweep does not pay for one."""
    assert not any(cell.sentinel for cell in _built().cells)
    assert len(_built().cells) == 12


def test_it_can_be_left_out() -> None:
    """Whoever measures two cells need not measure a third."""
    assert not any(cell.sentinel for cell in _built("--blocks", "3", "--sentinel", "off").cells)


def test_it_is_measured_at_half_of_what_its_slots_serve() -> None:
    """Between one request at a time (2 per second) and four (6.5), two slots serve 3.5."""
    assert STAIRS.rate_with(2) == pytest.approx(3.5)
    assert STAIRS.rate_with(8) == pytest.approx(11.0)
    assert STAIRS.rate_with(64) == pytest.approx(15.0)
    assert PROBE.rate_with(2) == pytest.approx(10.0)
    (watch, *_) = [cell for cell in _built("--blocks", "2").cells if cell.sentinel]
    assert watch.load.rate_per_s == pytest.approx(1.75)


def test_every_engine_value_has_its_own() -> None:
    """One start of the engine is held against itself alone."""
    built = _built("--blocks", "2", "--max-num-seqs", "8,16")
    for _, cells in built.engines:
        assert sum(cell.sentinel for cell in cells) == 2


def test_the_current_setting_is_said_or_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line before the environment, that before the gateway's defaults."""
    monkeypatch.setenv("MAX_ACTIVE", "6")
    monkeypatch.setenv("QUEUE_MAX", "7")
    current = sweep_args.parse(("--blocks", "2", "--current", "MAX_ACTIVE=4")).spec.design.current
    assert (current.max_active, current.queue_max, current.queue_timeout_s) == (4, 7, 120.0)
    assert sweep_args.parse(("--design", "grid", "--blocks", "2")).spec.design.current.max_active == 6
    assert sweep_args.parse(("--blocks", "2")).spec.design.current.max_active == 2, "a race has no sentinel"


def test_without_a_sentinel_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left in a shell must not make another run of the same command."""
    plain = sweep_args.parse(()).spec.digest()
    monkeypatch.setenv("MAX_ACTIVE", "6")
    assert sweep_args.parse(()).spec.digest() == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MAX_ACTIV=4", "--current 'MAX_ACTIV=4': write NAME=VALUE"),
        ("MAX_ACTIVE", "--current 'MAX_ACTIVE': write NAME=VALUE"),
        ("MAX_ACTIVE=0", "design.current.max_active = '0'"),
    ],
)
def test_a_current_setting_that_is_none_is_refused(text: str, said: str) -> None:
    """With the word and what is allowed."""
    with pytest.raises(UserError) as caught:
        sweep_args.parse(("--current", text))
    assert said in str(caught.value)
