"""Lines of runs, made by hand."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.first_try.conditions import Condition
from benchmarks.first_try.lines import CellLine, RunLine

CELL = CellLine(
    id="ma16-q100-t0.12s--sustained-0.7x--b0",
    setting="ma16-q100",
    load="sustained@0.7x",
    kept=True,
    start_s=30.0,
    end_s=37.0,
    attainment=0.9,
    index=1.01,
    flagged=False,
    doubts=(),
    planted_ratio=0.0,
    foreign_engine_ratio=0.01,
    foreign_harness_ratio=0.01,
)
RUN = RunLine(
    commit="0123456789abcdef",
    changed=False,
    condition=Condition.QUIET,
    seed=1,
    started_utc="2026-11-30T03:00:00+00:00",
    folder="first-try",
    engine="vLLM",
    cores=2,
    ready_s=40.0,
    wall_s=200.0,
    exit_code=0,
    capacity_per_s=20.0,
    recommended="ma16-q100",
    inseparable=("ma16-reject",),
    foreign_engine_ratio=0.01,
    foreign_harness_ratio=0.02,
    cells=(CELL,),
)


def quiet(recommended: str | None = "ma16-q100", *inseparable: str, wall_s: float = 200.0) -> RunLine:
    return replace(RUN, recommended=recommended, inseparable=inseparable, wall_s=wall_s)


def busy(recommended: str | None, *cells: CellLine, wall_s: float = 200.0) -> RunLine:
    return replace(
        RUN,
        condition=Condition.ENGINE_BUSY,
        recommended=recommended,
        inseparable=(),
        cells=cells,
        wall_s=wall_s,
    )
