"""What a cell's section says of the machine."""

from __future__ import annotations

from dataclasses import replace

from experiments.observe.witness.seen import CardSeen, CoresSeen, Witness
from reports import witness
from tests.experiments import plain

CARD = CardSeen("H-Stand-in", 0, 0, 0.0, 1.98e9, 61.0, power_limit_w=700.0)


def test_what_is_known_is_said_in_words() -> None:
    """Shares in per cent, with the worst second; the card with its clock and who is on it."""
    seen = Witness(
        10,
        engine_cores=CoresSeen((0,), 0.9, 0.123, 0.41),
        harness_cores=CoresSeen((1,), 0.2, 0.0, None),
        clock_hz=2.44e9,
        cpu_pressure_ratio=0.5,
        gpu=CARD,
    )
    assert {
        name: text for name, text in witness.facts(replace(plain.summary("a"), witness=seen)) if text
    } == {
        "Others on the engine's cores": "12.3 %, 41.0 % in the worst second",
        "Others on the harness's cores": "0 %",
        "Programs waited for a core": "50.0 %",
        "CPU quota used up": "–",
        "Core clock, mean": "2.44 GHz",
        "GPU": "H-Stand-in, 1.98 GHz, up to 61 °C, limit 700 W, nobody else on it",
    }


def test_what_is_not_known_is_not_said() -> None:
    """A run of an older version, and a machine that tells nothing."""
    assert witness.facts(None) == []
    assert witness.facts(plain.summary("a")) == []
    told = {text for _, text in witness.facts(replace(plain.summary("a"), witness=Witness(10)))}
    assert told <= {"", "–"}
    crowded = replace(CARD, others=3, clock_hz=None, temperature_c=None, power_limit_w=None)
    facts = dict(witness.facts(replace(plain.summary("a"), witness=Witness(10, gpu=crowded))))
    assert facts["GPU"] == "H-Stand-in, 3 other processes on it"
