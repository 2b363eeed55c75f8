"""A run judged by another objective than its own, from its records: `python -m reports RUN --slo …`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.decide.recommendation import recommend
from experiments.errors import UndecidedError, UserError
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.reading import in_classes
from experiments.run_folder.recommendation import Recommendation
from experiments.run_folder.run_state import Objective
from loadtests.outcome import Outcome
from loadtests.recording.summary import Counts, LoadSummary, Rates
from loadtests.slo import SLO
from reports import records
from reports.errors import NotARunError
from reports.run import R, Run, of_whole

_NEEDED = ("phase", "due_s", "first_s", "last_s", "visible_s", "finished_s", "outcome", "output_tokens")


def judged(run: R, slo: SLO) -> R:
    """The same cells with attainment and goodput under `slo`, and the recommendation that follows.

    What a model predicted is left out: it knew the run's own objective only; so are whole sessions. Raises
    NotARunError for a folder without run.json, which has no objective to be replaced.
    """
    if run.state is None:
        raise NotARunError(
            f"{run.path} has no run.json: only a whole run can be judged by another objective."
        )
    slo = in_classes(slo, run.state)
    problems = list(run.problems)
    summaries = {name: _judged(run, summary, slo, problems) for name, summary in run.summaries.items()}
    if run.prediction is not None:
        problems.append("What was predicted is left out: it was predicted for the run's own objective.")
    if run.what_if is not None:
        problems.append("The what-if is left out: it was predicted for the run's own objective.")
    if run.whole.race is not None:
        problems.append("How the race went is left out: it was run for the run's own objective.")
    whole = replace(
        run.whole,
        state=replace(run.state, slo=Objective.of(slo)),
        summaries=summaries,
        recommendation=_recommendation(run, slo, problems),
        prediction=None,
        race=None,
        what_if=None,
        problems=tuple(problems),
    )
    return replace(of_whole(whole, type(run)), own_slo=run.slo.text)


def _recommendation(run: Run, slo: SLO, problems: list[str]) -> Recommendation | None:
    try:
        return recommend(run.path, slo)
    except (UserError, UndecidedError) as error:
        problems.append(f"{error}".replace(f"{run.path}/", "") + ".")
        return None


def _judged(run: Run, summary: CellSummary, slo: SLO, problems: list[str]) -> CellSummary:
    """The summary with what depends on the objective counted anew; without it where no record is left."""
    if summary.counts is None:
        return summary
    good = _good(run, summary.cell, slo, problems)
    if good is None:
        return replace(summary, counts=None, rates=None, attainment=None, classes=None, sessions=None)
    counts, rates, length_s = summary.counts, summary.rates, summary.window.length_s
    in_time = good.sum()
    classes = summary.classes
    if classes is not None and slo.classes:
        classes = {name: _class_judged(own, good.of_class(name), length_s) for name, own in classes.items()}
    return replace(
        summary,
        counts=_recounted(counts, in_time),
        rates=_rates(rates, in_time, length_s) if rates else None,
        attainment=in_time / counts.offered if counts.offered else None,
        classes=classes,
        sessions=None,
    )


def _class_judged(own: LoadSummary, good: int, length_s: float) -> LoadSummary:
    counts = own.counts
    return replace(
        own,
        counts=_recounted(counts, good),
        rates=_rates(own.rates, good, length_s),
        attainment=good / counts.offered if counts.offered else None,
    )


def _recounted(counts: Counts, good: int) -> Counts:
    return replace(counts, served_in_slo=good, served_late=counts.outcomes.get(Outcome.OK, 0) - good)


def _rates(rates: Rates, good: int, length_s: float) -> Rates:
    return replace(rates, goodput_per_s=good / length_s if length_s > 0 else None)


@dataclass(frozen=True, slots=True)
class _Good:
    """Which requests were served in time, and the class of each, where classes have objectives; (n,)."""

    flags: NDArray[np.bool_]
    classes: NDArray[np.str_] | None

    def sum(self) -> int:
        """How many of all."""
        return int(self.flags.sum())

    def of_class(self, name: str) -> int:
        """How many of a class."""
        return 0 if self.classes is None else int(self.flags[self.classes == name].sum())


def _good(run: Run, cell: str, slo: SLO, problems: list[str]) -> _Good | None:
    """Requests of the measured window that were served within `slo`; None where no record is left."""
    try:
        stored = run.cell_records(cell, _NEEDED + ("class",) * bool(slo.classes))
    except records.UnreadableError as error:
        problems.append(f"{error}, so the cell cannot be judged again.")
        return None
    measured = stored[stored["phase"] == "measure"] if "phase" in stored else stored[:0]
    asked = {name for own in slo.every for name in (*own.needs, *own.bounds)}
    absent = {*asked, "outcome", *["class"] * bool(slo.classes)} - set(measured.columns)
    if not len(measured) or absent - {"visible_s", "ttfv_s"}:
        problems.append(f"cells/{cell} has no records left that could be judged again.")
        return None
    # Older records do not know which token was visible first.
    frame = measured.assign(**dict.fromkeys(sorted(absent), float("nan")))
    ok = (frame["outcome"] == "ok").to_numpy(bool)
    classes = frame["class"].to_numpy(str) if slo.classes else None
    flags = slo.judge_columns(
        ok, lambda name: frame[name].to_numpy(float), lambda name: np.asarray(classes == name)
    )
    return _Good(flags, classes)
