"""run.json and recommendation.json of a run folder, for those who only read."""

from __future__ import annotations

from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.named_run import require_run
from experiments.run_folder.old_versions import upgraded_run
from experiments.run_folder.recommendation import Recommendation
from experiments.run_folder.run_state import RunState
from experiments.spec.setting import Setting
from loadtests.slo import SLO


def read_run(run: Path) -> RunState:
    """What run.json says, as far as it can be used.

    Raises:
        UserError: it is not a run folder, or one of another version.
    """
    require_run(run)
    try:
        state, problems = codec.read_tolerantly(RunState, run / "run.json", upgraded_run)
    except codec.NotReadableError as error:
        raise UserError(str(error)) from None
    if state is None:
        raise UserError(problems[-1].rstrip("."))
    return state


def objective_of(run: Path) -> SLO:
    """The objective that a run was judged by.

    Raises:
        UserError: it ended before it had one.
    """
    objective = read_run(run).slo
    if objective is None:
        raise UserError(f"{run} has no SLO yet (it ended before the probe did); give one with --slo")
    return objective.slo


def in_classes(slo: SLO, state: RunState) -> SLO:
    """Another objective for a run: where its own has load classes, one for each of them."""
    own = state.slo.slo.classes if state.slo is not None else ()
    return slo.for_classes(name for name, _ in own) if own else slo


def recommended_setting(run: Path) -> Setting | None:
    """The setting that a run recommends; None where it recommends none that can be read."""
    try:
        found, _ = codec.read_tolerantly(Recommendation, run / "recommendation.json", dict)
    except (FileNotFoundError, codec.NotReadableError):
        return None
    return found.setting if found is not None else None
