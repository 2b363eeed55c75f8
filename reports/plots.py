"""The report's figures of a run, for its page and for a notebook: `reports.load(run).plot.hockey_stick()`."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports import drawing, figures, tables
from reports.cell_data import records_of, series_of
from reports.drawing import Figure
from reports.errors import NotARunError
from reports.frames import number
from reports.knees import knees
from reports.rows import BreakdownRow, rows_of
from reports.run import Run


@dataclass(frozen=True, slots=True)
class Plots:
    """Each method draws one figure of the report; where the run has nothing of the kind, one that says so.

    `cell` is the id of a cell of the run (`run.cells["cell"]`).
    """

    run: Run

    @property
    def best(self) -> str | None:
        """The recommended setting in words; None without a recommendation."""
        recommended = self.run.recommendation
        return self.run.naming.of(recommended.setting) if recommended is not None else None

    @property
    def inseparable(self) -> list[str]:
        """The settings that cannot be told from the recommended one, in words."""
        recommended = self.run.recommendation
        return [
            self.run.naming.of(one) for one in (recommended.inseparable if recommended is not None else ())
        ]

    @property
    def named(self) -> list[str]:
        """The settings to draw first: those that are hard to tell from the best, then its neighbours."""
        recommended = self.run.recommendation
        neighbours = recommended.neighbours if recommended is not None else ()
        return list(
            dict.fromkeys([*self.inseparable, *(self.run.naming.of(one.setting) for one in neighbours)])
        )

    @property
    def knee_per_s(self) -> figures.Knee:
        """What the recommended setting takes under the objective, requests per second, with its 95 %
        interval; nan where that was not found."""
        recommended = self.run.recommendation
        if recommended is None or recommended.capacity is None:
            return figures.UNKNOWN_KNEE
        found = recommended.capacity
        return number(found.value_per_s), number(found.low_per_s), number(found.high_per_s)

    def heat_map(self, what: str = "goodput_per_s") -> Figure:
        """The matrix. `what`: goodput_per_s, attainment, ttft_p95_s, e2e_p95_s or refused."""
        return self.of_grid(
            figures.grid(self.run.naming.columns(self.run.matrix), self.run.latency, what), what
        )

    def of_grid(self, grid: pd.DataFrame, what: str) -> Figure:
        """The same from its numbers (`figures.grid`)."""
        return figures.heat_map(grid, what, best=self.best, inseparable=self.inseparable)

    def hockey_stick(self) -> Figure:
        """Goodput and p95 latencies over the offered rate, with the knee where there is one."""
        return self.of_curves(figures.curves(self.run.naming.columns(self.run.matrix), self.run.latency))

    def of_curves(self, curves: pd.DataFrame) -> Figure:
        """The same from its points (`figures.curves`)."""
        probe = self.run.state.probe if self.run.state is not None else None
        return figures.hockey_stick(
            curves,
            self.run.common_slo,
            best=self.best,
            named=self.named,
            capacity_per_s=number(probe.capacity_per_s if probe is not None else None),
            knee=self.knee_per_s,
        )

    def knee(self) -> Figure:
        """Attainment over the offered rate and the knee of every setting, from all its steady stretches."""
        try:
            return figures.knee(knees(self.run), self.run.slo.attainment or 0.0)
        except NotARunError as error:
            return drawing.message(str(error), width_in=9.0)

    def outcomes(self) -> Figure:
        """What became of the offered requests, a bar per cell."""
        measured = set(self.run.outcomes["cell"])
        names = {cell: name for cell, name in tables.cell_names(self.run.shown).items() if cell in measured}
        return figures.outcomes(self.run.outcomes, names)

    def time_spent(self) -> Figure:
        """The p95 request of every cell, taken apart."""
        p95 = self.run.breakdown[self.run.breakdown["quantile"] == "p95"]
        known, names = set(p95["cell"]), tables.cell_names(self.run.shown)
        drawn = [cell for cell in self.run.cells["cell"] if cell in known and cell in self.run.summaries]
        ordered = p95.set_index("cell").loc[drawn].reset_index()
        return figures.breakdown(ordered, [names[cell] for cell in drawn])

    def agreement(self) -> Figure:
        """Prometheus's quantiles beside those of the records."""
        return figures.agreement(self.run.agreement)

    def race(self, at: int = 0) -> Figure:
        """How the settings were raced; `at`: which race, where engines of several limits were started."""
        races = self.run.whole.race.races if self.run.whole.race is not None else ()
        if not at < len(races):
            return drawing.message("The settings of this run were not raced.")
        words = {place.name: self.run.naming.of(place.setting) for place in races[at].places}
        return figures.race(races[at], words)

    def predicted(self) -> Figure:
        """What `tune` predicted beside what was measured."""
        if not len(self.run.predicted):
            return drawing.message("Nothing was predicted in this run.")
        return figures.predicted(self.run.predicted)

    def over_time(self, cell: str) -> Figure:
        """One cell's load, gateway, engine and cache on one clock."""
        return self.of_series(cell, series_of(self.run, cell, records_of(self.run, cell, []), []))

    def of_series(self, cell: str, series: pd.DataFrame) -> Figure:
        """The same from series that were read already."""
        start_s, end_s = 0.0, None
        if cell in self.run.summaries:
            window = self.run.summaries[cell].window
            start_s, end_s = window.start_s, window.end_s
        return figures.time_series(series, start_s=start_s, end_s=end_s)

    def tail(self, cell: str) -> Figure:
        """Which share of one cell's offered requests took longer than x."""
        records = records_of(self.run, cell, [])
        return figures.tail(records[records["phase"] == "measure"], self.run.common_slo)

    def parts(self, cell: str) -> Figure:
        """The p50 and the p95 request of one cell, taken apart."""
        own = self.run.breakdown[self.run.breakdown["cell"] == cell]
        bars = [f"{row.quantile} request" for row in rows_of(own, BreakdownRow)]
        return figures.breakdown(own, bars, width_in=5.0)
