"""Points over the offered rate: what came out of each setting under each load, repeats taken together."""

from __future__ import annotations

import pandas as pd

from reports.common_blocks import mean_by_setting

LATENCIES = ("ttft_s", "e2e_s")
MEASURED = (
    "cell",
    "setting",
    "workload",
    "scenario",
    "block",
    "plan_hash",
    "rate_per_s",
    "offered_per_s",
    "goodput_per_s",
    "goodput_per_s_low",
    "goodput_per_s_high",
    "attainment",
)


def curves(cells: pd.DataFrame, latency: pd.DataFrame) -> pd.DataFrame:
    """The points of the curves, a row per cell that is not stamped invalid.

    goodput_per_s, ttft_s and e2e_s (both p95) each have NAME_low and NAME_high beside them; nan where
    unknown.
    """
    usable = cells[~cells["validity"].isin(["invalid", "missing"]) & cells["offered_per_s"].notna()]
    ends = {"goodput_low_per_s": "goodput_per_s_low", "goodput_high_per_s": "goodput_per_s_high"}
    out = usable.rename(columns=ends)[list(MEASURED)].copy()
    for metric in LATENCIES:
        p95 = latency[(latency["metric"] == metric) & (latency["quantile"] == "p95")].set_index("cell")
        for column, end in ((metric, "value_s"), (f"{metric}_low", "low_s"), (f"{metric}_high", "high_s")):
            out[column] = out["cell"].map(p95[end]).astype(float)
    order = ["setting", "workload", "scenario", "block", "offered_per_s"]
    return out.sort_values(order, kind="stable").reset_index(drop=True)


def pooled(curves: pd.DataFrame) -> pd.DataFrame:
    """One point for each setting and load: over its blocks the mean of the rates, brought to the same
    arrivals where settings have different blocks, the worst of the p95s (quantiles are never averaged), the
    outermost ends of their intervals. Attainment is over all offered requests.
    """
    weighed = curves.assign(_good=curves["attainment"] * curves["offered_per_s"])
    how = dict.fromkeys(("offered_per_s", "goodput_per_s", "_good"), "mean")
    how |= dict.fromkeys(LATENCIES, "max")
    for name in ("goodput_per_s", *LATENCIES):
        how |= {f"{name}_low": "min", f"{name}_high": "max"}
    by = ["setting", "workload", "scenario", "rate_per_s"]
    points = weighed.groupby(by, sort=False, dropna=False).agg(how).reset_index()
    points = points.assign(attainment=points["_good"] / points["offered_per_s"]).drop(columns="_good")
    for name in ("offered_per_s", "goodput_per_s"):
        means = {
            load: mean_by_setting(of, name) for load, of in weighed.groupby(by[1:], sort=False, dropna=False)
        }
        loads = points[by[1:]].itertuples(index=False, name=None)
        rows = zip(loads, points["setting"], points[name], strict=True)
        brought = [means.get(load, {}).get(setting, plain) for load, setting, plain in rows]
        if name == "goodput_per_s":
            shift = pd.Series(brought, index=points.index) - points[name]
            points = points.assign(
                **{f"{name}_{end}": points[f"{name}_{end}"] + shift for end in ("low", "high")}
            )
        points[name] = brought
    return points


def base_scenario(curves: pd.DataFrame) -> str:
    """The scenario whose points are filled: `sustained` where there is one, else the first by name."""
    names = sorted(curves["scenario"].unique())
    return "sustained" if "sustained" in names or not names else str(names[0])
