"""A load run of its own, in the layout of a sweep's run folder, so that `python -m reports` can show it.

runs/<name>/run.json and runs/<name>/cells/load/{plan.json, records.jsonl, load.json, summary.json}
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from loadtests.planning.plan import Plan
from loadtests.recording import scrape
from loadtests.settings import Settings

CELL = "load"


def new_folder(base: Path, plan: Plan) -> Path:
    """The cell folder of a new run, <base>/load-<UTC stamp>-<scenario>[-number]/cells/load; it does not
    exist."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = f"load-{stamp}-{plan.header.scenario}"
    number = 1
    while (base / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return base / (name if number == 1 else f"{name}-{number}") / "cells" / CELL


def write(cell: Path, plan: Plan, settings: Settings, load: Mapping[str, Any]) -> None:
    """Write run.json and the cell's summary.json beside what the run wrote itself."""
    engine = {
        "provider": "external",
        "label": f"{settings.model} at {settings.host}",
        "model": settings.model,
        "url": settings.host,
    }
    setting = _limits(settings.gateway_metrics)
    summary = _summary(plan, setting, engine, load)
    run = {
        "schema_version": 1,
        "name": cell.parent.parent.name,
        "created_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(load["started_unix_s"])),
        "command": [],
        "spec": {},
        "engine": engine,
        "slo": {"text": str(settings.slo), **asdict(settings.slo), "scaled_from": None},
        "probe": None,
        "provenance": {"load": load["versions"]},
        "anchor": {"unix_s": load["started_unix_s"], "monotonic_s": load["started_monotonic_s"]},
        "cells": [{"id": CELL, "setting": setting, "workload": summary["workload"]}],
        "status": "complete" if load["complete"] else "partial",
    }
    (cell / "summary.json").write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    (cell.parent.parent / "run.json").write_bytes(orjson.dumps(run, option=orjson.OPT_INDENT_2))


def _limits(gateway_metrics: str) -> dict[str, Any]:
    """The limits in force at the end, as the gateway's metrics tell them; {} against a bare engine."""
    found = {name: int(value) for name, value in scrape.read(gateway_metrics, scrape.LIMITS).items()}
    if not found:
        return {}
    return {**found, "queue_mode": "queue" if found.get("queue_max") else "reject"}


def _summary(
    plan: Plan, setting: Mapping[str, Any], engine: Mapping[str, str], load: Mapping[str, Any]
) -> dict[str, Any]:
    header = plan.header
    start_s, end_s = plan.phase_s("measure")
    return {
        "schema_version": 1,
        "cell": CELL,
        "setting": setting,
        "workload": {
            "scenario": header.scenario,
            "rate_per_s": header.rate_per_s,
            "relative_load": None,
            "block": 0,
            "seed": header.seed,
            "plan_hash": plan.hash,
            "prompt_tokens": header.params.get("prompt_tokens"),
            "output_tokens": header.params.get("output_tokens"),
        },
        "window": {
            "start_s": start_s,
            "end_s": end_s,
            "started_unix_s": load["started_unix_s"],
            "warm_up_s": header.warm_up_s,
        },
        **load["summary"],
        "doubts": _doubts(load),
        "engine": {"label": engine["label"]},
    }


def _doubts(load: Mapping[str, Any]) -> list[dict[str, str]]:
    found = [("client_saturated", text) for text in load["reasons"]]
    if not load["complete"]:
        found.append(("records_lost", f"{load['rebuilt']} of {load['planned']} records had to be made up"))
    return [{"code": code, "severity": "invalid", "text": text} for code, text in found]
