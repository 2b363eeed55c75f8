"""What the figures are drawn from."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.spec.setting import Setting
from gateway.limits import Limits, QueueMode
from reports import answer, figures, labels
from reports.drawing import Bars, Figure, Span
from reports.figures.rate_points import pooled
from reports.figures.tail import points
from reports.figures.time_series import thin
from reports.per_second import per_second
from reports.run import Run
from reports.svg import inline


def test_the_parts_of_a_request_add_up_to_the_whole(run: Run) -> None:
    """No second of a request's life is lost or counted twice; the engine's queue and prefill are among it."""
    parts = run.breakdown[list(labels.PARTS)]
    assert set(run.breakdown["cell"]) == set(run.cells["cell"])
    assert np.allclose(parts.sum(axis=1), run.breakdown["e2e_s"])
    assert (parts >= 0).all(axis=None)
    assert (run.breakdown[["engine_queue_s", "prefill_s"]] > 0).all(axis=None)


def test_the_p95_request_is_one_near_the_p95(run: Run) -> None:
    """The mean over neighbours in rank lies between the p90 and the slowest."""
    cell = run.cells["cell"][0]
    records = run.cell_records(cell)
    e2e = records[records["phase"] == "measure"]["e2e_s"].dropna()
    own = run.breakdown[run.breakdown["cell"] == cell].set_index("quantile")
    assert e2e.quantile(0.9) <= own.loc["p95", "e2e_s"] <= e2e.max()


def _bars(figure: Figure) -> dict[str, list[float]]:
    """What a bar chart shows: the part's name, its lengths."""
    drawn = [mark for mark in figure.panels[0].marks if isinstance(mark, Bars)]
    return {bars.label: np.asarray(bars.length).tolist() for bars in drawn}


def _texts(figure: Figure) -> list[str]:
    """What stands in the panels, beside titles and axes."""
    return [words.text for panel in figure.panels for words in panel.words]


def test_every_part_of_every_request_is_drawn(run: Run) -> None:
    """Send lag, gateway queue, network, engine queue, prefill and decode, each as long as its number."""
    own = run.breakdown[run.breakdown["cell"] == run.cells["cell"][0]]
    bars = _bars(figures.breakdown(own, list(own["quantile"])))
    assert list(bars) == list(labels.PARTS.values())
    for column, name in labels.PARTS.items():
        assert bars[name] == pytest.approx(own[column].tolist())


def test_an_engine_that_does_not_tell_its_queue_has_one_part_before_the_token(run: Run) -> None:
    """Queue and prefill cannot be told apart then; nothing is drawn as the one or the other."""
    own = run.breakdown[run.breakdown["cell"] == run.cells["cell"][0]]
    blind = own.assign(engine_queue_s=np.nan, prefill_s=own["engine_queue_s"] + own["prefill_s"])
    bars = _bars(figures.breakdown(blind, list(blind["quantile"])))
    assert bars["before the first token"] == pytest.approx(blind["prefill_s"].tolist())
    assert not {"engine queue", "prefill"} & set(bars)
    both = _bars(figures.breakdown(pd.concat([own, blind]), ["a", "b", "c", "d"]))
    assert both["prefill"] == pytest.approx([*own["prefill_s"], 0.0, 0.0])
    assert both["before the first token"] == pytest.approx([0.0, 0.0, *blind["prefill_s"]])


def test_no_request_taken_apart_is_said_not_drawn(run: Run) -> None:
    """A saturated cell may serve no request at all, and a load run of its own does not look."""
    figure = figures.breakdown(run.breakdown.iloc[:0], [])
    assert not figure.panels
    assert "Not taken apart" in figure.words[0].text


def test_the_tail_ends_at_the_share_that_was_not_served() -> None:
    """A rejected request took longer than any time: survivors must not flatter the tail."""
    x, share = points(np.array([1.0, 2.0, 3.0]), offered=10)
    assert list(x) == [1.0, 2.0, 3.0]
    assert list(share) == pytest.approx([0.9, 0.8, 0.7])


def test_a_thinned_tail_keeps_its_slowest_requests() -> None:
    """The last ten of a hundred thousand are what a tail is for."""
    values = np.arange(1, 100_001, dtype=float)
    x, share = points(values, offered=100_000)
    assert len(x) < 400
    assert set(values[-10:]) <= set(x)
    assert share[-1] == 0


def test_thinning_a_series_keeps_its_mean() -> None:
    """Equal stretches are averaged, so peaks are softened but nothing drifts."""
    t = np.arange(4800.0)
    thinned_t, thinned = thin(t, t % 7)
    assert len(thinned_t) == 240
    assert thinned.mean() == pytest.approx((t % 7).mean())


def test_the_heat_map_joins_repeats_without_averaging_quantiles(run: Run) -> None:
    """Goodputs and attainments of two cells are averaged; of two p95 the worse is shown."""
    more = {"goodput_per_s": run.cells["goodput_per_s"] + 2, "attainment": run.cells["attainment"] / 2}
    again = run.cells.assign(cell=run.cells["cell"] + "x", **more)
    cells = pd.concat([run.cells, again], ignore_index=True)
    worse = run.latency.assign(cell=run.latency["cell"] + "x", value_s=run.latency["value_s"] * 3)
    latency = pd.concat([run.latency, worse], ignore_index=True)
    goodput = figures.grid(cells, latency, "goodput_per_s")
    assert sorted(goodput["value"]) == pytest.approx(sorted(run.cells["goodput_per_s"] + 1))
    attainment = figures.grid(cells, latency, "attainment")
    assert sorted(attainment["value"]) == pytest.approx(sorted(run.cells["attainment"] * 0.75))
    p95 = figures.grid(cells, latency, "ttft_p95_s")
    once = figures.grid(run.cells, run.latency, "ttft_p95_s")
    assert list(p95["value"]) == pytest.approx(list(once["value"] * 3))


def test_a_box_is_crossed_out_only_where_no_repeat_counts(run: Run) -> None:
    """One bad repeat of three is left out of the number and said; so is a cell that was not measured yet."""
    cells = pd.concat(
        [run.cells.assign(cell=f"{block}", goodput_per_s=block) for block in (1.0, 2.0, 9.0)],
        ignore_index=True,
    )
    setting, load = cells["setting"][0], cells["load"][0]
    own = (cells["setting"] == setting) & (cells["load"] == load)
    cells.loc[own & (cells["goodput_per_s"] == 9.0), "validity"] = "invalid"
    grid = figures.grid(cells, run.latency, "goodput_per_s").set_index(["setting", "load"])
    assert grid.loc[setting, load][["value", "valid", "usable", "stretches"]].tolist() == [1.5, True, 2, 3]
    assert grid["value"].drop(index=(setting, load)).tolist() == pytest.approx([4.0] * (len(grid) - 1))
    drawn = _texts(figures.heat_map(grid.reset_index()))
    assert "2 of 3" in drawn
    assert not any("×" in text for text in drawn)

    cells.loc[own, "validity"] = "invalid"
    grid = figures.grid(cells, run.latency, "goodput_per_s")
    drawn = _texts(figures.heat_map(grid))
    assert [text for text in drawn if "×" in text] == ["4.00 ×"]
    assert not figures.heat_map_in_part(grid)

    cells.loc[own & (cells["goodput_per_s"] != 1.0), "validity"] = "missing"
    cells.loc[own & (cells["goodput_per_s"] == 1.0), "validity"] = "valid"
    grid = figures.grid(cells, run.latency, "goodput_per_s").set_index(["setting", "load"])
    assert grid.loc[setting, load][["valid", "usable", "stretches"]].tolist() == [True, 1, 1]


def test_reject_mode_is_one_setting_whatever_the_queue_says() -> None:
    """Nobody queues in reject mode, so QUEUE_MAX does not make another setting."""
    one = Limits(max_active=4, queue_mode=QueueMode.REJECT, queue_max=8, queue_timeout_s=1.0)
    other = replace(one, queue_max=0, queue_timeout_s=30.0)
    assert labels.setting(Setting(one)) == labels.setting(Setting(other)) == "4 slots · reject"
    queued = replace(one, queue_mode=QueueMode.QUEUE)
    assert labels.setting(Setting(queued)) != labels.setting(Setting(replace(queued, queue_max=9)))


def test_rates_are_counted_when_things_happened(run: Run) -> None:
    """Offered at the due time, admitted at the slot, refused at the answer; the sums are the counts."""
    records = run.cell_records(run.cells["cell"][0])
    sums = per_second(records).groupby("metric")["value"].sum()
    assert sums["offered_per_s"] == len(records)
    assert sums["admitted_per_s"] == records["upstream_s"].notna().sum()
    assert sums["rejected_per_s"] == records["outcome"].str.startswith("rejected").sum()


def test_curves_leave_out_cells_that_are_invalid(run: Run) -> None:
    """A number that must not be trusted must not bend a curve."""
    cells = run.cells.copy()
    cells.loc[0, "validity"] = "invalid"
    assert cells["cell"][0] not in set(figures.curves(cells, run.latency)["cell"])


def test_what_was_scraped_of_the_gpu_has_its_own_panels() -> None:
    """Clock, temperature and slowdowns stand below the load they explain; without a GPU there are none."""
    t = np.arange(20.0)
    values = {"offered_per_s": 5.0, "gpu_use_ratio": 0.9, "gpu_clock_hz": 1.4e9, "gpu_thermal_slowdown": 1.0}
    series = pd.concat([pd.DataFrame({"t_s": t, "metric": name, "value": v}) for name, v in values.items()])
    titles = [panel.title for panel in figures.time_series(series, start_s=2.0).panels]
    assert titles == ["Requests per second", "Share in use", "GPU clock", "GPU slowed down (1: yes)"]
    bare = figures.time_series(series[series["metric"] == "offered_per_s"])
    assert len(bare.panels) == 1


def test_what_others_did_on_the_cores_has_its_own_panel() -> None:
    """Above the GPU, in per cent of the cores' time."""
    values = {"offered_per_s": 5.0, "others_cpu_engine_cores_ratio": 0.4, "cpu_pressure_ratio": 0.9}
    t = np.arange(20.0)
    series = pd.concat([pd.DataFrame({"t_s": t, "metric": name, "value": v}) for name, v in values.items()])
    panels = figures.time_series(series).panels
    assert [panel.title for panel in panels] == [
        "Requests per second",
        "CPU cores, share of their time",
    ]
    assert panels[1].y.show(0.4) == "40 %"


def test_the_knee_is_marked_where_it_was_found(run: Run) -> None:
    """Its value as a line with its name, its ends as a band; without it the largest load that met the SLO."""
    curves = figures.curves(run.matrix, run.latency)
    best = str(curves.sort_values("attainment")["setting"].iloc[-1])
    found = figures.hockey_stick(curves, run.slo, best=best, knee=(12.0, 9.0, 16.0))
    plain = figures.hockey_stick(curves, run.slo, best=best)
    names = [{mark.label for mark in figure.panels[0].marks} for figure in (found, plain)]
    assert "knee: capacity under the SLO" in names[0]
    assert "recommended meets the SLO up to here" in names[1]
    bands = [
        [mark for mark in figure.panels[0].marks if isinstance(mark, Span) and mark.low < mark.high]
        for figure in (found, plain)
    ]
    assert [(band.low, band.high) for band in bands[0]] == [(9.0, 16.0)]
    assert bands[1] == []


def test_every_setting_has_a_column_with_its_name_and_no_line_is_without(run: Run) -> None:
    """The best first, in the others' columns again; all with the same axes, which what was measured spans: a
    capacity of the probe beyond it is not drawn.
    """
    curves = figures.curves(run.shown, run.latency)
    names = list(dict.fromkeys(curves["setting"]))
    best = names[-1]
    figure = figures.hockey_stick(curves, run.slo, best=best, capacity_per_s=512.0)
    assert len(names) == 6
    panels = figure.panels
    first = panels[: len(names)]
    assert [panel.title for panel in first] == [best, *names[:-1]]
    drawn = {line.label for panel in panels for line in panel.lines}
    assert "" not in drawn
    assert set(names) <= drawn
    assert "probe capacity" not in {mark.label for panel in panels for mark in panel.marks}
    assert len({(panel.x.low, panel.x.high) for panel in panels}) == 1
    assert (panels[0].x.high or 0.0) < 1.1 * curves["offered_per_s"].max()
    assert all(best in {line.label for line in panel.lines} for panel in first)


def test_of_many_settings_six_have_a_column(run: Run) -> None:
    """The best, then those that were named for it; the caption counts the others."""
    one = figures.curves(run.cells, run.latency).iloc[:1]
    curves = pd.concat([one.assign(setting=f"{at} slots · reject") for at in range(9)])
    shown = figures.hockey_stick_columns(curves, "7 slots · reject", ["8 slots · reject", "gone"])
    assert shown[:3] == ["7 slots · reject", "8 slots · reject", "0 slots · reject"]
    assert len(shown) == 6


@pytest.mark.parametrize(
    ("limit", "name", "top"), [(16.0, "MAX_ACTIVE", 16.0), (512.0, "MAX_ACTIVE 512 ↑", 5.5)]
)
def test_the_gateway_panel_is_as_high_as_what_was_measured(limit: float, name: str, top: float) -> None:
    """The limit of the probe, in force until the cell's own was set, does not flatten it; nor does the cell's
    own where it is far above what was busy: then its value is said.
    """
    rows = [(0.5, "gateway_active_limit", 512.0), (5.0, "gateway_active_limit", limit)]
    rows += [(float(at), "gateway_active", 5.0) for at in range(10)]
    series = pd.DataFrame(rows, columns=["t_s", "metric", "value"])
    (panel,) = figures.time_series(series, start_s=2.0, end_s=9.0).panels
    assert name in {line.label for line in panel.lines}
    assert top <= (panel.y.high or 0.0) <= 1.1 * top


def test_repeats_of_a_load_are_one_point(run: Run) -> None:
    """Rates are means, attainment is over all offered requests, an interval ends where the widest does."""
    once = figures.curves(run.cells, run.latency).iloc[:1]
    again = once.assign(
        block=1, offered_per_s=3 * once["offered_per_s"], attainment=0.0, goodput_per_s_low=0.0
    )
    point = pooled(pd.concat([once.assign(attainment=1.0), again])).iloc[0]
    assert point["offered_per_s"] == pytest.approx(2 * once["offered_per_s"].iloc[0])
    assert point["attainment"] == pytest.approx(0.25)
    assert point["goodput_per_s_low"] == 0.0


def test_attainment_of_repeats_weighs_their_requests() -> None:
    """A short block that missed does not hide a long one that met."""
    cells = pd.DataFrame({"rate_per_s": 5.0, "load": "x", "attainment": [1.0, 0.5], "offered": [90, 10]})
    assert answer.pooled_attainment(cells).tolist() == [pytest.approx(0.95)]


def test_every_colour_of_a_figure_follows_the_theme(run: Run) -> None:
    """A drawn colour that is not of the palette would be unreadable on the dark page."""
    drawing = inline(figures.heat_map(figures.grid(run.cells, run.latency, "goodput_per_s")), "x", "a matrix")
    assert "var(--cool6)" in drawing
    assert "#" not in drawing.replace("url(#", "").replace('href="#', "")
