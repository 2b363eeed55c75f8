"""What DCGM says about the GPU while a cell was measured: throttling, heat, clocks, memory of others.

The series are those of series.parquet; without a dcgm-exporter there are none, and nothing is doubted.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.measured_cell import MeasuredCell

Floats = npt.NDArray[np.float64]

RUN_CODES = (DoubtCode.GPU_CLOCK, DoubtCode.GPU_MEMORY)
"""Doubts that need the other cells of the run."""

_BUSY = 0.5
_OFTEN = 0.05
"""Share of the window from which a throttled clock is no accident."""
_HOT_C = 85.0
_SLOWER, _MUCH_SLOWER = 0.95, 0.85
_OTHERS_BYTES = 256 * 2**20


def of_cell(series: Mapping[str, Floats]) -> list[Doubt]:
    """Doubts from one cell's own samples (name → values inside the measured window)."""
    found: list[Doubt] = []
    brake, heat = _share(series, "gpu_power_brake"), _share(series, "gpu_thermal_slowdown")
    if brake > 0:
        severity = Severity.INVALID if brake > _OFTEN else Severity.WARN
        text = (
            f"the hardware slowed the GPU down for {brake:.0%} of the window (power brake or slowdown): "
            "check the power supply and its cables, then measure again"
        )
        found.append(Doubt(DoubtCode.GPU_SLOWDOWN, severity, text))
    if heat > 0:
        severity = Severity.INVALID if heat > _OFTEN else Severity.WARN
        text = (
            f"the GPU was too hot and clocked down for {heat:.0%} of the window: improve the cooling or "
            "lower the power limit (nvidia-smi -pl), then measure again"
        )
        found.append(Doubt(DoubtCode.GPU_THERMAL, severity, text))
    hottest = series.get("gpu_temperature_c")
    if heat == 0 and hottest is not None and hottest.size and hottest.max() >= _HOT_C:
        text = f"the GPU reached {hottest.max():.0f} °C, close to where it slows down: improve the cooling"
        found.append(Doubt(DoubtCode.GPU_HOT, Severity.WARN, text))
    capped = _share(series, "gpu_power_cap")
    if capped > _OFTEN:
        text = (
            f"the GPU ran at its power limit for {capped:.0%} of the window: the numbers hold for this limit "
            "(nvidia-smi -q -d POWER)"
        )
        found.append(Doubt(DoubtCode.GPU_POWER_CAP, Severity.INFO, text))
    return found


def of_run(cells: Sequence[MeasuredCell]) -> dict[str, list[Doubt]]:
    """Doubts from holding each cell against the run: its SM clock while busy against the median of all cells,
    and memory in use against the least of the cells on the same engine. By cell id.
    """
    clocks, memory = {}, {}
    for cell in cells:
        inside = _inside(cell)
        clock, used = _busy_clock_hz(inside), inside.get("gpu_memory_used_bytes")
        if clock is not None:
            clocks[cell.id] = clock
        if used is not None and used.size:
            memory[cell.id] = float(used.max())
    found: dict[str, list[Doubt]] = {cell.id: [] for cell in cells}
    usual = float(np.median(list(clocks.values()))) if clocks else 0.0
    for cell_id, clock in clocks.items():
        if clock < _SLOWER * usual:
            found[cell_id].append(_slow(clock, usual))
    engine = {cell.id: cell.setting.engine for cell in cells}
    for cell_id, used_bytes in memory.items():
        least = min(value for other, value in memory.items() if engine[other] == engine[cell_id])
        if used_bytes - least > _OTHERS_BYTES:
            found[cell_id].append(_shared(used_bytes - least))
    return found


def _slow(clock_hz: float, usual_hz: float) -> Doubt:
    text = (
        f"the GPU's SM clock was {clock_hz / 1e6:.0f} MHz while it worked, {1 - clock_hz / usual_hz:.0%} "
        f"below the run's median of {usual_hz / 1e6:.0f} MHz: fix the clocks (nvidia-smi -lgc) or cool the "
        "card, then measure this cell again"
    )
    return Doubt(
        DoubtCode.GPU_CLOCK, Severity.INVALID if clock_hz < _MUCH_SLOWER * usual_hz else Severity.WARN, text
    )


def _shared(more_bytes: float) -> Doubt:
    text = (
        f"{more_bytes / 2**20:.0f} MiB more of the GPU's memory were in use than in the run's other cells: "
        "another process shares the card (nvidia-smi shows it); end it and measure again"
    )
    return Doubt(DoubtCode.GPU_MEMORY, Severity.WARN, text)


def _inside(cell: MeasuredCell) -> dict[str, Floats]:
    """The cell's GPU samples in its measured window, aligned by time."""
    path = cell.path / "series.parquet"
    if not path.exists():
        return {}
    series = pd.read_parquet(path)
    start_s, end_s = cell.summary.window.start_s, cell.summary.window.end_s
    series = series[series["metric"].str.startswith("gpu_")]
    series = series[(series["t_s"] >= start_s) & (series["t_s"] < end_s)]
    if series.empty:
        return {}
    wide = series.assign(t_s=series["t_s"].round(1)).pivot_table(
        index="t_s", columns="metric", values="value"
    )
    return {str(name): wide[name].to_numpy(dtype=float) for name in wide.columns}


def _busy_clock_hz(inside: Mapping[str, Floats]) -> float | None:
    """Mean SM clock over the samples in which the GPU worked; an idle one clocks down by itself."""
    clock, use = inside.get("gpu_clock_hz"), inside.get("gpu_use_ratio")
    if clock is None:
        return None
    known = np.isfinite(clock)
    busy = known if use is None else known & (np.nan_to_num(use) >= _BUSY)
    return float(clock[busy].mean()) if busy.sum() >= 3 else None


def _share(series: Mapping[str, Floats], name: str) -> float:
    """Share of the samples above zero; 0 without samples."""
    values = series.get(name)
    return float(np.mean(values > 0)) if values is not None and values.size else 0.0
