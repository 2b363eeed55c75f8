"""Tuning from start to end, against anything that can measure a cell: predict, verify, decide, and say how
wrong the model was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.design.cells import Cell
from experiments.tuning import control, decision, outlook, verification
from experiments.tuning.accuracy import outside
from experiments.tuning.control import CorrectedEvidence
from experiments.tuning.decision import Decision
from experiments.tuning.model import Discrepancy, Model
from experiments.tuning.outlook import Outlook
from experiments.tuning.task import CellMeasurer, MeasuredRun, Task
from experiments.tuning.verification import Verification, Why

LOOKS = (3, 5, 8)
BETTER = 0.01
"""Regret by which a setting that was not verified must seem better to be verified, too."""
FURTHER = 2
"""Settings that may be verified after the first cells."""
SAME_SPEED = 0.005

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is spent: `traces` played for each cell, `budget_s` of engine time for verification."""

    traces: int = 12
    budget_s: float = float("inf")
    looks: tuple[int, ...] = LOOKS
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Tuned:
    """Everything that tuning found.

    Attributes:
        outlook: the prediction that was verified. outlook_now: the one behind the decision, at the speed that
        the verified runs had. recalibrated: the sentence that says that and why the model itself had to be
        scaled; None when every cell stayed within its interval.
        pairs: what was verified, as (setting, load, why). spent_s: engine time of the verified runs.
    """

    outlook: Outlook
    outlook_now: Outlook
    verification: Verification
    pairs: tuple[Why, ...]
    seen: tuple[MeasuredRun, ...]
    evidence: CorrectedEvidence
    decision: Decision
    recalibrated: str | None
    spent_s: float


class NothingMeasuredError(Exception):
    """Not one cell at the decisive load could be measured."""


def tune(
    task: Task, model: Model, measurer: CellMeasurer, effort: Effort, say: Say = lambda _: None
) -> Tuned:
    """Predict the matrix, verify a few cells, decide.

    First the core, in `looks[0]` blocks; then one setting after another that now seems better or may be;
    then, while the budget lasts, the same settings at other loads, and further blocks while some cannot be
    told apart.

    Raises:
        NothingMeasuredError: no cell came out at the decisive load.
    """
    told = outlook.predict(
        task,
        model,
        effort.traces,
        seed=effort.seed,
        tell=lambda done, of: say(f"predicted {done} of {of} loads, {len(task.settings)} settings each"),
    )
    run = _Verifying(task, model, measurer, effort, verification.choose(task, told), say)
    first = range(effort.looks[0])
    run.blocks(run.verification.core, first)
    now, recalibrated = run.outlook_now(told)
    for _ in range(FURTHER):
        pair = run.further(now)
        if pair is None or not run.affords([pair], len(first)):
            break
        run.blocks([pair], first)
    found, evidence = run.decide(now)
    for more in verification.more(task, [(s, at) for s, at, _ in run.pairs], tuple(found.regret)):
        if run.affords([more], len(first)):
            run.blocks([more], first)
    run.further_blocks(now)
    found, evidence = run.decide(now)
    return Tuned(
        told,
        now,
        run.verification,
        tuple(run.pairs),
        tuple(run.seen),
        evidence,
        found,
        recalibrated,
        run.spent_s,
    )


class _Verifying:
    """The runs made so far."""

    def __init__(
        self, task: Task, model: Model, measurer: CellMeasurer, effort: Effort, chosen: Verification, say: Say
    ) -> None:
        self.task, self.model, self.measurer, self.effort = task, model, measurer, effort
        self.verification, self.say = chosen, say
        self.pairs: list[Why] = []
        self.seen: list[MeasuredRun] = []

    @property
    def spent_s(self) -> float:
        """Engine time of the runs."""
        return sum(seen.engine_s for seen in self.seen)

    def affords(self, pairs: Sequence[Why], blocks: int) -> bool:
        """Whether so many blocks of these cells fit into what is left."""
        cost_s = blocks * sum(self.task.cell_s(load) for _, load, _ in pairs)
        return self.spent_s + cost_s <= self.effort.budget_s

    def blocks(self, pairs: Sequence[Why], numbers: range) -> None:
        """Measure blocks of these cells."""
        for pair in pairs:
            if pair not in self.pairs:
                setting, load, why = pair
                self.say(f"to verify ({why}): {setting.name} at {load}")
                self.pairs.append(pair)
        cells: list[Cell] = []
        for number in numbers:
            cells += verification.block(pairs, number, self.effort.seed)
        self.seen += self.measurer.measure(cells)

    def decide(self, now: Outlook) -> tuple[Decision, CorrectedEvidence]:
        """On everything measured so far."""
        evidence = control.gather(self.task, self.model, self.seen, self.effort.traces)
        nominal, slo = self.task.nominal, self.task.slo
        ruled_out = [s for s in now.settings if slo.classes and now.surely_missed(s, nominal, slo)]
        return decision.decide(now, evidence, self.verification.decisive, ruled_out), evidence

    def outlook_now(self, told: Outlook) -> tuple[Outlook, str | None]:
        """The matrix at the speed of the runs; with a sentence where cells left their intervals."""
        if not any(seen.cell.load == self.verification.decisive for seen in self.seen):
            raise NothingMeasuredError
        evidence = control.gather(self.task, self.model, self.seen, 2)
        left, said = outside(told, self.seen), None
        if left:
            said = (
                f"{', '.join(left)} came out beyond the prediction interval; all times of the model were "
                f"scaled by {evidence.speed:.3f}, the median speed of the {len(self.seen)} verified runs"
            )
            self.say(said)
        if not left and abs(evidence.speed - 1) < SAME_SPEED:
            return told, None
        scaled = _scaled(self.model, evidence)
        return outlook.predict(self.task, scaled, self.effort.traces, seed=self.effort.seed), said

    def further(self, now: Outlook) -> Why | None:
        """A setting that was not verified and now seems better than all that were, or may be."""
        found, _ = self.decide(now)
        load = self.verification.decisive
        regrets = {s: r for s, r in found.regret_of_all.items() if s not in found.regret}
        best = min(regrets, key=lambda setting: regrets[setting], default=None)
        if best is not None and regrets[best] < found.regret[found.winner] - BETTER:
            return best, load, "candidate"
        known = [setting for setting, at, why in self.pairs if at == load]
        maybe = verification.another(now, known) if len(known) < len(now.settings) else None
        return None if maybe is None else (maybe, load, "candidate")

    def further_blocks(self, now: Outlook) -> None:
        """Looks beyond the first, at those settings only that cannot be told apart yet."""
        looks = self.effort.looks
        for before, look in itertools.pairwise(looks):
            found, _ = self.decide(now)
            contenders = [pair for pair in self.pairs if pair[0] in (found.winner, *found.undecided)]
            if not found.undecided or not self.affords(contenders, look - before):
                return
            count, winner = len(found.undecided), found.winner.name
            self.say(f"{count} settings cannot be told from {winner} yet: up to {look} blocks")
            self.blocks(contenders, range(before, look))


def _scaled(model: Model, evidence: CorrectedEvidence) -> Model:
    """The model at the speed that all verified runs had, with the discrepancy that they showed."""
    logs = np.log([seen.speed for seen in evidence.seen])
    residual = control.latency_residual(evidence)
    known = model.discrepancy
    spread = float(logs.std(ddof=1)) if len(logs) > 2 else known.speed_sd
    latency_sd = max(known.latency_sd, residual if residual == residual else 0.0)
    return model.rescaled(evidence.speed, Discrepancy(spread, latency_sd))
