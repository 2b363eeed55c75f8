"""What the machine was while a cell was measured, in a cell's facts."""

from __future__ import annotations

from experiments.observe.witness.seen import CardSeen, CoresSeen, Witness
from experiments.run_folder.cell_summary import CellSummary
from reports import numbers


def facts(summary: CellSummary | None) -> list[tuple[str, str]]:
    """Name and value of each; the value is empty where it is not known."""
    witness = summary.witness if summary is not None else None
    if witness is None:
        return []
    return [
        ("Others on the engine's cores", _others(witness.engine_cores)),
        ("Others on the harness's cores", _others(witness.harness_cores)),
        ("Programs waited for a core", numbers.percent(witness.cpu_pressure_ratio)),
        ("CPU quota used up", numbers.percent(witness.cgroup_throttled_ratio)),
        ("Core clock, mean", _clock(witness)),
        ("GPU", _gpu(witness.gpu)),
    ]


def _others(cores: CoresSeen | None) -> str:
    """`12 %, 41 % in the worst second`."""
    if cores is None or cores.others_ratio is None:
        return ""
    worst = cores.others_worst_ratio
    text = "" if worst is None else f", {numbers.percent(worst)} in the worst second"
    return numbers.percent(cores.others_ratio) + text


def _clock(witness: Witness) -> str:
    return "" if witness.clock_hz is None else f"{witness.clock_hz / 1e9:.2f} GHz"


def _gpu(card: CardSeen | None) -> str:
    """`NVIDIA H100, 1.98 GHz, up to 61 °C, limit 700 W, nobody else on it`."""
    if card is None:
        return ""
    others = {None: None, 0: "nobody else on it", 1: "1 other process on it"}
    parts = [
        card.name,
        None if card.clock_hz is None else f"{card.clock_hz / 1e9:.2f} GHz",
        None if card.temperature_c is None else f"up to {card.temperature_c:.0f} °C",
        None if card.power_limit_w is None else f"limit {card.power_limit_w:.0f} W",
        others.get(card.others, f"{card.others} other processes on it"),
    ]
    return ", ".join(part for part in parts if part)
