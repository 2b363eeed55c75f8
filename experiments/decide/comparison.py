"""Two runs compared cell by cell: effect sizes with intervals, and one verdict on the whole.

The error of 5 % is that of the whole comparison: one half is spent on the mean change over all cells, the
other is shared equally by the cells (Bonferroni). So two runs of the same thing are called different in one
of twenty comparisons at most, however many cells they have.

Pairs need not have equally many blocks. Where some have enough of them for an interval over blocks, only
those are judged and share the error; the others are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy

from experiments.decide.pairing import Pair, Pairing, pair
from experiments.errors import UserError
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.reading import objective_of, recommended_setting
from experiments.spec.setting import Setting
from experiments.stats import goodput
from experiments.stats.paired import DELTA, LEAST_BLOCKS, Comparison, Verdict, compare, verdict_of
from experiments.stats.sequential import ALPHA
from loadtests.recording.quantiles import MINIMUM_N, of_sorted
from loadtests.slo import SLO

LATENCIES = ("ttft_s", "e2e_s")
_OVERALL_SHARE = 0.5
_SPANS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One pair of cells: goodput (requests per second), and the p95 of TTFT and E2E (seconds) of each side,
    None where a side has none. Only the goodput is judged, and not `judged` where others have more blocks."""

    pair: Pair
    goodput: Comparison
    p95: dict[str, tuple[float | None, float | None]]
    judged: bool = True


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Run b against run a. `overall` is the mean relative change of the goodput over all judged cells;
    `recommended` the setting that run a recommends, None where it recommends none."""

    a: Path
    b: Path
    pairing: Pairing
    slo: SLO
    delta: float
    rows: tuple[Row, ...]
    overall: Comparison
    recommended: Setting | None = None

    @property
    def judged(self) -> tuple[Row, ...]:
        """The pairs that the verdict is made of."""
        return tuple(row for row in self.rows if row.judged)

    @property
    def recommended_missing(self) -> bool:
        """Whether the setting that run a recommends could not be judged."""
        return self.recommended is not None and all(
            row.pair.setting != self.recommended for row in self.judged
        )

    @property
    def worse(self) -> tuple[Row, ...]:
        """Cells whose goodput fell, told apart from noise."""
        return tuple(
            row for row in self.rows if row.goodput.verdict is Verdict.DIFFERENT and _fell(row.goodput)
        )

    @property
    def regressed(self) -> bool:
        """Whether a cell or the whole fell."""
        return bool(self.worse) or (self.overall.verdict is Verdict.DIFFERENT and _fell(self.overall))

    @property
    def verdict(self) -> Verdict:
        """Over all judged cells and the whole."""
        verdicts = {row.goodput.verdict for row in self.judged} | {self.overall.verdict}
        if Verdict.DIFFERENT in verdicts:
            return Verdict.DIFFERENT
        return Verdict.EQUAL if verdicts == {Verdict.EQUAL} else Verdict.CANT_TELL


def compare_runs(
    a: Path, b: Path, *, slo: SLO | None = None, delta: float = DELTA, anyway: bool = False
) -> RunComparison:
    """Compare run `b` with the baseline `a`, both judged under `slo` (default: the baseline's).

    Raises:
        UserError: the runs are not comparable in what matters and `anyway` is not set, or share no cell.
    """
    pairing = pair(a, b)
    if not pairing.pairs:
        raise UserError(f"{a} and {b} share no valid cell: setting, load and block must be the same")
    if pairing.what_matters and not anyway:
        shown = "; ".join(str(d) for d in pairing.what_matters[:3])
        more = len(pairing.what_matters) - 3
        raise UserError(
            f"{a.name} and {b.name} are not the same experiment ({shown}"
            f"{f'; {more} more' if more > 0 else ''}); --anyway compares them all the same"
        )
    judged = slo or objective_of(a)
    enough = [len(one.a) >= LEAST_BLOCKS for one in pairing.pairs]
    counted = enough if any(enough) else [True] * len(enough)
    share = (1 - _OVERALL_SHARE) / sum(counted)
    sides = [(_Side.read(one.a, judged), _Side.read(one.b, judged)) for one in pairing.pairs]
    rows = tuple(
        _row(one, x, y, delta, share) if counts else _shown(one, x, y, delta)
        for one, (x, y), counts in zip(pairing.pairs, sides, counted, strict=True)
    )
    whole = [
        (one.a, x, y) for one, (x, y), counts in zip(pairing.pairs, sides, counted, strict=True) if counts
    ]
    return RunComparison(a, b, pairing, judged, delta, rows, _overall(whole, delta), recommended_setting(a))


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a pair, read once: a trace a block, and the pooled latencies of the served, seconds."""

    traces: tuple[goodput.Trace, ...]
    pooled_s: dict[str, list[float]]

    @classmethod
    def read(cls, cells: Sequence[MeasuredCell], slo: SLO) -> "_Side":
        pooled: dict[str, list[float]] = {name: [] for name in LATENCIES}
        traces = []
        for cell in cells:
            measured = [record for record in cell.records() if record.phase == "measure"]
            traces.append(cell.trace_of(measured, slo))
            for record in measured:
                for name in LATENCIES:
                    value = getattr(record, name)
                    if record.outcome == "ok" and value is not None:
                        pooled[name].append(value)
        return cls(tuple(traces), pooled)

    @property
    def goodputs_per_s(self) -> list[float]:
        return [trace.goodput_per_s for trace in self.traces]

    def p95(self, name: str) -> float | None:
        """Of the pooled requests of all blocks; None below the least n."""
        values = sorted(self.pooled_s[name])
        return None if len(values) < MINIMUM_N[0.95] else of_sorted(values, 0.95)


def _row(one: Pair, a: _Side, b: _Side, delta: float, share: float) -> Row:
    resolution = 1 / min(trace.duration_s for trace in a.traces)
    found = compare(a.goodputs_per_s, b.goodputs_per_s, delta=delta, resolution=resolution, share=share)
    if len(a.traces) < LEAST_BLOCKS and one.same_plans:
        found = _within(found, a, b, delta, share)
    return Row(one, found, {name: (a.p95(name), b.p95(name)) for name in LATENCIES})


def _shown(one: Pair, a: _Side, b: _Side, delta: float) -> Row:
    """A pair with too few blocks beside others that have enough: its numbers, no verdict."""
    row = _row(one, a, b, delta, 1.0)
    why = f"{len(one.a)} of the {LEAST_BLOCKS} common blocks that a verdict takes"
    return replace(row, judged=False, goodput=replace(row.goodput, verdict=Verdict.CANT_TELL, why=why))


def _within(found: Comparison, a: _Side, b: _Side, delta: float, share: float) -> Comparison:
    """One or two traces: an interval from inside the traces and an assumed run-to-run spread, said so."""
    span_s = min(trace.duration_s for trace in a.traces) / _SPANS
    inside = goodput.difference(list(b.traces), list(a.traces), span_s)
    scale = max(found.baseline, found.baseline + found.difference)
    if inside.low is None or inside.high is None or scale == 0:
        return found
    stretch = float(scipy.stats.norm.isf(ALPHA * share / 2) / scipy.stats.norm.isf(ALPHA / 2))
    low = inside.value - stretch * (inside.value - inside.low)
    high = inside.value + stretch * (inside.high - inside.value)
    verdict = verdict_of(low, high, delta * scale)
    why = f"{found.why}; spread inside the trace, and {goodput.RUN_TO_RUN:.1%} assumed between two runs"
    return replace(
        found, verdict=verdict, low=low, high=high, relative_low=low / scale, relative_high=high / scale,
        further_blocks=found.further_blocks if verdict is Verdict.CANT_TELL else 0, why=why,
    )  # fmt: skip


def _overall(pairs: Sequence[tuple[Sequence[MeasuredCell], _Side, _Side]], delta: float) -> Comparison:
    """The mean relative change over the cells, block by block.

    A block that fewer pairs have spreads more. The t test of such means is conservative (Benjamini 1983, "Is
    the t test really conservative when the parent distribution is long-tailed?").
    """
    changes: dict[int, list[float]] = {}
    for cells, a, b in pairs:
        baseline = float(np.mean(a.goodputs_per_s))
        if baseline == 0:
            continue
        for cell, before, after in zip(cells, a.goodputs_per_s, b.goodputs_per_s, strict=True):
            changes.setdefault(cell.block, []).append((after - before) / baseline)
    means = [float(np.mean(values)) for _, values in sorted(changes.items())] or [0.0]
    return compare([1.0] * len(means), [1.0 + mean for mean in means], delta=delta, share=_OVERALL_SHARE)


def _fell(comparison: Comparison) -> bool:
    return comparison.difference < 0
