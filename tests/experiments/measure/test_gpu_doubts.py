"""Doubts about the GPU, from a dcgm-exporter's page scraped by a real Prometheus."""

import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.measure import gpu_doubts
from experiments.observe.prometheus import ServerMetrics
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.stack import prometheus
from tests.experiments import plain, sweeping

MIB = 2**20
LABELS = '{gpu="0",UUID="GPU-8a1f",device="nvidia0",modelName="NVIDIA GeForce RTX 4090",Hostname="box"}'


class _Exporter(http.server.ThreadingHTTPServer):
    """A page as dcgm-exporter writes it; `values` may change at any time."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.values = dict(values)


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Exporter)
        rows = [
            f"# HELP {name} From DCGM.\n# TYPE {name} gauge\n{name}{LABELS} {value:g}\n"
            for name, value in self.server.values.items()
        ]
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("".join(rows).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test's output is for failures."""


WELL = {
    "DCGM_FI_DEV_SM_CLOCK": 2520,
    "DCGM_FI_DEV_GPU_TEMP": 71,
    "DCGM_FI_DEV_GPU_UTIL": 98,
    "DCGM_FI_DEV_FB_USED": 21874,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 0,
}


@pytest.fixture
def exporter() -> Iterator[_Exporter]:
    server = _Exporter(WELL)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _window(metrics: ServerMetrics, sure: float, series: str) -> dict[str, np.ndarray]:
    """The samples of the last moment, as soon as `series` has the value `sure`."""

    def there() -> bool:
        return bool(latest(metrics).get(series, np.array([np.nan]))[-1] == pytest.approx(sure))

    sweeping.wait_until(there, 15, f"{series} = {sure}")
    return {name: values[-1:] for name, values in latest(metrics).items()}


def latest(metrics: ServerMetrics) -> dict[str, np.ndarray]:
    """Name → samples of the last five seconds."""
    now = time.time()
    frame = metrics.series(now - 5, now)
    return {str(name): group["value"].to_numpy() for name, group in frame.groupby("metric")}


def test_a_throttled_gpu_is_named_with_its_reason(exporter: _Exporter, tmp_path: Path) -> None:
    """Heat and the power brake invalidate a cell, a power limit explains it, and a card that is well says
    nothing; the older name of the mask is read as well."""
    target = f"127.0.0.1:{exporter.server_address[1]}"
    with prometheus.running(targets={"dcgm": target}, data_dir=tmp_path / "p", log_dir=tmp_path) as seen:
        metrics = ServerMetrics(seen.url)
        well = _window(metrics, 71, "gpu_temperature_c")
        assert gpu_doubts.of_cell(well) == []
        assert well["gpu_memory_used_bytes"][-1] == 21874 * MIB
        assert well["gpu_clock_hz"][-1] == pytest.approx(2.52e9)
        exporter.values |= {"DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 0x40 | 0x8, "DCGM_FI_DEV_GPU_TEMP": 90}
        (heat,) = gpu_doubts.of_cell(_window(metrics, 90, "gpu_temperature_c"))
        assert (heat.code, heat.severity) == ("gpu_thermal", "invalid")
        assert "improve the cooling" in heat.text
        del exporter.values["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"]
        exporter.values |= {"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 0x80 | 0x4, "DCGM_FI_DEV_GPU_TEMP": 60}
        brake, cap = gpu_doubts.of_cell(_window(metrics, 60, "gpu_temperature_c"))
        assert (brake.code, brake.severity) == ("gpu_slowdown", "invalid")
        assert (cap.code, cap.severity) == ("gpu_power_cap", "info")


def test_a_moment_of_throttling_warns() -> None:
    """One second of a minute does not spoil a cell."""
    series = {"gpu_thermal_slowdown": np.array([0.0] * 59 + [1.0]), "gpu_temperature_c": np.full(60, 84.0)}
    (heat,) = gpu_doubts.of_cell(series)
    assert (heat.code, heat.severity) == ("gpu_thermal", "warn")


def test_a_hot_card_that_does_not_throttle_yet_warns() -> None:
    """The next cell may."""
    (hot,) = gpu_doubts.of_cell({"gpu_temperature_c": np.array([80.0, 86.0])})
    assert (hot.code, hot.severity) == ("gpu_hot", "warn")


def _cell(root: Path, name: str, clock_hz: float, used_mib: float, use: float = 0.98) -> MeasuredCell:
    """A cell of ten seconds, the last five of which are measured."""
    folder = root / name
    folder.mkdir()
    rows = [
        (float(t), metric, value)
        for t in range(10)
        for metric, value in (
            ("gpu_clock_hz", clock_hz),
            ("gpu_use_ratio", use),
            ("gpu_memory_used_bytes", used_mib * MIB if t >= 5 else 1.0),
        )
    ]
    pd.DataFrame(rows, columns=["t_s", "metric", "value"]).to_parquet(folder / "series.parquet")
    return MeasuredCell(name, folder, plain.SETTING, plain.summary(name))


def test_a_cell_on_a_slower_clock_than_the_run_is_doubted(tmp_path: Path) -> None:
    """10 % below the median warns, 20 % spoils the cell; an idle card clocks down by itself."""
    clocks = {"a": 2.5e9, "b": 2.5e9, "c": 2.49e9, "d": 2.25e9, "e": 2.0e9}
    cells = [_cell(tmp_path, name, clock, 20000) for name, clock in clocks.items()]
    cells.append(_cell(tmp_path, "idle", 0.6e9, 20000, use=0.1))
    found = gpu_doubts.of_run(cells)
    assert {name: [(d.code, d.severity) for d in doubts] for name, doubts in found.items() if doubts} == {
        "d": [("gpu_clock", "warn")],
        "e": [("gpu_clock", "invalid")],
    }
    assert "nvidia-smi -lgc" in found["d"][0].text


def test_memory_that_somebody_else_takes_is_doubted(tmp_path: Path) -> None:
    """An engine takes its memory once; what comes on top is another process."""
    cells = [_cell(tmp_path, name, 2.5e9, used) for name, used in (("a", 20000), ("b", 20100), ("c", 22000))]
    found = gpu_doubts.of_run(cells)
    assert [name for name, doubts in found.items() if doubts] == ["c"]
    assert found["c"][0].code == "gpu_memory"
    assert "2000 MiB" in found["c"][0].text


def test_another_process_is_seen_on_the_exporters_page(exporter: _Exporter, tmp_path: Path) -> None:
    """The page tells only how much of the memory is in use, and that it was less in the cell before."""
    target = f"127.0.0.1:{exporter.server_address[1]}"
    cells = []
    with prometheus.running(targets={"dcgm": target}, data_dir=tmp_path / "p", log_dir=tmp_path) as seen:
        metrics = ServerMetrics(seen.url)
        for name, used_mib in (("before", 21874), ("shared", 24000)):
            exporter.values["DCGM_FI_DEV_FB_USED"] = used_mib
            window = _window(metrics, used_mib * MIB, "gpu_memory_used_bytes")
            cells.append(_cell(tmp_path, name, float(window["gpu_clock_hz"][-1]), 0.0))
            rows = [(plain.WINDOW.start_s, metric, values[-1]) for metric, values in window.items()]
            frame = pd.DataFrame(rows, columns=["t_s", "metric", "value"])
            frame.to_parquet(cells[-1].path / "series.parquet")
    found = gpu_doubts.of_run(cells)
    assert [name for name, doubts in found.items() if doubts] == ["shared"]
    assert [str(doubt.code) for doubt in found["shared"]] == ["gpu_memory"]


def test_without_an_exporter_nothing_is_doubted(tmp_path: Path) -> None:
    """Most machines have none."""
    folder = tmp_path / "x"
    folder.mkdir()
    assert gpu_doubts.of_cell({}) == []
    assert gpu_doubts.of_run([MeasuredCell("x", folder, plain.SETTING, plain.summary("x"))]) == {"x": []}
