"""How many independent samples a correlated series is worth.

Requests that arrive together wait together, so n latencies in order of arrival say less about a quantile than
n independent ones. What counts for the q-quantile x_q is the correlation of the *exceedances* 1{X > x_q}: the
variance of their mean is q(1-q)/n_eff. It is estimated twice, and the smaller n_eff is taken:

* from the autocorrelation, n_eff = n / (1 + 2·Σ rho_k), the sum over the initial monotone sequence
  (Geyer 1992, "Practical Markov chain Monte Carlo", section 3.3): good at correlation that is short and
  strong;
* from the means of twelve batches of equal time (Schmeiser 1982, "Batch size effects in the analysis of
  simulation output"; quantiles: Nakayama 2014): good at correlation that is weak and long, as where a slow
  queue hides under the noise of the service. Twelve batches know their own variance badly, so n_eff is cut by
  (z/t)² with eleven degrees of freedom.

A batch variance that independent samples would show once in ten series is no evidence of correlation and is
not used.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]
_BATCHES = 12
_EVIDENCE = 0.90


@dataclass(frozen=True, slots=True)
class EffectiveSize:
    """`n` samples worth `n_eff` (1 ≤ n_eff ≤ n) independent ones."""

    n: int
    n_eff: float

    @property
    def inflation(self) -> float:
        """n / n_eff: how many times the variance of independent samples."""
        return self.n / self.n_eff if self.n else 1.0


def of_exceedances(values: Floats, due_s: Floats, q: float) -> EffectiveSize:
    """Effective size of `values` (n,), in order of arrival at `due_s` (n,) seconds, for their q-quantile."""
    n = len(values)
    if n < 2 * _BATCHES:
        return EffectiveSize(n, float(n))
    return of_indicator(values > np.quantile(values, q, method="inverted_cdf"), due_s)


def of_indicator(indicator: npt.NDArray[np.bool_], due_s: Floats) -> EffectiveSize:
    """Effective size of yes-or-no values (n,), in order of arrival at `due_s` (n,) s, for their share."""
    n, series = len(indicator), indicator.astype(float)
    if n < 2 * _BATCHES:
        return EffectiveSize(n, float(n))
    return EffectiveSize(n, min(of_mean(series), _of_batches(series, due_s)))


def of_mean(series: Floats) -> float:
    """n_eff of the mean of a stationary series (n,), from its autocorrelation; n when it does not vary.

    A short series underestimates its own correlation time T by about the factor 1 - T/n, which is put back.
    """
    n = len(series)
    if n < 4 or np.ptp(series) == 0:
        return float(n)
    time = _correlation_time(_autocorrelation(series))
    time /= max(0.25, 1.0 - time / n)
    return float(min(n, max(1.0, n / time)))


def _of_batches(over: Floats, due_s: Floats) -> float:
    n = len(over)
    edges = np.linspace(due_s[0], due_s[-1], _BATCHES + 1)[1:-1]
    sums = np.bincount(np.searchsorted(edges, due_s), weights=over - over.mean(), minlength=_BATCHES)
    if np.ptp(over) == 0:
        return float(n)
    variance = float((sums**2).sum()) * _BATCHES / (_BATCHES - 1) / n**2
    independent = float(over.var()) / n
    freedom = _BATCHES - 1
    if variance * freedom <= scipy.stats.chi2.ppf(_EVIDENCE, freedom) * independent:
        return float(n)
    cut = (scipy.stats.norm.ppf(0.975) / scipy.stats.t.ppf(0.975, freedom)) ** 2
    return float(max(1.0, n * independent / variance * cut))


def _autocorrelation(series: Floats) -> Floats:
    """rho_0 … rho_(n-1) by FFT, each covariance divided by n (positive semi-definite)."""
    n = len(series)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(series - series.mean(), size)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n]
    return np.asarray(covariance / covariance[0], dtype=float)


def _correlation_time(rho: Floats) -> float:
    """1 + 2·Σ rho_k over the initial monotone sequence of pairs; at least 1."""
    pairs = rho[: len(rho) // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    kept = np.minimum.accumulate(pairs[: ends[0]] if len(ends) else pairs)
    return max(1.0, 2.0 * float(kept.sum()) - 1.0)
