"""The settings of one run, named by what differs among them: `16 slots · reject`, not every constant.

A run's frames keep the whole words of `labels`, which mean the same in every run; what the page draws and
writes goes through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from experiments.run_folder.whole_run import WholeRun
from experiments.spec.setting import LANES, Setting
from gateway.limits import QueueMode
from reports import labels

QUEUE_VALUES = ("queue_max", "queue_timeout_s", "queue_order")


@dataclass(frozen=True, slots=True)
class Naming:
    """`same`: the values that all settings of the run share, by name, which need not be said. `short`: what
    is shown instead of the whole words of a setting, of its queue, and of what its engine was given.
    """

    same: Mapping[str, object]
    short: Mapping[str, str]

    def of(self, setting: Setting) -> str:
        """A setting in words; two of a run are the same when their words are."""
        return labels.setting(setting, self.same)

    def columns(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The same rows, with the columns `setting`, `queue` and `knobs` by what differs."""
        named = {column: self._shortened(cells[column]) for column in ("setting", "queue", "knobs")}
        return cells.assign(**named)

    def _shortened(self, words: pd.Series) -> list[str]:
        return [self.short.get(text, text) for text in words]


def naming(whole: WholeRun) -> Naming:
    """How the settings of a run are named: those of its matrix decide, a sentinel's own values do not."""
    chosen, others = _settings(whole)
    same = shared(chosen)
    every = [*chosen, *others]
    short = {labels.setting(one): labels.setting(one, same) for one in every}
    short |= {labels.queue(one): labels.queue(one, same) for one in every}
    short |= {labels.engine_limits(one): labels.engine_limits(one, same) for one in every}
    return Naming(same, short)


def _settings(whole: WholeRun) -> tuple[list[Setting], list[Setting]]:
    """Those that were compared, measured or predicted, and the sentinels'."""
    stored = [(cell.setting, cell.sentinel) for cell in whole.planned.values()]
    stored += [(cell.setting, cell.sentinel) for cell in whole.summaries.values()]
    known = [(setting, sentinel) for setting, sentinel in stored if isinstance(setting, Setting)]
    chosen = [setting for setting, sentinel in known if not sentinel]
    if whole.prediction is not None:
        chosen += [entry.setting for entry in whole.prediction.matrix]
    if whole.race is not None:
        chosen += [place.setting for raced in whole.race.races for place in raced.places]
    if whole.recommendation is not None:
        chosen += [whole.recommendation.setting, *(one.setting for one in whole.recommendation.neighbours)]
    return list(dict.fromkeys(chosen)), [setting for setting, sentinel in known if sentinel]


def shared(settings: Iterable[Setting]) -> dict[str, object]:
    """Values that all of several settings have; those of a queue count where there is one."""
    every = list(settings)
    if len(every) < 2:
        return {}
    queued = [one.limits for one in every if one.limits.queue_mode is not QueueMode.REJECT]
    values = {name: {getattr(limits, name) for limits in queued} for name in QUEUE_VALUES}
    values["slot_cost"] = {one.limits.slot_cost for one in every}
    values[LANES] = {None if one.lanes is None else one.lanes.name for one in every}
    given = [one.engine.given() for one in every]
    values |= {name: {knobs.get(name) for knobs in given} for name in given[0]}
    return {name: found.copy().pop() for name, found in values.items() if len(found) == 1}
