"""Write a predicted.json beside the cells of a synthetic run, as `experiments.tune` leaves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.reports.synthetic_run import write_json

PLACES = {
    "goodput_per_s": ("rates", "goodput_per_s"),
    "attainment": ("attainment",),
    "ttft_s_p95": ("latency", "ttft_s", "p95"),
    "tpot_s_p95": ("latency", "tpot_s", "p95"),
    "e2e_s_p95": ("latency", "e2e_s", "p95"),
}


def _measured(summary: dict[str, Any], name: str) -> dict[str, float | None]:
    found: Any = summary
    for key in PLACES[name]:
        found = found[key]
    if isinstance(found, dict):
        return {"measured": found["value"], "measured_low": found["low"], "measured_high": found["high"]}
    return {"measured": found, "measured_low": None, "measured_high": None}


def metric(summary: dict[str, Any], name: str, model_error: float, noise: float) -> dict[str, Any]:
    """One foretold measure: off by the model's error and by noise, both signed shares."""
    measured = _measured(summary, name)
    value = measured["measured"]
    if not value:
        return measured | {"predicted": 0.1, "low": 0.05, "high": 0.2, "error": None, "model_error": None,
                           "noise": None, "inside": None, "scored": False}  # fmt: skip
    error = (1 + model_error) * (1 + noise) - 1
    told = value * (1 + error)
    low, high = told * 0.88, told * 1.12
    return measured | {
        "predicted": told,
        "low": low,
        "high": high,
        "error": error,
        "model_error": model_error,
        "noise": noise,
        "inside": low <= value <= high,
        "scored": "latency" not in PLACES[name] or measured["measured_low"] is not None,
    }


def write_prediction(root: Path, **change: Any) -> dict[str, Any]:
    """Write predicted.json for every cell of a run, and return it; `change` replaces parts of it."""
    summaries = [json.loads(path.read_text()) for path in sorted(root.glob("cells/*/summary.json"))]
    rng = np.random.default_rng(5)
    cells = [
        {
            "cell": summary["cell"],
            "setting": summary["setting"],
            "workload": summary["workload"],
            "metrics": {
                name: metric(summary, name, float(rng.normal(0.02, 0.04)), float(rng.normal(0, 0.05)))
                for name in PLACES
            },
        }
        for summary in summaries
    ]
    scored = [one for cell in cells for one in cell["metrics"].values() if one["scored"]]
    settings = {json.dumps(summary["setting"]): summary["setting"] for summary in summaries}
    found = {
        "schema_version": 1,
        "model": {
            "name": "synthetic",
            "source": "eight cells of another run",
            "label": "EMULATOR (synthetic numbers for the report's own tests)",
            "draws": 50,
            "gate": {"passed": True, "why": "held-out p95 within 8 %"},
        },
        "cells": cells,
        "cost": {"engine_s_used": 92.0, "engine_s_grid": 840.0, "ratio": 0.11},
        "coverage": {"level": 0.9, "inside": sum(one["inside"] for one in scored), "of": len(scored)},
        "fallback": None,
        "recalibrated": False,
        "recalibration": None,
        "loads": ["sustained@0.7x", "sustained@1.25x"],
        "matrix": [
            {"setting": setting, "goodput_per_s": [9.0 - at, 13.0 - at], "regret": 0.07 * at}
            for at, setting in enumerate(settings.values())
        ],
    }
    write_json(root / "predicted.json", found | change)
    return found | change
