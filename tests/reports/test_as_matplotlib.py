"""The report's figures as figures of matplotlib: the same numbers, to be changed and saved."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path as FilePath

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle as Box
from matplotlib.path import Path

import reports
from experiments.run_folder import codec
from loadtests.look import palette
from reports import drawing
from reports.drawing import Area, Axis, Bars, Figure, Hatch, Line, Panel, Rectangle, Segments, Span, Words
from reports.plots import Plots
from reports.run import Run
from tests.reports.synthetic_race import story, write_race

OF_A_RUN: tuple[Callable[[Plots], Figure], ...] = (
    Plots.heat_map, Plots.hockey_stick, Plots.knee, Plots.outcomes, Plots.time_spent, Plots.agreement,
    Plots.predicted,
)  # fmt: skip
OF_A_CELL: tuple[Callable[[Plots, str], Figure], ...] = (Plots.over_time, Plots.tail, Plots.parts)


def _figures(run: Run) -> dict[str, Figure]:
    """Every figure that a run on disk has."""
    cell = run.cells["cell"][0]
    found = {draw.__name__: draw(Plots(run)) for draw in OF_A_RUN}
    return found | {draw.__name__: draw(Plots(run), cell) for draw in OF_A_CELL}


def _one_panel() -> tuple[Figure, Panel]:
    figure = drawing.panels(4.0, 3.0)
    (panel,) = figure.panels
    panel.x, panel.y = Axis(0, 10), Axis(10, 0)
    return figure, panel


def _axes(figure: Figure) -> Axes:
    (axes,) = figure.matplotlib().axes
    return axes


def _corners(path: Path) -> list[list[float]]:
    found: list[list[float]] = np.asarray(path.vertices, float).tolist()
    return found


def _png(figure: Figure) -> io.BytesIO:
    held = io.BytesIO()
    figure.matplotlib().savefig(held, format="png", dpi=50)
    held.seek(0)
    return held


@pytest.mark.filterwarnings("error")
def test_every_figure_of_a_run_has_the_same_numbers(run: Run) -> None:
    """An axes for each panel, where it is, from end to end of it, with its ticks; each line's numbers, one
    for one; and a picture of it can be saved."""
    for name, figure in _figures(run).items():
        assert figure.panels, name
        made = figure.matplotlib()
        assert len(made.axes) == len(figure.panels), name
        for panel, axes in zip(figure.panels, made.axes, strict=True):
            _same(figure, panel, axes)
        assert imread(_png(figure)).shape[1] == pytest.approx(figure.width * 50 / 72, abs=1.0), name


def _same(figure: Figure, panel: Panel, axes: Axes) -> None:
    place = panel.place
    assert axes.get_xlim() == pytest.approx((place.across.low, place.across.high))
    assert axes.get_ylim() == pytest.approx((place.up.low, place.up.high))
    assert axes.get_yscale() == ("log" if place.up.logarithmic else "linear")
    assert axes.get_title(loc="left") == panel.title
    sides = axes.get_position()
    assert sides.x0 * figure.width == pytest.approx(panel.left)
    assert (1 - sides.y1) * figure.height == pytest.approx(panel.top)
    ticks = panel.x.written_at(place.across)
    assert axes.get_xticks().tolist() == pytest.approx([at for at, _ in ticks])
    if panel.x.written:
        assert [label.get_text() for label in axes.get_xticklabels()] == [name for _, name in ticks]
    # A line through the whole panel is in parts of the axes along it.
    drawn = [line for line in axes.get_lines() if line.get_transform() == axes.transData]
    for line, mark in zip(drawn, panel.lines, strict=True):
        np.testing.assert_array_equal(np.asarray(line.get_xdata(), float), np.asarray(mark.x, float))
        np.testing.assert_array_equal(np.asarray(line.get_ydata(), float), np.asarray(mark.y, float))
        assert line.get_color() == palette.light(mark.role)
        assert (line.get_drawstyle() == "steps-post") is mark.steps
        assert line.is_dashed() is bool(mark.dash and mark.width)


def test_bars_and_boxes_lie_where_they_do_in_the_page() -> None:
    """A bar of no length is none; a box without a fill is an edge alone."""
    figure, panel = _one_panel()
    panel.add(Bars([1, 2], [0, 3], [4, 0], "red"), Rectangle(1, 2, 3, 5, "orange", 2.0))
    bar, box = (one for one in _axes(figure).patches if isinstance(one, Box))
    assert [bar.get_x(), bar.get_y(), bar.get_width()] == pytest.approx([0, 1 - 0.34, 4])
    assert to_hex(bar.get_facecolor()) == palette.light("red")
    assert [box.get_x(), box.get_y(), box.get_width(), box.get_height()] == [1, 2, 2, 3]
    assert to_hex(box.get_facecolor(), keep_alpha=True).endswith("00")


def test_hatching_lies_in_the_lower_right_corner_of_the_page() -> None:
    """Also where the axis is turned round and the larger numbers are below."""
    figure, panel = _one_panel()
    panel.add(Hatch(2, 3, 4, 6))
    (hatch,) = _axes(figure).patches
    assert {tuple(corner) for corner in _corners(hatch.get_path())} == {(2, 6), (4, 6), (4, 3)}


def test_areas_segments_and_spans_reach_as_far_as_in_the_page() -> None:
    """A segment with an end at nan is left out; a span goes from side to side."""
    figure, panel = _one_panel()
    panel.add(
        Area([1, 2], [3, 4], [5, 6], "shade"),
        Segments([1, 2], [1, np.nan], [3, 4], [2, 2], "blue"),
        Span(4, 7, "grey"),
        Span(8, 8, "green", 1.0, lying=True),
    )
    axes = _axes(figure)
    (area,) = axes.collections
    corners = np.array(_corners(area.get_paths()[0]))
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([1, 3], [2, 6])
    segments, band = axes.patches
    assert _corners(segments.get_path()) == [[1, 1], [3, 2]]
    assert band.get_extents().x0 == pytest.approx(axes.transData.transform((4, 0))[0])
    (line,) = axes.get_lines()
    assert np.asarray(line.get_ydata()).tolist() == [8, 8]


def test_what_is_larger_in_order_lies_above_and_the_grid_between() -> None:
    """A band does not hide the grid's lines, nor the grid a line."""
    figure, panel = _one_panel()
    panel.add(Line([0, 1], [0, 1], "blue"), Span(0, 3, "shade"), Line([0, 1], [1, 0], "red", order=0.5))
    axes = _axes(figure)
    above, between = (line.get_zorder() for line in axes.get_lines())
    (band,) = axes.patches
    assert band.get_zorder() < 0.5 < between < above
    assert axes.get_axisbelow() is True


def test_words_stand_where_the_page_has_them() -> None:
    """What is written at a point of an axes stays with it, what is in its corner there; a legend is the
    figure's."""
    figure, panel = _one_panel()
    panel.write("here $x$", 5, 2.5)
    at = panel.left + panel.width / 4, panel.top + panel.height / 2
    panel.words.append(Words("in the corner", *at))
    panel.add(
        Line([0, 1], [0, 1], "blue", marker="o", label="a line"), Bars([1], [0], [3], "red", label="bars")
    )
    drawing.legend_above(figure, drawing.named(figure.panels))
    made = figure.matplotlib()
    (axes,) = made.axes
    text, corner = axes.texts
    assert (text.get_position(), text.get_transform()) == ((5, 2.5), axes.transData)
    assert corner.get_position() == pytest.approx((0.25, 0.5))
    assert corner.get_transform() == axes.transAxes
    assert text.get_text() == "here $x$"
    assert not text.get_parse_math()
    assert [one.get_text() for one in made.texts] == ["a line", "bars"]
    line = next(one for one in made.get_children() if isinstance(one, Line2D))
    wanted = (figure.keys[0].x, figure.height - figure.keys[0].y)
    assert line.get_window_extent().x0 * 72 / made.dpi == pytest.approx(wanted[0], abs=3.0)
    assert line.get_window_extent().y0 * 72 / made.dpi == pytest.approx(wanted[1], abs=3.0)
    assert axes.get_legend_handles_labels()[1] == ["a line", "bars"]


@pytest.mark.parametrize(
    "mark",
    [Area([0], [1], [2], "shade"), Segments([0], [1], [2], [3], "blue"), Span(1, 1, "red", 1.0),
     Rectangle(0, 0, 1, 1, "blue", 1.0), Hatch(0, 0, 1, 1)],
    ids=lambda mark: type(mark).__name__,
)  # fmt: skip
def test_a_legend_has_a_sample_of_every_mark(mark: drawing.Mark) -> None:
    """In its colour, as in the page."""
    figure, panel = _one_panel()
    panel.add(mark)
    drawing.legend_below(figure, {"its name": mark}, left=5.0)
    made = figure.matplotlib()
    assert len(made.artists) == 1
    assert _png(figure).getbuffer().nbytes > 1000


def test_it_can_be_changed_and_saved(run: Run, tmp_path: FilePath) -> None:
    """As a page for a talk; a notebook shows it without pyplot."""
    figure = Plots(run).hockey_stick().matplotlib()
    figure.axes[0].set_title("Ours")
    figure.axes[0].annotate("here", (1, 1))
    figure.savefig(tmp_path / "knee.pdf")
    assert (tmp_path / "knee.pdf").read_bytes().startswith(b"%PDF")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules


def test_a_figure_that_says_that_there_is_nothing_says_it_here_too() -> None:
    """No axes, but the sentence."""
    made = drawing.message("Nothing was predicted in this run.").matplotlib()
    assert not made.axes
    assert made.texts[0].get_text() == "Nothing was predicted in this run."


def test_a_race_too(tmp_path: FilePath) -> None:
    """Its panels are of two sizes."""
    root = write_race(tmp_path / "race")
    codec.write(root / "race.json", story())
    figure = reports.load(root).plot.race()
    for panel, axes in zip(figure.panels, figure.matplotlib().axes, strict=True):
        assert axes.get_position().height * figure.height == pytest.approx(panel.height)


def test_the_report_does_not_import_it(run_dir: FilePath) -> None:
    """Nobody who waits for a page waits for that."""
    code = (
        "import sys; from reports import page; from reports.run import load; "
        "page.render(load(sys.argv[1])); print([one for one in sys.modules if one.startswith('matplotlib')])"
    )
    done = subprocess.run([sys.executable, "-c", code, run_dir], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
