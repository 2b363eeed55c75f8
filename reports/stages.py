"""Where the time went: each served request's E2E cut into stages that add up to it."""

from __future__ import annotations

import numpy as np
import pandas as pd

# column → (name, meaning), in the order a request lives them
STAGES = {
    "send_lag_s": ("send lag", "due → sent: the load generator's own delay"),
    "queue_s": ("gateway queue", "waiting for a slot, as the gateway says in Server-Timing"),
    "first_token_s": (
        "to first token",
        "slot given → first content: engine queue, prefill, gateway and network",
    ),
    "decode_s": ("decode", "first → last content chunk"),
    "end_s": ("end of stream", "last content chunk → last byte"),
}


def split(records: pd.DataFrame) -> pd.DataFrame:
    """Served records → one row each: e2e_s and the columns of STAGES, seconds, which add up to e2e_s.

    Where the gateway did not say how long it queued, that wait is part of `first_token_s`.
    """
    served = records[records["outcome"] == "ok"]
    out = pd.DataFrame({"e2e_s": served["finished_s"] - served["due_s"]})
    out["send_lag_s"] = served["sent_s"] - served["due_s"]
    out["queue_s"] = served["queue_s"].fillna(0.0)
    out["first_token_s"] = served["first_s"] - served["sent_s"] - out["queue_s"]
    out["decode_s"] = served["last_s"] - served["first_s"]
    out["end_s"] = served["finished_s"] - served["last_s"]
    return out.dropna()


def at_quantiles(records: pd.DataFrame, quantiles: tuple[float, ...] = (0.5, 0.95)) -> pd.DataFrame:
    """Mean stages of the requests whose E2E ranks next to each quantile: quantile, n, e2e_s and the columns
    of STAGES.

    Next to: the 2.5 % of served requests on either side, at least five requests in all (all of them if
    there are fewer).
    """
    parts = split(records).sort_values("e2e_s", kind="stable")
    n = len(parts)
    rows = []
    for q in quantiles if n else ():
        half = max(0.025 * n, 2.5)
        low = int(np.clip(round(q * n - half), 0, max(0, n - 5)))
        near = parts.iloc[low : max(low + 5, round(q * n + half))]
        rows.append({"quantile": q, "n": len(near)} | near.mean().to_dict())
    return pd.DataFrame(rows, columns=["quantile", "n", "e2e_s", *STAGES])
