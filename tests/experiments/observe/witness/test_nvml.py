"""What is read of a GPU by NVIDIA's bindings, from a stand-in for the driver's library."""

from __future__ import annotations

import pytest

from experiments.observe.witness import nvml
from experiments.observe.witness.nvml import Computing, Limits
from tests.experiments.observe.witness import nvml_library
from tests.experiments.observe.witness.nvml_library import GIB, FakeCard, FakeLibrary


def test_a_machine_without_a_driver_has_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor has one whose driver finds none; neither is an error."""
    with nvml_library.installed(monkeypatch, None), nvml.opened() as library:
        assert library is None
    with nvml_library.installed(monkeypatch, FakeLibrary()), nvml.opened() as library:
        assert library is None


def test_a_card_tells_what_the_exporter_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same names and in the same units."""
    with nvml_library.installed(monkeypatch, FakeLibrary(FakeCard(reasons=0x4))), nvml.opened() as library:
        assert library is not None
        (card,) = library.cards
        assert card.name() == "NVIDIA Stand-in 80GB"
        assert card.power_limits() == Limits(700.0, 700.0)
        assert card.series() == {
            "gpu_use_ratio": 0.97,
            "gpu_clock_hz": 1.98e9,
            "gpu_temperature_c": 61.0,
            "gpu_memory_used_bytes": 70 * GIB,
            "gpu_power_cap": 1.0,
            "gpu_thermal_slowdown": 0.0,
            "gpu_power_brake": 0.0,
        }


@pytest.mark.parametrize("older", [False, True], ids=["newer driver", "older driver"])
@pytest.mark.parametrize(
    ("reasons", "held_back"),
    [(0x0, ()), (0x1, ()), (0x20, ("gpu_thermal_slowdown",)), (0x48, ("gpu_thermal_slowdown",)),
     (0x8, ("gpu_power_brake",)), (0x84, ("gpu_power_cap", "gpu_power_brake"))],
)  # fmt: skip
def test_the_reasons_of_the_clocks(
    monkeypatch: pytest.MonkeyPatch, reasons: int, held_back: tuple[str, ...], older: bool
) -> None:
    """Heat, a brake and a power limit; an idle card clocks down for none of them, and a slowdown by heat is
    no brake."""
    fake = FakeLibrary(FakeCard(reasons=reasons), older=older)
    with nvml_library.installed(monkeypatch, fake), nvml.opened() as library:
        assert library is not None
        seen = library.cards[0].series()
    names = ("gpu_power_cap", "gpu_thermal_slowdown", "gpu_power_brake")
    assert tuple(name for name in names if seen[name]) == held_back


def test_what_a_card_does_not_support_is_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumer cards and MIG instances leave questions open."""
    mute = FakeCard(
        use_percent=None, sm_clock_mhz=None, temperature_c=None, used_bytes=None, reasons=None,
        power_limit_mw=None, power_default_mw=None,
    )  # fmt: skip
    with nvml_library.installed(monkeypatch, FakeLibrary(mute)), nvml.opened() as library:
        assert library is not None
        assert library.cards[0].series() == {}
        assert library.cards[0].power_limits() == Limits(None, None)


def test_others_are_those_beside_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another card or another MIG instance nobody is in the way; where the engine itself is not seen,
    nobody is known."""
    card = FakeCard(processes={11: 40 * GIB, 12: 3 * GIB}, used_bytes=44 * GIB)
    cut = FakeCard(processes={21: GIB, 22: GIB, 23: GIB}, instances={21: 1, 22: 1, 23: 2})
    with nvml_library.installed(monkeypatch, FakeLibrary(card, cut)), nvml.opened() as library:
        assert library is not None
        whole, parts = library.cards
        assert whole.others({11}) == [Computing(12, 3 * GIB, 0xFFFFFFFF)]
        assert whole.others({11, 12}) == []
        assert whole.others({99}) is None
        assert [of.pid for of in parts.others({21}) or ()] == [22]


def test_the_engines_card_is_the_one_it_computes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the one that its environment names, else the busiest."""
    cards = (
        FakeCard(uuid="GPU-aaaa", use_percent=10, processes={11: GIB}),
        FakeCard(uuid="GPU-bbbb", use_percent=20),
        FakeCard(uuid="GPU-cccc", use_percent=90, processes={12: GIB}),
    )
    with nvml_library.installed(monkeypatch, FakeLibrary(*cards)), nvml.opened() as library:
        assert library is not None
        found = [
            library.card_of({11}, "2"),
            *(library.card_of({99}, visible) for visible in ("1,0", "GPU-b", "MIG-1", "", None)),
            library.card_of({11, 12}, None),
        ]
        assert [card.index for card in found if card is not None] == [0, 1, 1, 2, 2, 2, 2]
