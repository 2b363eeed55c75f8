"""What the blocks of a live comparison say: each metric's change with its interval, and a verdict by one of
them.

The verdict is of one metric, chosen before anything was measured, and spends the whole error of 5 % over all
looks. The others are shown with intervals that hold together (Bonferroni over those shown); they decide
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.design.pair_order import Side, order_of
from experiments.run_folder.block_metric import BlockMetric
from experiments.run_folder.live_run import LiveOutcome, LiveResult, LiveRun
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.stats.paired import Comparison, Verdict
from experiments.stats.paired_changes import compare_changes
from loadtests.recording.quantiles import MINIMUM_N, of_sorted
from loadtests.slo import SLO

Values = Mapping[BlockMetric, float | None]
"""None: the block has too few served requests for it, or none."""
_LATENCIES = {
    BlockMetric.TTFT_P95: "ttft_s",
    BlockMetric.TPOT_P95: "tpot_s",
    BlockMetric.E2E_P95: "e2e_s",
}


@dataclass(frozen=True, slots=True)
class PairedBlock:
    """One arrival trace measured on both sides. `invalid`: why its numbers do not count; empty where they
    do."""

    number: int
    first: Side
    a: Values
    b: Values
    offered: int
    invalid: str = ""


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """All blocks so far, and what each metric says; `by` is the one that decides. `changes` has no entry for
    a metric that some block lacks."""

    by: BlockMetric
    delta: float
    blocks: tuple[PairedBlock, ...]
    changes: Mapping[BlockMetric, Comparison]

    @property
    def counted(self) -> tuple[PairedBlock, ...]:
        """The blocks that the verdict is made of."""
        return tuple(block for block in self.blocks if not block.invalid)

    @property
    def outcome(self) -> LiveOutcome:
        """Of B against A."""
        found = self.changes.get(self.by)
        if found is None or found.verdict is Verdict.CANT_TELL:
            return LiveOutcome.CANT_TELL
        if found.verdict is Verdict.EQUAL:
            return LiveOutcome.EQUAL
        rose = found.difference > 0
        return LiveOutcome.BETTER if rose == self.by.more_is_better else LiveOutcome.WORSE

    @property
    def result(self) -> LiveResult:
        """As live.json keeps it."""
        found = self.changes.get(self.by)
        if found is None:
            return LiveResult(self.outcome, len(self.counted), None, None, None, 0, self.said)
        return LiveResult(
            self.outcome, found.blocks, found.relative, found.relative_low, found.relative_high,
            found.further_blocks, self.said,
        )  # fmt: skip

    @property
    def said(self) -> str:
        """One clause: `goodput −4.1 % ± 0.9, worse`, `equal within 3 %`, `cannot tell: 6 blocks more`."""
        found = self.changes.get(self.by)
        if found is None:
            return f"cannot tell: no block in which both sides have a {self.by.label}"
        change = f"{self.by.label} {change_text(found)}"
        match self.outcome:
            case LiveOutcome.EQUAL:
                return f"equal within {self.delta * 100:g} % ({change})"
            case LiveOutcome.CANT_TELL:
                more = found.further_blocks
                return f"cannot tell: {more} block{'s' * (more != 1)} more ({change})"
            case outcome:
                return f"{outcome.value}: {change}"


def change_text(found: Comparison) -> str:
    """`−4.1 % ± 0.9`; without an interval below three blocks."""
    assert found.relative is not None, "every change has a value"
    change = f"{found.relative * 100:+.1f} %".replace("-", "−")
    if found.relative_low is None or found.relative_high is None:
        return change
    return f"{change} ± {(found.relative_high - found.relative_low) * 50:.1f}"


def read_blocks(folder: Path, run: LiveRun, slo: SLO) -> tuple[PairedBlock, ...]:
    """The blocks that both sides of the comparison in `folder` have measured, in order."""
    sides = {side: {cell.block: cell for cell in finished_cells(folder / side)} for side in Side}
    common = sorted(set(sides[Side.A]) & set(sides[Side.B]))
    return tuple(
        _block(number, order_of(run.seed, number)[0], sides[Side.A][number], sides[Side.B][number], slo)
        for number in common
    )


def judge(run: LiveRun, blocks: Sequence[PairedBlock], looks: Sequence[int]) -> LiveVerdict:
    """The verdict at the last of the looks, of all the blocks that count.

    Args:
        looks: see `compare_changes`; below three blocks they do not matter.
    """
    counted = [block for block in blocks if not block.invalid]
    shown = len(BlockMetric) - 1
    changes = {}
    for metric in BlockMetric:
        pairs = [
            (block.a[metric] or 0.0, block.b[metric] or 0.0)
            for block in counted
            if None not in (block.a[metric], block.b[metric])
        ]
        if not pairs or len(pairs) < len(counted) or not any(x or y for x, y in pairs):
            continue
        share = 1.0 if metric is run.metric else 1.0 / shown
        step = _step(counted) if metric in (BlockMetric.GOODPUT, BlockMetric.ATTAINMENT) else 0.0
        x, y = zip(*pairs, strict=True)
        decides = metric is run.metric
        changes[metric] = compare_changes(
            x, y, looks, run.planned, delta=run.delta, share=share, step=step, foretell=decides
        )
    return LiveVerdict(run.metric, run.delta, tuple(blocks), changes)


def _step(blocks: Sequence[PairedBlock]) -> float:
    """One request more or less, as a part of those offered in a window."""
    return 1.0 / max(1, min(block.offered for block in blocks))


def _block(number: int, first: Side, a: MeasuredCell, b: MeasuredCell, slo: SLO) -> PairedBlock:
    bad = [
        f"{name} {', '.join(sorted(cell.invalid_codes))}"
        for name, cell in (("A", a), ("B", b))
        if cell.invalid_codes
    ]
    if a.plan_hash != b.plan_hash:
        bad.append("the two sides had different arrivals")
    (of_a, offered), (of_b, _) = _values(a, slo), _values(b, slo)
    return PairedBlock(number, first, of_a, of_b, offered, "; ".join(bad))


def _values(cell: MeasuredCell, slo: SLO) -> tuple[Values, int]:
    """The metrics of a cell, and how many requests were offered in its window."""
    measured = [record for record in cell.records() if record.phase == "measure"]
    trace = cell.trace_of(measured, slo)
    served = [record for record in measured if record.outcome == "ok"]
    found: dict[BlockMetric, float | None] = {
        BlockMetric.GOODPUT: trace.goodput_per_s,
        BlockMetric.ATTAINMENT: float(trace.good.mean()) if len(trace.good) else None,
    }
    for metric, name in _LATENCIES.items():
        values = sorted(v for record in served if (v := getattr(record, name)) is not None)
        found[metric] = of_sorted(values, 0.95) if len(values) >= MINIMUM_N[0.95] else None
    return found, len(measured)
