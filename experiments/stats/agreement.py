"""Do the records and the gateway's histograms tell the same quantile, as far as a bucket can tell?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.stats.bucket_quantile import BucketQuantile
from loadtests.recording.quantiles import of_sorted, rank

# The client's clock stops a little later than the gateway's: loopback, wake-up, parsing.
_SLACK_S = 0.002


@dataclass(frozen=True, slots=True)
class Agreement:
    """One quantile from two sources, in seconds. Agrees when the records' value is within one bucket of
    Prometheus's."""

    metric: str
    quantile: float
    records: float | None
    prometheus: float | None
    bucket_low: float | None
    bucket_high: float | None
    agrees: bool


def compare(
    metric: str,
    q: float,
    values_s: npt.NDArray[np.float64],
    histogram: BucketQuantile,
    doubtful: int = 0,
) -> Agreement:
    """Compare quantile `q` of the records' `values_s` (any order, may be empty) with a histogram's.

    One bucket of difference on either side is what the
    histogram cannot see; the records' quantile is taken as the smallest value with at least `q` of the values
    at or below it, as the histogram's rank is. `doubtful` requests may be counted on one side only: so many
    ranks up or down are no disagreement.
    """
    value, low, high = histogram.value, histogram.bucket_low, histogram.bucket_high
    ranked: list[float] = np.sort(values_s).tolist()
    records = of_sorted(ranked, q)
    if records is None or value is None or low is None or high is None:
        return Agreement(metric, q, records, value, low, high, records is None or low is None)
    width = high - low
    least, most = _around(ranked, q, doubtful)
    agrees = low - width - _SLACK_S <= most and least <= high + width + _SLACK_S
    return Agreement(metric, q, records, value, low, high, agrees)


def _around(ranked: list[float], q: float, ranks: int) -> tuple[float, float]:
    """The values so many ranks below and above quantile `q`."""
    place = rank(len(ranked), q)
    return ranked[max(0, place - ranks)], ranked[min(len(ranked) - 1, place + ranks)]
