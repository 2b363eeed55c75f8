"""The runs as Markdown: the figures by condition, then every run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.first_try.conditions import SHARE, Condition
from benchmarks.first_try.figures import (
    HARMLESS_WITHIN,
    HIT_FROM,
    OTHERS_BELOW,
    Share,
    agrees,
    counted,
    figures,
    is_hit,
    was_left_alone,
)
from benchmarks.first_try.lines import RunLine
from loadtests.recording.share import wilson

_NO_RUNS = "No runs yet: `python -m benchmarks.first_try --want quiet=10,engine-busy=10,harness-busy=5`."


def markdown(runs: Sequence[RunLine]) -> str:
    """All of it."""
    if not runs:
        return _NO_RUNS
    return "\n\n".join((_by_condition(runs), _meaning(), _each(runs)))


def _by_condition(runs: Sequence[RunLine]) -> str:
    heads = (
        *("Beside the sweep", "Runs", "Same answer", "Hit cells flagged or harmless"),
        *("Other cells flagged", "Time, median (most)"),
    )
    rows = []
    for condition in Condition:
        found = figures(condition, runs)
        ratio = found.time_ratio
        rows.append(
            (
                *(f"`{condition}`", str(found.runs), _share(found.agree), _share(found.hit)),
                *(_share(found.flagged), f"{ratio[0]:.2f} ({ratio[1]:.2f})" if ratio else "–"),
            )
        )
    return _table(heads, rows)


def _meaning() -> str:
    return (
        "Shares with Wilson's 95 % interval. A busy loop on every core of the engine, or of what measures "
        f"it, for {SHARE:.0%} of the time. A run counts where all others, the loop apart, used less than "
        f"{OTHERS_BELOW:.0%} of both, from the engine's being ready to the end, as the runner counts it from "
        "`/proc`. *Same answer*: what most quiet runs recommend, or what at least half of them "
        "recommend or cannot tell from theirs; a quiet run is judged by the others. *Hit*: the loop was "
        f"busy for {HIT_FROM:.0%} of the measured window or more. *Flagged*: the run says so of the cell, by "
        "the engine's speed (doubt `disturbed`) or by what it saw of the cores (`others_busy`). *Harmless*: "
        f"attainment within {HARMLESS_WITHIN:g} of what quiet runs saw of the same setting and load. *Time*: "
        "from the engine's being ready to the end of the command, over the quiet runs' median. A commit with "
        "`+` had changes that were not in it."
    )


def _each(runs: Sequence[RunLine]) -> str:
    heads = (
        *("Run (UTC)", "Commit", "Beside it", "Seed", "Others on engine, harness", "Capacity", "Recommended"),
        *("Not told from it", "Same", "Hit: flagged", "Others: flagged", "Time"),
    )
    quiet = counted(Condition.QUIET, runs)
    return _table(heads, [_row(run, quiet) for run in runs])


def _row(run: RunLine, quiet: Sequence[RunLine]) -> Sequence[str]:
    hit = [cell for cell in run.cells if is_hit(cell)]
    others = [cell for cell in run.cells if not is_hit(cell)]
    counts = was_left_alone(run)
    judged = ("yes" if agrees(run, quiet) else "**no**") if counts else "–"
    return (
        run.started_utc.replace("T", " ").removesuffix("+00:00"),
        f"`{run.commit[:9]}`" + ("+" if run.changed else ""),
        str(run.condition) if counts else f"{run.condition}, and others",
        str(run.seed),
        f"{_percent(run.foreign_engine_ratio)}, {_percent(run.foreign_harness_ratio)}",
        f"{run.capacity_per_s:.1f}/s" if run.capacity_per_s is not None else "–",
        f"`{run.recommended}`" if run.recommended else f"none (exit code {run.exit_code})",
        ", ".join(f"`{name}`" for name in run.inseparable) or "–",
        judged,
        f"{sum(cell.is_flagged for cell in hit)} of {len(hit)}",
        f"{sum(cell.is_flagged for cell in others)} of {len(others)}",
        f"{run.wall_s / 60:.1f} min",
    )


def _percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.1%}"


def _share(share: Share) -> str:
    if share.n == 0:
        return "–"
    low, high = wilson(share.k, share.n)
    return f"{share.k} of {share.n} ({low:.0%}–{high:.0%})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
