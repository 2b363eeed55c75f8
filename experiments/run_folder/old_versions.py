"""What documents of earlier versions lack, filled in before they are read. Format 1 has only ever grown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.spec.setting import FIRST_LIMITS


def upgraded_run(document: Mapping[str, Any]) -> dict[str, Any]:
    """run.json as it is written today."""
    run = dict(document)
    for name in ("probe", "own_probe"):
        run[name] = _upgraded_probe(run.get(name))
    probes = run.get("probes")
    if isinstance(probes, Mapping):
        run["probes"] = {name: _upgraded_probe(probe) for name, probe in probes.items()}
    if isinstance(run.get("engine"), Mapping):
        run["engine"] = {"facts": {}, **run["engine"]}
    provenance = run.get("provenance")
    if isinstance(provenance, Mapping) and isinstance(provenance.get("load"), Mapping):
        versions = dict(provenance["load"])  # of a load run of its own
        run["provenance"] = {"python": versions.pop("python", None), "packages": versions}
    if isinstance(run.get("cells"), list):
        run["cells"] = [_upgraded_planned(cell) for cell in run["cells"]]
    return run


def upgraded_summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """summary.json as it is written today. One of a load run of its own held a part of a setting."""
    summary = {"sentinel": False, **document}
    setting = summary.get("setting")
    if isinstance(setting, Mapping) and any(name not in setting for name in FIRST_LIMITS):
        summary["setting"] = None
        summary["limits_seen"] = setting or None
    if isinstance(summary.get("workload"), Mapping):
        summary["workload"] = _upgraded_workload(summary["workload"])
    return summary


def _upgraded_probe(probe: Any) -> Any:
    """The first version did not look at the TTFT at capacity."""
    if not isinstance(probe, Mapping):
        return probe
    return {"ttft_at_capacity_s": probe.get("ttft_s"), **probe}


def _upgraded_planned(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell
    setting = cell.get("setting")
    whole = isinstance(setting, Mapping) and all(name in setting for name in FIRST_LIMITS)
    workload = cell.get("workload")
    workload = _upgraded_workload(workload) if isinstance(workload, Mapping) else workload
    return {**cell, "setting": setting if whole else None, "workload": workload}


def _upgraded_workload(workload: Mapping[str, Any]) -> dict[str, Any]:
    return {"block": 0, **workload}
