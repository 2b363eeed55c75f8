"""Measuring one cell: set the limits, offer the plan, read both sides, write the folder."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import machine, record_table
from experiments.cell_summary import Material, summarise_cell
from experiments.errors import EnvironmentProblem
from experiments.files import read_json, write_json
from experiments.gateway_admin import GatewayAdmin, GatewayGrowth, gateway_growth
from experiments.points import Cell
from experiments.run_dir import RunDir
from experiments.server_metrics import HISTOGRAMS, ServerMetrics
from experiments.stack.load import Load
from experiments.stack.process import last_lines
from loadtests.plan import Plan
from loadtests.slo import SLO

LOG_NAME = "locust.log"
# The generator's own time to write its result and end, after the drain.
_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class Bench:
    """The running stack as a measurement sees it, and the run it belongs to."""

    run: RunDir
    admin: GatewayAdmin
    metrics: ServerMetrics
    slo: SLO
    engine_label: str
    engine_max_running: int | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A cell whose load generator stands ready, so that the next cell starts as soon as this one is over."""

    cell: Cell
    plan: Plan
    folder: Path
    load: Load
    drain_s: float


def measure(prepared: Prepared, bench: Bench, when_draining: Callable[[], None]) -> dict[str, Any]:
    """Run one cell to its end and save it; returns its summary.

    `when_draining` is called once the last request of the plan was due: nothing it does can disturb a
    measured arrival.

    Raises:
        EnvironmentProblem: the gateway, Prometheus or the generator failed; the cell's files so far are kept.
    """
    cell, load = prepared.cell, prepared.load
    load.wait_ready()
    in_force = bench.admin.apply(cell.setting.limits())
    before, cpu_before = bench.admin.counters(), machine.cpu_times()
    load.go()
    if load.wait(prepared.plan.duration_s) is None:
        when_draining()
    if load.wait(prepared.drain_s + _GRACE_S) is None:
        raise EnvironmentProblem(f"the load generator did not end; see {prepared.folder / LOG_NAME}")
    _wait_idle(bench.admin)
    after, cpu_after = bench.admin.counters(), machine.cpu_times()
    stolen = cpu_before.stolen_ratio_until(cpu_after) if cpu_before and cpu_after else None
    material = _material(prepared, bench, gateway_growth(before, after), stolen, time.time())
    material.series.to_parquet(prepared.folder / "series.parquet", index=False)
    summary = summarise_cell(
        cell, prepared.plan, bench.slo, material, bench.engine_label, bench.engine_max_running
    )
    write_json(
        prepared.folder / "cell.json", {"id": cell.id, "setting": cell.setting.limits(), "in_force": in_force}
    )
    write_json(prepared.folder / "summary.json", summary)
    prepared.load.forget_start()
    bench.run.finish_cell(
        cell.id, {"plan": prepared.plan.hash, "goodput_per_s": summary["rates"]["goodput_per_s"]}
    )
    return summary


def _wait_idle(admin: GatewayAdmin, deadline_s: float = 10.0) -> None:
    """Requests that the generator cut are ended by the gateway a moment later; its counters are whole only
    then."""
    give_up = time.monotonic() + deadline_s
    while True:
        state = admin.state()
        if state["active"] == 0 and state["queued"] == 0:
            return
        if time.monotonic() > give_up:
            raise EnvironmentProblem(
                f"the gateway still has {state['active']} active and {state['queued']} queued requests "
                "after the load ended; "
                "is somebody else using it?"
            )
        time.sleep(0.02)


def _load_run(prepared: Prepared) -> dict[str, Any]:
    path = prepared.folder / "load.json"
    if not path.exists():
        log = last_lines(prepared.folder / LOG_NAME)
        code = prepared.load.child.exit_code()
        raise EnvironmentProblem(
            f"the load generator ended ({code}) without a result; its last lines:\n{log}"
        )
    return dict(read_json(path))


def _material(
    prepared: Prepared, bench: Bench, growth: GatewayGrowth, stolen_ratio: float | None, ended_unix_s: float
) -> Material:
    load_run = _load_run(prepared)
    started_unix_s = float(load_run["started_unix_s"])
    scraped_unix_s = bench.metrics.wait_for_scrape(ended_unix_s)
    until_unix_s = max(scraped_unix_s, ended_unix_s)
    return Material(
        records=record_table.convert(prepared.folder),
        load_run=load_run,
        gateway=growth,
        engine=bench.metrics.engine_growth(started_unix_s, until_unix_s),
        stolen_ratio=stolen_ratio,
        series=bench.metrics.series(started_unix_s, ended_unix_s),
        histograms={name: bench.metrics.quantiles(name, started_unix_s, until_unix_s) for name in HISTOGRAMS},
        scrape_times=bench.metrics.scrape_times(started_unix_s, ended_unix_s),
    )
