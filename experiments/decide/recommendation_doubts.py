"""What a reader of a recommendation should know of the run behind it, beyond the chosen cells' goodput."""

from collections.abc import Mapping, Sequence

from experiments.decide.beyond_text import ON_A_CLIFF
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.recommendation import ClassEvidence, LoadEvidence, Neighbour, Standing
from experiments.stats.paired import LEAST_BLOCKS
from loadtests.slo import SLO

_NAMED = 4


def of_choice(nominal: LoadEvidence, loads: Sequence[LoadEvidence], slo: SLO) -> list[str]:
    """Doubts of the chosen setting's own numbers; `nominal`: at the largest load that is not above
    capacity."""
    doubts = []
    if not slo.classes and nominal.attainment < slo.attainment:
        doubts.append(
            f"the SLO asks for {slo.attainment:.0%} of the offered requests; at {nominal.load} "
            f"{nominal.attainment:.1%} met it"
        )
    if all((at.stretches or 0) < LEAST_BLOCKS for at in loads):
        # A race confirms its winner on one trace, whatever --blocks says.
        remedy = "" if any(at.confirmed for at in loads) else " (--blocks 3)"
        doubts.append(
            "fewer than three arrival traces: the intervals do not hold what another trace would "
            f"change{remedy}"
        )
    if any(at.goodput_per_s.low is None for at in loads):
        doubts.append("a window is too short for an interval of the goodput")
    return doubts


def of_classes(
    nominal: LoadEvidence, impossible: Mapping[str, float], elsewhere: Sequence[str], *, nobody: bool
) -> list[str]:
    """Load classes whose objective the chosen setting misses at the nominal load.

    Args:
        impossible: class → the most that any setting served in time, where all surely miss it.
        elsewhere: settings that may satisfy all, and were not measured at every load.
        nobody: whether no setting satisfies all.
    """
    said = []
    if nobody and not impossible:
        said.append(f"no setting satisfies every load class at {nominal.load}")
    if elsewhere:
        said.append(
            f"what may satisfy every load class at {nominal.load} was not measured at every load: "
            f"{', '.join(elsewhere[:_NAMED])} (--design grid measures every setting)"
        )
    return said + [_missed(one, nominal.load, impossible) for one in nominal.classes if not one.met]


def _missed(one: ClassEvidence, load: str, impossible: Mapping[str, float]) -> str:
    end = "" if one.surely_missed else ", which is not beyond doubt"
    if one.name in impossible:
        end = f", and no setting satisfies it: at most {impossible[one.name]:.1%}"
    return (
        f"the objective of {one.name} asks for {one.target:.0%} of its requests; at {load} "
        f"{one.attainment:.1%} of {one.offered} met it{end}"
    )


def of_cliff(loads: Sequence[LoadEvidence]) -> list[str]:
    """Loads at which what was measured may be gone on the next run."""
    close = [at.load for at in loads if at.speed_margin is not None and at.speed_margin.margin < ON_A_CLIFF]
    if not close:
        return []
    return [
        f"it stands on a cliff at {', '.join(close)}: two runs may differ by {ON_A_CLIFF:.0%} of the "
        "engine's speed, and that changes the answer there"
    ]


def of_holes(neighbours: Sequence[Neighbour], loads: Sequence[str]) -> list[str]:
    """Settings that may be better where they were not measured. One that is surely or probably worse where
    it was is none: it is named as that, and leaving it early is what the time was saved by.
    """
    worse = (Standing.WORSE, Standing.PROBABLY_WORSE)
    names = [
        one.name
        for one in neighbours
        if one.standing not in worse and not set(loads) <= set(one.stretches or {})
    ]
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    said = f"not measured at every load, and not worse where measured: {', '.join(names[:_NAMED])}"
    return [said + more]


def of_late(cells: Sequence[MeasuredCell]) -> list[str]:
    """Settings that rest on cells whose load generator was late: see `counted_cells.counted`."""
    names = list(dict.fromkeys(f"{cell.setting.name} at {cell.load}" for cell in cells))
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [
        f"PROVISIONAL: the load generator was late in every cell of {', '.join(names[:_NAMED])}{more} (a "
        "busy machine?), so goodput is understated there; repeat it on a quiet one"
    ]


def of_disturbed(cells: Sequence[MeasuredCell]) -> list[str]:
    """Which cells decided nothing because something slowed the engine down in them, and by how much."""
    named = [
        f"{cell.id} ({cell.summary.speed.size})"
        for cell in cells
        if DoubtCode.DISTURBED in cell.invalid_codes and cell.summary.speed is not None
    ]
    return [f"left out, since disturbed: {', '.join(named)}"] if named else []


def of_run(cells: Sequence[MeasuredCell], chosen: Sequence[MeasuredCell]) -> list[str]:
    """Doubts of the design: engine values that were each started once, machines that drifted.

    Args:
        cells: of every setting that was considered.
        chosen: of the recommended setting.
    """
    found = []
    engines = {str(cell.setting.engine) for cell in cells}
    if len(engines) > 1:
        found.append(
            f"the engine was started once for each of its {len(engines)} values, so what differs between two "
            "starts, or between the hours, is part of their difference: measure the best two again the other "
            "way round before you rely on it"
        )
    texts = [doubt.text for cell in chosen for doubt in cell.summary.doubts if doubt.code is DoubtCode.DRIFT]
    return found + list(dict.fromkeys(texts))
