"""A quantile as a histogram of a few buckets knows it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BucketQuantile:
    """A quantile as a histogram knows it: interpolated, and the bucket that holds it. Seconds; None where the
    bucket is empty."""

    value: float | None
    bucket_low: float | None
    bucket_high: float | None


def bucket_quantile(cumulative: list[tuple[float, float]], q: float) -> BucketQuantile:
    """Quantile `q` of a cumulative histogram [(upper bound, count up to it)], interpolated as Prometheus
    does."""
    total = cumulative[-1][1] if cumulative else 0.0
    if total <= 0:
        return BucketQuantile(None, None, None)
    rank = q * total
    low, below = 0.0, 0.0
    for bound, count in cumulative:
        if count >= rank and count > below:
            if math.isinf(bound):
                return BucketQuantile(None, low, None)
            return BucketQuantile(low + (bound - low) * (rank - below) / (count - below), low, bound)
        low, below = bound, count
    return BucketQuantile(None, low, None)
