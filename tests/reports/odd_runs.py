"""Runs that lack something, each made from a stored one by a single change."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from experiments.run_folder import codec
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.measured_cell import read_cell
from experiments.run_folder.reading import read_run

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "tests" / "data" / "runs"
EXAMPLES = ROOT / "docs" / "examples"

Maker = Callable[[Path], tuple[Path, tuple[str, ...]]]
"""Writes the run to a path; the folder, and sentences that a reader must be told."""


def no_recommendation(root: Path) -> tuple[Path, tuple[str, ...]]:
    """A default sweep with two loads, of which every cell was disturbed, so that nothing could be chosen."""
    run = shutil.copytree(EXAMPLES / "vllm-cpu", root)
    for name in ("recommendation.json", "recommended.env"):
        (run / name).unlink()
    doubt = Doubt(DoubtCode.DISTURBED, Severity.INVALID, "something slowed the engine down")
    for path in run.glob("cells/*/summary.json"):
        codec.write(path, replace(read_cell(path.parent).summary, doubts=(doubt,)))
    return run, (
        "cannot decide: 12 of 12 cells were disturbed",
        "there is no recommended setting",
        "a knee takes some",
    )


def one_block(root: Path) -> tuple[Path, tuple[str, ...]]:
    """A standard sweep, of which only the first of three blocks is left."""
    run = shutil.copytree(EXAMPLES / "vllm-cpu-standard", root)
    state = read_run(run)
    gone = {cell.id for cell in state.cells if not cell.id.endswith("--b0")}
    codec.write(run / "run.json", replace(state, cells=tuple(c for c in state.cells if c.id not in gone)))
    for name in gone:
        shutil.rmtree(run / "cells" / name)
    return run, ("fewer than three arrival traces", "takes about ")


def engine_without_metrics(root: Path) -> tuple[Path, tuple[str, ...]]:
    """No series of the engine, and nothing that is made of them."""
    run = shutil.copytree(EXAMPLES / "vllm-cpu", root)
    state = read_run(run)
    assert state.engine is not None
    facts = replace(state.engine.facts, no_metrics="is a page of HTML", metrics_page=False)
    codec.write(run / "run.json", replace(state, engine=replace(state.engine, facts=facts)))
    for path in run.glob("cells/*/summary.json"):
        summary = read_cell(path.parent).summary
        saturation = summary.saturation
        if saturation is not None:
            saturation = replace(
                saturation, engine_running_mean=None, engine_waiting_mean=None, kv_use_max=None
            )
        codec.write(path, replace(summary, saturation=saturation, engine_growth=None, breakdown=None))
        series = pd.read_parquet(path.with_name("series.parquet"))
        own = series["metric"].str.startswith(("engine_", "gpu_", "kv_"))
        series[~own].to_parquet(path.with_name("series.parquet"), index=False)
    return run, ("note: Its /metrics is a page of HTML.",)


def interrupted(root: Path) -> tuple[Path, tuple[str, ...]]:
    """Killed in the middle of the fourth cell, by an earlier version, on the emulator."""
    run = shutil.copytree(OLD / "cut-off", root)
    return run, ("3 of 10 planned cells measured, running", "EMULATOR: no real engine")


def load_run_of_its_own(root: Path) -> tuple[Path, tuple[str, ...]]:
    """What Locust alone left, by an earlier version: no setting, no matrix, no recommendation."""
    run = shutil.copytree(OLD / "load", root)
    return run, ("this is a load run of its own", "there is no recommended setting", "HEADROOM_BASELINE")


MADE: tuple[Maker, ...] = (
    no_recommendation,
    one_block,
    engine_without_metrics,
    interrupted,
    load_run_of_its_own,
)
