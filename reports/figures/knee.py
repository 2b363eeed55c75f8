"""The knee: attainment over the offered rate, and where it falls to the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.stats.knee import CapacityVerdict
from loadtests.look.palette import light
from reports.figures import canvas

if TYPE_CHECKING:
    from reports.knees import SettingKnee

COLUMNS = 4


def knee(found: Sequence[SettingKnee], target: float) -> Figure:
    """A panel per setting, all with the same axes: attainment with its 95 % interval at each steady rate, the
    target, and the knee with its interval, where it lies among what was measured; of eight settings at most.
    """
    if not found:
        return canvas.message("No setting has been measured under a steady load.")
    shown = found[: 2 * COLUMNS]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    figure, panels = canvas.axes(
        max(5.0, 3.3 * columns), 0.8 + 2.2 * rows, rows=rows, columns=columns,
        margins=canvas.Margins(left=0.6, bottom=0.7, wspace=0.22, hspace=0.75),
    )  # fmt: skip
    top = max(point.rate_per_s for one in shown for point in one.points) * 1.15
    for ax, one in zip(panels, shown, strict=False):
        _panel(ax, one, target, top)
    for ax in panels[len(shown) :]:
        ax.set_visible(False)
    return figure


def _panel(ax: Axes, one: SettingKnee, target: float, top: float) -> None:
    canvas.title(ax, one.setting)
    rates = [point.rate_per_s for point in one.points]
    shares = [point.attainment for point in one.points]
    low, high = [point.low for point in one.points], [point.high for point in one.points]
    ax.vlines(rates, low, high, color=light("blue"), linewidth=1.2)
    ax.plot(rates, shares, color=light("blue"), linewidth=1.6, marker="o", markersize=4.0)
    ax.axhline(target, color=light("red"), linewidth=1.1, linestyle="--")
    _mark(ax, one, top)
    ax.set_xlim(0, top)
    ax.set_ylim(0, 1.04)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value * 100:g} %")
    ax.set_xlabel("offered, requests/s")


def _mark(ax: Axes, one: SettingKnee, top: float) -> None:
    """The knee as a band and a line; elsewhere the side on which it lies, in words."""
    at = one.capacity
    if at.verdict is CapacityVerdict.FOUND and at.value_per_s is not None:
        low, high = (at.low_per_s or 0.0), min(at.high_per_s or np.inf, top)
        ax.axvspan(low, high, color=light("green"), alpha=0.12, linewidth=0, zorder=0)
        ax.axvline(at.value_per_s, color=light("green"), linewidth=1.4)
        text = f"knee {at.value_per_s:.3g}/s"
    else:
        side = "beyond" if at.verdict is CapacityVerdict.NOT_REACHED else "below"
        text = f"knee {side} these rates"
    ax.text(
        0.02, 0.04, text, transform=ax.transAxes, fontsize=canvas.SIZE - 1, color=light("green"),
    )  # fmt: skip
