"""Run folders whose cells were served by the simulated truth: what compare, gate and recommend read."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.design.probe import Probe
from experiments.run_folder import codec
from experiments.run_folder.cell_summary import MeasuredWindow, Workload
from experiments.run_folder.engine_state import EngineState
from experiments.run_folder.provenance import Cpu, Provenance
from experiments.run_folder.run_state import RunState
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from gateway.limits import Limits
from tests.experiments import plain
from tests.experiments.stats.simulated_truth import Arrivals, Machine, Seen, poisson, serve

MACHINE = Machine(alpha_s=0.02, beta_s=0.002, tokens=25.0)
WARM_UP_S = 5.0
SLO = "ttft<=0.5s,tpot<=45ms,attainment>=0.95"
SETTINGS = tuple(Setting(Limits(max_active=n, queue_max=16, queue_timeout_s=0.5)) for n in (4, 10))
PROBE = Probe(
    ttft_s=0.05,
    tpot_s=0.022,
    e2e_s=0.6,
    capacity_per_s=10.0,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.1,
    steps=(),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the run is made of. `speed` is the machine's; `run_sd` what two runs of one cell differ by; the
    traces come from `trace_seed`, the run's own luck from `run_seed`."""

    blocks: int = 3
    measure_s: float = 60.0
    loads: tuple[float, ...] = (6.0, 14.0)
    settings: tuple[Setting, ...] = SETTINGS
    speed: float = 1.0
    run_sd: float = 0.01
    trace_seed: int = 1
    run_seed: int = 1
    label: str = "EMULATOR (simulated truth)"


def write(root: Path, recipe: Recipe) -> Path:
    """Write the run below `root` and return it."""
    rng = np.random.default_rng([recipe.run_seed, 99])
    for block in range(recipe.blocks):
        for rate in recipe.loads:
            trace = poisson(
                np.random.default_rng([recipe.trace_seed, block, int(rate * 100)]),
                rate, WARM_UP_S + recipe.measure_s, MACHINE, shape=4.0,
            )  # fmt: skip
            for setting in recipe.settings:
                speed = recipe.speed * float(rng.lognormal(0.0, recipe.run_sd))
                _cell(root, recipe, setting, rate, block, trace, speed)
    codec.write(root / "run.json", _run(root.name, recipe))
    return root


def served(trace: Arrivals, setting: Setting, speed: float) -> Seen:
    """The trace through the gateway's admission core in this setting."""
    return serve(trace, setting.limits, MACHINE, speed)


def _cell(
    root: Path, recipe: Recipe, setting: Setting, rate: float, block: int, trace: Arrivals, speed: float
) -> None:
    name = f"{setting.name}--sustained-{rate:g}--b{block}"
    folder = root / "cells" / name
    folder.mkdir(parents=True)
    seen = served(trace, setting, speed)
    pq.write_table(pa.Table.from_pylist(_records(seen)), folder / "records.parquet")
    hashed = hashlib.sha256(trace.due_s.tobytes() + trace.tokens.tobytes()).hexdigest()
    offered = Workload(
        load=f"sustained@{rate:g}", scenario="sustained", workload=None, rate_per_s=rate, relative_load=None,
        block=block, plan_hash=hashed, prompt_tokens=64, output_tokens=25,
    )  # fmt: skip
    window = MeasuredWindow(WARM_UP_S, WARM_UP_S + recipe.measure_s, WARM_UP_S, 1_000.0)
    codec.write(folder / "summary.json", plain.summary(name, setting, offered, window))


def _records(seen: Seen) -> list[dict[str, Any]]:
    rows = []
    for i, due in enumerate(seen.due_s.tolist()):
        shed = bool(seen.shed[i])
        first, end = (None, due) if shed else (float(seen.first_s[i]), float(seen.end_s[i]))
        rows.append(
            {
                "i": i, "request_id": f"r{i}", "phase": "warm_up" if due < WARM_UP_S else "measure",
                "class": "default", "session": -1, "due_s": due, "sent_s": due, "first_s": first,
                "last_s": None if shed else end, "finished_s": end,
                "queue_s": None if shed else float(seen.granted_s[i]) - due,
                "outcome": "rejected_full" if shed else "ok", "output_tokens": None if shed else
                max(2, round(float(seen.tokens[i]))), "attempts": 1,
            }
        )  # fmt: skip
    return rows


def _run(name: str, recipe: Recipe) -> RunState:
    """Run and commit have the folder's name, and so has the engine's port: another in every run."""
    facts = EngineFacts(command=("emulator", "--port", name), cpus=(0,))
    return replace(
        plain.state(name),
        engine=EngineState("emulator", recipe.label, "tiny", "http://127.0.0.1:1", facts),
        slo=plain.objective(SLO),
        probe=PROBE,
        provenance=Provenance(commit=name, cpu=Cpu("x", 2, 2)),
    )


def changed(recipe: Recipe, **values: Any) -> Recipe:
    """The recipe with values put in."""
    return replace(recipe, **values)
