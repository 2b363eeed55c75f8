"""Offered, admitted and rejected requests per second, counted from the records.

The gateway's own counter grows when a request ends, so its rate lags by a request's life; the records know
when each request was due, given a slot, or refused.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from loadtests.outcome import Outcome


def per_second(records: pd.DataFrame) -> pd.DataFrame:
    """Counts in bins of one second from t = 0, every phase: t_s (the bin's middle), metric, value.

    Metrics: offered_per_s at the due time, admitted_per_s when a slot was given, rejected_per_s and
    queue_timeout_per_s when the answer came. Empty for no records.
    """
    if not len(records):
        return pd.DataFrame({"t_s": [], "metric": [], "value": []})
    refused = records["outcome"].isin([outcome.value for outcome in Outcome if outcome.rejected])
    expired = records["outcome"] == Outcome.QUEUE_TIMEOUT.value
    times = {
        "offered_per_s": records["due_s"],
        "admitted_per_s": (records["sent_s"] + records["queue_s"]).where(records["upstream_s"].notna()),
        "rejected_per_s": records["finished_s"].where(refused),
        "queue_timeout_per_s": records["finished_s"].where(expired),
    }
    last = np.nanmax([float(series.max()) for series in times.values() if series.notna().any()])
    edges = np.arange(0.0, np.ceil(last) + 1.0)
    parts = []
    for metric, series in times.items():
        counts = np.histogram(series.dropna(), bins=edges)[0]
        if counts.any():
            parts.append(
                pd.DataFrame({"t_s": edges[:-1] + 0.5, "metric": metric, "value": counts.astype(float)})
            )
    return pd.concat(parts, ignore_index=True)
