"""Write a synthetic run folder in the shape a sweep leaves behind, for the tests of the report.

The numbers come from a small first-come-first-served simulation (slots, bounded queue, queue timeout, a
service time that grows with the number of active requests), so that knees, rejections and timeouts look
like real ones. Everything is seeded. Nothing here is measured: the engine label says so.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

SLO = {"text": "ttft<=0.5s,tpot<=60ms,attainment>=0.95", "ttft_s": 0.5, "tpot_s": 0.06, "e2e_s": None}
LABEL = "EMULATOR (synthetic numbers for the report's own tests)"
MIN_N = {"p50": (0.5, 6), "p95": (0.95, 59), "p99": (0.99, 299)}
NAMES = ("ttft_s", "ttft_from_send_s", "tpot_s", "e2e_s", "queue_s", "upstream_s", "send_lag_s")


@dataclass(frozen=True, slots=True)
class Load:
    """One offered load: requests per second, and that as a share of the probed capacity."""

    rate_per_s: float
    relative: float
    scenario: str = "sustained"


def setting(max_active: int, mode: str, queue_max: int, timeout_s: float) -> dict[str, Any]:
    """One gateway setting as a summary holds it."""
    return {
        "max_active": max_active,
        "queue_mode": mode,
        "queue_max": queue_max,
        "queue_timeout_s": timeout_s,
        "queue_order": "fifo",
        "request_timeout_s": 300.0,
    }


SETTINGS = tuple(
    setting(active, mode, queue, timeout)
    for active in (4, 8, 16)
    for mode, queue, timeout in (("queue", 8, 0.4), ("reject", 0, 0.4))
)
LOADS = (Load(9.0, 0.7), Load(16.0, 1.25))


def _serve(arrivals: np.ndarray, how: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    """Serve arrivals first come, first served; one row per request, times in seconds from t = 0."""
    free = [0.0] * how["max_active"]
    waiting: deque[float] = deque()
    running: list[float] = []
    limit = how["queue_max"] if how["queue_mode"] == "queue" else 0
    rows: list[tuple[Any, ...]] = []
    for due in arrivals:
        while waiting and waiting[0] <= due:
            waiting.popleft()
        while running and running[0] <= due:
            heapq.heappop(running)
        sent = due + abs(rng.normal(0.0006, 0.0004))
        start = max(sent, free[0])
        nan = float("nan")
        if start > sent and len(waiting) >= limit:
            outcome = "rejected_full" if how["queue_mode"] == "queue" else "rejected_mode"
            rows.append((due, sent, sent + 0.002, nan, nan, sent + 0.002, outcome, 429, 0.0, nan, 0))
            continue
        if start - sent > how["queue_timeout_s"]:
            end = sent + how["queue_timeout_s"]
            waiting.append(end)
            rows.append((due, sent, end, nan, nan, end, "queue_timeout", 503, end - sent, nan, 0))
            continue
        if start > sent:
            waiting.append(start)
        batch = min(len(running) + 1, how["max_active"])
        tokens = int(rng.integers(20, 29))
        headers = start + 0.004 + abs(rng.normal(0, 0.002))
        first = headers + 0.03 + 0.006 * batch + rng.exponential(0.006)
        last = first + (tokens - 1) * (0.016 + 0.0022 * batch) * rng.lognormal(0, 0.05)
        finished = last + 0.001
        heapq.heapreplace(free, finished)
        heapq.heappush(running, finished)
        rows.append(
            (due, sent, headers, first, last, finished, "ok", 200, start - sent, headers - start, tokens)
        )
    columns = (
        "due_s sent_s headers_s first_s last_s finished_s outcome status queue_s upstream_s output_tokens"
    )
    return pd.DataFrame(rows, columns=columns.split())


def records(how: dict[str, Any], load: Load, seed: int, warm_up_s: float, measure_s: float) -> pd.DataFrame:
    """The records of one cell, in the columns of records.parquet."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(
        rng.exponential(1 / load.rate_per_s, int(load.rate_per_s * (warm_up_s + measure_s) * 1.5))
    )
    frame = _serve(arrivals[arrivals < warm_up_s + measure_s], how, rng)
    n = len(frame)
    frame.insert(0, "i", np.arange(n))
    frame["request_id"] = [f"r{seed}-{i}" for i in range(n)]
    frame["phase"] = np.where(frame.due_s < warm_up_s, "warm_up", "measure")
    frame["class"] = "default"
    frame["session"] = None
    gaps = (frame.last_s - frame.first_s) / (frame.output_tokens - 1).clip(lower=1)
    frame["chunk_times_s"] = [
        (first + gap * np.arange(tokens)).tolist() if tokens else []
        for first, gap, tokens in zip(frame.first_s, gaps, frame.output_tokens, strict=True)
    ]
    frame["chunk_tokens"] = None
    frame["error"] = None
    frame["finish_reason"] = np.where(frame.outcome == "ok", "length", None)
    frame["prompt_tokens"] = 64
    frame["limits_version"] = seed
    frame["retry_after_s"] = np.where(frame.outcome == "ok", np.nan, 1.0)
    frame["attempts"] = 1
    return frame


def _derived(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    out["ttft_s"] = out.first_s - out.due_s
    out["ttft_from_send_s"] = out.first_s - out.sent_s
    out["tpot_s"] = (out.last_s - out.first_s) / (out.output_tokens - 1).where(out.output_tokens > 1)
    out["e2e_s"] = (out.finished_s - out.due_s).where(out.outcome == "ok")
    out["send_lag_s"] = out.sent_s - out.due_s
    return out


def quantiles(values: np.ndarray) -> dict[str, Any]:
    """Order-statistic quantiles with 95 % intervals, null below the smallest n that allows one."""
    values = np.sort(values[np.isfinite(values)])
    n = len(values)
    out: dict[str, Any] = {"n": n, "mean": float(values.mean()) if n else None}
    for name, (p, least) in MIN_N.items():
        if n < least:
            out[name] = {"value": None, "low": None, "high": None, "why": f"n too small: {n} of {least}"}
            continue
        low, high = int(stats.binom.ppf(0.025, n, p)), int(stats.binom.ppf(0.975, n, p))
        at = (max(low - 1, 0), int(np.ceil(p * n)) - 1, min(high, n - 1))
        out[name] = dict(zip(("low", "value", "high"), (float(values[i]) for i in at), strict=True))
    return out


def _series(frame: pd.DataFrame, how: dict[str, Any], end_s: float) -> pd.DataFrame:
    """Sampled once a second, long form."""
    t = np.arange(0.0, end_s, 1.0)

    def inside(start: pd.Series, stop: pd.Series) -> np.ndarray:
        ok = start.notna() & stop.notna()
        left, right = np.sort(start[ok].to_numpy()), np.sort(stop[ok].to_numpy())
        return np.searchsorted(left, t, "right") - np.searchsorted(right, t, "right")

    def rate(times: pd.Series) -> np.ndarray:
        return np.histogram(times, bins=np.append(t, end_s))[0].astype(float)

    dispatched = (frame.sent_s + frame.queue_s).where(frame.outcome == "ok")
    active = inside(dispatched, frame.finished_s.where(frame.outcome == "ok"))
    refused = frame.outcome.str.startswith("rejected")
    metrics = {
        "gateway_active": active,
        "gateway_active_limit": np.full(len(t), how["max_active"]),
        "gateway_queue_depth": inside(frame.sent_s, (frame.sent_s + frame.queue_s).where(frame.queue_s > 0)),
        "gateway_queue_limit": np.full(len(t), how["queue_max"] if how["queue_mode"] == "queue" else 0),
        "engine_running": np.minimum(active, 16),
        "engine_waiting": np.maximum(active - 16, 0),
        "engine_kv_use_ratio": active * 0.021,
        "offered_per_s": rate(frame.due_s),
        "admitted_per_s": rate(dispatched.dropna()),
        "rejected_per_s": rate(frame.sent_s[refused]),
    }
    parts = [
        pd.DataFrame({"t_s": t, "metric": name, "value": np.asarray(values, dtype=float)})
        for name, values in metrics.items()
    ]
    parts[2]["value"] = parts[2]["value"].clip(lower=0)
    return pd.concat(parts, ignore_index=True)


def _prometheus(latency: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What fine-bucket histograms would say: the bucket of ratio 1.1 around the records' value."""
    prom: dict[str, Any] = {}
    agreement: list[dict[str, Any]] = []
    for name, source in (
        ("ttft_from_send_s", "ttft_from_send_s"),
        ("e2e_from_send_s", "e2e_s"),
        ("queue_s", "queue_s"),
    ):
        prom[name] = {}
        for q in ("p50", "p95"):
            value = latency[source][q]["value"]
            if not value:
                continue
            step = np.floor(np.log(value / 0.001) / np.log(1.1))
            low, high = 0.001 * 1.1**step, 0.001 * 1.1 ** (step + 1)
            seen = (low + high) / 2
            prom[name][q] = {"value": seen, "bucket_low": low, "bucket_high": high}
            row = {"metric": name, "quantile": q, "records": value, "prometheus": seen}
            agreement.append(row | {"bucket_low": low, "bucket_high": high, "agrees": True})
    return prom, agreement


def _counts(frame: pd.DataFrame, slo: dict[str, Any]) -> dict[str, Any]:
    ok = frame.outcome == "ok"
    good = ok & (frame.ttft_s <= slo["ttft_s"]) & ~(frame.tpot_s > slo["tpot_s"])
    return {
        "offered": len(frame),
        "outcomes": {str(k): int(v) for k, v in frame.outcome.value_counts().items()},
        "served_in_slo": int(good.sum()),
        "served_late": int((ok & ~good).sum()),
    }


def summary(
    cell: str, how: dict[str, Any], load: Load, frame: pd.DataFrame, window: tuple[float, float], seed: int
) -> dict[str, Any]:
    """summary.json of one cell."""
    warm_up_s, end_s = window
    measured = _derived(frame[frame.phase == "measure"])
    counts = _counts(measured, SLO)
    span = end_s - warm_up_s
    latency = {name: quantiles(measured[name].to_numpy(dtype=float)) for name in NAMES}
    prom, agreement = _prometheus(latency)
    refused = sum(v for k, v in counts["outcomes"].items() if k.startswith("rejected"))
    ok = counts["outcomes"].get("ok", 0)
    busy = min(
        1.0,
        float((measured.finished_s - measured.sent_s - measured.queue_s).sum() / span / how["max_active"]),
    )
    saturated = refused + counts["outcomes"].get("queue_timeout", 0) > 0.01 * counts["offered"]
    late = counts["outcomes"].get("queue_timeout", 0)
    return {
        "schema_version": 1,
        "cell": cell,
        "setting": how,
        "workload": {
            "load": f"{load.scenario}@{load.relative:g}x",
            "scenario": load.scenario,
            "rate_per_s": load.rate_per_s,
            "relative_load": load.relative,
            "block": 0,
            "seed": seed,
            "plan_hash": hashlib.sha256(f"{load}".encode()).hexdigest(),
            "prompt_tokens": 64,
            "output_tokens": 24,
        },
        "window": {
            "start_s": warm_up_s,
            "end_s": end_s,
            "started_unix_s": 1.8e9 + seed,
            "warm_up_s": warm_up_s,
        },
        "counts": counts,
        "rates": {
            "offered_per_s": counts["offered"] / span,
            "achieved_per_s": ok / span,
            "goodput_per_s": counts["served_in_slo"] / span,
            "output_tokens_per_s": float(measured.output_tokens.sum() / span),
        },
        "attainment": counts["served_in_slo"] / counts["offered"] if counts["offered"] else None,
        "latency": latency,
        "prometheus": prom,
        "agreement": agreement,
        "ledger": [
            {
                "what": "arrivals",
                "client": len(frame),
                "gateway": len(frame),
                "agrees": True,
                "explanation": "",
            },
            {"what": "rejected", "client": refused, "gateway": refused, "agrees": True, "explanation": ""},
            {"what": "queue_timeout", "client": late, "gateway": late, "agrees": True, "explanation": ""},
            {
                "what": "ok",
                "client": ok,
                "gateway": ok + 1,
                "agrees": False,
                "explanation": "one answer ended after the window's last reading",
            },
        ],
        "saturation": {
            "verdict": "saturated" if saturated else "stable",
            "binding": "slots" if saturated else None,
            "slots_busy_ratio": busy,
            "queue_mean": float(measured.queue_s.sum() / span),
            "queue_full_ratio": 0.3 if saturated else 0.0,
            "engine_running_mean": busy * how["max_active"],
            "engine_waiting_mean": 0.0,
            "kv_use_max": 0.02 * how["max_active"],
            "rejected_ratio": refused / counts["offered"] if counts["offered"] else None,
        },
        "doubts": [],
        "engine": {"label": LABEL},
    }


def _interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value * 0.95, "high": value * 1.04}


def _recommendation(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    top = max(s["workload"]["rate_per_s"] for s in summaries)
    ranked = sorted(
        (s for s in summaries if s["workload"]["rate_per_s"] == top),
        key=lambda s: -s["rates"]["goodput_per_s"],
    )
    best = ranked[0]
    goodput = best["rates"]["goodput_per_s"]
    same = [s for s in summaries if s["setting"] == best["setting"]]
    return {
        "schema_version": 1,
        "setting": best["setting"],
        "cell_ids": [s["cell"] for s in same],
        "engine": LABEL,
        "goodput_per_s": _interval(goodput),
        "attainment": same[0]["attainment"],
        "slo": SLO["text"],
        "loads": [
            {
                "load": s["workload"]["load"],
                "rate_per_s": s["workload"]["rate_per_s"],
                "goodput_per_s": _interval(s["rates"]["goodput_per_s"]),
                "attainment": s["attainment"],
            }
            for s in same
        ],
        "why": "It has the least worst-case loss of goodput over the measured loads.",
        "neighbours": [
            {
                "setting": s["setting"],
                "goodput_per_s": _interval(s["rates"]["goodput_per_s"]),
                "why_not": f"{goodput - s['rates']['goodput_per_s']:.2f} good requests/s fewer at {top:g}/s",
            }
            for s in ranked[1:4]
        ],
        "inseparable": [ranked[1]["setting"]] if len(ranked) > 1 else [],
        "doubts": [
            "fewer than three arrival traces: the intervals do not hold what another trace would change"
        ],
        "env": {
            name.upper(): f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in best["setting"].items()
        },
    }


def _run_json(name: str, cells: list[dict[str, Any]], status: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "name": name,
        "created_utc": "2026-01-02T03:04:05Z",
        "command": ["python", "-m", "experiments.sweep", "--engine", "emulator", "--out", f"runs/{name}"],
        "spec": {"max_active": [2, 4, 8], "queue_mode": ["queue", "reject"]},
        "spec_digest": hashlib.sha256(name.encode()).hexdigest(),
        "engine": {
            "provider": "emulator",
            "label": LABEL,
            "model": "tiny-test",
            "url": "http://127.0.0.1:8000",
            "facts": {"max_num_seqs": 16, "version": "0.0"},
        },
        "slo": SLO | {"attainment": 0.95, "scaled_from": None},
        "probe": {"capacity_per_s": 12.8, "service_s": 0.6, "e2e_p50_s": 0.62},
        "provenance": {
            "git": {"commit": "0123456789abcdef", "dirty": False},
            "host": {"cpus": 2, "memory_gb": 24, "os": "Debian GNU/Linux 12"},
            "packages": {"locust": "2.47.0", "numpy": "2.4.6"},
            "cpus": {"engine": [0], "harness": [1]},
        },
        "anchor": {"unix_s": 1.8e9, "monotonic_s": 100.0},
        "cells": cells,
        "status": status,
    }


def write_json(path: Path, value: Any) -> None:
    """One JSON file, its folder made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_run(
    root: Path,
    *,
    settings: tuple[dict[str, Any], ...] = SETTINGS,
    loads: tuple[Load, ...] = LOADS,
    warm_up_s: float = 5.0,
    measure_s: float = 30.0,
    status: str = "complete",
) -> Path:
    """Write a whole run folder below `root` and return it."""
    summaries: list[dict[str, Any]] = []
    declared: list[dict[str, Any]] = []
    grid = [(seed, how, load) for seed, load in enumerate(loads) for how in settings]
    for seed, how, load in grid:
        queue = f"q{how['queue_max']}" if how["queue_mode"] == "queue" else "reject"
        cell = (
            f"a{how['max_active']}-{queue}-t{how['queue_timeout_s']:g}-{load.scenario}-"
            f"r{load.rate_per_s:g}-b0"
        )
        frame = records(how, load, seed, warm_up_s, measure_s)
        end_s = warm_up_s + measure_s
        found = summary(cell, how, load, frame, (warm_up_s, end_s), seed)
        folder = root / "cells" / cell
        write_json(folder / "summary.json", found)
        write_json(folder / "cell.json", {"id": cell, "setting": how, "workload": found["workload"]})
        write_json(
            folder / "load.json", {"send_lag": {"p50": 6e-4, "p99": 2e-3, "max": 4e-3}, "complete": True}
        )
        frame.to_parquet(folder / "records.parquet")
        _series(frame, how, end_s + 3).to_parquet(folder / "series.parquet")
        summaries.append(found)
        declared.append({"id": cell, "setting": how, "workload": found["workload"]})
    write_json(root / "run.json", _run_json(root.name, declared, status))
    write_json(root / "recommendation.json", _recommendation(summaries))
    (root / "journal.jsonl").write_text("")
    return root
