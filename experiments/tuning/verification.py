"""Which cells are worth engine time: the settings that may be best, today's, and the least certain cell.

*Candidates*: the first is the most modest setting whose expected regret lies within a hair of the least; the
second lowers most what the better of the two is expected to lose, over the draws (each a trace and an engine
that the calibration allows). A third is chosen in the same way once the first cells have been measured, when
more is known.

They meet at the *decisive* load: the one at which their regrets differ most from draw to draw. Paired on the
same traces there, they say what the model could not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.design.cells import Cell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.tuning.outlook import Outlook
from experiments.tuning.task import Task

HAIR = 0.005
"""Expected regrets this close are equal: the more modest setting goes first."""
WORTH = 0.001
"""Expected regret that a further candidate must save."""


Pair = tuple[Setting, Load]
Why = tuple[Setting, Load, str]


@dataclass(frozen=True, slots=True)
class Verification:
    """What is measured first: `core` as (setting, load, why); `candidates`, the best first."""

    candidates: tuple[Setting, ...]
    decisive: Load
    core: tuple[Why, ...]


def choose(task: Task, outlook: Outlook) -> Verification:
    """The cells to verify first."""
    found = candidates(outlook)
    load = _decisive(outlook, found, task.default)
    core = [(setting, load, "candidate") for setting in found]
    if task.default not in found:
        core.append((task.default, load, "default"))
    core.append((*_far(outlook, {(setting, at) for setting, at, _ in core}), "far"))
    return Verification(found, load, tuple(core))


def candidates(outlook: Outlook) -> tuple[Setting, ...]:
    """One or two settings: the least expected regret, and the one that is best where the first is not."""
    expected = outlook.regret
    least = expected.min()
    near = [i for i in range(len(expected)) if expected[i] <= least + HAIR]
    first = outlook.settings[min(near, key=lambda i: outlook.settings[i].smaller_first)]
    second = another(outlook, [first])
    return (first,) if second is None else (first, second)


def another(outlook: Outlook, chosen: Sequence[Setting]) -> Setting | None:
    """The setting that lowers most what the best of `chosen` is expected to lose; None where that is
    nothing.
    """
    worst = outlook.regret_by_draw.max(axis=1)  # (settings, draws)
    loss = np.min([worst[outlook.settings.index(setting)] for setting in chosen], axis=0)
    free = [i for i, setting in enumerate(outlook.settings) if setting not in chosen]
    gains = {i: float((loss - np.minimum(loss, worst[i])).mean()) for i in free}
    most = max(gains.values(), default=0.0)
    if most < WORTH:
        return None
    best = [i for i in gains if gains[i] >= most - WORTH / 2]
    return outlook.settings[min(best, key=lambda i: (outlook.regret[i], outlook.settings[i].smaller_first))]


def more(task: Task, measured: Sequence[Pair], settings: Sequence[Setting]) -> list[Why]:
    """What else would be worth measuring, the best first: each of `settings` at the other loads, beginning
    with the nominal one."""
    loads = [task.nominal, *(at for at in task.loads if at != task.nominal)]
    free = [(setting, at) for at in loads for setting in settings if (setting, at) not in measured]
    return [(*pair, "default" if pair[0] == task.default else "candidate") for pair in free]


def _decisive(outlook: Outlook, found: Sequence[Setting], default: Setting) -> Load:
    """Where the candidates' regrets differ most, on average over the draws; for a single one, where it and
    the default do."""
    compared = found if len(found) > 1 else (*found, default)
    rows = [outlook.settings.index(setting) for setting in compared]
    regrets = outlook.regret_by_draw[rows]
    spread = (regrets.max(axis=0) - regrets.min(axis=0)).mean(axis=1)
    return outlook.loads[int(np.argmax(spread))]


def _far(outlook: Outlook, taken: set[tuple[Setting, Load]]) -> tuple[Setting, Load]:
    """The cell whose attainment is least certain before it is measured."""
    spread = outlook.runs["attainment"].std(axis=2)
    order = np.argsort(-spread, axis=None, kind="stable")
    places = (np.unravel_index(int(k), spread.shape) for k in order)
    cells = ((outlook.settings[int(i)], outlook.loads[int(j)]) for i, j in places)
    return next((cell for cell in cells if cell not in taken), next(iter(taken)))


def block(pairs: Sequence[Why], number: int, seed: int) -> list[Cell]:
    """One block: every pair once, in a random order of its own, so that drift takes nobody's side."""
    cells = [Cell(setting, load, number) for setting, load, _ in pairs]
    random.Random(f"{seed}/tune/{number}").shuffle(cells)
    return cells
