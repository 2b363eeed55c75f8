"""Did the backlog grow through a window?"""

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]
BATCHES = 8


def backlog_drift(backlog: Floats) -> float | None:
    """One-sided p-value that the backlog grew: a t test on the slope over eight batch means; None below
    sixteen samples.

    Batch means take out the autocorrelation of a queue's length, which would make single samples look like
    evidence.
    """
    if backlog.size < 2 * BATCHES:
        return None
    means = np.array([batch.mean() for batch in np.array_split(backlog, BATCHES)])
    if np.ptp(means) == 0:
        return 1.0
    fit = scipy.stats.linregress(np.arange(BATCHES), means, alternative="greater")
    return float(fit.pvalue)
