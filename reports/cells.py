"""The part of the page about one cell: facts, doubts, figures; one cell is read at a time."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.cell_summary import CellSummary
from loadtests.planning.optional_fields import AnswerLengths
from reports import cell_figures, judging, numbers, witness
from reports.blocks import Block
from reports.cell_data import records_of, series_of
from reports.rows import CellRow
from reports.run import Run
from reports.tables import anchor
from reports.verdicts import Verdict, verdicts


@dataclass(frozen=True, slots=True)
class CellSection:
    """One cell of the page. `verdicts`: each with its reasons in a sentence. `open`: it starts unfolded.
    `packed`: its requests for `judging`.
    """

    anchor: str
    name: str
    cell: str
    line: str
    engine: str
    verdicts: list[Verdict]
    facts: list[tuple[str, str]]
    doubts: list[tuple[str, str]]
    notes: list[str]
    blocks: list[Block]
    open: bool
    packed: str


def cell_section(
    run: Run, row: CellRow, name: str, *, unfold: bool, digits: int = judging.DIGITS
) -> CellSection:
    """Read one cell's records and series and draw its figures; what cannot be read becomes a note.

    `digits`: of the bounds by which the page can judge its requests.
    """
    known = row.validity != "missing"
    notes: list[str] = []
    stored = records_of(run, row.cell, notes)
    measured = stored[stored["phase"] == "measure"]
    blocks = []
    if known or len(measured):
        blocks = [
            cell_figures.over_time(run, row.cell, series_of(run, row.cell, stored, notes)),
            cell_figures.tail(run, row.cell, measured),
            cell_figures.time_spent(run, row.cell),
        ]
    summary = run.summaries.get(row.cell)
    return CellSection(
        anchor=anchor(row.cell),
        name=name,
        cell=row.cell,
        line=line(row) if known else "not measured",
        engine=row.engine,
        verdicts=verdicts(row, run.slo, summary, measured) if known else [],
        facts=_facts(summary, row),
        doubts=[(str(doubt.severity), doubt.text) for doubt in summary.doubts] if summary else [],
        notes=notes,
        blocks=blocks,
        open=unfold,
        packed=judging.packed(run.slo, measured, digits),
    )


def line(row: CellRow) -> str:
    """A cell's goodput and attainment in a line."""
    share, offered = numbers.percent(row.attainment), numbers.count(row.offered)
    return f"{numbers.rate(row.goodput_per_s)} goodput · {share} of {offered} offered served in SLO"


def _facts(summary: CellSummary | None, row: CellRow) -> list[tuple[str, str]]:
    facts = [
        ("Offered", numbers.rate(row.offered_per_s)),
        ("Achieved", numbers.rate(row.achieved_per_s)),
        ("Output tokens", _tokens(row)),
        ("Prompt tokens, mean", _lengths(summary, "prompts")),
        ("Tokens of an answer, mean", _lengths(summary, "outputs")),
        ("Window", numbers.seconds(row.window_s)),
        ("Warm-up", numbers.seconds(summary.window.warm_up_s if summary is not None else None)),
        ("Load ratio", _load_ratio(row)),
        ("Shed, of offered", numbers.percent(row.rejected_ratio)),
        ("Erlang's loss at this load", numbers.percent(row.erlang_loss_ratio)),
        ("Slots busy, mean", numbers.percent(row.slots_busy_ratio)),
        ("Queued, mean", numbers.significant(row.queue_mean)),
        ("Queue full", numbers.percent(row.queue_full_ratio)),
        ("Engine running, mean", numbers.significant(row.engine_running_mean)),
        ("Engine waiting, mean", numbers.significant(row.engine_waiting_mean)),
        ("KV cache, highest", numbers.percent(row.kv_use_max)),
        ("Engine speed index", _speed_index(summary)),
        ("Preemptions", numbers.count(row.preemptions)),
        ("Prefix-cache hits, of prompt tokens", numbers.percent(row.prefix_hit_ratio)),
        *witness.facts(summary),
        ("Arrival plan", row.plan_hash[:12]),
    ]
    return [(name, value) for name, value in facts if value not in ("", numbers.DASH)]


def _tokens(row: CellRow) -> str:
    """A rate, or that the engine does not report its tokens: unknown is not zero."""
    if numbers.missing(row.output_tokens_per_s) and not numbers.missing(row.achieved_per_s):
        return "not reported"
    return numbers.rate(row.output_tokens_per_s)


def _lengths(summary: CellSummary | None, side: str) -> str:
    """`3 reported, 32 asked`; `at most 32` where the engine ends its answers itself."""
    lengths = summary.lengths if summary is not None else None
    if summary is None or lengths is None or not lengths.served:
        return ""
    check = lengths.prompts if side == "prompts" else lengths.outputs
    free = side == "outputs" and summary.workload.answer_lengths is AnswerLengths.FREE
    bound = "at most " if free else ""
    asked = f"{bound}{check.asked_mean:.4g} asked"
    if check.reported_mean is None:
        return f"not reported, {asked}"
    return f"{check.reported_mean:.4g} reported, {asked}"


def _speed_index(summary: CellSummary | None) -> str:
    """`1.23 (1.21 to 1.25), slow for 50 % of the time`: above 1 the engine was slower than in the run."""
    if summary is None or summary.speed is None or summary.speed.over_window is None:
        return ""
    speed, over = summary.speed, summary.speed.over_window
    text = f"{over.index:.3g} ({over.low:.3g} to {over.high:.3g})"
    return f"{text}, slow for {numbers.percent(speed.slow_share)} of the time" if speed.slow_share else text


def _load_ratio(row: CellRow) -> str:
    """`1.18 (0.738 to 1.78)`: offered work over what the slots can do."""
    if numbers.missing(row.load_ratio_low) or numbers.missing(row.load_ratio_high):
        return numbers.significant(row.load_ratio)
    low, high = numbers.significant(row.load_ratio_low), numbers.significant(row.load_ratio_high)
    return f"{numbers.significant(row.load_ratio)} ({low} to {high})"
